//! A child: names, birth, gender, whereabouts, identifiers; and the rules of what a record may hold.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::{Validate, ValidationError};

use crate::{
    access::{Caller, Role, Viewer},
    carer::CarerIn,
    code::codes,
    ids::{IndexNumber, OrganisationId},
    involvement::{ServiceCategory, ServiceType},
    problem::{Kind, Problem},
};

pub mod address;
pub mod birth;
pub mod identifier;
pub mod name;
pub mod provenance;
pub mod routes;
pub(crate) mod store;
pub mod whereabouts;

use birth::{DateOfBirth, DatePrecision, Gender};
use identifier::IdentifierIn;
use name::{Name, NameKind};
use whereabouts::Whereabouts;

/// What is said of a child who is not here yet.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "names": [{ "kind": "current", "given": ["Amy", "Rose"], "family": "Testley" }],
    "dateOfBirth": "2015-03-14",
    "gender": "female",
    "whereabouts": { "kind": "current", "address": { "lines": ["12 Harbour Way"], "town": "Exampleton", "postcode": "PO1 3AX" } },
    "identifiers": [{ "kind": "upn", "value": "B801200005001" }],
    "carers": [{
        "name": { "given": ["Ann"], "family": "Testley" },
        "relationship": "mother",
        "parentalResponsibility": true,
        "phones": ["01632 960001"]
    }]
}))]
pub struct ChildIn {
    /// One current name, and any former and known-as names: 1 to 20.
    #[validate(length(min = 1, max = 20), custom(function = one_current))]
    #[schema(min_items = 1, max_items = 20)]
    pub names: Vec<Name>,
    /// The date of birth: not in the future, not over 25 years ago. Where only the month or the year is known, its first day.
    #[schema(example = "2015-03-14")]
    #[serde(deserialize_with = "crate::word::day")]
    pub date_of_birth: NaiveDate,
    /// How much of it is known; `day` unless said.
    #[serde(default)]
    pub date_of_birth_precision: DatePrecision,
    /// Whether it is an estimate.
    #[serde(default)]
    pub date_of_birth_estimated: bool,
    /// The gender.
    pub gender: Gender,
    /// Where the child is.
    pub whereabouts: Whereabouts,
    /// Numbers that other bodies gave the child: at most one of a kind.
    #[serde(default)]
    #[validate(length(max = 5), custom(function = one_of_a_kind), nested)]
    #[schema(max_items = 5)]
    pub identifiers: Vec<IdentifierIn>,
    /// Parents, and others with parental responsibility or care: at most 10.
    #[serde(default)]
    #[validate(length(max = 10), nested)]
    #[schema(max_items = 10)]
    pub carers: Vec<CarerIn>,
    /// The 3-digit code of the local authority that answers for the record; the one in whose area your organisation
    /// works unless said.
    #[serde(default)]
    #[schema(nullable = false, pattern = "^[0-9]{3}$", example = "887")]
    pub responsible_authority: Option<String>,
    /// Universal services that the child is known to have none of.
    #[serde(default)]
    #[validate(length(max = 6), custom(function = universal))]
    #[schema(max_items = 6)]
    pub without_service: Vec<ServiceType>,
    /// Children whom a search finds by these names and this date of birth, whom you have looked at, and who are not this child.
    #[serde(default)]
    #[validate(length(max = 20))]
    #[schema(max_items = 20)]
    pub distinct_from: Vec<IndexNumber>,
}

impl ChildIn {
    /// The birth, as it is kept.
    #[must_use]
    pub fn birth(&self) -> DateOfBirth {
        DateOfBirth {
            date: self.date_of_birth,
            precision: self.date_of_birth_precision,
            estimated: self.date_of_birth_estimated,
        }
        .kept()
    }

    /// The rules that need today.
    pub fn check(&self, today: NaiveDate) -> Result<(), Problem> {
        check_birth(self.birth(), today)?;
        check_whereabouts(&self.whereabouts, self.birth().date, today)
    }
}

