//! Whose record the account of a child, or of a carer who acts for one, is about.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use crate::{code::codes, ids::AccountId};

pub mod routes;
pub(crate) mod store;

codes! {
    /// As what somebody stands to a record.
    SubjectCapacity {
        /// It is the own record.
        Child = "child",
        /// A carer, who acts for the child.
        Carer = "carer",
    }
}

/// Whose account is about a record, once a steward has checked who it is and, of a carer, parental responsibility.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "accountId": "5f0c7f6e-2f9b-4a41-9c39-0f5d6d9f2c11", "capacity": "child" }))]
pub struct Subject {
    /// The account, of role `subject` in the own authority.
    pub account_id: AccountId,
    /// As what.
    pub capacity: SubjectCapacity,
}

/// The accounts that are about a record.
#[derive(Debug, Serialize, ToSchema)]
pub struct Subjects {
    /// The accounts.
    pub items: Vec<Subject>,
}
