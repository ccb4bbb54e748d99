//! Finding the one right child: what may be searched by, and how well a child agrees.

use chrono::{Datelike, NaiveDate};
use linkage::fold::fold;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use crate::{
    child::{
        address::Postcode,
        birth::{DateOfBirth, DatePrecision, Gender},
        identifier::{Identifier, IdentifierIn},
        name::{Name, NameKind, NamePart, PersonName, given_keys},
    },
    code::codes,
    ids::{EventId, IndexNumber},
    problem::{Kind, Problem},
    word::is_letter,
};

pub(crate) mod entry;
pub mod matcher;
pub mod retrieve;
pub mod routes;
pub(crate) mod store;
pub mod task;

/// As many children as a search answers; of more it tells nothing.
pub const MOST: usize = 10;

/// What a search looks for. Every criterion given must agree.
#[derive(Debug, Clone, Default, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "name": { "given": ["Amy"], "family": "Testley" },
    "dateOfBirth": "2015-03-14"
}))]
pub struct SearchIn {
    /// The child's number here.
    #[serde(default)]
    #[schema(nullable = false)]
    pub index_number: Option<IndexNumber>,
    /// A number that the kind of body that you work for gave the child.
    #[serde(default)]
    #[validate(nested)]
    #[schema(nullable = false)]
    pub identifier: Option<IdentifierIn>,
    /// The name: the family name, and the given names unless birth and postcode are given.
    #[serde(default)]
    #[schema(nullable = false)]
    pub name: Option<NameIn>,
    /// The date of birth. A child of whom only the month or the year is known is found by any day in it.
    #[serde(default, deserialize_with = "crate::word::some_day")]
    #[schema(nullable = false, example = "2015-03-14")]
    pub date_of_birth: Option<NaiveDate>,
    /// The gender. A child whose gender is not specified is found by either.
    #[serde(default)]
    #[schema(nullable = false)]
    pub gender: Option<Gender>,
    /// The postcode of an address, now or before.
    #[serde(default)]
    #[schema(nullable = false)]
    pub postcode: Option<Postcode>,
}

/// A name to search by. Case, accents, apostrophes, hyphens and spaces make no difference.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NameIn {
    /// Given names: the first must agree, or all together.
    #[serde(default)]
    #[schema(max_items = 5, example = json!(["Amy"]))]
    pub given: Vec<NamePart>,
    /// The family name: at least 2 letters.
    pub family: NamePart,
}

/// A search that is enough to search by, as it is compared.
#[derive(Debug, Clone, Default)]
pub(crate) struct Criteria {
    pub(crate) index_number: Option<IndexNumber>,
    pub(crate) identifier: Option<Identifier>,
    pub(crate) given: Option<Vec<NamePart>>,
    pub(crate) family_key: Option<String>,
    pub(crate) date_of_birth: Option<NaiveDate>,
    pub(crate) gender: Option<Gender>,
    pub(crate) postcode: Option<Postcode>,
}

impl Criteria {
    /// The criteria of a search, if they are enough.
    pub(crate) fn of(search: SearchIn) -> Result<Self, Problem> {
        let SearchIn { index_number, identifier, name, date_of_birth, gender, postcode } = search;
        let identifier = identifier.map(|identifier| identifier.check()).transpose()?;
        let (given, family_key) = match name {
            None => (None, None),
            Some(NameIn { given, family }) => {
                if given.len() > 5 {
                    return Err(Problem::invalid("/name/given", "must have at most 5"));
                }
                let key = fold(family.as_str());
                let letters = family.as_str().chars().filter(|c| is_letter(*c)).count();
                if letters < 2 || key.len() < 2 {
                    return Err(Problem::invalid("/name/family", "must have at least 2 letters"));
                }
                (Some(given).filter(|given| !given.is_empty()), Some(key))
            }
        };
        let criteria =
            Self { index_number, identifier, given, family_key, date_of_birth, gender, postcode };
        if criteria.suffice() { Ok(criteria) } else { Err(Kind::TooLittleToSearchBy.into()) }
    }

    fn suffice(&self) -> bool {
        let (family, given) = (self.family_key.is_some(), self.given.is_some());
        let (born, postcode) = (self.date_of_birth.is_some(), self.postcode.is_some());
        self.index_number.is_some()
            || self.identifier.is_some()
            || (family && given && born)
            || (family && given && postcode && self.gender.is_some())
            || (family && born && postcode)
    }

    /// The given names as they are compared.
    pub(crate) fn given_keys(&self) -> Option<Vec<String>> {
        self.given.as_deref().map(given_keys)
    }

    /// The days under which a date of birth may stand, since of some children only the month or the year is known.
    pub(crate) fn days(&self) -> Option<Vec<NaiveDate>> {
        self.date_of_birth.map(days)
    }

    /// Whether it looks for something that a shield hides, so that no shielded child is found by it.
    pub(crate) fn looks_behind_shields(&self) -> bool {
        self.identifier.is_some() || self.postcode.is_some()
    }

    /// What is written down of it.
    pub(crate) fn told(&self) -> serde_json::Value {
        let given: Option<Vec<_>> =
            self.given.as_ref().map(|given| given.iter().map(NamePart::as_str).collect());
        serde_json::json!({
            "indexNumber": self.index_number,
            "identifier": self.identifier,
            "given": given,
            "family": self.family_key,
            "dateOfBirth": self.date_of_birth,
            "gender": self.gender,
            "postcode": self.postcode,
        })
    }
}

