//! Shields: who asks for one, who decides, how long it stands and who lifts it. Nothing opens by itself, and one person alone
//! opens nothing.

use chrono::{DateTime, Months, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use crate::{
    access::{Caller, Role, Viewer},
    code::codes,
    ids::{AccountId, ChildId, IndexNumber, OrganisationId, PersonId, ShieldRequestId},
    problem::{Kind, Problem},
    working_day::add_working_days,
};

pub mod routes;
pub mod store;

/// How many working days there are to confirm an emergency shield.
pub const TO_CONFIRM: u32 = 5;
/// How long a shield stands before it is reviewed, at most.
pub const REVIEWED_WITHIN: Months = Months::new(6);

codes! {
    /// Why a child is shielded.
    ShieldGround {
        /// Violence or abuse at home.
        DomesticAbuse = "domesticAbuse",
        /// A member of the family who may harm the child.
        HarmfulFamilyMember = "harmfulFamilyMember",
        /// A forced marriage is feared.
        ForcedMarriage = "forcedMarriage",
        /// Abuse in the name of honour is feared.
        HonourBasedAbuse = "honourBasedAbuse",
        /// Sexual or criminal exploitation.
        Exploitation = "exploitation",
        /// Trafficking or modern slavery.
        Trafficking = "trafficking",
        /// The protection of a witness.
        WitnessProtection = "witnessProtection",
        /// The child is or will be adopted.
        Adoption = "adoption",
        /// A threat to a life.
        ThreatToLife = "threatToLife",
        /// A court has ordered it.
        CourtOrder = "courtOrder",
        /// A carer of the child is at risk.
        CarerAtRisk = "carerAtRisk",
        /// The record resembles that of a shielded person; given by the index alone.
        Resemblance = "resemblance",
    }
}

codes! {
    /// How a request that a child be shielded stands.
    ShieldRequestStatus {
        /// It waits for its decision.
        Asked = "asked",
        /// It holds the shield up: approved, or an emergency.
        InForce = "inForce",
        /// It was declined.
        Declined = "declined",
        /// Its ground no longer holds.
        Closed = "closed",
    }
}

codes! {
    /// What is decided on a request that a child be shielded.
    ShieldDecision {
        /// The child is shielded.
        Approved = "approved",
        /// The child is not shielded for this; a shield that stands already stays until it is lifted.
        Declined = "declined",
        /// Of a record that resembles another's: both are records of one person.
        SamePerson = "samePerson",
        /// Of a record that resembles another's: they are records of two.
        Distinct = "distinct",
    }
}

/// The grounds that somebody states; a resemblance only the index finds.
pub(crate) fn stated() -> impl Iterator<Item = ShieldGround> {
    ShieldGround::ALL.iter().copied().filter(|ground| *ground != ShieldGround::Resemblance)
}

/// Why a child should be shielded. There is no room for a story: tell it to the authority.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "ground": "domesticAbuse", "emergency": true }))]
pub struct ShieldRequestIn {
    /// Why; `resemblance` is not for you to state.
    pub ground: ShieldGround,
    /// Whether to shield at once, to be confirmed within 5 working days; not unless said.
    #[serde(default)]
    #[schema(default = false)]
    pub emergency: bool,
}

impl ShieldRequestIn {
    /// The ground is one that somebody states; an emergency is for those whom a practitioner or steward has heard, who have
    /// signed in within the last 5 minutes (security rule AUTH-8).
    pub fn check(&self, caller: &Caller, now: DateTime<Utc>) -> Result<(), Problem> {
        if self.emergency && caller.role == Role::Subject {
            let detail = "In an emergency ask a practitioner, or the authority's duty number.";
            return Err(Problem::new(Kind::Forbidden, detail));
        }
        if self.emergency {
            caller.signed_in_of_late(now)?;
        }
        if stated().any(|ground| ground == self.ground) {
            return Ok(());
        }
        Err(Problem::invalid("/ground", "is found by the index alone"))
    }
}

/// A request that a child be shielded. Whoever asked sees how it stands; the rest is for the authority that decides.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShieldRequest {
    /// Its number.
    pub id: ShieldRequestId,
    /// The child.
    pub index_number: IndexNumber,
    /// Why.
    pub ground: ShieldGround,
    /// Whether the child was shielded at once.
    pub emergency: bool,
    /// How it stands.
    pub status: ShieldRequestStatus,
    /// The records that it resembles, where that is the ground and they may still be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub resembles: Option<Vec<IndexNumber>>,
    /// Who asked; nobody where the index found a resemblance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub asked_by: Option<AccountId>,
    /// When.
    pub asked_at: DateTime<Utc>,
    /// The day by which an emergency is to be confirmed, or a resemblance looked at. The shield stands all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub confirm_by: Option<NaiveDate>,
    /// Who decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub decided_by: Option<AccountId>,
    /// When it was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub decided_at: Option<DateTime<Utc>>,
    /// The day by which it is to be reviewed. The shield stands all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub review_on: Option<NaiveDate>,
    /// Who said that its ground no longer holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub closed_by: Option<AccountId>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub closed_at: Option<DateTime<Utc>>,
    /// Its version, which is its `ETag`.
    #[schema(example = 1)]
    pub version: i64,
}

