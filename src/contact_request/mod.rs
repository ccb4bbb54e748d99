//! Requests to be put in touch with whoever else works with a child: a practitioner asks, the steward forwards, the provider
//! accepts or declines. What nobody is told of is told to nobody here either.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use crate::{
    code::codes,
    contact::Contact,
    ids::{ContactRequestId, IndexNumber, InvolvementId},
    involvement::{Reachable, ServiceType},
    problem::{Kind, Problem},
    seal::Place,
};

pub mod routes;
pub(crate) mod store;

/// How long whoever asked waits for somebody to accept.
pub const WAITS: TimeDelta = TimeDelta::days(14);
/// How long a step may take before the steward is reminded.
pub const STEP: TimeDelta = TimeDelta::hours(48);
/// How long a request is shown.
pub const SHOWN: TimeDelta = TimeDelta::days(90);

codes! {
    /// How a request to be put in touch stands for whoever asked. Whether there is no provider, or one that declined, is
    /// never told.
    ContactStatus {
        /// It waits, for 14 days.
        Open = "open",
        /// A provider has accepted; its contact is told.
        Accepted = "accepted",
        /// Nobody has accepted within 14 days.
        Closed = "closed",
    }
}

codes! {
    /// How far a request to be put in touch has come, for steward and provider.
    Stage {
        /// It waits for the steward.
        Asked = "asked",
        /// It waits for the provider.
        Forwarded = "forwarded",
        /// The provider has accepted.
        Accepted = "accepted",
        /// It has ended.
        Closed = "closed",
    }
}

codes! {
    /// What a provider says to a request.
    ProviderAnswer {
        /// To be put in touch: both are told the other's contact.
        Accepted = "accepted",
        /// Not to be put in touch.
        Declined = "declined",
    }
}

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The steward forwards it to a provider.
    Forward,
    /// The provider accepts.
    Accept,
    /// The provider declines.
    Decline,
    /// The steward closes it.
    Close,
    /// The provider's involvement is told to nobody any more.
    Lose,
}

impl Stage {
    /// The stage at a moment: what nobody accepted in time has ended.
    #[must_use]
    pub fn at(self, asked_at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        match self {
            Self::Asked | Self::Forwarded if now >= asked_at + WAITS => Self::Closed,
            stage => stage,
        }
    }

    /// The stage after a step.
    pub fn after(self, step: Step) -> Result<Self, Kind> {
        match (self, step) {
            (Self::Asked, Step::Forward) => Ok(Self::Forwarded),
            (Self::Forwarded, Step::Forward) => Err(Kind::ContactRequestForwarded),
            (Self::Forwarded, Step::Accept) => Ok(Self::Accepted),
            (Self::Forwarded, Step::Decline) => Ok(Self::Asked),
            (Self::Asked | Self::Forwarded, Step::Close)
            | (Self::Forwarded | Self::Accepted, Step::Lose) => Ok(Self::Closed),
            (Self::Asked, Step::Accept | Step::Decline) => Err(Kind::NotFound),
            (stage @ (Self::Asked | Self::Closed), Step::Lose) => Ok(stage),
            (Self::Accepted | Self::Closed, _) => Err(Kind::ContactRequestEnded),
        }
    }

    /// How it stands for whoever asked, by the time alone unless somebody has accepted.
    #[must_use]
    pub fn status(self, asked_at: DateTime<Utc>, now: DateTime<Utc>) -> ContactStatus {
        match self {
            Self::Accepted => ContactStatus::Accepted,
            _ if now < asked_at + WAITS => ContactStatus::Open,
            _ => ContactStatus::Closed,
        }
    }
}

/// Who asks to be put in touch.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "contact": { "practitioner": "Example Practitioner", "officeHours": "01632 960001" }
}))]
pub struct ContactRequestIn {
    /// How you are reached; told to the steward, and to the provider to which the request is forwarded.
    pub contact: Contact,
}

