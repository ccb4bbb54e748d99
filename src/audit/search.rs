//! Which events somebody wants to read, and how they are told.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::{Validate, ValidationError};

use super::{Outcome, Trail};
use crate::ids::{AccountId, ClientId, EventId, IndexNumber, OrganisationId};

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
