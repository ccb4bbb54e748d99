//! What is written down of every request: who, for whom, why, about which children, with what outcome.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    access::{Caller, Errand},
    code::codes,
    ids::EventId,
    problem::Problem,
};

pub mod export;
pub(crate) mod leaf;
pub mod ledger;
pub mod roots;
pub mod routes;
mod search;
pub mod store;
pub mod task;
mod trail;

pub(crate) use self::search::Wish;
pub use self::{
    search::{
        AuditEvent, AuditEvents, AuditQuery, AuditSearchIn, OwnEvent, OwnEventQuery, OwnEvents,
    },
    trail::{Hex, Hidden, Kept, Secrecy, Trail},
};

codes! {
    /// How a request ended.
    Outcome {
        /// It was done.
        Answered = "answered",
        /// It was refused.
        Refused = "refused",
        /// We failed.
        Failed = "failed",
    }
}

/// One line of the audit.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its number.
    pub id: EventId,
    /// When the request began.
    pub at: DateTime<Utc>,
    /// How it ended.
    pub outcome: Outcome,
    /// The status answered.
    pub status: u16,
    /// The type of problem, where it was not done.
    pub problem: Option<&'static str>,
    /// Who called, where known.
    pub caller: Option<Caller>,
    /// What for.
    pub errand: Errand,
    /// The children concerned, and the details.
    pub trail: Trail,
}

impl Event {
    /// A request that is done.
    #[must_use]
    pub fn answered(
        at: DateTime<Utc>,
        caller: Caller,
        errand: Errand,
        status: u16,
        trail: Trail,
    ) -> Self {
        Self { caller: Some(caller), ..Self::done(at, errand, status, trail) }
    }

    /// A request of nobody known that is done.
    #[must_use]
    pub fn done(at: DateTime<Utc>, errand: Errand, status: u16, trail: Trail) -> Self {
        let (id, outcome) = (EventId::new(), Outcome::Answered);
        Self { id, at, outcome, status, problem: None, caller: None, errand, trail }
    }

    /// A request that is not done.
    #[must_use]
    pub fn refused(
        at: DateTime<Utc>,
        caller: Option<Caller>,
        errand: Errand,
        problem: &Problem,
        trail: Trail,
    ) -> Self {
        let status = problem.kind().status();
        let outcome = if status >= 500 { Outcome::Failed } else { Outcome::Refused };
        let problem = Some(problem.kind().slug());
        Self { id: EventId::new(), at, outcome, status, problem, caller, errand, trail }
    }

    /// The account that called.
    #[must_use]
    pub fn account(&self) -> Option<Uuid> {
        self.caller.as_ref()?.account().map(|id| id.0)
    }

    /// The client that called, for itself or with a person.
    #[must_use]
    pub fn client(&self) -> Option<Uuid> {
        self.caller.as_ref()?.client().map(|id| id.0)
    }
}

/// The values that a refusal pointed to; never what they were. NUL, which cannot be stored, is written as U+FFFD.
#[must_use]
pub fn refusal_details(problem: &Problem, path: &[(String, String)]) -> Option<Value> {
    let storable = |text: &str| text.replace('\0', "\u{FFFD}");
    let pointers: Vec<_> = problem.errors().iter().map(|fault| storable(&fault.pointer)).collect();
    if pointers.is_empty() && path.is_empty() {
        return None;
    }
    let path: serde_json::Map<_, _> =
        path.iter().map(|(name, value)| (name.clone(), json!(storable(value)))).collect();
    Some(json!({ "path": path, "errors": pointers }))
}

/// The refusal that stands in for an answer when its event could not be made durable: no audit, no answer.
#[must_use]
pub fn unaudited(cause: impl Into<anyhow::Error>) -> Problem {
    metrics::counter!(crate::metric::AUDIT_FAILURES).increment(1);
    Problem::unavailable(cause.into().context("the audit cannot be written")).retry_after(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_can_be_written_down_whatever_was_sent() {
        let problem = Problem::invalid("/a\0b", "is not known here");
        let path = [("indexNumber".to_owned(), "\0".to_owned())];
        let told = refusal_details(&problem, &path).map(|details| details.to_string());
        assert!(told.is_some_and(|told| !told.contains("\\u0000")));
    }
}