/// What changes about a child; a member that is absent stays as it is, one that is present replaces all that was.
#[derive(Debug, Clone, Default, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "whereabouts": { "kind": "current", "address": { "lines": ["12 Harbour Way"], "town": "Exampleton", "postcode": "PO1 3AX" } }
}))]
pub struct ChildChange {
    /// All names: one current, and any former and known-as names. A current name that is replaced is kept and found by search.
    #[serde(default)]
    #[validate(length(min = 1, max = 20), custom(function = one_current))]
    #[schema(nullable = false, min_items = 1, max_items = 20)]
    pub names: Option<Vec<Name>>,
    /// The date of birth, with its precision.
    #[serde(default, deserialize_with = "crate::word::some_day")]
    #[schema(nullable = false)]
    pub date_of_birth: Option<NaiveDate>,
    /// How much of it is known; `day` unless said. Only with `dateOfBirth`.
    #[serde(default)]
    #[schema(nullable = false)]
    pub date_of_birth_precision: Option<DatePrecision>,
    /// Whether it is an estimate. Only with `dateOfBirth`.
    #[serde(default)]
    #[schema(nullable = false)]
    pub date_of_birth_estimated: Option<bool>,
    /// The gender.
    #[serde(default)]
    #[schema(nullable = false)]
    pub gender: Option<Gender>,
    /// Where the child is now. What was is kept.
    #[serde(default)]
    #[schema(nullable = false)]
    pub whereabouts: Option<Whereabouts>,
    /// All numbers that other bodies gave the child: at most one of a kind.
    #[serde(default)]
    #[validate(length(max = 5), custom(function = one_of_a_kind), nested)]
    #[schema(nullable = false, max_items = 5)]
    pub identifiers: Option<Vec<IdentifierIn>>,
    /// Universal services that the child is known to have none of.
    #[serde(default)]
    #[validate(length(max = 6), custom(function = universal))]
    #[schema(nullable = false, max_items = 6)]
    pub without_service: Option<Vec<ServiceType>>,
}

impl ChildChange {
    /// Whether it says anything that a shield leaves visible.
    pub(crate) fn is_visible(&self) -> bool {
        self.names.is_some() || self.date_of_birth.is_some() || self.gender.is_some()
    }

    /// Whether it says anything of the facts that stand once in a record, which have one provenance.
    pub(crate) fn names_core(&self) -> bool {
        self.date_of_birth.is_some() || self.gender.is_some() || self.without_service.is_some()
    }
}

/// The facts of a child that stand once in a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Core {
    /// The child's number here.
    pub index_number: IndexNumber,
    /// The birth.
    pub birth: DateOfBirth,
    /// The gender.
    pub gender: Gender,
    /// Universal services that the child is known to have none of.
    pub without_service: Vec<ServiceType>,
    /// The local authority that answers for the record.
    pub authority: OrganisationId,
    /// The version of the record.
    pub version: i64,
    /// The version that the caller knows: under a shield, unless they see past it, that of what it leaves visible.
    pub told_version: i64,
    /// Whether the child is shielded.
    pub shielded: bool,
    /// Whether the caller does not see past the shield.
    pub hidden: bool,
}

impl Core {
    /// Whether the caller may correct the record: a steward of the authority that answers for it.
    pub fn may_be_corrected_by(&self, caller: &Caller) -> Result<(), Problem> {
        history_may_be_read_by(caller.viewer(), self.authority)
    }

    /// Changes them.
    pub fn change(&mut self, change: &ChildChange, today: NaiveDate) -> Result<(), Problem> {
        if let Some(date) = change.date_of_birth {
            let precision = change.date_of_birth_precision.unwrap_or_default();
            let estimated = change.date_of_birth_estimated.unwrap_or_default();
            self.birth = DateOfBirth { date, precision, estimated }.kept();
            check_birth(self.birth, today)?;
        } else if change.date_of_birth_precision.is_some()
            || change.date_of_birth_estimated.is_some()
        {
            return Err(Problem::invalid("/dateOfBirth", "is required with its precision"));
        }
        if let Some(whereabouts) = &change.whereabouts {
            check_whereabouts(whereabouts, self.birth.date, today)?;
        }
        self.gender = change.gender.unwrap_or(self.gender);
        if let Some(services) = &change.without_service {
            self.without_service.clone_from(services);
        }
        self.version += 1;
        Ok(())
    }
}

