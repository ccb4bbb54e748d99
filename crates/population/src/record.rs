//! A record as it is written: one line of a labelled file, or a child for the matcher.

use linkage::{Birth, Gender, Name, NameKind, Person, PersonName, Place};
use serde::{Deserialize, Serialize};

/// A name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The given names.
    pub given: Vec<String>,
    /// The family name.
    pub family: String,
    /// What the name is to the child.
    #[serde(default = "current")]
    pub kind: String,
}

fn current() -> String {
    "current".to_owned()
}

/// An address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Address {
    /// House and street.
    pub lines: Vec<String>,
    /// The town.
    pub town: String,
    /// The postcode, or its first half.
    pub postcode: String,
    /// Whether it was before.
    pub former: bool,
}

/// One who cares for the child.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carer {
    /// The given names.
    pub given: Vec<String>,
    /// The family name.
    pub family: String,
}

/// What is known of a child.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Record {
    /// The names, now and before.
    pub names: Vec<Named>,
    /// The date of birth, or its year, or its year and month.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_of_birth: Option<String>,
    /// `female` or `male`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gender: Option<String>,
    /// The addresses, now and before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<Address>,
    /// Those who care for the child.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub carers: Vec<Carer>,
    /// The schools.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub schools: Vec<String>,
    /// The general practices.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub practices: Vec<String>,
    /// Identifiers with their kinds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub identifiers: Vec<String>,
}

/// A line of a labelled file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labelled {
    /// The record's own name.
    pub id: String,
    /// Which child it is, in truth.
    pub child: String,
    /// What went wrong with it, if it is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Whether it is held in the index.
    pub held: bool,
    /// Whether it is asked for.
    pub asked: bool,
    /// The record.
    #[serde(flatten)]
    pub record: Record,
}

impl Record {
    /// The record for the matcher.
    #[must_use]
    pub fn person(&self) -> Person {
        let kind = |kind: &str| match kind {
            "former" => NameKind::Former,
            "knownAs" => NameKind::KnownAs,
            _ => NameKind::Current,
        };
        let number = |word: &String| {
            word.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(0)
        };
        Person {
            names: self
                .names
                .iter()
                .map(|name| Name {
                    kind: kind(&name.kind),
                    name: PersonName::of(&name.given, &name.family),
                })
                .collect(),
            birth: self.date_of_birth.as_deref().and_then(birth),
            gender: self.gender.as_deref().and_then(|gender| match gender {
                "female" => Some(Gender::Female),
                "male" => Some(Gender::Male),
                _ => None,
            }),
            places: self
                .addresses
                .iter()
                .map(|home| {
                    let postcode = home.postcode.trim().to_uppercase();
                    Place::of(&home.lines, &home.town, &postcode, home.former)
                })
                .collect(),
            carers: self.carers.iter().map(|one| PersonName::of(&one.given, &one.family)).collect(),
            schools: self.schools.iter().map(number).collect(),
            practices: self.practices.iter().map(number).collect(),
            identifiers: self.identifiers.clone(),
        }
    }
}

fn birth(written: &str) -> Option<Birth> {
    let mut parts = written.split('-').map(str::parse::<i16>);
    let year = parts.next()?.ok()?;
    let mut next = || parts.next()?.ok().and_then(|part| u8::try_from(part).ok());
    let month = next();
    Some(Birth { year, month, day: next() })
}
