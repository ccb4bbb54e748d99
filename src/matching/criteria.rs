//! What a search looks for, where it is enough to search by.

use chrono::{Datelike, NaiveDate};
use linkage::fold::fold;
use serde::Deserialize;
use utoipa::ToSchema;
use validator::Validate;

use super::Criterion;
use crate::{
    child::{
        address::{AddressLine, Postcode},
        birth::Gender,
        identifier::{Identifier, IdentifierIn},
        name::{NamePart, PersonName, given_keys},
    },
    ids::{EventId, IndexNumber},
    organisation::codes::OrganisationCode,
    problem::{Kind, Problem},
    word::is_letter,
};

/// What a search looks for. Every criterion given must agree; where `fuzzy` is true, nearly.
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
    /// Whether to look for what is nearly so too: typing errors, short forms of names, given and family name swapped, day and
    /// month swapped, a wrong digit, halves of names. Only after an exact search of the same criteria found nobody.
    #[serde(default)]
    pub fuzzy: bool,
    /// The exact search, by the same criteria, for the same person and within the last 10 minutes, that found nobody. Needed
    /// with `fuzzy`, and given only there.
    #[serde(default)]
    #[schema(nullable = false)]
    pub search_id: Option<EventId>,
    /// What else is known of an address, now or before. Only with `fuzzy`: it adds to the evidence and need not agree.
    #[serde(default)]
    #[schema(nullable = false)]
    pub address: Option<PartOfAddress>,
    /// The name of a parent or carer. Only with `fuzzy`: it adds to the evidence and need not agree.
    #[serde(default)]
    #[schema(nullable = false)]
    pub carer: Option<PersonName>,
    /// The school or nursery, now or before, by a list and a code of it. Only with `fuzzy`: it adds to the evidence and need not
    /// agree; one that the index does not know says nothing.
    #[serde(default)]
    #[schema(nullable = false, example = "urn:900001")]
    pub school: Option<OrganisationCode>,
}

/// What is known of an address beside its postcode.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PartOfAddress {
    /// The lines above the town: at most 5.
    #[serde(default)]
    #[schema(max_items = 5, example = json!(["12 Harbour Way"]))]
    pub lines: Vec<AddressLine>,
    /// The post town.
    #[serde(default)]
    #[schema(nullable = false, example = "Exampleton")]
    pub town: Option<AddressLine>,
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
    pub(crate) family: Option<NamePart>,
    pub(crate) family_key: Option<String>,
    pub(crate) date_of_birth: Option<NaiveDate>,
    pub(crate) gender: Option<Gender>,
    pub(crate) postcode: Option<Postcode>,
    pub(crate) further: Further,
}

/// What a fuzzy search goes by beside the criteria of the exact one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Further {
    pub(crate) lines: Vec<AddressLine>,
    pub(crate) town: Option<AddressLine>,
    pub(crate) carer: Option<PersonName>,
    pub(crate) school: Option<OrganisationCode>,
}

impl Further {
    /// What is said beside the criteria, which only a fuzzy search takes.
    fn of(search: &mut SearchIn) -> Result<Self, Problem> {
        let only = |pointer, given: bool| {
            let wrong = given && !search.fuzzy;
            if wrong {
                Err(Problem::invalid(pointer, "is only for a fuzzy search"))
            } else {
                Ok(())
            }
        };
        only("/searchId", search.search_id.is_some())?;
        only("/address", search.address.is_some())?;
        only("/carer", search.carer.is_some())?;
        only("/school", search.school.is_some())?;
        if search.fuzzy && search.index_number.is_some() {
            return Err(Problem::invalid("/indexNumber", "is only for an exact search"));
        }
        let PartOfAddress { lines, town } = search.address.take().unwrap_or_default();
        if lines.len() > 5 {
            return Err(Problem::invalid("/address/lines", "must have at most 5"));
        }
        Ok(Self { lines, town, carer: search.carer.take(), school: search.school.take() })
    }
}

impl Criteria {
    /// The criteria of a search, if they are enough.
    pub(crate) fn of(mut search: SearchIn) -> Result<Self, Problem> {
        let further = Further::of(&mut search)?;
        let SearchIn { index_number, identifier, name, date_of_birth, gender, postcode, .. } =
            search;
        let identifier = identifier.map(|identifier| identifier.check()).transpose()?;
        let (given, family, family_key) = match name {
            None => (None, None, None),
            Some(NameIn { given, family }) => {
                if given.len() > 5 {
                    return Err(Problem::invalid("/name/given", "must have at most 5"));
                }
                let key = fold(family.as_str());
                let letters = family.as_str().chars().filter(|c| is_letter(*c)).count();
                if letters < 2 || key.len() < 2 {
                    return Err(Problem::invalid("/name/family", "must have at least 2 letters"));
                }
                (Some(given).filter(|given| !given.is_empty()), Some(family), Some(key))
            }
        };
        let criteria = Self {
            index_number,
            identifier,
            given,
            family,
            family_key,
            date_of_birth,
            gender,
            postcode,
            further,
        };
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
        let Further { lines, town, school, .. } = &self.further;
        let at_home = self.postcode.is_some() || !lines.is_empty() || town.is_some();
        self.identifier.is_some() || at_home || school.is_some()
    }

    /// Of what was not given, what would narrow best.
    pub(crate) fn narrow_by(&self, fuzzy: bool) -> Option<Criterion> {
        let Further { lines, carer, school, .. } = &self.further;
        let missing = [
            (Criterion::DateOfBirth, self.date_of_birth.is_none()),
            (Criterion::GivenNames, self.given.is_none()),
            (Criterion::Postcode, self.postcode.is_none()),
            (Criterion::Address, fuzzy && lines.is_empty()),
            (Criterion::School, fuzzy && school.is_none()),
            (Criterion::Carer, fuzzy && carer.is_none()),
            (Criterion::Gender, self.gender.is_none()),
        ];
        missing.into_iter().find(|(_, missing)| *missing).map(|(criterion, _)| criterion)
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

    /// What is written down of what goes beside it.
    pub(crate) fn further_told(&self) -> serde_json::Value {
        let Further { lines, town, carer, school } = &self.further;
        serde_json::json!({ "lines": lines, "town": town, "carer": carer, "school": school })
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