/// To whom a request is forwarded.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "involvementId": "5f0c7f6e-2f9b-4a41-9c39-0f5d6d9f2c11" }))]
pub struct ForwardingIn {
    /// An involvement of the request's `providers`.
    pub involvement_id: InvolvementId,
}

/// A provider's answer.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "answer": "accepted" }))]
pub struct AnswerIn {
    /// What you say to it.
    pub answer: ProviderAnswer,
    /// How you are reached, where you accept; as your involvement says, unless said.
    #[serde(default)]
    #[schema(nullable = false)]
    pub contact: Option<Contact>,
}

impl AnswerIn {
    /// A contact is told by whoever accepts.
    pub fn check(&self) -> Result<(), Problem> {
        if self.answer == ProviderAnswer::Declined && self.contact.is_some() {
            return Err(Problem::invalid("/contact", "is told only by whoever accepts"));
        }
        Ok(())
    }
}

/// Somebody with whom contact can be brokered.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContactProvider {
    /// The involvement.
    pub involvement_id: InvolvementId,
    /// Who works with the child.
    pub organisation: Reachable,
    /// What they do.
    pub service_type: ServiceType,
    /// Whom to ask for.
    pub contact: Contact,
    /// Whether they have declined this request.
    pub declined: bool,
}

/// A request to be put in touch.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContactRequest {
    /// Its number.
    pub id: ContactRequestId,
    /// The child's index number.
    pub index_number: IndexNumber,
    /// How it stands for whoever asked.
    pub status: ContactStatus,
    /// When it was asked. It waits for 14 days, and is shown for 90.
    pub asked_at: DateTime<Utc>,
    /// How whoever asked is reached.
    pub contact: Contact,
    /// How the provider is reached; told to whoever asked, and to the provider, once it has accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub provider_contact: Option<Contact>,
    /// Whom whoever asked acts for; told to steward and provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub asked_by: Option<Reachable>,
    /// How far it has come; told to steward and provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub stage: Option<Stage>,
    /// By when the next step is to be done: 48 hours after the one before; told to steward and provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub due_at: Option<DateTime<Utc>>,
    /// The involvement to which it is forwarded; told to steward and provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub forwarded_to: Option<InvolvementId>,
    /// With whom contact can be brokered; told to the steward who opens the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub providers: Option<Vec<ContactProvider>>,
    /// Its version, which is its `ETag`; always 1 for whoever asked.
    #[schema(example = 1)]
    pub version: i64,
}

/// Requests to be put in touch.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContactRequests {
    /// The requests, the oldest first.
    pub items: Vec<ContactRequest>,
    /// Where the next page begins, as `after`, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next: Option<String>,
}

/// Which requests are wanted.
#[derive(Debug, Clone, Deserialize, IntoParams, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ContactRequestQuery {
    /// How many at most: 1 to 100, 20 unless said.
    #[validate(range(min = 1, max = 100))]
    #[param(nullable = false, minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u8>,
    /// The `next` of the page before.
    #[validate(length(min = 1, max = 400))]
    #[param(nullable = false, min_length = 1, max_length = 400, pattern = "^[A-Za-z0-9_-]+$")]
    pub after: Option<String>,
}

/// What of a request the database must not know.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Brokered {
    /// How whoever asked is reached.
    pub(crate) contact: Contact,
    /// How the provider is reached to which it is forwarded.
    pub(crate) provider: Option<Contact>,
    /// Those who have declined.
    pub(crate) declined: Vec<InvolvementId>,
}

impl Brokered {
    /// Where that of a request is sealed for.
    pub(crate) fn place(id: ContactRequestId) -> Place {
        Place::of("contact-request", id.0)
    }
}

/// What somebody is to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// They have asked.
    Asker,
    /// They broker it.
    Steward,
    /// It is forwarded to them.
    Provider,
}

