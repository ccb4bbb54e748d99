//! Record linkage for children: which records are of one child.
//!
//! Everything here is pure: no database, no clock, no network. The words:
//!
//! - A [`Person`] is what is compared: names, birth, places, carers, schools, practices and identifiers, folded to the letters a–z and
//!   without what only a reader needs. [`PersonName::of`] drops placeholders such as "Baby"; [`Place::of`] reads house, flat, street and
//!   postcode out of free lines.
//! - [`Person::keys`] says under which keys a record is stored, [`Person::keys_to_find`] under which it is looked for: two records are
//!   worth comparing where they share one. What is asked for has more keys (nicknames, other spellings, names changed over, day and month
//!   changed over), so that the index does not grow with them.
//! - [`Matcher::compare`] weighs the evidence in bits (Fellegi and Sunter, 1969): each [`Field`] agrees at a [`Level`], which says
//!   log2(m / u): m is the share of pairs of one child that agree so, u that of pairs of two. Two children are strangers, or of one
//!   family; brothers, sisters and twins share name, home and school, so one child is weighed against them as well.
//! - [`decide`] says whether it is enough to act on: never from the sum alone, but by gates, a margin and the rules for relatives,
//!   namesakes, sources and identifiers.
//! - A [`Model`] is data: m, u, how children of one family agree, thresholds. [`Frequencies`] are what the index itself tells: how often
//!   names and postcodes occur, how strangers agree. [`estimate`] learns both without labels.
//!
//! ```
//! use linkage::{Birth, Frequencies, Matcher, Model, Name, NameKind, Outcome, Person, PersonName, Place, decide};
//!
//! let child = |given: &str, family: &str| Person {
//!     names: vec![Name { kind: NameKind::Current, name: PersonName::of(&[given], family) }],
//!     birth: Some(Birth::on(2015, 3, 14)),
//!     places: vec![Place::of(&["12 High Street"], "Leeds", "LS1 4AB", false)],
//!     ..Person::default()
//! };
//! let (asked, known) = (child("Elizbaeth", "Testley"), child("Elizabeth", "Testley"));
//! let stored = known.keys();
//! assert!(asked.keys_to_find().iter().any(|key| stored.contains(key)));
//! let matcher = Matcher::of(Model::cold(), Frequencies::default());
//! let decision = decide(&matcher.model, vec![("the known one", matcher.compare(&asked, &known))]);
//! assert_eq!(decision.outcome, Outcome::Match);
//! ```

pub mod compare;
pub mod decide;
pub mod estimate;
pub mod evaluate;
pub mod explain;
pub mod fold;
pub mod frequency;
pub mod key;
pub mod matcher;
pub mod model;
pub mod nickname;
pub mod person;
pub mod place;
pub mod placeholder;
pub mod sample;
pub mod similarity;
pub mod variant;

mod birth;
mod cold;
mod home;
mod name;

pub use compare::{Comparison, Field, Finding, Level, Matcher};
pub use decide::{Decision, Outcome, Reason, decide, decide_for, is_a_relative};
pub use frequency::Frequencies;
pub use model::{Kin, Model};
pub use person::{Birth, Gender, Name, NameKind, Person, PersonName, Place};
