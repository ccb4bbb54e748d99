//! Finding the one right child: what may be searched by, and how well a child agrees.

use chrono::{Datelike, NaiveDate};
use linkage::fold::fold;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use crate::{
    child::{
        address::{AddressLine, Postcode},
        birth::{DateOfBirth, DatePrecision, Gender},
        identifier::{Identifier, IdentifierIn},
        name::{Name, NameKind, NamePart, PersonName, given_keys},
    },
    code::codes,
    ids::{EventId, IndexNumber},
    organisation::codes::OrganisationCode,
    problem::{Kind, Problem},
    word::is_letter,
};

pub(crate) mod asked;
pub mod candidates;
pub(crate) mod entry;
pub(crate) mod fuzzy;
pub mod matcher;
pub mod retrieve;
pub mod routes;
pub(crate) mod store;
pub mod system;
pub mod task;

/// As many children as a search answers; of more it tells nothing.
pub const MOST: usize = 10;
/// As many children as are ever listed at once, where somebody is to look at each.
pub const MOST_LISTED: usize = 20;

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
