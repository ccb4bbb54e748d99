//! The table of who may do what, and the code lists, from the code that enforces them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    access::{POLICIES, Reason, Role},
    carer::Relationship,
    involvement::{ServiceCategory, ServiceType},
};

pub mod routes;

/// The table of who may do what.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolicyTable {
    /// Every permission.
    pub items: Vec<PolicyLine>,
}

/// One permission.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyLine {
    /// Its name in tokens and in this document.
    #[schema(example = "child:read")]
    pub scope: &'static str,
    /// What it permits.
    pub permits: &'static str,
    /// The roles that hold it.
    pub roles: &'static [Role],
    /// Which records it reaches.
    pub limit: &'static str,
    /// Whether a reason must be stated.
    pub needs_reason: bool,
    /// Whether the caller must have signed in within the last 5 minutes.
    pub needs_fresh_sign_in: bool,
}

/// The table, as it is enforced.
#[must_use]
pub fn table() -> PolicyTable {
    let line = |policy: &crate::access::Policy| PolicyLine {
        scope: policy.scope,
        permits: policy.permits.trim(),
        roles: policy.held_by,
        limit: policy.limit,
        needs_reason: policy.about_a_child,
        needs_fresh_sign_in: policy.fresh,
    };
    PolicyTable { items: POLICIES.iter().map(line).collect() }
}

/// A list of codes.
#[derive(Debug, Serialize, ToSchema)]
pub struct CodeLists {
    /// Every list.
    pub items: Vec<CodeList>,
}

/// One list of codes.
#[derive(Debug, Serialize, ToSchema)]
pub struct CodeList {
    /// What the codes are for.
    #[schema(example = "accessReasons")]
    pub name: &'static str,
    /// The codes.
    pub codes: Vec<Code>,
}

/// One code.
#[derive(Debug, Serialize, ToSchema)]
pub struct Code {
    /// The code.
    #[schema(example = "direct-service")]
    pub code: &'static str,
    /// What it means.
    #[schema(example = "To provide a service to the child")]
    pub meaning: &'static str,
}

/// The lists, as they are enforced.
#[must_use]
pub fn code_lists() -> CodeLists {
    let reasons = Reason::ALL.iter().map(|&(_, code, meaning)| Code { code, meaning });
    let relationships =
        Relationship::ALL.iter().map(|kind| Code { code: kind.as_str(), meaning: kind.meaning() });
    let services = ServiceType::ALL
        .iter()
        .map(|service| Code { code: service.code(), meaning: service.meaning() });
    CodeLists {
        items: vec![
            CodeList { name: "accessReasons", codes: reasons.collect() },
            CodeList { name: "relationships", codes: relationships.collect() },
            CodeList { name: "serviceTypes", codes: services.collect() },
        ],
    }
}

/// What organisations do for children.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServiceTypes {
    /// Every service type.
    pub items: Vec<ServiceTypeLine>,
}

/// One service type.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServiceTypeLine {
    /// Its code.
    pub code: ServiceType,
    /// What it means.
    pub meaning: &'static str,
    /// Who may learn of it.
    pub category: ServiceCategory,
}

/// The service types.
#[must_use]
pub fn service_types() -> ServiceTypes {
    let line = |&code: &ServiceType| ServiceTypeLine {
        code,
        meaning: code.meaning(),
        category: code.category(),
    };
    ServiceTypes { items: ServiceType::ALL.iter().map(line).collect() }
}