impl ShieldRequest {
    /// What is told to whoever asked: who decides would tell the area.
    pub(crate) fn for_the_asker(self) -> Self {
        Self { decided_by: None, closed_by: None, review_on: None, resembles: None, ..self }
    }

    /// Nobody decides on their own request, and each is decided once.
    pub(crate) fn may_be_decided_by(&self, account: Option<AccountId>) -> Result<(), Problem> {
        if self.asked_by.is_some() && self.asked_by == account {
            return Err(Problem::new(Kind::Forbidden, "Nobody decides on their own request."));
        }
        Ok(())
    }

    /// What a decision makes of it.
    pub(crate) fn decide(
        &self,
        told: &ShieldDecisionIn,
        today: NaiveDate,
    ) -> Result<Decided, Problem> {
        let resemblance = self.ground == ShieldGround::Resemblance;
        let of_its_kind = match told.decision {
            ShieldDecision::Approved | ShieldDecision::Declined => !resemblance,
            ShieldDecision::SamePerson | ShieldDecision::Distinct => resemblance,
        };
        if !of_its_kind {
            return Err(Problem::invalid("/decision", "does not answer a request on this ground"));
        }
        if !matches!(self.status, ShieldRequestStatus::Asked | ShieldRequestStatus::InForce)
            || self.decided_at.is_some()
        {
            return Err(Kind::ShieldRequestStatus.into());
        }
        if told.decision != ShieldDecision::Approved && told.review_on.is_some() {
            return Err(Problem::invalid("/reviewOn", "does not belong to this decision"));
        }
        let (status, review_on) = match told.decision {
            ShieldDecision::Approved => {
                (ShieldRequestStatus::InForce, Some(review_day(told.review_on, today)?))
            }
            ShieldDecision::SamePerson => (ShieldRequestStatus::Closed, None),
            ShieldDecision::Declined | ShieldDecision::Distinct => {
                (ShieldRequestStatus::Declined, None)
            }
        };
        Ok(Decided { status, review_on })
    }

    /// A request is reviewed while it was approved and is in force.
    pub(crate) fn may_be_reviewed(&self) -> Result<(), Problem> {
        let approved = self.status == ShieldRequestStatus::InForce && self.review_on.is_some();
        if approved { Ok(()) } else { Err(Kind::ShieldRequestStatus.into()) }
    }

    /// A request is closed while it is in force; a resemblance is decided on, since closing it would say nothing of who it is.
    pub(crate) fn may_be_closed(&self) -> Result<(), Problem> {
        let in_force = self.status == ShieldRequestStatus::InForce;
        let undecided = self.ground == ShieldGround::Resemblance;
        if in_force && !undecided { Ok(()) } else { Err(Kind::ShieldRequestStatus.into()) }
    }
}

/// What a decision makes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decided {
    pub(crate) status: ShieldRequestStatus,
    pub(crate) review_on: Option<NaiveDate>,
}

/// The last day on which an emergency shield that begins today is to be confirmed.
pub(crate) fn confirm_by(today: NaiveDate) -> NaiveDate {
    add_working_days(today, TO_CONFIRM)
}

