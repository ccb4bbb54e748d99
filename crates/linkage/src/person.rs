//! A child as the matcher compares it: folded, without anything that only a reader needs.

use serde::{Deserialize, Serialize};

use crate::{fold::tokens, placeholder};
pub use crate::{place::Place, placeholder::is_placeholder};

/// What is known of a child, or asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Every name, now and before.
    pub names: Vec<Name>,
    /// The date of birth, as far as it is known.
    pub birth: Option<Birth>,
    /// The gender, unless it is not specified.
    pub gender: Option<Gender>,
    /// Every address, now and before; under a shield none.
    pub places: Vec<Place>,
    /// The names of those who care for the child.
    pub carers: Vec<PersonName>,
    /// Schools and nurseries, now and before, as numbers that stand for them; under a shield none.
    pub schools: Vec<u64>,
    /// General practices, now and before, as numbers that stand for them; under a shield none.
    pub practices: Vec<u64>,
    /// Identifiers: the kind and the value, as `upn:…`; under a shield none.
    pub identifiers: Vec<String>,
}

impl Person {
    /// The record packed, as it is stored beside its keys.
    pub fn pack(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_allocvec(self)
    }

    /// The record that was packed; those of another [`crate::key::SCHEME`] cannot be read.
    pub fn unpack(packed: &[u8]) -> Result<Self, postcard::Error> {
        postcard::from_bytes(packed)
    }
}

/// What a name is to the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NameKind {
    /// The name now.
    Current,
    /// What the child is called besides.
    KnownAs,
    /// A name before.
    Former,
}

/// A name of a child.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Name {
    /// What the name is to the child.
    pub kind: NameKind,
    /// The name.
    pub name: PersonName,
}

/// A name, in the letters a–z.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PersonName {
    /// The given names in their order, each folded; placeholders such as "Baby" are left out.
    pub given: Vec<String>,
    /// The parts of the family name, which spaces and hyphens divide.
    pub family: Vec<String>,
    /// The family name in one.
    pub whole: String,
}

impl PersonName {
    /// The name of these given names and this family name.
    #[must_use]
    pub fn of<S: AsRef<str>>(given: &[S], family: &str) -> Self {
        let given = given.iter().flat_map(|part| placeholder::names_in(part.as_ref())).collect();
        let known = Some(tokens(family)).filter(|parts| !is_placeholder(&parts.concat()));
        let parts = known.unwrap_or_default().into_iter();
        let family: Vec<_> = parts.filter(|part| !is_placeholder(part)).collect();
        let whole = family.concat();
        Self { given, family, whole }
    }

    /// The first given name; empty where there is none.
    #[must_use]
    pub fn first(&self) -> &str {
        self.given.first().map_or("", String::as_str)
    }

    /// The given names after the first.
    #[must_use]
    pub fn further(&self) -> &[String] {
        self.given.get(1..).unwrap_or_default()
    }

    /// The whole family name in one.
    #[must_use]
    pub fn whole_family(&self) -> &str {
        &self.whole
    }
}

/// The gender that is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Gender {
    /// Female.
    Female,
    /// Male.
    Male,
}

/// A date of birth, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Birth {
    /// The year.
    pub year: i16,
    /// The month, 1 to 12, where it is known.
    pub month: Option<u8>,
    /// The day of the month, where it is known.
    pub day: Option<u8>,
}

impl Birth {
    /// A whole date.
    #[must_use]
    pub fn on(year: i16, month: u8, day: u8) -> Self {
        Self { year, month: Some(month), day: Some(day) }
    }

    /// Month and day, where the whole date is known.
    #[must_use]
    pub fn month_and_day(self) -> Option<(u8, u8)> {
        self.month.zip(self.day)
    }

    /// Whether it is 1 January, which is written where no more than a year is known.
    #[must_use]
    pub fn is_placeholder(self) -> bool {
        self.month_and_day() == Some((1, 1))
    }

    /// The date with day and month changed over, where that is another date that may exist.
    #[must_use]
    pub fn swapped(self) -> Option<Self> {
        let (month, day) = self.month_and_day()?;
        (day <= 12 && day != month).then(|| Self::on(self.year, day, month))
    }
}
