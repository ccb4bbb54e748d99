//! What happens without anybody asking: changes become events, and events are sent until they are answered.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use serde_json::json;
use sqlx::{PgPool, postgres::PgConnectOptions};

pub use super::store::Taken;
use super::{
    DeliveryStatus,
    event::{CONTENT_TYPE, event},
    signature,
    store::{self, Settled, TakenEvent},
    tried_again,
};
use crate::{
    audit::{Trail, ledger::Ledger},
    clock::Clock,
    problem::Problem,
    remote::Poster,
    token::Issuer,
    work::Errands,
};

/// What sends events.
#[derive(Debug, Clone)]
pub struct Sender {
    /// How the database is reached.
    pub options: PgConnectOptions,
    /// The time.
    pub clock: Clock,
    /// Whose name and key events carry.
    pub issuer: Arc<Issuer>,
    /// What events of the audit are written by.
    pub ledger: Ledger,
    /// Sends them.
    pub poster: Poster,
}

/// What there is to do: whether changes wait to be made events of, and how many subscriptions have something to be sent.
pub async fn waiting(db: &PgPool, now: DateTime<Utc>) -> Result<(bool, i64), Problem> {
    store::waiting(db, now).await
}

/// Makes events of all changes that are settled; how many events it made.
pub async fn fan_out(
    options: &PgConnectOptions,
    clock: &Clock,
    ledger: &Ledger,
) -> Result<i64, Problem> {
    let work = Errands::begin(options, clock, "make_events").await?;
    let mut work = work.with_ledger(ledger.clone());
    let events = make_events(&mut work).await;
    work.end(events).await
}

async fn make_events(work: &mut Errands) -> Result<i64, Problem> {
    let mut events = 0;
    loop {
        let today = work.today();
        let (looked, made) = store::fan_out(work, today).await?;
        events += made;
        if looked == 0 {
            return Ok(events);
        }
        let details = json!({ "looked": looked, "made": made });
        work.record(Trail::default().with(details)).await?;
        if looked < store::LOOKED_THROUGH {
            return Ok(events);
        }
    }
}

async fn take(work: &mut Errands) -> Result<Option<Taken>, Problem> {
    let today = work.today();
    let Some(taken) = store::take(work, today).await? else { return Ok(None) };
    let told = taken.events.iter().filter(|event| event.told.is_some());
    let mut children: Vec<_> = told.filter_map(|event| event.child).collect();
    children.sort();
    children.dedup();
    let details = json!({ "subscription": taken.subscription, "events": taken.events.len() });
    work.record(Trail::about(children).with(details)).await?;
    Ok(Some(taken))
}

async fn settle(
    work: &mut Errands,
    taken: &Taken,
    settled: &[Settled],
    answered: bool,
) -> Result<(), Problem> {
    store::settle(work, taken, settled, answered).await?;
    let of = |status| settled.iter().filter(|settled| settled.status == status).count();
    let details = json!({
        "subscription": taken.subscription, "delivered": of(DeliveryStatus::Delivered), "waiting": of(DeliveryStatus::Waiting),
        "dead": of(DeliveryStatus::Dead), "dropped": of(DeliveryStatus::Dropped),
    });
    work.record(Trail::default().with(details)).await
}

impl Sender {
    /// Takes what is to be sent to one subscription, sends it and writes down what came of it; whether there was anything. Killed
    /// anywhere in between, what it took is taken up again after two minutes, and sent again under the same number.
    pub async fn deliver(&self) -> Result<bool, Problem> {
        match self.take().await? {
            Some(taken) => self.send(&taken).await.map(|()| true),
            None => Ok(false),
        }
    }

    async fn begin(&self) -> Result<Errands, Problem> {
        let work = Errands::begin(&self.options, &self.clock, "send_events").await?;
        Ok(work.with_ledger(self.ledger.clone()))
    }

    /// Takes what is to be sent to one subscription. That its children are told of is durable before they are.
    pub async fn take(&self) -> Result<Option<Taken>, Problem> {
        let mut work = self.begin().await?;
        let taken = take(&mut work).await;
        work.end(taken).await
    }

    /// Sends what was taken, all of it at once, and writes down what came of it.
    pub async fn send(&self, taken: &Taken) -> Result<(), Problem> {
        let settled = join_all(taken.events.iter().map(|event| self.sent(&taken.target, event)));
        let (settled, answered): (Vec<_>, Vec<_>) = settled.await.into_iter().unzip();
        let answered = answered.into_iter().any(|answered| answered);
        let mut work = self.begin().await?;
        let written = settle(&mut work, taken, &settled, answered).await;
        work.end(written).await
    }

    /// What came of one event, and whether it was a ping that was answered well.
    async fn sent(&self, target: &str, taken: &TakenEvent) -> (Settled, bool) {
        let attempts = taken.attempts + 1;
        let settled = |status, attempts, next_at, outcome| Settled {
            id: taken.id,
            status,
            attempts,
            next_at,
            outcome,
        };
        let now = self.clock.now();
        let ping = taken.child.is_none();
        if !ping && taken.told.is_none() {
            return (settled(DeliveryStatus::Dropped, taken.attempts, now, None), false);
        }
        let outcome = self.post(target, taken).await;
        let now = self.clock.now();
        let text = Some(match outcome {
            Ok(status) => status.to_string(),
            Err(why) => why.to_owned(),
        });
        if matches!(outcome, Ok(200..=299)) {
            return (settled(DeliveryStatus::Delivered, attempts, now, text), ping);
        }
        let again = tried_again(ping, usize::try_from(attempts).unwrap_or(usize::MAX), now);
        let status = if again.is_some() { DeliveryStatus::Waiting } else { DeliveryStatus::Dead };
        (settled(status, attempts, again.unwrap_or(now), text), false)
    }

    async fn post(&self, target: &str, taken: &TakenEvent) -> Result<u16, &'static str> {
        let target = self.poster.target(target).map_err(|_| "the address is refused")?;
        let body = event(taken.id, &self.issuer.issuer, taken.at, taken.told.as_ref());
        let body = serde_json::to_vec(&body).map_err(|_| "it could not be sent")?;
        let signed =
            signature::headers(&self.issuer.keys, &target, CONTENT_TYPE, &body, self.clock.now());
        let signed = signed.map_err(|_| "it could not be sent")?;
        let headers: Vec<_> =
            [("content-type", CONTENT_TYPE.to_owned())].into_iter().chain(signed).collect();
        self.poster.post(&target, &headers, body).await
    }
}
