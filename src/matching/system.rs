//! What a system knows of a child, and whether that is one child of the index.

use chrono::NaiveDate;
use linkage::{NameKind as LinkedKind, Person};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use super::{Criterion, asked};
use crate::{
    child::{
        address::{AddressLine, Postcode},
        birth::{DatePrecision, Gender},
        identifier::{Identifier, IdentifierIn},
        name::{NameKind, NamePart, PersonName},
    },
    code::codes,
    ids::{EventId, IndexNumber},
    organisation::codes::OrganisationCode,
    problem::{Kind, Problem},
    word::{Refusal, word},
};

word! {
    /// A postcode as it was written, right or not: 2 to 10 letters, digits and spaces; or its first half alone.
    #[schema(min_length = 2, max_length = 10, pattern = "^ *[A-Za-z0-9]+[A-Za-z0-9 ]*$", example = "PO1 3AX")]
    WrittenPostcode = written_postcode
}

fn written_postcode(text: &str) -> Result<String, Refusal> {
    const FORM: Refusal = Refusal::because("A postcode is 2 to 10 letters, digits and spaces.");
    if let Ok(postcode) = Postcode::parse(text) {
        return Ok(postcode.as_str().to_owned());
    }
    let allowed = text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b' ');
    let bare = text.replace(' ', "").to_ascii_uppercase();
    if !allowed || bare.is_empty() || !(2..=10).contains(&text.len()) {
        return Err(FORM);
    }
    let halves = text.trim_matches(' ').contains(' ') || bare.len() >= 5;
    let inward = bare.len().saturating_sub(3);
    let whole = halves && inward > 0;
    Ok(if whole { format!("{} {}", &bare[..inward], &bare[inward..]) } else { bare })
}

/// What a system knows of a child: the more, the surer. Nothing of it is stored but, sealed, in the audit.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "names": [{ "given": ["Amy", "Rose"], "family": "Testley" }],
    "dateOfBirth": "2015-03-14",
    "gender": "female",
    "addresses": [{ "lines": ["12 Harbour Way"], "town": "Exampleton", "postcode": "PO1 3AX" }]
}))]
pub struct MatchIn {
    /// Every name that is known, now and before: 1 to 10.
    #[validate(length(min = 1, max = 10), nested)]
    #[schema(min_items = 1, max_items = 10)]
    pub names: Vec<NameToMatch>,
    /// The date of birth; where only the month or the year is known, any day in it.
    #[serde(default, deserialize_with = "crate::word::some_day")]
    #[schema(nullable = false, example = "2015-03-14")]
    pub date_of_birth: Option<NaiveDate>,
    /// How much of it is known; `day` unless said.
    #[serde(default)]
    pub date_of_birth_precision: DatePrecision,
    /// The gender.
    #[serde(default)]
    #[schema(nullable = false)]
    pub gender: Option<Gender>,
    /// Every address that is known, now and before: at most 10. A postcode alone will do.
    #[serde(default)]
    #[validate(length(max = 10), nested)]
    #[schema(max_items = 10)]
    pub addresses: Vec<AddressToMatch>,
    /// The names of parents and carers: at most 10.
    #[serde(default)]
    #[validate(length(max = 10))]
    #[schema(max_items = 10)]
    pub carers: Vec<PersonName>,
    /// Schools and nurseries, now and before: at most 10. One that the index does not know says nothing.
    #[serde(default)]
    #[validate(length(max = 10))]
    #[schema(max_items = 10, example = json!(["urn:900001"]))]
    pub schools: Vec<OrganisationCode>,
    /// General practices, now and before: at most 10. One that the index does not know says nothing.
    #[serde(default)]
    #[validate(length(max = 10))]
    #[schema(max_items = 10, example = json!(["ods:Y90001"]))]
    pub practices: Vec<OrganisationCode>,
    /// Numbers that the kind of body that you act for gave the child: at most 5.
    #[serde(default)]
    #[validate(length(max = 5), nested)]
    #[schema(max_items = 5)]
    pub identifiers: Vec<IdentifierIn>,
}

/// A name that is known: given names, a family name, or both.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NameToMatch {
    /// What the name is to the child; `current` unless said.
    #[serde(default = "current")]
    #[schema(required = false)]
    pub kind: NameKind,
    /// The given names in their order: at most 5.
    #[serde(default)]
    #[validate(length(max = 5))]
    #[schema(max_items = 5, example = json!(["Amy"]))]
    pub given: Vec<NamePart>,
    /// The family name.
    #[serde(default)]
    #[schema(nullable = false, example = "Testley")]
    pub family: Option<NamePart>,
}

fn current() -> NameKind {
    NameKind::Current
}

/// What is known of an address.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddressToMatch {
    /// The lines above the town: at most 5.
    #[serde(default)]
    #[validate(length(max = 5))]
    #[schema(max_items = 5, example = json!(["12 Harbour Way"]))]
    pub lines: Vec<AddressLine>,
    /// The post town.
    #[serde(default)]
    #[schema(nullable = false, example = "Exampleton")]
    pub town: Option<AddressLine>,
    /// The postcode, as it was written.
    #[serde(default)]
    #[schema(nullable = false)]
    pub postcode: Option<WrittenPostcode>,
    /// Whether the child lived there before.
    #[serde(default)]
    pub former: bool,
}

