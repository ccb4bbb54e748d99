//! Whose record the account of a child, or of a carer who acts for one, is about.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use crate::{
    code::codes,
    ids::{AccountId, CarerId},
    problem::Problem,
    retention::anniversary,
};

pub mod routes;
pub(crate) mod store;

/// The age from which a child is presumed to understand what a request for the own data is (as the Data Protection Act 2018,
/// section 208, has it for Scotland, and the Information Commissioner for all).
pub const COMPETENT: i32 = 12;
/// The age at which nobody has parental responsibility any more (Children Act 1989, section 105).
pub const OF_AGE: i32 = 18;

codes! {
    /// As what somebody stands to a record.
    SubjectCapacity {
        /// It is the own record.
        Child = "child",
        /// A carer, who acts for the child.
        Carer = "carer",
    }
}

codes! {
    /// By what a steward has made sure who somebody is.
    IdentityEvidence {
        /// A passport.
        Passport = "passport",
        /// A driving licence with a photograph.
        DrivingLicence = "drivingLicence",
        /// A birth certificate, with something else that shows where the person lives.
        BirthCertificate = "birthCertificate",
        /// A residence permit or another identity card.
        IdentityCard = "identityCard",
        /// A member of staff who knows the person vouches for who it is.
        KnownToStaff = "knownToStaff",
    }
}

codes! {
    /// By what a steward has made sure that a carer has parental responsibility (Children Act 1989, sections 2 to 4A).
    ResponsibilityEvidence {
        /// A birth certificate that names the carer as the child's parent.
        NamedAtBirth = "namedAtBirth",
        /// A marriage or civil partnership with the child's mother.
        Marriage = "marriage",
        /// An agreement on parental responsibility, filed with the court.
        Agreement = "agreement",
        /// An order of a court: on parental responsibility, with whom the child lives, guardianship or care.
        CourtOrder = "courtOrder",
        /// An adoption order.
        Adoption = "adoption",
    }
}

codes! {
    /// On what somebody acts whose age, or the child's, alone does not say that they may.
    SubjectBasis {
        /// A child under 12 understands what the record is and what asking for it means.
        ChildCompetent = "childCompetent",
        /// A child of 12 or over agrees that the carer sees the record.
        ChildAgrees = "childAgrees",
        /// A child of 12 or over does not understand what the record is, so that the carer decides.
        ChildNotCompetent = "childNotCompetent",
    }
}

/// Whose account is to be about a record, and what a steward has checked.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "accountId": "5f0c7f6e-2f9b-4a41-9c39-0f5d6d9f2c11",
    "capacity": "carer",
    "identity": "passport",
    "responsibility": "namedAtBirth",
    "carerId": "7c0a5d0e-3f2b-4b8e-8a55-0b7a0c1e2d33",
    "checkedOn": "2026-11-12"
}))]
pub struct SubjectIn {
    /// The account, of role `subject` in the own authority.
    pub account_id: AccountId,
    /// As what.
    pub capacity: SubjectCapacity,
    /// How it was made sure who the person is.
    pub identity: IdentityEvidence,
    /// How it was made sure that a carer has parental responsibility: needed of a carer, and of nobody else.
    #[serde(default)]
    #[schema(nullable = false)]
    pub responsibility: Option<ResponsibilityEvidence>,
    /// Which carer of the record it is, one with parental responsibility: needed of a carer, and of nobody else. The account acts
    /// for the child only as long as that carer is on the record and has parental responsibility.
    #[serde(default)]
    #[schema(nullable = false)]
    pub carer_id: Option<CarerId>,
    /// On what the person acts: needed of a child under 12 (`childCompetent`), and of a carer once the child is 12 (`childAgrees` or
    /// `childNotCompetent`); not said otherwise.
    #[serde(default)]
    #[schema(nullable = false)]
    pub basis: Option<SubjectBasis>,
    /// The day on which this was checked: not after today, and not over 3 months ago.
    #[serde(deserialize_with = "crate::word::day")]
    pub checked_on: NaiveDate,
}

