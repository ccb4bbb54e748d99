//! Two records side by side: how each field agrees, and what that says in bits.

use serde::{Deserialize, Serialize};

pub use crate::matcher::Matcher;
use crate::model::Model;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Field {
    /// The family name.
    FamilyName,
    /// The first given name.
    GivenName,
    /// The given names after the first.
    FurtherNames,
    /// The date of birth.
    DateOfBirth,
    /// The gender.
    Gender,
    /// The postcode.
    Postcode,
    /// The number of the house, where the postcode agrees.
    House,
    /// The street, where the postcode does not agree.
    Street,
    /// The town, where the postcode does not agree.
    Town,
    /// Who cares for the child.
    Carer,
    /// The school or nursery.
    School,
    /// The general practice.
    Practice,
    /// An identifier.
    Identifier,
}

/// How a field agrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Level {
    /// It is the same.
    Same,
    /// One half of a family name, or one of several parts, is the same.
    Part,
    /// One letter or digit is another, is missing, is too many, or has changed places with the next.
    OneEdit,
    /// The spelling is close.
    Close,
    /// The spelling is distantly alike.
    Distant,
    /// It is the same name as it is written elsewhere, such as Mohammed and Muhammad, or in its form for women and for men.
    Variant,
    /// One name is short for the other.
    Nickname,
    /// One is the initial of the other.
    Initial,
    /// The first given name is one of the other's further given names.
    OtherGivenName,
    /// The spelling is alike, but both are names that children are given: it may be a brother or sister.
    AnotherRealName,
    /// Given name and family name have changed places, and are the same.
    SwappedSame,
    /// Given name and family name have changed places, and are alike.
    SwappedLike,
    /// Day and month have changed places.
    Swapped,
    /// Day and month have changed places, and a digit is another.
    SwappedOneDigit,
    /// One digit of the date is another.
    OneDigit,
    /// Day and month are the same, and the year is another.
    MonthAndDay,
    /// Two of day, month and year are the same.
    TwoParts,
    /// Only the year is the same.
    SameYear,
    /// The date lies in the month or year that is known.
    WithinWhatIsKnown,
    /// Both are 1 January of one year, which is written where no date of birth is known.
    Placeholder,
    /// Two letters or digits of the postcode are others.
    TwoEdits,
    /// The street is the same, as is the postcode: it says more where many share a postcode.
    SameHere,
    /// The street is alike, and the postcode the same.
    AlikeHere,
    /// The street is another, though the postcode is the same.
    DifferentHere,
    /// All but the last two letters of the postcode are the same.
    SameSector,
    /// The first half of the postcode is the same.
    SameDistrict,
    /// The letters at the beginning of the postcode are the same.
    SameArea,
    /// Street and number of the house are the same.
    SameWithHouse,
    /// The given name of a carer is the same.
    SameGivenName,
    /// The family name of a carer is the same.
    SameFamilyName,
    /// It is another.
    Different,
}

/// How one field agrees, and what that says.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What was compared.
    pub field: Field,
    /// How it agrees.
    pub level: Level,
    /// What that says, in bits: above 0 for one child, below 0 for two.
    pub bits: f64,
}

/// Two records side by side.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// All evidence for one child and against two, be they strangers or of one family, in bits: 10 is odds of a thousand to one.
    pub bits: f64,
    /// What speaks for one child and against two of one family, in bits, whether or not the index holds brothers and sisters: twins
    /// share all but given name and gender, brothers and sisters all but these and the date of birth.
    pub apart: f64,
    /// The fields that both records have.
    pub findings: Vec<Finding>,
}

impl Comparison {
    /// How a field agrees, where both records have it.
    #[must_use]
    pub fn level(&self, field: Field) -> Option<Level> {
        self.findings.iter().find(|finding| finding.field == field).map(|finding| finding.level)
    }

    /// Whether a field says more than the model has for its level, as a spelling does that nobody else has.
    #[must_use]
    pub(crate) fn says_more_than(&self, model: &Model, field: Field) -> bool {
        let finding = self.findings.iter().find(|finding| finding.field == field);
        finding.is_some_and(|finding| finding.bits > model.bits(field, finding.level, 0.0))
    }
}