codes! {
    /// Whether what a system knows is of one child of the index.
    MatchOutcome {
        /// It is this child.
        Match = "match",
        /// It may be of a child of the index; what is known does not decide it.
        Ambiguous = "ambiguous",
        /// The index holds nobody like it whom it tells of.
        None = "none",
    }
}

/// Whether what a system knows is of one child of the index. Never a list, never a figure.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Matched {
    /// The match, as the audit knows it.
    pub match_id: EventId,
    /// Whether it is one child.
    pub outcome: MatchOutcome,
    /// The child's number here, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub index_number: Option<IndexNumber>,
    /// Where it is ambiguous: of what was not sent, what would decide best.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub narrow_by: Option<Criterion>,
    /// The model by which it was decided.
    #[schema(example = "cold")]
    pub model_version: String,
}

/// What a system knows, if that is enough to match by.
#[derive(Debug)]
pub(crate) struct Known {
    request: MatchIn,
    pub(crate) identifiers: Vec<Identifier>,
}

impl Known {
    /// What a system knows, if that is enough.
    pub(crate) fn of(request: MatchIn) -> Result<Self, Problem> {
        for (n, name) in request.names.iter().enumerate() {
            if name.given.is_empty() && name.family.is_none() {
                return Err(Problem::invalid(
                    format!("/names/{n}"),
                    "must have given names, a family name, or both",
                ));
            }
        }
        let identifiers = request.identifiers.iter().map(IdentifierIn::check);
        let identifiers = identifiers.collect::<Result<Vec<_>, _>>()?;
        let known = Self { request, identifiers };
        if known.suffices() { Ok(known) } else { Err(Kind::TooLittleToSearchBy.into()) }
    }

    fn suffices(&self) -> bool {
        let MatchIn { names, date_of_birth, gender, addresses, .. } = &self.request;
        let whole = names.iter().any(|name| name.family.is_some() && !name.given.is_empty());
        let (born, gender) = (date_of_birth.is_some(), gender.is_some());
        let postcode = addresses.iter().any(|address| address.postcode.is_some());
        !self.identifiers.is_empty()
            || (whole && born)
            || (whole && postcode && gender)
            || (born && postcode)
    }

    /// The schools, and the practices.
    pub(crate) fn organisations(&self) -> (&[OrganisationCode], &[OrganisationCode]) {
        (&self.request.schools, &self.request.practices)
    }

    /// Whether it holds something that a shield hides, so that no shielded child is found by it.
    pub(crate) fn looks_behind_shields(&self) -> bool {
        let MatchIn { addresses, schools, practices, .. } = &self.request;
        let lists = [schools.len(), practices.len(), addresses.len(), self.identifiers.len()];
        lists.iter().any(|length| *length > 0)
    }

    /// It as a person to be found, with the numbers of schools and practices.
    pub(crate) fn person(&self, schools: Vec<u64>, practices: Vec<u64>) -> Person {
        let request = &self.request;
        let names = request.names.iter().map(|name| {
            let kind = match name.kind {
                NameKind::Current => LinkedKind::Current,
                NameKind::KnownAs => LinkedKind::KnownAs,
                NameKind::Former => LinkedKind::Former,
            };
            asked::named(kind, &name.given, name.family.as_ref().map_or("", NamePart::as_str))
        });
        let places = request.addresses.iter().filter_map(|address| {
            let lines: Vec<_> = address.lines.iter().map(AddressLine::as_str).collect();
            let town = address.town.as_ref().map_or("", AddressLine::as_str);
            let postcode = address.postcode.as_ref().map_or("", WrittenPostcode::as_str);
            asked::place(&lines, town, postcode, address.former)
        });
        let born = request.date_of_birth;
        Person {
            names: names.collect(),
            birth: born.and_then(|day| asked::birth(day, request.date_of_birth_precision)),
            gender: request.gender.and_then(asked::gender),
            places: places.collect(),
            carers: request.carers.iter().map(asked::carer).collect(),
            schools,
            practices,
            identifiers: self.identifiers.iter().map(asked::identifier).collect(),
        }
    }

    /// Of what was not sent, what would decide best.
    pub(crate) fn narrow_by(&self) -> Option<Criterion> {
        let MatchIn { names, date_of_birth, gender, addresses, carers, schools, .. } =
            &self.request;
        let missing = [
            (Criterion::DateOfBirth, date_of_birth.is_none()),
            (Criterion::GivenNames, names.iter().all(|name| name.given.is_empty())),
            (Criterion::Postcode, !addresses.iter().any(|address| address.postcode.is_some())),
            (Criterion::Address, !addresses.iter().any(|address| !address.lines.is_empty())),
            (Criterion::School, schools.is_empty()),
            (Criterion::Carer, carers.is_empty()),
            (Criterion::Gender, gender.is_none()),
        ];
        missing.into_iter().find(|(_, missing)| *missing).map(|(criterion, _)| criterion)
    }

    /// What is written down of it.
    pub(crate) fn told(&self) -> serde_json::Value {
        serde_json::json!({
            "names": self.request.names,
            "dateOfBirth": self.request.date_of_birth,
            "dateOfBirthPrecision": self.request.date_of_birth_precision,
            "gender": self.request.gender,
            "addresses": self.request.addresses,
            "carers": self.request.carers,
            "schools": self.request.schools.iter().map(OrganisationCode::as_str).collect::<Vec<_>>(),
            "practices": self.request.practices.iter().map(OrganisationCode::as_str).collect::<Vec<_>>(),
            "identifiers": self.identifiers,
        })
    }
}
