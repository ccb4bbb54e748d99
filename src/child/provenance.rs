//! Where a fact comes from.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::OrganisationId;

/// Which organisation said it, when it was received, and as at which day it was true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Provenance {
    /// The organisation that said it.
    pub organisation_id: OrganisationId,
    /// When the index received it.
    pub received_at: DateTime<Utc>,
    /// The day as at which it was true.
    pub as_at: NaiveDate,
}