impl SubjectIn {
    /// The rules that need today and the child's birth.
    pub fn check(&self, born: NaiveDate, today: NaiveDate) -> Result<(), Problem> {
        let carer = self.capacity == SubjectCapacity::Carer;
        for (member, said) in [
            ("/responsibility", self.responsibility.is_some()),
            ("/carerId", self.carer_id.is_some()),
        ] {
            match (carer, said) {
                (true, false) => return Err(Problem::invalid(member, "is required of a carer")),
                (false, true) => return Err(Problem::invalid(member, "is for carers alone")),
                _ => {}
            }
        }
        if carer && today >= anniversary(born, OF_AGE) {
            return Err(Problem::invalid("/capacity", "nobody acts for somebody of 18 or over"));
        }
        self.check_basis(today >= anniversary(born, COMPETENT))?;
        let earliest = today - chrono::Months::new(3);
        if !(earliest..=today).contains(&self.checked_on) {
            return Err(Problem::invalid("/checkedOn", "must be within the last 3 months"));
        }
        Ok(())
    }

    fn check_basis(&self, competent: bool) -> Result<(), Problem> {
        use SubjectBasis::{ChildAgrees, ChildCompetent, ChildNotCompetent};
        match (self.capacity, competent, self.basis) {
            (SubjectCapacity::Child, true, None)
            | (SubjectCapacity::Child, false, Some(ChildCompetent))
            | (SubjectCapacity::Carer, false, None)
            | (SubjectCapacity::Carer, true, Some(ChildAgrees | ChildNotCompetent)) => Ok(()),
            (SubjectCapacity::Child, false, _) => {
                Err(Problem::invalid("/basis", "must be `childCompetent` of a child under 12"))
            }
            (SubjectCapacity::Carer, true, _) => Err(Problem::invalid(
                "/basis",
                "must be `childAgrees` or `childNotCompetent` once the child is 12",
            )),
            (_, _, Some(_)) => Err(Problem::invalid("/basis", "is not said at this age")),
        }
    }
}

/// Whose account is about a record, once a steward has checked who it is and, of a carer, parental responsibility.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// The account, of role `subject`.
    pub account_id: AccountId,
    /// As what.
    pub capacity: SubjectCapacity,
    /// How it was made sure who the person is; absent where that was not written down, and the account then opens nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub identity: Option<IdentityEvidence>,
    /// How it was made sure that a carer has parental responsibility.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub responsibility: Option<ResponsibilityEvidence>,
    /// Which carer of the record it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub carer_id: Option<CarerId>,
    /// On what the person acts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub basis: Option<SubjectBasis>,
    /// The day on which this was checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub checked_on: Option<NaiveDate>,
    /// Whether the account acts for the child today: not once the carer has lost parental responsibility or the child has turned 12
    /// or 18, until a steward enrols anew.
    pub acts: bool,
}

/// The accounts that are about a record.
#[derive(Debug, Serialize, ToSchema)]
pub struct Subjects {
    /// The accounts.
    pub items: Vec<Subject>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_acts_for_whom_is_said_by_age_and_capacity() {
        let (born, day) = (|age: i32| anniversary_before(age), "2026-11-16");
        let [account, carer] = ["5f0c7f6e-2f9b-4a41-9c39-0f5d6d9f2c11"; 2];
        for (capacity, age, basis, at) in [
            ("child", 12, None, None),
            ("child", 11, None, Some("/basis")),
            ("child", 11, Some("childCompetent"), None),
            ("child", 12, Some("childCompetent"), Some("/basis")),
            ("child", 11, Some("childAgrees"), Some("/basis")),
            ("carer", 11, None, None),
            ("carer", 11, Some("childAgrees"), Some("/basis")),
            ("carer", 12, None, Some("/basis")),
            ("carer", 12, Some("childAgrees"), None),
            ("carer", 17, Some("childNotCompetent"), None),
            ("carer", 12, Some("childCompetent"), Some("/basis")),
            ("carer", 18, Some("childNotCompetent"), Some("/capacity")),
        ] {
            let mut said = json!({ "accountId": account, "capacity": capacity, "identity": "passport", "checkedOn": day });
            if let Some(basis) = basis {
                said["basis"] = json!(basis);
            }
            if capacity == "carer" {
                said["carerId"] = json!(carer);
                said["responsibility"] = json!("agreement");
            }
            let said: SubjectIn = serde_json::from_value(said).unwrap();
            let told = said.check(born(age), day.parse().unwrap());
            let pointer = told.as_ref().err().map(|problem| problem.errors()[0].pointer.as_str());
            assert_eq!(pointer, at, "{capacity} {age} {basis:?}");
        }
    }

    /// A birth so long before the day of the test that this birthday is that day.
    fn anniversary_before(age: i32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026 - age, 11, 16).unwrap()
    }
}
