//! What is written down of every request: who, for whom, why, about which children, with what outcome.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use secrecy::ExposeSecret;
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::{Validate, ValidationError};

use crate::{
    access::{Caller, Errand},
    code::codes,
    ids::{AccountId, ChildId, ClientId, EventId, IndexNumber, OrganisationId},
    keys::Cipher,
    problem::Problem,
    seal::{Place, Sealed, Vault},
};

pub mod export;
pub(crate) mod leaf;
pub mod ledger;
pub mod roots;
pub mod routes;
pub mod store;
pub mod task;

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

/// What a handler adds to the event of its request: the children concerned and the details.
#[derive(Debug, Clone, Default)]
pub struct Trail {
    /// The children concerned; of a search, those found.
    pub children: Vec<ChildId>,
    /// Criteria, ids and values set, as the operation has them.
    pub details: Option<Value>,
    /// What of it only auditors may read.
    pub secrecy: Secrecy,
}

/// What of a trail is kept sealed, so that only auditors read it, through the index.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Secrecy {
    /// Nothing.
    #[default]
    Plain,
    /// The details, which say what somebody looked for.
    Details,
    /// All of it, where children and caller must not stand side by side.
    All,
}

impl Trail {
    /// About one child.
    #[must_use]
    pub fn of(child: ChildId) -> Self {
        Self::about(vec![child])
    }

    /// About several children, or none.
    #[must_use]
    pub fn about(children: Vec<ChildId>) -> Self {
        Self { children, ..Self::default() }
    }

    /// The same, with details.
    #[must_use]
    pub fn with(self, details: Value) -> Self {
        Self { details: Some(details), ..self }
    }

    /// The same, with details that only auditors read.
    #[must_use]
    pub fn with_sealed(self, details: Value) -> Self {
        Self { details: Some(details), secrecy: Secrecy::Details, ..self }
    }

    /// The same, all of which only auditors read: the children too.
    #[must_use]
    pub fn sealed(self) -> Self {
        Self { secrecy: Secrecy::All, ..self }
    }

    /// The child that may be told beside the caller.
    #[must_use]
    pub fn open_child(&self) -> Option<ChildId> {
        self.children.first().copied().filter(|_| self.secrecy != Secrecy::All)
    }

    /// The trail as it is kept, and what of it is hidden: the details always, and the children where nobody else may read them.
    pub(crate) fn kept(self) -> (Self, Option<Hidden>) {
        let secret = self.secrecy != Secrecy::Plain;
        let (children, hidden) = match self.secrecy {
            Secrecy::Plain | Secrecy::Details => (self.children, Vec::new()),
            Secrecy::All => (Vec::new(), self.children),
        };
        let some = secret || self.details.is_some();
        let hidden = some.then_some(Hidden { children: hidden, details: self.details });
        (Self::about(children), hidden)
    }
}

/// What is kept sealed of an event.
#[derive(Debug, Serialize, Deserialize)]
pub struct Hidden {
    /// The children concerned, where they stand nowhere else.
    pub children: Vec<ChildId>,
    /// The details.
    pub details: Option<Value>,
}

/// The columns in which an event keeps what is hidden.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Kept {
    /// `audit_event.hidden`: under the key of the month.
    pub hidden: Option<Hex>,
    /// `audit_key.sealed` of the month (`audit_month(at)`), until that is over.
    pub key: Option<Hex>,
    /// `audit_event.details`, of an event from before there were keys of months.
    pub details: Option<Value>,
}

/// Bytes as the database writes them in JSON.
#[derive(Debug, Clone)]
pub struct Hex(pub Vec<u8>);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let text = String::deserialize(reader)?;
        let digits = text
            .strip_prefix("\\x")
            .and_then(|digits| digits.as_bytes().chunks(2).map(hex).collect());
        digits.map(Self).ok_or_else(|| D::Error::custom("is not hexadecimal"))
    }
}

fn hex(pair: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()
}

impl Hidden {
    /// The only member of the details of an event from before there were keys of months, where they were sealed.
    const MEMBER: &'static str = "sealed";

    /// The first day of the month, in UTC, by whose key an event of this moment is sealed.
    #[must_use]
    pub fn month(at: DateTime<Utc>) -> NaiveDate {
        let day = at.date_naive();
        day.with_day0(0).unwrap_or(day)
    }

    pub(crate) fn place_of_key(month: NaiveDate) -> String {
        format!("audit-key:{month}")
    }

    /// What an event that began at this moment hides, if it hides something and the key of its month is not gone.
    pub fn open(
        event: EventId,
        at: DateTime<Utc>,
        kept: &Kept,
        vault: &Vault,
    ) -> Result<Option<Self>, Problem> {
        let Some(Hex(hidden)) = &kept.hidden else {
            return kept
                .details
                .as_ref()
                .map_or(Ok(None), |kept| Self::of_old(event, kept, vault).map(Some));
        };
        let Some(Hex(key)) = &kept.key else { return Ok(None) };
        let key =
            vault.open(key, &Self::place_of_key(Self::month(at))).map_err(Problem::internal)?;
        let key = Cipher::new(key.expose_secret()).map_err(Problem::internal)?;
        let opened = key.open(hidden, event.0.as_bytes()).map_err(Problem::internal)?;
        serde_json::from_slice(opened.expose_secret())
            .map(Some)
            .map_err(|_| Problem::internal(anyhow::anyhow!("a hidden value has another form")))
    }

