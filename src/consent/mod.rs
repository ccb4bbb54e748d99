//! Consents: to a sensitive service being recorded, and to staying in the index; given, and withdrawn.

use chrono::{DateTime, Months, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use crate::{
    code::codes,
    ids::{ConsentId, InvolvementId},
    problem::{Kind, Problem},
};

pub mod routes;
pub(crate) mod store;

codes! {
    /// What a consent is to.
    ConsentPurpose {
        /// That a sensitive service is recorded.
        SensitiveService = "sensitiveService",
        /// That the record stays in use after the 18th birthday, until the 25th at most.
        StayToTwentyFive = "stayToTwentyFive",
    }
}

codes! {
    /// Who has given a consent.
    GivenBy {
        /// The child.
        Child = "child",
        /// A carer, for the child.
        Carer = "carer",
    }
}

codes! {
    /// Why somebody is able to consent.
    CapacityBasis {
        /// The child is under 16 and understands what it is about (Gillick competence).
        GillickCompetent = "gillickCompetent",
        /// The child is 16 or over (Family Law Reform Act 1969, section 8).
        Over16 = "over16",
        /// The carer has parental responsibility (Children Act 1989, section 3).
        ParentalResponsibility = "parentalResponsibility",
        /// A court has appointed the carer to decide.
        CourtAppointed = "courtAppointed",
    }
}

codes! {
    /// On what a sensitive service is recorded where nobody has consented.
    Basis {
        /// The child suffers significant harm, or is likely to (Children Act 1989, section 47).
        SignificantHarm = "significantHarm",
    }
}

/// The receipt of a consent to a sensitive service being recorded.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConsentIn {
    /// Who has given it.
    pub given_by: GivenBy,
    /// Why they are able to: of a child `gillickCompetent`, or `over16` from the 16th birthday on; of a carer
    /// `parentalResponsibility` or `courtAppointed`.
    pub capacity_basis: CapacityBasis,
    /// The day it was given: not before the child's birth, not after today.
    #[serde(deserialize_with = "crate::word::day")]
    pub given_on: NaiveDate,
}

impl ConsentIn {
    /// The rules that need today and the child's birth.
    pub fn check(&self, born: NaiveDate, today: NaiveDate) -> Result<(), Problem> {
        if !(born..=today).contains(&self.given_on) {
            let detail = "must not be before the child's birth or after today";
            return Err(Problem::invalid("/consent/givenOn", detail));
        }
        let fits = match self.capacity_basis {
            CapacityBasis::GillickCompetent => self.given_by == GivenBy::Child,
            CapacityBasis::Over16 => {
                let sixteen = born.checked_add_months(Months::new(16 * 12));
                self.given_by == GivenBy::Child
                    && sixteen.is_some_and(|sixteen| sixteen <= self.given_on)
            }
            CapacityBasis::ParentalResponsibility | CapacityBasis::CourtAppointed => {
                self.given_by == GivenBy::Carer
            }
        };
        if fits {
            return Ok(());
        }
        Err(Problem::invalid("/consent/capacityBasis", "does not fit who has given it, and when"))
    }
}

/// The receipt of a consent, as its own organisation is told of it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// Its number, by which it is withdrawn.
    pub id: ConsentId,
    /// Who has given it.
    pub given_by: GivenBy,
    /// Why they are able to.
    pub capacity_basis: CapacityBasis,
    /// The day it was given.
    pub given_on: NaiveDate,
}

/// A consent. Whose service it is about is told to nobody here.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Consent {
    /// Its number.
    pub id: ConsentId,
    /// What it is to.
    pub purpose: ConsentPurpose,
    /// The day it was given.
    pub given_on: NaiveDate,
    /// The day until which it holds, where it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub until: Option<NaiveDate>,
    /// The day it was withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub withdrawn_on: Option<NaiveDate>,
    /// Its version, which is its `ETag`.
    #[schema(example = 1)]
    pub version: i64,
}

/// The consents about a child that you may see.
#[derive(Debug, Serialize, ToSchema)]
pub struct Consents {
    /// The consents; the latest first.
    pub items: Vec<Consent>,
}

/// When a consent was withdrawn.
#[derive(Debug, Clone, Default, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct WithdrawalIn {
    /// The day on which it was withdrawn, today unless said: not before it was given, not after today. It takes effect
    /// at once, whatever the day.
    #[serde(default, deserialize_with = "crate::word::some_day")]
    #[schema(nullable = false)]
    pub withdrawn_on: Option<NaiveDate>,
}

/// What is withdrawn, and what hangs on it.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    /// The consent.
    pub(crate) consent: Consent,
    /// The sensitive involvement that stands on it.
    pub(crate) involvement: Option<InvolvementId>,
    /// When it was withdrawn.
    pub(crate) withdrawn_at: Option<DateTime<Utc>>,
}

impl WithdrawalIn {
    /// The day of the withdrawal of a consent that holds.
    pub(crate) fn of(&self, given: &Given, today: NaiveDate) -> Result<NaiveDate, Problem> {
        if given.withdrawn_at.is_some() {
            return Err(Kind::ConsentWithdrawn.into());
        }
        let day = self.withdrawn_on.unwrap_or(today);
        if !(given.consent.given_on..=today).contains(&day) {
            let detail = "must not be before the consent was given or after today";
            return Err(Problem::invalid("/withdrawnOn", detail));
        }
        Ok(day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_consents_is_able_to() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let (born, today) = (day("2010-02-28"), day("2026-11-16"));
        for (given_by, capacity_basis, given_on, right) in [
            (GivenBy::Child, CapacityBasis::GillickCompetent, "2024-05-01", true),
            (GivenBy::Child, CapacityBasis::Over16, "2026-02-28", true),
            (GivenBy::Child, CapacityBasis::Over16, "2026-02-27", false),
            (GivenBy::Carer, CapacityBasis::ParentalResponsibility, "2010-02-28", true),
            (GivenBy::Carer, CapacityBasis::CourtAppointed, "2026-11-16", true),
            (GivenBy::Carer, CapacityBasis::GillickCompetent, "2024-05-01", false),
            (GivenBy::Carer, CapacityBasis::Over16, "2026-05-01", false),
            (GivenBy::Child, CapacityBasis::ParentalResponsibility, "2024-05-01", false),
            (GivenBy::Child, CapacityBasis::CourtAppointed, "2024-05-01", false),
            (GivenBy::Carer, CapacityBasis::CourtAppointed, "2010-02-27", false),
            (GivenBy::Carer, CapacityBasis::CourtAppointed, "2026-11-17", false),
        ] {
            let consent = ConsentIn { given_by, capacity_basis, given_on: day(given_on) };
            assert_eq!(consent.check(born, today).is_ok(), right, "{consent:?}");
        }
    }
}