/// The day of the next review: as said if that is within 6 months, after 6 months where nothing is said.
fn review_day(said: Option<NaiveDate>, today: NaiveDate) -> Result<NaiveDate, Problem> {
    let last = today.checked_add_months(REVIEWED_WITHIN).unwrap_or(today);
    let day = said.unwrap_or(last);
    if day > today && day <= last {
        return Ok(day);
    }
    Err(Problem::invalid("/reviewOn", "must be after today and at most 6 months from today"))
}

/// The decision on a request that a child be shielded.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "decision": "approved" }))]
pub struct ShieldDecisionIn {
    /// What is decided: `samePerson` or `distinct` where the ground is `resemblance`, else `approved` or `declined`.
    pub decision: ShieldDecision,
    /// When it is to be reviewed, if it is approved: after today, 6 months from today unless said and at most.
    #[serde(default, deserialize_with = "crate::word::some_day")]
    #[schema(nullable = false)]
    pub review_on: Option<NaiveDate>,
}

/// That the ground of a shield was looked at anew and still holds.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct ShieldReviewIn {
    /// When it is to be reviewed next: after today, 6 months from today unless said and at most.
    #[serde(default, deserialize_with = "crate::word::some_day")]
    #[schema(nullable = false)]
    pub review_on: Option<NaiveDate>,
}

impl ShieldReviewIn {
    /// The day of the next review.
    pub(crate) fn day(&self, today: NaiveDate) -> Result<NaiveDate, Problem> {
        review_day(self.review_on, today)
    }
}

/// Which requests that children be shielded are wanted.
#[derive(Debug, Clone, Deserialize, IntoParams, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ShieldRequestQuery {
    /// How they stand.
    #[param(nullable = false, example = "asked")]
    pub status: Option<ShieldRequestStatus>,
    /// How many at most: 1 to 100, 20 unless said.
    #[validate(range(min = 1, max = 100))]
    #[param(nullable = false, minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u8>,
    /// The `next` of the page before.
    #[validate(length(min = 1, max = 400))]
    #[param(nullable = false, min_length = 1, max_length = 400, pattern = "^[A-Za-z0-9_-]+$")]
    pub after: Option<String>,
}

/// A page of requests that children be shielded, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct ShieldRequests {
    /// The requests.
    pub items: Vec<ShieldRequest>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub next: Option<String>,
}

/// The shield of a child, as the authority sees it that answers for the record.
#[derive(Debug, Serialize, ToSchema)]
pub struct Shield {
    /// Whether the child is shielded.
    pub shielded: bool,
    /// The requests for it on the records of the person for which your authority answers, the oldest first.
    pub requests: Vec<ShieldRequest>,
    /// Its version, which is its `ETag`.
    #[schema(example = 1)]
    pub version: i64,
}

/// The shield of a child, before it is told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    pub(crate) child: ChildId,
    pub(crate) person: Option<PersonId>,
    pub(crate) authority: OrganisationId,
    pub(crate) shielded: bool,
    pub(crate) version: i64,
}

/// What stands in the way of lifting a shield.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ends {
    /// How many requests of the person's records are neither declined nor closed.
    pub(crate) standing: i64,
    /// Everybody who asked for it.
    pub(crate) askers: Vec<AccountId>,
    /// Whoever declined or closed the last of them.
    pub(crate) ended_by: Option<AccountId>,
}

impl Standing {
    /// The shield is seen and kept by the authority that answers for the record.
    pub(crate) fn kept_by(&self, viewer: Viewer) -> Result<(), Problem> {
        let role = matches!(viewer.role, Role::Steward | Role::ShieldApprover);
        if role && viewer.organisation == self.authority {
            return Ok(());
        }
        Err(Problem::new(Kind::Forbidden, "Another authority answers for this record."))
    }