/// A request as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    /// Its number.
    pub(crate) id: ContactRequestId,
    /// The child's index number.
    pub(crate) number: IndexNumber,
    /// What whoever reads it is to it.
    pub(crate) side: Side,
    /// When it was asked.
    pub(crate) asked_at: DateTime<Utc>,
    /// Whom whoever asked acts for.
    pub(crate) asker: Reachable,
    /// How far it has come, at the moment of reading.
    pub(crate) stage: Stage,
    /// By when the next step is due.
    pub(crate) due_at: Option<DateTime<Utc>>,
    /// The involvement to which it is forwarded.
    pub(crate) involvement: Option<InvolvementId>,
    /// Its contacts, and who declined.
    pub(crate) brokered: Brokered,
    /// Its version.
    pub(crate) version: i64,
}

impl Kept {
    /// The request as whoever reads it is told of it.
    pub(crate) fn told(self, now: DateTime<Utc>) -> ContactRequest {
        let asker = self.side == Side::Asker;
        let accepted = self.stage == Stage::Accepted && self.side != Side::Steward;
        let ended = matches!(self.stage, Stage::Accepted | Stage::Closed);
        ContactRequest {
            id: self.id,
            index_number: self.number,
            status: self.stage.status(self.asked_at, now),
            asked_at: self.asked_at,
            contact: self.brokered.contact,
            provider_contact: self.brokered.provider.filter(|_| accepted),
            asked_by: (!asker).then_some(self.asker),
            stage: (!asker).then_some(self.stage),
            due_at: self.due_at.filter(|_| !asker && !ended),
            forwarded_to: self.involvement.filter(|_| !asker),
            providers: None,
            version: if asker { 1 } else { self.version },
        }
    }

    /// What it becomes by a step, for which nothing but the involvement and contacts is to be said beside.
    pub(crate) fn step(&mut self, step: Step, now: DateTime<Utc>) -> Result<(), Problem> {
        self.stage = self.stage.after(step)?;
        let waits = matches!(self.stage, Stage::Asked | Stage::Forwarded);
        self.due_at = waits.then_some(now + STEP);
        if matches!(step, Step::Decline) {
            self.brokered.declined.extend(self.involvement);
        }
        if !matches!(self.stage, Stage::Forwarded | Stage::Accepted) {
            (self.involvement, self.brokered.provider) = (None, None);
        }
        self.version += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_from_every_stage_leads_where_it_should() {
        use Stage::{Accepted, Asked, Closed, Forwarded};
        let (ended, unseen) = (Err(Kind::ContactRequestEnded), Err(Kind::NotFound));
        for (step, outcomes) in [
            (Step::Forward, [Ok(Forwarded), Err(Kind::ContactRequestForwarded), ended, ended]),
            (Step::Accept, [unseen, Ok(Accepted), ended, ended]),
            (Step::Decline, [unseen, Ok(Asked), ended, ended]),
            (Step::Close, [Ok(Closed), Ok(Closed), ended, ended]),
            (Step::Lose, [Ok(Asked), Ok(Closed), Ok(Closed), Ok(Closed)]),
        ] {
            for (stage, outcome) in Stage::ALL.iter().zip(outcomes) {
                assert_eq!(stage.after(step), outcome, "{stage} {step:?}");
            }
        }
    }

    #[test]
    fn whoever_asked_learns_nothing_but_the_time_unless_somebody_accepts() {
        let asked: DateTime<Utc> = "2026-11-16T09:30:00Z".parse().unwrap();
        for (passed, status) in [
            (TimeDelta::zero(), ContactStatus::Open),
            (WAITS - TimeDelta::microseconds(1), ContactStatus::Open),
            (WAITS, ContactStatus::Closed),
            (SHOWN, ContactStatus::Closed),
        ] {
            let now = asked + passed;
            for stage in [Stage::Asked, Stage::Forwarded, Stage::Closed] {
                assert_eq!(stage.status(asked, now), status);
                let ends = status == ContactStatus::Closed;
                assert_eq!(stage.at(asked, now), if ends { Stage::Closed } else { stage });
            }
            assert_eq!(Stage::Accepted.status(asked, now), ContactStatus::Accepted);
            assert_eq!(Stage::Accepted.at(asked, now), Stage::Accepted);
        }
    }
}
