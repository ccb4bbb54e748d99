//! The table of who may do what, and the code lists, from the code that enforces them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    access::{POLICIES, Policy, Reason},
    archive::ArchiveGround,
    carer::Relationship,
    consent::{Basis, CapacityBasis, GivenBy},
    duplicate::DuplicateGround,
    hold::HoldGround,
    identity::IdentityGround,
    information_request::{
        ExtensionGround, InformationOutcome, InformationRequestKind, RefusalGround,
    },
    involvement::{ServiceCategory, ServiceType},
    matching::How,
    merge::{MergeConflict, MergeGround, ReversalGround},
    override_grant::OverrideGround,
    retention::{StayBasis, StayGivenBy, StayGround},
    shield::ShieldGround,
    subject::{IdentityEvidence, ResponsibilityEvidence, SubjectBasis},
    transfer::{DeclineGround, DisputeGround},
    withholding::WithholdingGround,
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

/// A list of those codes that have meanings of their own.
macro_rules! list {
    ($name:literal $codes:ident) => {
        CodeList {
            name: $name,
            codes: $codes::ALL
                .iter()
                .map(|code| Code { code: code.as_str(), meaning: code.meaning() })
                .collect(),
        }
    };
}

/// The lists, as they are enforced.
#[must_use]
pub fn code_lists() -> CodeLists {
    let reasons = Reason::ALL.iter().map(|&(_, code, meaning)| Code { code, meaning });
    let services = ServiceType::ALL
        .iter()
        .map(|service| Code { code: service.code(), meaning: service.meaning() });
    CodeLists {
        items: vec![
            CodeList { name: "accessReasons", codes: reasons.collect() },
            list!("relationships" Relationship),
            CodeList { name: "serviceTypes", codes: services.collect() },
            list!("shieldGrounds" ShieldGround),
            list!("overrideGrounds" OverrideGround),
            list!("consentGivers" GivenBy),
            list!("capacityBases" CapacityBasis),
            list!("sensitiveServiceBases" Basis),
            list!("stayGrounds" StayGround),
            list!("stayConsentGivers" StayGivenBy),
            list!("stayCapacityBases" StayBasis),
            list!("archiveGrounds" ArchiveGround),
            list!("holdGrounds" HoldGround),
            list!("identityEndGrounds" IdentityGround),
            list!("transferDeclineGrounds" DeclineGround),
            list!("transferDisputeGrounds" DisputeGround),
            list!("duplicateGrounds" DuplicateGround),
            list!("mergeGrounds" MergeGround),
            list!("mergeReversalGrounds" ReversalGround),
            list!("mergeConflicts" MergeConflict),
            list!("identityEvidence" IdentityEvidence),
            list!("responsibilityEvidence" ResponsibilityEvidence),
            list!("subjectBases" SubjectBasis),
            list!("informationRequestKinds" InformationRequestKind),
            list!("informationRequestOutcomes" InformationOutcome),
            list!("informationRefusalGrounds" RefusalGround),
            list!("informationExtensionGrounds" ExtensionGround),
            list!("withholdingGrounds" WithholdingGround),
            list!("agreements" How),
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_list_has_its_own_name_and_every_code_in_it_a_meaning_of_its_own() {
        let lists = code_lists().items;
        let names: HashSet<_> = lists.iter().map(|list| list.name).collect();
        assert_eq!(names.len(), lists.len());
        for CodeList { name, codes } in &lists {
            let known: HashSet<_> = codes.iter().map(|code| code.code).collect();
            let meanings: HashSet<_> = codes.iter().map(|code| code.meaning).collect();
            assert!(!codes.is_empty() && known.len() == codes.len(), "{name}");
            assert!(meanings.len() == codes.len() && !meanings.contains(""), "{name}");
        }
        let shields = lists.iter().find(|list| list.name == "shieldGrounds").unwrap();
        let court = shields.codes.iter().find(|code| code.code == "courtOrder").unwrap();
        assert_eq!(court.meaning, "A court has ordered it.");
    }
}
