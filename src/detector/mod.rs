//! Who watches how the index is used: what is watched for, from which measure on, and what was found. The rules are pure; they
//! are run over the audit by `task`, over a simulated year by `bench/run watch`, and over the past by `contactpoint watch replay`.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use crate::{
    code::codes,
    ids::{AccountId, ChildId, EventId, OrganisationId},
};

pub mod chance;
pub mod others;
pub mod person;
pub mod routes;
pub mod seen;
mod state;
pub(crate) mod store;
pub mod task;
#[cfg(test)]
mod tests;
pub mod watch;

codes! {
    /// What is watched for.
    Detector {
        /// Somebody looks at a child with whom the own organisation does not work and who bears the own family name, or whose carer
        /// bears the own name, which is unlikely to happen by chance.
        OwnFamily = "ownFamily",
        /// Somebody looks at a child with whom the own organisation does not work and whose carer bears the name of a colleague,
        /// which is unlikely to happen by chance.
        Colleague = "colleague",
        /// Somebody comes upon a record that nobody has reason to look at.
        Canary = "canary",
        /// Somebody opens many more children in a day than others of the role, the own organisation and the own habit.
        Burst = "burst",
        /// Somebody searches name after name with one date of birth or one postcode.
        Sweep = "sweep",
        /// Too many of somebody's searches find nobody.
        EmptySearches = "emptySearches",
        /// Somebody looks above all at children of other areas, with whom the own organisation does not begin to work.
        OutOfArea = "outOfArea",
        /// Somebody comes back again and again to one child, with whom the own organisation does not work.
        OneChild = "oneChild",
        /// People of many organisations open one child at once.
        ManyOrganisations = "manyOrganisations",
        /// Somebody looks past a shield.
        Override = "override",
        /// An organisation opens many children, and works with hardly any of them.
        Purpose = "purpose",
    }
}

codes! {
    /// How soon somebody should look into it.
    Severity {
        /// Within the week.
        Notable = "notable",
        /// Within the day.
        Serious = "serious",
        /// At once.
        Grave = "grave",
    }
}

impl Detector {
    /// How soon somebody should look into what it finds.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::Canary | Self::Override | Self::Purpose | Self::Sweep => Severity::Grave,
            Self::OwnFamily | Self::Burst | Self::ManyOrganisations | Self::OneChild => {
                Severity::Serious
            }
            Self::Colleague | Self::EmptySearches | Self::OutOfArea => Severity::Notable,
        }
    }

    /// From which measure on it finds something, unless the operator has said otherwise.
    #[must_use]
    pub fn shipped(self) -> Threshold {
        let (least, limit, minutes) = match self {
            Self::OwnFamily => (20, 0.001, A_DAY * 365),
            Self::Colleague => (20, 0.002, A_DAY * 365),
            Self::Canary | Self::Override => (1, 0.0, A_DAY),
            Self::Burst => (60, 3.0, A_DAY),
            Self::Sweep | Self::ManyOrganisations => (6, 0.0, 60),
            Self::EmptySearches => (20, 0.3, A_DAY * 7),
            Self::OutOfArea => (15, 0.6, A_DAY * 30),
            Self::OneChild => (6, 0.0, A_DAY * 30),
            Self::Purpose => (201, 0.1, A_DAY * 30),
        };
        Threshold { on: true, least, limit, minutes }
    }
}

const A_DAY: u32 = 24 * 60;

/// From which measure on a detector finds something.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "on": true, "least": 6, "limit": 0.0, "minutes": 60 }))]
pub struct Threshold {
    /// Whether it watches at all.
    pub on: bool,
    /// So many at least: children of `burst`, `outOfArea` and `purpose`, names of `sweep`, searches of `emptySearches`, days of
    /// `oneChild`, organisations of `manyOrganisations`; of `ownFamily` and `colleague` as many openings are taken to have been made.
    #[validate(range(min = 1, max = 1_000_000))]
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub least: u32,
    /// The share that `emptySearches` and `outOfArea` exceed and `purpose` falls short of; the standard deviations that `burst`
    /// exceeds; how likely by chance, at most, what `ownFamily` and `colleague` find is within a year. The others have none.
    #[validate(range(min = 0.0, max = 1000.0))]
    #[schema(minimum = 0, maximum = 1000)]
    pub limit: f64,
    /// Within so many minutes: at most 60 of `sweep` and `manyOrganisations`, 30 days of the others, a year of `ownFamily` and
    /// `colleague`.
    #[validate(range(min = 1, max = 525_600))]
    #[schema(minimum = 1, maximum = 525_600)]
    pub minutes: u32,
}

impl Threshold {
    /// The time within which is counted.
    #[must_use]
    pub fn within(self) -> TimeDelta {
        TimeDelta::minutes(i64::from(self.minutes))
    }

    /// The same in days, one at least.
    #[must_use]
    pub fn days(self) -> i64 {
        i64::from(self.minutes.div_ceil(A_DAY))
    }
}

/// The measures in force, by detector; those of which nothing is said are as shipped.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rules(pub BTreeMap<Detector, Threshold>);

impl Rules {
    /// That of a detector.
    #[must_use]
    pub fn of(&self, detector: Detector) -> Threshold {
        self.0.get(&detector).copied().unwrap_or_else(|| detector.shipped())
    }
}

/// What a detector found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Which.
    pub detector: Detector,
    /// When what made it so was done.
    pub at: DateTime<Utc>,
    /// The day of it in London.
    pub day: NaiveDate,
    /// Whose use of the index it is; of many, whoever came last.
    pub account: AccountId,
    /// Whom they act for.
    pub organisation: OrganisationId,
    /// Whose auditor looks after it.
    pub looked_after_by: OrganisationId,
    /// The child, where it is about one.
    pub child: Option<ChildId>,
    /// The events in which it shows, as far as they are at hand; the last made it so.
    pub events: Vec<EventId>,
    /// Whose use it is beside that.
    pub also: Vec<AccountId>,
}

impl Finding {
    /// What it is about, by which it is known again on the same day: a child, an organisation or an account.
    #[must_use]
    pub fn about(&self) -> uuid::Uuid {
        match (self.detector, self.child) {
            (Detector::ManyOrganisations, Some(child)) => child.0,
            (Detector::Purpose, _) => self.organisation.0,
            _ => self.account.0,
        }
    }
}
