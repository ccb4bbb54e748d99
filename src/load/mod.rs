//! Organisations and children in bulk: the form of a row, and the rules that a row keeps by itself.

use chrono::{Months, NaiveDate};
use serde::Deserialize;
use validator::{Validate, ValidationErrors};

use crate::{
    carer::CarerIn,
    child::{
        ChildIn,
        birth::{DatePrecision, Gender},
        identifier::{Identifier, IdentifierIn},
        name::{Name, NameKind},
        whereabouts::Whereabouts,
    },
    contact::Contact,
    http,
    involvement::{Flag, FlagSet, InvolvementIn, ServiceType},
    organisation::OrganisationIn,
    problem::{Fault, Problem},
};

pub mod lines;
pub(crate) mod store;
pub mod task;
#[cfg(test)]
mod tests;

/// As many places before, and as many involvements, as a child may have.
const MOST: usize = 100;

/// What a row brings.
#[derive(Debug)]
pub enum Row {
    /// An organisation.
    Organisation(Box<OrganisationIn>),
    /// A child, with all that is known.
    Child(Box<LoadChild>),
}

impl Row {
    /// Reads a row, and checks every rule that needs no other row.
    pub fn read(text: &[u8], today: NaiveDate) -> Result<Self, Vec<Fault>> {
        if text.len() > http::MAX_BODY {
            return Err(vec![fault("", "is over 64 KiB")]);
        }
        let told: Told = http::parse(text).map_err(|problem| faults("", &problem))?;
        match told {
            Told { organisation: Some(organisation), child: None } => {
                organisation.check().map_err(|problem| faults("/organisation", &problem))?;
                Ok(Self::Organisation(Box::new(organisation)))
            }
            Told { organisation: None, child: Some(child) } => {
                let faults = child.faults(today);
                if faults.is_empty() { Ok(Self::Child(Box::new(child))) } else { Err(faults) }
            }
            _ => Err(vec![fault("", "must have either `organisation` or `child`")]),
        }
    }
}

#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Told {
    #[serde(default)]
    #[validate(nested)]
    organisation: Option<OrganisationIn>,
    #[serde(default)]
    #[validate(nested)]
    child: Option<LoadChild>,
}

/// What is wrong with the value at `pointer`.
pub(crate) fn fault(pointer: impl Into<String>, detail: impl Into<String>) -> Fault {
    Fault { pointer: pointer.into(), detail: detail.into() }
}

/// What a problem says of the value at `at`.
pub(crate) fn faults(at: &str, problem: &Problem) -> Vec<Fault> {
    if problem.errors().is_empty() {
        return vec![fault(at, problem.detail())];
    }
    problem
        .errors()
        .iter()
        .map(|inner| fault(format!("{at}{}", inner.pointer), inner.detail.as_str()))
        .collect()
}

/// A child as a row brings it: what the API takes of a new child, and with it places before and involvements.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "ChildTold")]
pub struct LoadChild {
    /// What the API takes of a new child.
    pub said: ChildIn,
    /// The code of the local authority that answers for the record.
    pub authority: String,
    /// Where the child was before: at most 100.
    pub former_whereabouts: Vec<FormerWhereabouts>,
    /// Who works with the child, or did: at most 100.
    pub involvements: Vec<LoadInvolvement>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ChildTold {
    names: Vec<Name>,
    date_of_birth: NaiveDate,
    #[serde(default)]
    date_of_birth_precision: DatePrecision,
    #[serde(default)]
    date_of_birth_estimated: bool,
    gender: Gender,
    whereabouts: Whereabouts,
    #[serde(default)]
    former_whereabouts: Vec<FormerWhereabouts>,
    #[serde(default)]
    identifiers: Vec<IdentifierIn>,
    #[serde(default)]
    carers: Vec<CarerIn>,
    responsible_authority: String,
    #[serde(default)]
    without_service: Vec<ServiceType>,
    #[serde(default)]
    involvements: Vec<LoadInvolvement>,
}

impl From<ChildTold> for LoadChild {
    fn from(told: ChildTold) -> Self {
        let mut without_service = told.without_service;
        without_service.retain(|service| {
            !told.involvements.iter().any(|work| work.said.service_type == *service)
        });
        let said = ChildIn {
            names: told.names,
            date_of_birth: told.date_of_birth,
            date_of_birth_precision: told.date_of_birth_precision,
            date_of_birth_estimated: told.date_of_birth_estimated,
            gender: told.gender,
            whereabouts: told.whereabouts,
            identifiers: told.identifiers,
            carers: told.carers,
            responsible_authority: None,
            without_service,
            distinct_from: Vec::new(),
        };
        let (authority, former_whereabouts) = (told.responsible_authority, told.former_whereabouts);
        Self { said, authority, former_whereabouts, involvements: told.involvements }
    }
}

impl Validate for LoadChild {
    fn validate(&self) -> Result<(), ValidationErrors> {
        self.said.validate()
    }
}

impl LoadChild {
    /// The names by which the child may be here already.
    pub fn present_names(&self) -> impl Iterator<Item = &Name> {
        self.said.names.iter().filter(|name| name.kind != NameKind::Former)
    }

    /// The identifiers, as they are kept.
    #[must_use]
    pub fn identifiers(&self) -> Vec<Identifier> {
        self.said.identifiers.iter().filter_map(|identifier| identifier.check().ok()).collect()
    }