/// The day itself, and the first days of its month and year.
pub(crate) fn days(day: NaiveDate) -> Vec<NaiveDate> {
    let firsts = [day.with_day(1), day.with_day(1).and_then(|day| day.with_month(1))];
    let mut days: Vec<_> = [Some(day)].into_iter().chain(firsts).flatten().collect();
    days.sort();
    days.dedup();
    days
}

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
        /// The family name.
        FamilyName = "familyName",
        /// The date of birth.
        DateOfBirth = "dateOfBirth",
        /// The gender.
        Gender = "gender",
        /// The postcode.
        Postcode = "postcode",
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
    }
}

/// One field that agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Agreement {
    /// What was compared.
    pub field: Field,
    /// How it agreed.
    pub how: How,
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
    /// What agreed, and how.
    pub agreement: Vec<Agreement>,
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

/// A child as the database has it, to be compared.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Candidate {
    pub(crate) index_number: IndexNumber,
    pub(crate) date_of_birth: NaiveDate,
    pub(crate) date_of_birth_precision: DatePrecision,
    pub(crate) gender: Gender,
    pub(crate) names: Vec<CandidateName>,
    /// Those of every address, where the search asks for one.
    #[serde(default)]
    pub(crate) postcodes: Vec<CandidatePostcode>,
    /// Those that hold, where the search asks for one.
    #[serde(default)]
    pub(crate) identifiers: Vec<Identifier>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct CandidateName {
    pub(crate) name: Name,
    pub(crate) superseded: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct CandidatePostcode {
    pub(crate) postcode: Postcode,
    pub(crate) former: bool,
}

impl Candidate {
    /// How the child agrees with a search, if every criterion does.
    pub(crate) fn compare(&self, criteria: &Criteria) -> Option<Match> {
        let mut agreement = Vec::new();
        let mut say = |field, how| agreement.push(Agreement { field, how });
        if let Some(number) = &criteria.index_number {
            (*number == self.index_number).then(|| say(Field::IndexNumber, How::Same))?;
        }
        if let Some(identifier) = &criteria.identifier {
            self.identifiers.contains(identifier).then(|| say(Field::Identifier, How::Same))?;
        }
        if criteria.family_key.is_some() {
            let (name, given) = self.name(criteria)?;
            if let Some(given) = given {
                say(Field::GivenNames, given);
            }
            say(Field::FamilyName, name);
        }
        if let Some(day) = criteria.date_of_birth {
            say(Field::DateOfBirth, self.birth(day)?);
        }
        if let Some(gender) = criteria.gender {
            say(Field::Gender, self.gender(gender)?);
        }
        if let Some(postcode) = &criteria.postcode {
            let known = self.postcodes.iter().filter(|known| known.postcode == *postcode);
            let former = known.map(|known| known.former).min()?;
            say(Field::Postcode, if former { How::FormerAddress } else { How::Same });
        }
        let current = self
            .names
            .iter()
            .find(|known| known.name.kind == NameKind::Current && !known.superseded)?;
        Some(Match {
            index_number: self.index_number.clone(),
            name: current.name.clone().into(),
            date_of_birth: self.date_of_birth,
            date_of_birth_precision: self.date_of_birth_precision,
            gender: self.gender,
            strength: strength(&agreement),
            agreement,
        })
    }

    /// How the best of the child's names agrees, and how its given names do.
    fn name(&self, criteria: &Criteria) -> Option<(How, Option<How>)> {
        let family = criteria.family_key.as_ref()?;
        let keys = criteria.given_keys();
        let agreeing = self.names.iter().filter(|known| known.name.family_key() == *family);
        let compared = agreeing.filter_map(|known| {
            let kind = match (known.name.kind, known.superseded) {
                (NameKind::Current, false) => How::Same,
                (NameKind::KnownAs, false) => How::KnownAs,
                _ => How::FormerName,
            };
            let Some(keys) = &keys else { return Some((kind, None)) };
            let held = known.name.given_keys();
            held.iter().any(|key| keys.contains(key)).then_some(())?;
            let whole = |parts: &[NamePart]| {
                parts.iter().map(|part| fold(part.as_str())).collect::<String>()
            };
            let same =
                whole(&known.name.given) == whole(criteria.given.as_deref().unwrap_or_default());
            Some((kind, Some(if same { How::Same } else { How::FirstName })))
        });
        compared.min()
    }

    fn birth(&self, day: NaiveDate) -> Option<How> {
        let birth = DateOfBirth {
            date: self.date_of_birth,
            precision: self.date_of_birth_precision,
            estimated: false,
        };
        birth.covers(day).then_some(match birth.precision {
            DatePrecision::Day => How::Same,
            DatePrecision::Month | DatePrecision::Year => How::WithinWhatIsKnown,
        })
    }

    fn gender(&self, gender: Gender) -> Option<How> {
        match (self.gender, gender) {
            (held, asked) if held == asked => Some(How::Same),
            (Gender::NotSpecified, _) | (_, Gender::NotSpecified) => Some(How::NotSpecified),
            _ => None,
        }
    }
}

fn strength(agreement: &[Agreement]) -> Strength {
    let how = |field| agreement.iter().find(|a| a.field == field).map(|a| a.how);
    if how(Field::IndexNumber).is_some() || how(Field::Identifier).is_some() {
        return Strength::Strong;
    }
    let named = how(Field::GivenNames).is_some() && how(Field::FamilyName).is_some();
    if named && how(Field::DateOfBirth) == Some(How::Same) {
        return Strength::Strong;
    }
    let partly = [How::WithinWhatIsKnown, How::FormerAddress, How::NotSpecified];
    if agreement.iter().any(|a| partly.contains(&a.how)) { Strength::Weak } else { Strength::Good }
}