    fn of_old(event: EventId, kept: &Value, vault: &Vault) -> Result<Self, Problem> {
        let sealed = kept.as_object().filter(|kept| kept.len() == 1);
        let Some(Value::String(sealed)) = sealed.and_then(|kept| kept.get(Self::MEMBER)) else {
            return Ok(Self { children: Vec::new(), details: Some(kept.clone()) });
        };
        let bytes = STANDARD.decode(sealed).map_err(Problem::internal)?;
        Sealed::from(bytes).open(vault, &Place::of("audit", event.0))
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

/// Which events are wanted.
#[derive(Debug, Clone, Deserialize, IntoParams, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Of this account alone, whether its person called or somebody looked for that person.
    #[param(nullable = false)]
    pub account: Option<AccountId>,
    /// Of this operation alone, by its `operationId`.
    #[validate(length(min = 1, max = 40), custom(function = operation_id))]
    #[param(
        nullable = false,
        min_length = 1,
        max_length = 40,
        pattern = "^[a-z_]+$",
        example = "open_child"
    )]
    pub operation: Option<String>,
    /// That ended so.
    #[param(nullable = false, example = "refused")]
    pub outcome: Option<Outcome>,
    /// From this moment on.
    #[param(nullable = false, example = "2026-11-01T00:00:00Z")]
    pub since: Option<DateTime<Utc>>,
    /// Before this moment.
    #[param(nullable = false, example = "2026-11-08T00:00:00Z")]
    pub until: Option<DateTime<Utc>>,
    /// How many at most: 1 to 100, 20 unless said.
    #[validate(range(min = 1, max = 100))]
    #[param(nullable = false, minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u8>,
    /// The `next` of the page before.
    #[validate(length(min = 1, max = 400))]
    #[param(nullable = false, min_length = 1, max_length = 400, pattern = "^[A-Za-z0-9_-]+$")]
    pub after: Option<String>,
}

/// Which events are wanted. All that is said must be so.
#[derive(Debug, Clone, Default, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "indexNumber": "48271930566", "outcome": "answered", "since": "2026-11-01T00:00:00Z" }))]
pub struct AuditSearchIn {
    /// About this child; of searches, those that told of the child. What concerns a sensitive service is not found by the child.
    #[serde(default)]
    #[schema(nullable = false)]
    pub index_number: Option<IndexNumber>,
    /// Of this account alone, whether its person called or somebody looked for that person.
    #[serde(default)]
    #[schema(nullable = false)]
    pub account: Option<AccountId>,
    /// Of this operation alone, by its `operationId`.
    #[validate(length(min = 1, max = 40), custom(function = operation_id))]
    #[serde(default)]
    #[schema(nullable = false, min_length = 1, max_length = 40, pattern = "^[a-z_]+$")]
    pub operation: Option<String>,
    /// That ended so.
    #[serde(default)]
    #[schema(nullable = false)]
    pub outcome: Option<Outcome>,
    /// From this moment on.
    #[serde(default)]
    #[schema(nullable = false)]
    pub since: Option<DateTime<Utc>>,
    /// Before this moment.
    #[serde(default)]
    #[schema(nullable = false)]
    pub until: Option<DateTime<Utc>>,
    /// How many at most: 1 to 100, 20 unless said. Lines are told to the end, however many.
    #[validate(range(min = 1, max = 100))]
    #[serde(default)]
    #[schema(nullable = false, minimum = 1, maximum = 100)]
    pub limit: Option<u8>,
    /// The `next` of the page before.
    #[validate(length(min = 1, max = 400))]
    #[serde(default)]
    #[schema(nullable = false, min_length = 1, max_length = 400, pattern = "^[A-Za-z0-9_-]+$")]
    pub after: Option<String>,
}

/// Which events are wanted, however that was asked.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Wish {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) index_number: Option<IndexNumber>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<AccountId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) operation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) outcome: Option<Outcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<DateTime<Utc>>,
}

impl From<&AuditQuery> for Wish {
    fn from(query: &AuditQuery) -> Self {
        Self {
            index_number: None,
            account: query.account,
            operation: query.operation.clone(),
            outcome: query.outcome,
            since: query.since,
            until: query.until,
        }
    }
}

impl From<&AuditSearchIn> for Wish {
    fn from(search: &AuditSearchIn) -> Self {
        Self {
            index_number: search.index_number.clone(),
            account: search.account,
            operation: search.operation.clone(),
            outcome: search.outcome,
            since: search.since,
            until: search.until,
        }
    }
}

