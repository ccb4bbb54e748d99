//! Alerts: that something was found in how the index is used. An alert is a reference; it names no child and nobody.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use crate::{
    code::codes,
    detector::{Detector, Finding, Severity},
    ids::{AccountId, AlertId, InvestigationId, OrganisationId},
    problem::{Kind, Problem},
};

pub mod routes;
pub(crate) mod store;

codes! {
    /// How an alert stands.
    AlertStatus {
        /// Nobody looks into it yet.
        Open = "open",
        /// It is looked into, or was.
        Investigated = "investigated",
    }
}

/// That something was found.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// Its number.
    pub id: AlertId,
    /// What found it.
    pub detector: Detector,
    /// How soon somebody should look into it.
    pub severity: Severity,
    /// The organisation whose auditor looks after it.
    pub organisation_id: OrganisationId,
    /// When it was found first.
    pub raised_at: DateTime<Utc>,
    /// When it was found last.
    pub last_at: DateTime<Utc>,
    /// How often it was found on its day.
    #[schema(minimum = 1, example = 1)]
    pub times: i32,
    /// How it stands.
    pub status: AlertStatus,
    /// Where it is looked into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub investigation_id: Option<InvestigationId>,
    /// Its version, which is its `ETag`.
    #[schema(example = 1)]
    pub version: i64,
}

impl Alert {
    /// It is looked into once.
    pub(crate) fn is_open(&self) -> Result<(), Problem> {
        match self.status {
            AlertStatus::Open => Ok(()),
            AlertStatus::Investigated => Err(Kind::AlertInvestigated.into()),
        }
    }
}

/// Which alerts are wanted.
#[derive(Debug, Clone, Deserialize, IntoParams, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AlertQuery {
    /// How they stand.
    #[param(nullable = false, example = "open")]
    pub status: Option<AlertStatus>,
    /// Of this detector alone.
    #[param(nullable = false, example = "sweep")]
    pub detector: Option<Detector>,
    /// How many at most: 1 to 100, 20 unless said.
    #[validate(range(min = 1, max = 100))]
    #[param(nullable = false, minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u8>,
    /// The `next` of the page before.
    #[validate(length(min = 1, max = 400))]
    #[param(nullable = false, min_length = 1, max_length = 400, pattern = "^[A-Za-z0-9_-]+$")]
    pub after: Option<String>,
}

/// A page of alerts, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Alerts {
    /// The alerts.
    pub items: Vec<Alert>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub next: Option<String>,
}

/// As many events as an alert keeps of the same finding.
pub(crate) const EVENTS: usize = 100;

/// Adds to what is kept what was found again.
pub(crate) fn joined(mut kept: Finding, again: &Finding) -> Finding {
    kept.at = kept.at.max(again.at);
    for event in &again.events {
        if !kept.events.contains(event) && kept.events.len() < EVENTS {
            kept.events.push(*event);
        }
    }
    for account in again.also.iter().chain([&again.account]) {
        if !kept.also.contains(account) && *account != kept.account {
            kept.also.push(*account);
        }
    }
    kept
}

/// Everybody whose use of the index a finding is about.
pub(crate) fn whose(finding: &Finding) -> impl Iterator<Item = AccountId> {
    finding.also.iter().copied().chain([finding.account])
}
