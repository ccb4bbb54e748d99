//! A child as the matcher compares it: folded, without anything that only a reader needs.

use serde::{Deserialize, Serialize};

use crate::fold::{fold, tokens};

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
}

impl PersonName {
    /// The name of these given names and this family name.
    #[must_use]
    pub fn of<S: AsRef<str>>(given: &[S], family: &str) -> Self {
        let given = given.iter().map(|part| fold(part.as_ref()));
        Self {
            given: given.filter(|part| !part.is_empty() && !is_placeholder(part)).collect(),
            family: tokens(family).into_iter().filter(|part| !is_placeholder(part)).collect(),
        }
    }

    /// The first given name; empty where there is none.
    #[must_use]
    pub fn first(&self) -> &str {
        self.given.first().map_or("", String::as_str)
    }

    /// The whole family name in one.
    #[must_use]
    pub fn whole_family(&self) -> String {
        self.family.concat()
    }
}

/// Whether a folded name is what is written where no name is known, such as "Baby" or "Twin Two".
#[must_use]
pub fn is_placeholder(folded: &str) -> bool {
    const PLACEHOLDERS: [&str; 22] = [
        "baby", "babyboy", "babygirl", "babyof", "boy", "female", "girl", "infant", "male",
        "newborn", "nk", "noname", "notknown", "surname", "tbc", "triplet", "twin", "twinone",
        "twintwo", "unborn", "unknown", "unnamed",
    ];
    PLACEHOLDERS.binary_search(&folded).is_ok()
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

    /// The date with day and month changed over, where that is another date that may exist.
    #[must_use]
    pub fn swapped(self) -> Option<Self> {
        let (month, day) = self.month_and_day()?;
        (day <= 12 && day != month).then(|| Self::on(self.year, day, month))
    }
}

/// An address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The postcode in capitals, with the space between its halves; the first half alone where no more is known; else empty.
    pub postcode: String,
    /// The number or name of the house; empty where none is said.
    pub house: String,
    /// The street, folded; empty where none is said.
    pub street: String,
    /// The town, folded; empty where none is said.
    pub town: String,
    /// Whether it was before.
    pub former: bool,
}

impl Place {
    /// An address of these lines.
    #[must_use]
    pub fn of<S: AsRef<str>>(lines: &[S], town: &str, postcode: &str, former: bool) -> Self {
        let (house, street) = house_and_street(lines);
        Self { postcode: postcode.to_owned(), house, street, town: fold(town), former }
    }

    /// The first half of the postcode; empty where there is none.
    #[must_use]
    pub fn outward(&self) -> &str {
        self.postcode.split(' ').next().unwrap_or_default()
    }

    /// The whole postcode without its space, where it is known.
    #[must_use]
    pub fn unit(&self) -> Option<String> {
        self.postcode.contains(' ').then(|| self.postcode.replace(' ', ""))
    }
}

/// The house's number and the street, of the first line that begins with a number; else the first line as the house's name.
fn house_and_street<S: AsRef<str>>(lines: &[S]) -> (String, String) {
    for line in lines {
        let line = line.as_ref().trim_start();
        if !line.starts_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        let end = line.find(|c: char| c.is_whitespace() || c == ',').unwrap_or(line.len());
        let (house, street) = line.split_at(end);
        let next = lines.get(1).map(|line| fold(line.as_ref())).unwrap_or_default();
        let street = Some(fold(street)).filter(|street| !street.is_empty()).unwrap_or(next);
        return (number(house), street);
    }
    let folded = |n: usize| lines.get(n).map(|line| fold(line.as_ref())).unwrap_or_default();
    if lines.len() > 1 { (folded(0), folded(1)) } else { (String::new(), folded(0)) }
}

fn number(house: &str) -> String {
    let kept = house.chars().filter(char::is_ascii_alphanumeric);
    kept.map(|c| c.to_ascii_lowercase()).collect()
}