impl Wish {
    /// What is written down of it, for auditors alone.
    pub(crate) fn trail(&self) -> Trail {
        Trail::default().with_sealed(json!({ "asked": self }))
    }
}

/// Which of the own events are wanted.
#[derive(Debug, Clone, Deserialize, IntoParams, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OwnEventQuery {
    /// From this moment on.
    #[param(nullable = false, example = "2026-11-01T00:00:00Z")]
    pub since: Option<DateTime<Utc>>,
    /// Before this moment.
    #[param(nullable = false, example = "2026-11-08T00:00:00Z")]
    pub until: Option<DateTime<Utc>>,
    /// How many at most: 1 to 100, 20 unless said.
    #[validate(range(min = 1, max = 100))]
    #[param(nullable = false, minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u8>,
    /// The `next` of the page before.
    #[validate(length(min = 1, max = 400))]
    #[param(nullable = false, min_length = 1, max_length = 400, pattern = "^[A-Za-z0-9_-]+$")]
    pub after: Option<String>,
}

/// Something that you asked of the index.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnEvent {
    /// Its number; of a search also its `searchId`.
    pub id: EventId,
    /// When the request began.
    pub at: DateTime<Utc>,
    /// What was asked: an `operationId` of this document.
    #[schema(example = "open_child")]
    pub operation: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The status answered.
    #[schema(example = 200)]
    pub status: u16,
    /// Why, as you said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "direct-service")]
    pub reason: Option<String>,
    /// Your own reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reference: Option<String>,
    /// The system by which you asked, where you did so by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub client_id: Option<ClientId>,
    /// About how many children it was, of whom a search told.
    #[schema(minimum = 0, example = 1)]
    pub children: u32,
    /// The request's number, which its answer carried in `X-Request-Id`.
    pub request_id: Uuid,
}

/// A page of what you asked of the index.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnEvents {
    /// The events, the latest first.
    pub items: Vec<OwnEvent>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub next: Option<String>,
}

fn operation_id(text: &str) -> Result<(), ValidationError> {
    if text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
        return Ok(());
    }
    Err(ValidationError::new("form").with_message("must be an operationId".into()))
}

/// One line of the audit.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEvent {
    /// Its number; of a search also its `searchId`.
    pub id: EventId,
    /// When the request began.
    pub at: DateTime<Utc>,
    /// What was asked: an `operationId` of this document.
    #[schema(example = "open_child")]
    pub operation: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The status answered.
    #[schema(example = 200)]
    pub status: u16,
    /// The type of problem, where it was not done.
    pub problem: Option<String>,
    /// The person who called.
    pub account_id: Option<AccountId>,
    /// The system that called, for itself or with the person.
    pub client_id: Option<ClientId>,
    /// The person for whom the caller looked (`On-Behalf-Of`).
    pub on_behalf_of: Option<AccountId>,
    /// Whom they acted for.
    pub organisation_id: Option<OrganisationId>,
    /// What they are to the index.
    #[schema(example = "practitioner")]
    pub role: Option<String>,
    /// Why.
    #[schema(example = "direct-service")]
    pub reason: Option<String>,
    /// Their own reference.
    pub reference: Option<String>,
    /// The children concerned; of a search, those found.
    pub children: Vec<IndexNumber>,
    /// Criteria, ids and values, as the operation has them.
    #[schema(value_type = Option<Object>)]
    pub details: Option<Value>,
    /// The request's number, which its answer carried in `X-Request-Id`.
    pub request_id: Uuid,
}

/// A page of the audit.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEvents {
    /// The events, the latest first.
    pub items: Vec<AuditEvent>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub next: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_always_hidden_and_children_where_nobody_else_may_read_them() {
        let child = ChildId::new();
        let trail = Trail::of(child).with(json!({ "note": "canary" }));
        for trail in [trail.clone(), trail.clone().with_sealed(json!({ "note": "canary" }))] {
            assert_eq!(trail.open_child(), Some(child));
            let (kept, hidden) = trail.kept();
            let hidden = hidden.unwrap();
            assert_eq!((kept.children, kept.details), (vec![child], None));
            assert_eq!(
                (hidden.children, hidden.details),
                (vec![], Some(json!({ "note": "canary" })))
            );
        }
        let all = trail.sealed();
        assert_eq!(all.open_child(), None);
        let (kept, hidden) = all.kept();
        assert_eq!(
            (kept.children, kept.details, hidden.unwrap().children),
            (vec![], None, vec![child])
        );
        assert!(Trail::of(child).kept().1.is_none());
    }

    #[test]
    fn a_refusal_can_be_written_down_whatever_was_sent() {
        let problem = Problem::invalid("/a\0b", "is not known here");
        let path = [("indexNumber".to_owned(), "\0".to_owned())];
        let told = refusal_details(&problem, &path).map(|details| details.to_string());
        assert!(told.is_some_and(|told| !told.contains("\\u0000")));
    }
}