    /// What keeps the rules of a child from holding on this day; the rest is judged by the birth, so only once that holds.
    #[must_use]
    pub fn faults(&self, today: NaiveDate) -> Vec<Fault> {
        if let Err(problem) = self.said.check(today) {
            return faults("/child", &problem);
        }
        let born = self.said.birth().earliest();
        let mut found = Vec::new();
        if self.former_whereabouts.len() > MOST {
            found.push(fault("/child/formerWhereabouts", "must have at most 100"));
        }
        if self.involvements.len() > MOST {
            found.push(fault("/child/involvements", "must have at most 100"));
        }
        for (n, former) in self.former_whereabouts.iter().enumerate() {
            found.extend(former.fault(&format!("/child/formerWhereabouts/{n}"), born, today));
        }
        for (n, involvement) in self.involvements.iter().enumerate() {
            found.extend(involvement.faults(&format!("/child/involvements/{n}"), born, today));
        }
        let leads = self.involvements.iter().flat_map(|involvement| &involvement.flags);
        if leads.filter(|set| set.flag == Flag::LeadProfessional).count() > 1 {
            found.push(fault(
                "/child/involvements",
                "must have at most one flag `leadProfessional`",
            ));
        }
        found
    }
}

/// Where a child was before.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormerWhereabouts {
    /// Where.
    pub whereabouts: Whereabouts,
    /// The day from which it no longer held.
    pub until: NaiveDate,
}

impl FormerWhereabouts {
    fn fault(&self, at: &str, born: NaiveDate, today: NaiveDate) -> Option<Fault> {
        if !(born..=today).contains(&self.until) {
            return Some(fault(
                format!("{at}/until"),
                "must not be before the child's birth or after today",
            ));
        }
        let (left_on, _) = self.whereabouts.left_england()?;
        let wrong = !(born..=self.until).contains(&left_on);
        wrong.then(|| {
            fault(
                format!("{at}/whereabouts/leftOn"),
                "must not be before the child's birth or after `until`",
            )
        })
    }
}

/// An involvement as a row brings it, with the organisation's code and the flags that are set.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "InvolvementTold")]
pub struct LoadInvolvement {
    /// The code of the organisation: `urn:…`, `ods:…`, `authority:…`, `gss:…`, `laestab:…` or `reference:…`.
    pub organisation: String,
    /// What the API takes of a new involvement.
    pub said: InvolvementIn,
    /// The flags.
    pub flags: Vec<FlagSet>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct InvolvementTold {
    organisation: String,
    service_type: ServiceType,
    contact: Contact,
    started_on: NaiveDate,
    #[serde(default)]
    ended_on: Option<NaiveDate>,
    #[serde(default)]
    confirmed_on: Option<NaiveDate>,
    #[serde(default)]
    flags: Vec<FlagTold>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FlagTold {
    flag: Flag,
    set_on: NaiveDate,
    expires_on: NaiveDate,
}

impl From<InvolvementTold> for LoadInvolvement {
    fn from(told: InvolvementTold) -> Self {
        let InvolvementTold {
            organisation,
            service_type,
            contact,
            started_on,
            ended_on,
            confirmed_on,
            flags,
        } = told;
        let said = InvolvementIn {
            organisation_id: None,
            service_type,
            contact,
            started_on,
            confirmed_on,
            ended_on,
            consent: None,
            basis: None,
        };
        let set = |FlagTold { flag, set_on, expires_on }| FlagSet { flag, set_on, expires_on };
        Self { organisation, said, flags: flags.into_iter().map(set).collect() }
    }
}

impl LoadInvolvement {
    fn faults(&self, at: &str, born: NaiveDate, today: NaiveDate) -> Vec<Fault> {
        if let Err(problem) = self.said.check(born, today) {
            let of_service = problem.errors().is_empty();
            return faults(
                &if of_service { format!("{at}/serviceType") } else { at.to_owned() },
                &problem,
            );
        }
        if self.said.ended_on.is_some() && !self.flags.is_empty() {
            return vec![fault(
                format!("{at}/flags"),
                "must be empty where the involvement has ended",
            )];
        }
        let twice = |n: usize| self.flags[..n].iter().any(|other| other.flag == self.flags[n].flag);
        if (0..self.flags.len()).any(twice) {
            return vec![fault(format!("{at}/flags"), "must have at most one of a kind")];
        }
        let each = self.flags.iter().enumerate();
        each.filter_map(|(n, set)| {
            flag_fault(set, &format!("{at}/flags/{n}"), self.said.started_on, today)
        })
        .collect()
    }
}

fn flag_fault(set: &FlagSet, at: &str, started_on: NaiveDate, today: NaiveDate) -> Option<Fault> {
    if !(started_on..=today).contains(&set.set_on) {
        let detail = "must not be before the involvement began or after today";
        return Some(fault(format!("{at}/setOn"), detail));
    }
    let latest = set.set_on.checked_add_months(Months::new(24)).unwrap_or(set.set_on);
    let wrong = set.expires_on <= set.set_on || set.expires_on > latest;
    wrong.then(|| {
        fault(format!("{at}/expiresOn"), "must be after `setOn` and at most 24 months from it")
    })
}