    /// A shield that stands is lifted once no request holds it up, by somebody else than those who asked for it and who
    /// ended the last request.
    pub(crate) fn may_be_lifted(
        &self,
        ends: &Ends,
        account: Option<AccountId>,
    ) -> Result<(), Problem> {
        if !self.shielded {
            return Err(Kind::NotShielded.into());
        }
        if ends.standing > 0 {
            return Err(Kind::ShieldRequested.into());
        }
        let second = account.is_some_and(|account| {
            ends.ended_by.is_some_and(|first| first != account) && !ends.askers.contains(&account)
        });
        if second {
            return Ok(());
        }
        let detail = "A shield is lifted by somebody else than whoever asked for it or ended the last request.";
        Err(Problem::new(Kind::Forbidden, detail))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn request(ground: ShieldGround, status: ShieldRequestStatus) -> ShieldRequest {
        serde_json::from_value(json!({
            "id": ShieldRequestId::new(), "indexNumber": "48271930566", "ground": ground, "emergency": false,
            "status": status, "askedAt": "2026-11-16T09:30:00Z", "version": 1
        }))
        .unwrap()
    }

    fn told(decision: ShieldDecision, review_on: Option<&str>) -> ShieldDecisionIn {
        ShieldDecisionIn { decision, review_on: review_on.map(day) }
    }

    #[test]
    fn every_decision_answers_only_requests_of_its_kind_that_wait() {
        let today = day("2026-11-16");
        for &ground in ShieldGround::ALL {
            for &status in ShieldRequestStatus::ALL {
                for &decision in ShieldDecision::ALL {
                    let resemblance = ground == ShieldGround::Resemblance;
                    let for_one =
                        matches!(decision, ShieldDecision::SamePerson | ShieldDecision::Distinct);
                    let waits =
                        matches!(status, ShieldRequestStatus::Asked | ShieldRequestStatus::InForce);
                    let decided = request(ground, status).decide(&told(decision, None), today);
                    let good = resemblance == for_one && waits;
                    assert_eq!(decided.is_ok(), good, "{ground} {status} {decision}");
                    let mut again = request(ground, status);
                    again.decided_at = Some(again.asked_at);
                    assert!(again.decide(&told(decision, None), today).is_err(), "{ground}");
                }
            }
        }
    }

    #[test]
    fn a_review_is_due_after_today_and_within_6_months() {
        let today = day("2026-08-31");
        for (said, due) in [
            (None, Some("2027-02-28")),
            (Some("2026-09-01"), Some("2026-09-01")),
            (Some("2027-02-28"), Some("2027-02-28")),
            (Some("2027-03-01"), None),
            (Some("2026-08-31"), None),
        ] {
            assert_eq!(review_day(said.map(day), today).ok(), due.map(day), "{said:?}");
        }
        let asked = request(ShieldGround::CourtOrder, ShieldRequestStatus::Asked);
        let declined = told(ShieldDecision::Declined, Some("2026-09-01"));
        assert_eq!(asked.decide(&declined, today).unwrap_err().errors()[0].pointer, "/reviewOn");
    }

    #[test]
    fn only_what_is_in_force_is_reviewed_or_closed_and_a_resemblance_is_neither() {
        for &ground in ShieldGround::ALL {
            for &status in ShieldRequestStatus::ALL {
                let mut request = request(ground, status);
                let in_force = status == ShieldRequestStatus::InForce;
                assert!(request.may_be_reviewed().is_err(), "{ground} {status} is not approved");
                let closes = in_force && ground != ShieldGround::Resemblance;
                assert_eq!(request.may_be_closed().is_ok(), closes, "{ground} {status}");
                request.review_on = Some(day("2026-12-01"));
                assert_eq!(request.may_be_reviewed().is_ok(), in_force, "{ground} {status}");
            }
        }
    }

    #[test]
    fn two_people_lift_a_shield_and_none_of_them_asked_for_it() {
        let [first, second, asker] = [(); 3].map(|()| AccountId::new());
        let standing = Standing {
            child: ChildId::new(),
            person: None,
            authority: OrganisationId::new(),
            shielded: true,
            version: 1,
        };
        let ends = Ends { standing: 0, askers: vec![asker], ended_by: Some(first) };
        assert!(standing.may_be_lifted(&ends, Some(second)).is_ok());
        for alone in [Some(first), Some(asker), None] {
            assert!(standing.may_be_lifted(&ends, alone).is_err());
        }
        let requested = Ends { standing: 1, ..ends.clone() };
        let unended = Ends { ended_by: None, ..ends.clone() };
        let open = Standing { shielded: false, ..standing };
        assert!(standing.may_be_lifted(&requested, Some(second)).is_err());
        assert!(standing.may_be_lifted(&unended, Some(second)).is_err());
        assert!(open.may_be_lifted(&ends, Some(second)).is_err());
    }
}
