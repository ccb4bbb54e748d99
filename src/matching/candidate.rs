//! A child beside what a search asks for: every criterion must agree.

use chrono::NaiveDate;
use linkage::fold::fold;
use serde::Deserialize;

use super::{Agreement, Criteria, Field, How, Match, Strength};
use crate::{
    child::{
        address::Postcode,
        birth::{DateOfBirth, DatePrecision, Gender},
        identifier::Identifier,
        name::{Name, NameKind, NamePart},
    },
    ids::IndexNumber,
};

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
    /// Whether the index number that the search asks for leads here, its own or that of a record merged into it.
    #[serde(skip)]
    pub(crate) numbered: bool,
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
        let mut say = |field, how| agreement.push(Agreement { field, how, words: None });
        if criteria.index_number.is_some() {
            self.numbered.then(|| say(Field::IndexNumber, How::Same))?;
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
        Some(Match { strength: strength(&agreement), agreement, ..self.told()? })
    }

    /// What a search tells of the child, before it was compared.
    pub(crate) fn told(&self) -> Option<Match> {
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
            strength: Strength::Weak,
            agreement: Vec::new(),
            doubts: Vec::new(),
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
