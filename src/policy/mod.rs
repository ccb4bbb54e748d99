//! The table of who may do what, and the code lists, from the code that enforces them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    access::{POLICIES, Policy, Reason},
    carer::Relationship,
    involvement::{ServiceCategory, ServiceType},
};

pub mod routes;

/// The table of who may do what.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolicyTable {
    /// Every permission.
    pub items: &'static [Policy],
}

/// The table, as it is enforced.
#[must_use]
pub fn table() -> PolicyTable {
    PolicyTable { items: POLICIES }
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