/// Whether somebody may read what a record said before: a steward of the authority that answers for it.
pub fn history_may_be_read_by(viewer: Viewer, authority: OrganisationId) -> Result<(), Problem> {
    if viewer.role == Role::Steward && viewer.organisation == authority {
        return Ok(());
    }
    let detail = "A record is corrected, and its history read, by a steward of the authority that is responsible for it.";
    Err(Problem::new(Kind::Forbidden, detail))
}

fn check_birth(birth: DateOfBirth, today: NaiveDate) -> Result<(), Problem> {
    birth.check(today).map_err(|detail| Problem::invalid("/dateOfBirth", detail.to_string()))
}

fn check_whereabouts(
    whereabouts: &Whereabouts,
    born: NaiveDate,
    today: NaiveDate,
) -> Result<(), Problem> {
    match whereabouts {
        Whereabouts::LeftEngland { left_on, .. } if !(born..=today).contains(left_on) => {
            let detail = "must not be before the child's birth or after today";
            Err(Problem::invalid("/whereabouts/leftOn", detail))
        }
        _ => Ok(()),
    }
}

fn one_current(names: &[Name]) -> Result<(), ValidationError> {
    let current = names.iter().filter(|name| name.kind == NameKind::Current).count();
    if current == 1 { Ok(()) } else { Err(fault("must have exactly one name of kind `current`")) }
}

fn one_of_a_kind(identifiers: &[IdentifierIn]) -> Result<(), ValidationError> {
    let twice =
        |n: usize| identifiers[..n].iter().any(|other| other.kind() == identifiers[n].kind());
    if (0..identifiers.len()).any(twice) {
        return Err(fault("must have at most one identifier of a kind"));
    }
    Ok(())
}

fn universal(services: &[ServiceType]) -> Result<(), ValidationError> {
    if services.iter().all(|service| service.category() == ServiceCategory::Universal) {
        return Ok(());
    }
    Err(fault("must be universal services"))
}

fn fault(message: &'static str) -> ValidationError {
    ValidationError::new("rule").with_message(message.into())
}

codes! {
    /// The status of a record.
    Status {
        /// In use.
        Active = "active",
        /// Kept, and seen by hardly anyone.
        Archived = "archived",
    }
}

/// What a record said before.
#[derive(Debug, Serialize, ToSchema)]
pub struct History {
    /// Every superseded fact, the latest first.
    pub items: Vec<Superseded>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub next: Option<String>,
}

/// A fact that no longer holds.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Superseded {
    /// What kind of fact.
    #[schema(example = "whereabouts")]
    pub fact: FactKind,
    /// What was said, with its provenance.
    #[schema(value_type = Object)]
    pub was: serde_json::Value,
    /// When it was superseded.
    pub superseded_at: chrono::DateTime<chrono::Utc>,
}

codes! {
    /// The kinds of fact of which a history is kept.
    FactKind {
        /// A name.
        Name = "name",
        /// Whereabouts.
        Whereabouts = "whereabouts",
        /// An identifier.
        Identifier = "identifier",
        /// Birth, gender and other facts that stand once.
        Child = "child",
        /// A carer.
        Carer = "carer",
        /// An involvement.
        Involvement = "involvement",
        /// A flag.
        Flag = "flag",
    }
}

codes! {
    /// The facts of a record of which somebody may say that they are wrong.
    ContestedFact {
        /// Names.
        Name = "name",
        /// The date of birth.
        DateOfBirth = "dateOfBirth",
        /// The gender.
        Gender = "gender",
        /// Where the child is.
        Whereabouts = "whereabouts",
        /// A number that another body gave the child.
        Identifier = "identifier",
        /// A carer, which `id` names.
        Carer = "carer",
        /// An organisation's involvement, which `id` names.
        Involvement = "involvement",
    }
}

/// A fact that the child, or a carer, says is wrong, while its source is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Disputed {
    /// Which fact.
    pub fact: ContestedFact,
    /// Which carer or involvement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub id: Option<uuid::Uuid>,
}
