//! Who is told of changes without asking: an address of an organisation, to which signed pointers are sent.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use crate::{
    code::codes,
    ids::{DeliveryId, SubscriptionId},
    problem::{Kind, Problem},
};

pub mod event;
pub mod routes;
pub mod signature;
mod store;
pub mod task;

/// How many subscriptions an organisation has at most.
pub(crate) const MOST: i64 = 10;

/// How long after each try in vain an event is tried again; after the last it is dead.
pub const RETRIES: [TimeDelta; 9] = [
    TimeDelta::seconds(5),
    TimeDelta::minutes(5),
    TimeDelta::minutes(30),
    TimeDelta::hours(2),
    TimeDelta::hours(5),
    TimeDelta::hours(10),
    TimeDelta::hours(14),
    TimeDelta::hours(20),
    TimeDelta::hours(24),
];

codes! {
    /// How a subscription stands.
    SubscriptionStatus {
        /// Its address has not answered a ping yet; nothing else is sent there. Where an address before it had, events are kept.
        Unconfirmed = "unconfirmed",
        /// Events are sent.
        Active = "active",
        /// Events are kept until it is active again, for 90 days.
        Paused = "paused",
    }
}

codes! {
    /// What a subscription whose address was confirmed can be made.
    SubscriptionWish {
        /// Events are sent.
        Active = "active",
        /// Events are kept until it is active again, for 90 days.
        Paused = "paused",
    }
}

codes! {
    /// How it stands with an event that is to be delivered.
    DeliveryStatus {
        /// It is to be sent, or sent again.
        Waiting = "waiting",
        /// It was answered with a status from 200 to 299.
        Delivered = "delivered",
        /// It was tried ten times in vain (a ping: once), and is not tried again unless somebody asks.
        Dead = "dead",
        /// The organisation may not be told of it any more, so it was not sent.
        Dropped = "dropped",
    }
}

codes! {
    /// What an event tells of.
    EventAbout {
        /// Something has changed of a child.
        Change = "change",
        /// Nothing: it asks whether the address answers.
        Ping = "ping",
    }
}

/// An address to which changes are to be sent.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "target": "https://hooks.example.org/contactpoint" }))]
pub struct SubscriptionIn {
    /// Where events are sent: the public name of a host, by https at port 443.
    #[schema(max_length = 2048, pattern = "^https://")]
    pub target: String,
}

/// What is to change of a subscription.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "status": "paused" }))]
pub struct SubscriptionChange {
    /// Where events are sent from now on; it must answer a ping before anything else is sent there.
    #[serde(default, deserialize_with = "crate::jose::present")]
    #[schema(nullable = false, max_length = 2048, pattern = "^https://")]
    pub target: Option<String>,
    /// Whether events are sent or kept.
    #[serde(default, deserialize_with = "crate::jose::present")]
    #[schema(nullable = false)]
    pub status: Option<SubscriptionWish>,
}

/// A subscription.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Subscription {
    /// Its number.
    pub id: SubscriptionId,
    /// Where events are sent.
    #[schema(example = "https://hooks.example.org/contactpoint")]
    pub target: String,
    /// How it stands.
    pub status: SubscriptionStatus,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When an address of it was last confirmed by the answer to a ping; absent where none was yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub confirmed_at: Option<DateTime<Utc>>,
    /// Its version, for `If-Match`.
    #[schema(example = 1, minimum = 1)]
    pub version: i64,
}

impl Subscription {
    /// What it is after a change: its address and how it stands.
    pub(crate) fn change(
        &self,
        change: SubscriptionChange,
    ) -> Result<(String, SubscriptionStatus), Problem> {
        match (change.target, change.status) {
            (None, None) => Err(Problem::invalid("", "must change something")),
            (Some(_), Some(_)) => {
                Err(Problem::invalid("/status", "cannot be set with a new `target`"))
            }
            (Some(target), None) => Ok((target, SubscriptionStatus::Unconfirmed)),
            (None, Some(_)) if self.status == SubscriptionStatus::Unconfirmed => {
                Err(Kind::SubscriptionUnconfirmed.into())
            }
            (None, Some(SubscriptionWish::Active)) => {
                Ok((self.target.clone(), SubscriptionStatus::Active))
            }
            (None, Some(SubscriptionWish::Paused)) => {
                Ok((self.target.clone(), SubscriptionStatus::Paused))
            }
        }
    }
}

/// The subscriptions of an organisation.
#[derive(Debug, Serialize, ToSchema)]
pub struct Subscriptions {
    /// All of them, the oldest first.
    #[schema(max_items = 10)]
    pub items: Vec<Subscription>,
}

/// An event and how its delivery stands; of which child it tells is told to the address alone.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// Its number: the event's `id`, the same however often it is sent.
    pub id: DeliveryId,
    /// What it tells of.
    pub about: EventAbout,
    /// How it stands.
    pub status: DeliveryStatus,
    /// When it was made.
    pub made_at: DateTime<Utc>,
    /// How often it was tried since it was made or asked for again.
    #[schema(example = 1, minimum = 0)]
    pub attempts: i32,
    /// When it is tried next, where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub next_at: Option<DateTime<Utc>>,
    /// When it was tried last, where it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub tried_at: Option<DateTime<Utc>>,
    /// What came of that: the status answered, or why there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "204")]
    pub outcome: Option<String>,
    /// Its version, for `If-Match`.
    #[schema(example = 1, minimum = 1)]
    pub version: i64,
}

impl Delivery {
    /// Refuses to send again what is still to be sent, or may not be sent.
    pub fn may_be_replayed(&self) -> Result<(), Problem> {
        match self.status {
            DeliveryStatus::Delivered | DeliveryStatus::Dead => Ok(()),
            DeliveryStatus::Waiting | DeliveryStatus::Dropped => {
                Err(Kind::DeliveryNotReplayable.into())
            }
        }
    }
}

/// A page of deliveries.
#[derive(Debug, Serialize, ToSchema)]
pub struct Deliveries {
    /// The deliveries, the oldest first.
    pub items: Vec<Delivery>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub next: Option<String>,
}

/// Which deliveries are wanted.
#[derive(Debug, Clone, Deserialize, IntoParams, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeliveryQuery {
    /// That stand so.
    #[param(nullable = false)]
    pub status: Option<DeliveryStatus>,
    /// How many at most: 1 to 100, 20 unless said.
    #[validate(range(min = 1, max = 100))]
    #[param(nullable = false, minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u8>,
    /// The `next` of the page before.
    #[validate(length(min = 1, max = 400))]
    #[param(nullable = false, min_length = 1, max_length = 400, pattern = "^[A-Za-z0-9_-]+$")]
    pub after: Option<String>,
}

/// When an event is tried again that was tried so often in vain; not at all where it is dead.
#[must_use]
pub fn tried_again(ping: bool, attempts: usize, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let wait = RETRIES.get(attempts.checked_sub(1)?).filter(|_| !ping)?;
    Some(now + *wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_tried_ten_times_over_three_days_and_a_ping_once() {
        let now = DateTime::UNIX_EPOCH;
        let waits: Vec<_> =
            (1..).map_while(|n| tried_again(false, n, now)).map(|at| at - now).collect();
        assert_eq!(waits, RETRIES);
        assert_eq!(waits.iter().map(TimeDelta::num_hours).sum::<i64>(), 75);
        assert_eq!(tried_again(true, 1, now), None);
    }
}
