//! Handing records over: one authority offers, the other answers, and the duty moves only when it accepts.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use crate::{
    access::Caller,
    code::codes,
    ids::{IndexNumber, OrganisationId, TransferId},
    problem::{Kind, Problem},
};

pub mod routes;
mod store;

codes! {
    /// How an offer stands.
    TransferStatus {
        /// It waits for an answer.
        Offered = "offered",
        /// The other authority answers for the record now.
        Accepted = "accepted",
        /// The other authority does not take the record; the offering one answers for it still.
        Declined = "declined",
        /// The offering authority disputes that it was declined; the other may still accept.
        Disputed = "disputed",
        /// The offering authority has taken it back.
        Withdrawn = "withdrawn",
    }
}

codes! {
    /// What an authority answers to an offer.
    TransferAnswer {
        /// It answers for the record from now on.
        Accepted = "accepted",
        /// It does not.
        Declined = "declined",
    }
}

codes! {
    /// Why an authority declines.
    DeclineGround {
        /// The child does not live in its area.
        LivesElsewhere = "livesElsewhere",
        /// The child is there for a while only, and the other authority's duty goes on.
        StaysForAWhile = "staysForAWhile",
        /// A court has put the duty on another authority.
        CourtOrder = "courtOrder",
        /// The record must be put right first.
        RecordNotRight = "recordNotRight",
    }
}

codes! {
    /// Why the offering authority disputes that its offer was declined.
    DisputeGround {
        /// The child lives in the other's area.
        LivesThere = "livesThere",
        /// The child is there to stay.
        Stays = "stays",
        /// A court has put the duty on the other authority.
        CourtOrdered = "courtOrdered",
        /// The record has been put right.
        RecordPutRight = "recordPutRight",
    }
}

/// An offer that another authority answer for a record.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "to": "888" }))]
pub struct TransferIn {
    /// The 3-digit code of the authority that is to answer for the record.
    #[validate(custom(function = crate::organisation::codes::three_digits))]
    #[schema(pattern = "^[0-9]{3}$", example = "888")]
    pub to: String,
}

/// The answer to an offer.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "answer": "accepted" }))]
pub struct TransferAnswerIn {
    /// Whether the authority answers for the record from now on.
    pub answer: TransferAnswer,
    /// Why not, where it declines, and only there.
    #[serde(default)]
    #[schema(nullable = false)]
    pub ground: Option<DeclineGround>,
}

/// A dispute that an offer was declined.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "ground": "livesThere" }))]
pub struct TransferDisputeIn {
    /// Why it should have been accepted.
    pub ground: DisputeGround,
}

/// An authority that hands a record over, or is to take it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferParty {
    /// Which organisation it is.
    pub organisation_id: OrganisationId,
    /// Its 3-digit code.
    #[schema(example = "887")]
    pub code: String,
    /// Its name.
    #[schema(example = "Example Council")]
    pub name: String,
}

/// An offer, and how it stands. It tells nothing of the child but the index number.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Transfer {
    /// Its number.
    pub id: TransferId,
    /// The child's index number.
    pub index_number: IndexNumber,
    /// The authority that offers.
    pub from: TransferParty,
    /// The authority that is to answer for the record.
    pub to: TransferParty,
    /// How it stands.
    pub status: TransferStatus,
    /// Why it was declined, where it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub decline_ground: Option<DeclineGround>,
    /// Why that was disputed, where it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub dispute_ground: Option<DisputeGround>,
    /// When it was offered.
    pub offered_at: DateTime<Utc>,
    /// When it last changed.
    pub changed_at: DateTime<Utc>,
    /// Its version, for `If-Match`.
    #[schema(example = 1, minimum = 1)]
    pub version: i64,
}

/// A page of offers.
#[derive(Debug, Serialize, ToSchema)]
pub struct Transfers {
    /// The offers, the oldest first.
    pub items: Vec<Transfer>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub next: Option<String>,
}

