//! Looking past a shield: one account, one child, one sign-in, 15 minutes; and it is looked into at once.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use crate::{
    code::codes,
    ids::{ChildId, GrantId, OrganisationId},
    problem::{Kind, Problem},
};

pub mod routes;
mod store;

/// How long a grant lasts.
pub const LASTS: TimeDelta = TimeDelta::minutes(15);

codes! {
    /// Why somebody must look past a shield.
    OverrideGround {
        /// The child or somebody else is in danger now.
        ImmediateDanger = "immediateDanger",
        /// The child is missing.
        MissingChild = "missingChild",
        /// The child needs medical treatment now.
        MedicalEmergency = "medicalEmergency",
        /// A child-protection enquiry cannot wait.
        ProtectionEnquiry = "protectionEnquiry",
        /// A court has ordered it.
        CourtOrder = "courtOrder",
    }
}

/// That somebody looks past a shield, knowing what follows.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "warningAcknowledged": true, "ground": "missingChild" }))]
pub struct OverrideGrantIn {
    /// Always `true`: you know that a life may hang on what you see, that the authority is told at once, and that it will be
    /// looked into.
    pub warning_acknowledged: bool,
    /// Why.
    #[serde(default)]
    #[schema(nullable = false)]
    pub ground: Option<OverrideGround>,
}

impl OverrideGrantIn {
    /// The warning was read.
    pub fn check(&self) -> Result<(), Problem> {
        if self.warning_acknowledged {
            return Ok(());
        }
        Err(Problem::invalid("/warningAcknowledged", "must be true"))
    }
}

/// A grant to look past the shield of one child, in this session alone.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OverrideGrant {
    /// Its number.
    pub id: GrantId,
    /// When it ends, 15 minutes after it was given; it is not renewed.
    pub expires_at: DateTime<Utc>,
}

/// The child whose shield is looked past.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shielded {
    pub(crate) child: ChildId,
    pub(crate) authority: OrganisationId,
    pub(crate) stands: bool,
}

impl Shielded {
    /// There must be a shield to look past.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        if self.stands { Ok(()) } else { Err(Kind::NotShielded.into()) }
    }
}

/// One sign-in gives one grant.
pub(crate) fn signed_in_since(
    signed_in: DateTime<Utc>,
    last: Option<DateTime<Utc>>,
) -> Result<(), Problem> {
    if last.is_none_or(|last| signed_in > last) { Ok(()) } else { Err(Kind::StepUpRequired.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_gives_one_grant() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let signed_in = at("2026-11-16T09:30:00Z");
        assert!(signed_in_since(signed_in, None).is_ok());
        assert!(signed_in_since(signed_in, Some(at("2026-11-16T09:29:59.9Z"))).is_ok());
        assert!(signed_in_since(signed_in, Some(signed_in)).is_err());
        assert!(signed_in_since(signed_in, Some(at("2026-11-16T09:31:00Z"))).is_err());
    }
}
