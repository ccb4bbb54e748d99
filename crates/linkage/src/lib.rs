//! Record linkage for children.
//!
//! [`Person`] is what is compared; [`Person::keys`] and [`Person::keys_to_find`] say which records are worth comparing;
//! [`Matcher::compare`] weighs the evidence that two records are of one child, in bits (Fellegi and Sunter, 1969);
//! [`decide`] says whether it is enough to act on. Everything here is pure: no database, no clock, no network.

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