/// Which offers are wanted.
#[derive(Debug, Clone, Deserialize, IntoParams, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TransferQuery {
    /// That stand so.
    #[param(nullable = false)]
    pub status: Option<TransferStatus>,
    /// How many at most: 1 to 100, 20 unless said.
    #[validate(range(min = 1, max = 100))]
    #[param(nullable = false, minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u8>,
    /// The `next` of the page before.
    #[validate(length(min = 1, max = 400))]
    #[param(nullable = false, min_length = 1, max_length = 400, pattern = "^[A-Za-z0-9_-]+$")]
    pub after: Option<String>,
}

impl TransferAnswerIn {
    /// Refuses to decline without a ground, and to accept with one.
    pub fn check(self) -> Result<(), Problem> {
        match (self.answer, self.ground) {
            (TransferAnswer::Declined, None) => {
                Err(Problem::invalid("/ground", "is required to decline"))
            }
            (TransferAnswer::Accepted, Some(_)) => {
                Err(Problem::invalid("/ground", "is given only to decline"))
            }
            _ => Ok(()),
        }
    }

    /// How an offer stands after it, which may be answered so while it is offered; a disputed one is only accepted.
    pub fn on(self, status: TransferStatus) -> Result<TransferStatus, Problem> {
        match (status, self.answer) {
            (TransferStatus::Offered | TransferStatus::Disputed, TransferAnswer::Accepted) => {
                Ok(TransferStatus::Accepted)
            }
            (TransferStatus::Offered, TransferAnswer::Declined) => Ok(TransferStatus::Declined),
            _ => Err(Kind::TransferEnded.into()),
        }
    }
}

fn only(caller: &Caller, party: &TransferParty, otherwise: &'static str) -> Result<(), Problem> {
    if caller.organisation == party.organisation_id {
        Ok(())
    } else {
        Err(Problem::new(Kind::Forbidden, otherwise))
    }
}

impl Transfer {
    /// Refuses an answer of any but the authority that it is offered to.
    pub fn may_be_answered_by(&self, caller: &Caller) -> Result<(), Problem> {
        only(caller, &self.to, "An offer is answered by the authority that it is made to.")
    }

    /// Refuses a dispute or withdrawal by any but the authority that offers.
    pub fn is_offered_by(&self, caller: &Caller) -> Result<(), Problem> {
        only(caller, &self.from, "This is for the authority that offers.")
    }

    /// Refuses to dispute what was not declined, or by an authority that no longer answers for the record.
    pub fn may_be_disputed(&self, responsible: OrganisationId) -> Result<(), Problem> {
        let declined = self.status == TransferStatus::Declined;
        if declined && self.from.organisation_id == responsible {
            Ok(())
        } else {
            Err(Kind::TransferEnded.into())
        }
    }

    /// Refuses to take back what does not wait for an answer.
    pub fn may_be_withdrawn(&self) -> Result<(), Problem> {
        match self.status {
            TransferStatus::Offered | TransferStatus::Disputed => Ok(()),
            _ => Err(Kind::TransferEnded.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_is_answered_once_and_a_disputed_one_only_accepted() {
        use TransferStatus::{Accepted, Declined, Disputed, Offered};
        for &status in TransferStatus::ALL {
            let after = |answer| TransferAnswerIn { answer, ground: None }.on(status).ok();
            let accepted = [Offered, Disputed].contains(&status).then_some(Accepted);
            assert_eq!(after(TransferAnswer::Accepted), accepted, "{status}");
            let declined = (status == Offered).then_some(Declined);
            assert_eq!(after(TransferAnswer::Declined), declined, "{status}");
        }
    }

    #[test]
    fn declining_needs_a_ground_and_accepting_has_none() {
        for (answer, ground, good) in [
            (TransferAnswer::Accepted, None, true),
            (TransferAnswer::Accepted, Some(DeclineGround::CourtOrder), false),
            (TransferAnswer::Declined, None, false),
            (TransferAnswer::Declined, Some(DeclineGround::CourtOrder), true),
        ] {
            assert_eq!(TransferAnswerIn { answer, ground }.check().is_ok(), good);
        }
    }
}
