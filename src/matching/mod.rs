//! Finding the one right child: what may be searched by, and how well a child agrees.

use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    child::{
        birth::{DatePrecision, Gender},
        name::PersonName,
    },
    code::codes,
    ids::{EventId, IndexNumber},
};

pub(crate) mod asked;
mod candidate;
pub mod candidates;
mod criteria;
pub(crate) mod entry;
pub(crate) mod fuzzy;
pub mod matcher;
pub mod retrieve;
pub mod routes;
pub(crate) mod store;
pub mod system;
pub mod task;

pub use self::criteria::{NameIn, PartOfAddress, SearchIn};
pub(crate) use self::{
    candidate::{Candidate, CandidatePostcode},
    criteria::{Criteria, Further},
};

/// As many children as a search answers; of more it tells nothing.
pub const MOST: usize = 10;
/// As many children as are ever listed at once, where somebody is to look at each.
pub const MOST_LISTED: usize = 20;

codes! {
    /// How well a child agrees with a search.
    Strength {
        /// The names and the whole date of birth agree, or a number does.
        Strong = "strong",
        /// What was asked agrees, with less than names and whole date of birth.
        Good = "good",
        /// What was asked agrees only with what was before, or is only partly known.
        Weak = "weak",
    }
}

codes! {
    /// What was compared.
    Field {
        /// The index number.
        IndexNumber = "indexNumber",
        /// An identifier.
        Identifier = "identifier",
        /// The given names.
        GivenNames = "givenNames",
        /// The given names after the first.
        FurtherNames = "furtherNames",
        /// The family name.
        FamilyName = "familyName",
        /// The date of birth.
        DateOfBirth = "dateOfBirth",
        /// The gender.
        Gender = "gender",
        /// The postcode.
        Postcode = "postcode",
        /// The number of the house.
        House = "house",
        /// The street.
        Street = "street",
        /// The town.
        Town = "town",
        /// The name of a parent or carer.
        Carer = "carer",
        /// The school or nursery.
        School = "school",
        /// The general practice.
        Practice = "practice",
    }
}

codes! {
    /// What may be given to find one child among several.
    Criterion {
        /// The date of birth.
        DateOfBirth = "dateOfBirth",
        /// The given names.
        GivenNames = "givenNames",
        /// The postcode.
        Postcode = "postcode",
        /// The lines of an address.
        Address = "address",
        /// The school or nursery.
        School = "school",
        /// The name of a parent or carer.
        Carer = "carer",
        /// The gender.
        Gender = "gender",
    }
}

codes! {
    /// How it agreed.
    How {
        /// It is the same.
        Same = "same",
        /// The first of the names is the same.
        FirstName = "firstName",
        /// It is the same as in a former name.
        FormerName = "formerName",
        /// It is the same as in a name by which the child is known.
        KnownAs = "knownAs",
        /// It is the same as in an address before.
        FormerAddress = "formerAddress",
        /// It lies in the month or year that is known.
        WithinWhatIsKnown = "withinWhatIsKnown",
        /// It is not specified in the record.
        NotSpecified = "notSpecified",
        /// One of its parts is the same.
        Part = "part",
        /// One letter or digit is another, missing or too many, or two have changed places.
        OneEdit = "oneEdit",
        /// It is spelt alike.
        Close = "close",
        /// It is the same name, written another way, such as Mohammed and Muhammad.
        Variant = "variant",
        /// One name is short for the other.
        Nickname = "nickname",
        /// One is the initial of the other.
        Initial = "initial",
        /// It is among the further given names.
        OtherGivenName = "otherGivenName",
        /// It is spelt alike, but both are names of their own.
        AnotherName = "anotherName",
        /// Given name and family name have changed places.
        NamesSwapped = "namesSwapped",
        /// Day and month have changed places.
        DayAndMonthSwapped = "dayAndMonthSwapped",
        /// One digit of the date is another.
        OneDigit = "oneDigit",
        /// It agrees in part.
        Partly = "partly",
        /// It is another.
        Different = "different",
    }
}

/// One field that was compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Agreement {
    /// What was compared.
    pub field: Field,
    /// How it agreed.
    pub how: How,
    /// That in plain English, and how rare a name is that agrees; not of an exact search.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        nullable = false,
        required = false,
        example = "The date of birth has day and month swapped."
    )]
    pub words: Option<String>,
}

/// A child that a search found.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Match {
    /// The child's number here.
    pub index_number: IndexNumber,
    /// The current name.
    pub name: PersonName,
    /// The date of birth.
    #[schema(example = "2015-03-14")]
    pub date_of_birth: NaiveDate,
    /// How much of it is known.
    pub date_of_birth_precision: DatePrecision,
    /// The gender.
    pub gender: Gender,
    /// How well the child agrees.
    pub strength: Strength,
    /// What agreed, and how; where the child is only nearly as asked, what did not too.
    pub agreement: Vec<Agreement>,
    /// Why it is not certain that it is this child, in plain English; absent where it is, and of an exact search.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, example = json!(["What agrees is too little to be sure."]))]
    pub doubts: Vec<String>,
}

/// What a search found.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Matches {
    /// The search, as the audit knows it.
    pub search_id: EventId,
    /// The children, best first: at most 10.
    pub results: Vec<Match>,
}
