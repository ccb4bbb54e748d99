//! Writes the audit events of looks: those of concurrent requests together, one statement and one flush for all.
//!
//! The same statement tells of each caller whether they may still act, so that a session, an account, a client or an
//! organisation that was stopped gets no further answer, although a token itself lasts ten minutes.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::{
    audit::{Event, unaudited},
    clock::day_in_london,
    problem::Problem,
};

/// As many events as one statement takes.
const BATCH: usize = 256;
/// As many events as may wait.
const QUEUE: usize = 4096;
/// How long an event may take to become durable.
const DEADLINE: Duration = Duration::from_secs(5);

type Written = Result<bool, String>;

/// Where events are handed in. Each is durable when [`Scribe::write`] returns.
#[derive(Debug, Clone)]
pub struct Scribe {
    queue: mpsc::Sender<(Event, oneshot::Sender<Written>)>,
}

impl Scribe {
    /// Starts `writers` tasks on the present runtime, each with a connection of its own, used for nothing else.
    #[must_use]
    pub fn start(options: &PgConnectOptions, instance: Uuid, writers: usize) -> Self {
        let (queue, events) = mpsc::channel(QUEUE);
        let events = std::sync::Arc::new(tokio::sync::Mutex::new(events));
        for _ in 0..writers {
            tokio::task::spawn_local(write_all(options.clone(), instance, events.clone()));
        }
        Self { queue }
    }

    /// Writes an event down; says whether its caller may still act.
    pub async fn write(&self, event: Event) -> Result<bool, Problem> {
        let (done, written) = oneshot::channel();
        let sent = self.queue.try_send((event, done));
        sent.map_err(|_| unaudited(anyhow::anyhow!("too many events wait")))?;
        match tokio::time::timeout(DEADLINE, written).await {
            Ok(Ok(Ok(standing))) => Ok(standing),
            Ok(Ok(Err(cause))) => Err(unaudited(anyhow::anyhow!(cause))),
            Ok(Err(_)) => Err(unaudited(anyhow::anyhow!("the writer stopped"))),
            Err(_) => Err(unaudited(anyhow::anyhow!("the event was not durable in time"))),
        }
    }
}

type Inbox = std::sync::Arc<tokio::sync::Mutex<mpsc::Receiver<(Event, oneshot::Sender<Written>)>>>;

async fn write_all(options: PgConnectOptions, instance: Uuid, inbox: Inbox) {
    let mut connection: Option<PgConnection> = None;
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        let received = inbox.lock().await.recv_many(&mut batch, BATCH).await;
        if received == 0 {
            return;
        }
        let (events, waiting): (Vec<_>, Vec<_>) = batch.drain(..).unzip();
        let written = insert(&mut connection, &options, &events, instance).await;
        if written.is_err() {
            connection = None;
        }
        for (n, waiter) in waiting.into_iter().enumerate() {
            let answer = match &written {
                Ok(standing) => Ok(standing.get(n).copied().unwrap_or(false)),
                Err(error) => Err(fit_for_the_log(error)),
            };
            let _ = waiter.send(answer);
        }
    }
}

/// Of the database only its code, since its texts may quote values.
fn fit_for_the_log(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => {
            format!("database error {}", error.code().unwrap_or_default())
        }
        error => error.to_string(),
    }
}

/// One attempt on the connection at hand; a connection that was found dead is made anew once, since then nothing was sent.
async fn insert(
    connection: &mut Option<PgConnection>,
    options: &PgConnectOptions,
    events: &[Event],
    instance: Uuid,
) -> Result<Vec<bool>, sqlx::Error> {
    let attempt = async {
        let live = match connection {
            Some(live) => live,
            None => connection.insert(PgConnection::connect_with(options).await?),
        };
        statement(live, events, instance).await
    };
    match tokio::time::timeout(DEADLINE, attempt).await {
        Ok(written) => written,
        Err(_) => Err(sqlx::Error::PoolTimedOut),
    }
}

/// Inserts the events and answers, for each in its order, whether its caller may still act.
pub(crate) async fn statement(
    connection: &mut PgConnection,
    events: &[Event],
    instance: Uuid,
) -> Result<Vec<bool>, sqlx::Error> {
    let Some(last) = events.last() else { return Ok(Vec::new()) };
    let (now, today): (DateTime<Utc>, NaiveDate) = (last.at, day_in_london(last.at));
    let children = |event: &Event| {
        let ids: Vec<_> = event.trail.children.iter().map(|id| id.0.to_string()).collect();
        format!("{{{}}}", ids.join(","))
    };
    let caller = |event: &Event| event.caller.clone();
    let rows = sqlx::query_scalar!(
        r#"
        with event as (
            select e.*,
                   e.session_id is null
                   or coalesce(s.live and s.expires_at > $20 and coalesce(s.fit_until >= $21, true)
                               and coalesce(s.agreement_signed_on <= $21, true), false) as standing
            from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::smallint[], $6::text[],
                        $7::uuid[], $8::uuid[], $9::uuid[], $10::uuid[], $11::uuid[], $12::text[], $13::text[],
                        $14::text[], $15::text[], $16::jsonb[], $17::uuid[], $18::text[], $19::text[])
                 with ordinality as e (event_id, at, operation, outcome, status, problem, account_id, client_id,
                        organisation_id, session_id, token_id, role, reason, reference, children, details, request_id,
                        address, user_agent, n)
            left join caller_standing s on s.session_id = e.session_id
        ), written as (
            insert into audit_event (event_id, at, operation, outcome, status, problem, account_id, client_id,
                organisation_id, session_id, token_id, role, reason, reference, children, details, request_id, address,
                user_agent, instance)
            select event_id, at, operation,
                   case when standing then outcome else 'refused' end,
                   case when standing then status else 401 end,
                   case when standing then problem else 'unauthenticated' end,
                   account_id, client_id, organisation_id, session_id, token_id, role, reason, reference,
                   children::uuid[], details, request_id, address::inet, user_agent, $22
            from event
        )
        select standing as "standing!" from event order by n
        "#,
        &events.iter().map(|e| e.id.0).collect::<Vec<_>>(),
        &events.iter().map(|e| e.at).collect::<Vec<_>>(),
        &events.iter().map(|e| e.errand.operation.to_owned()).collect::<Vec<_>>(),
        &events.iter().map(|e| e.outcome.as_str().to_owned()).collect::<Vec<_>>(),
        &events.iter().map(|e| i16::try_from(e.status).unwrap_or_default()).collect::<Vec<_>>(),
        &events.iter().map(|e| e.problem.map(str::to_owned)).collect::<Vec<_>>() as _,
        &events.iter().map(Event::account).collect::<Vec<_>>() as _,
        &events.iter().map(Event::client).collect::<Vec<_>>() as _,
        &events.iter().map(|e| caller(e).map(|c| c.organisation.0)).collect::<Vec<_>>() as _,
        &events.iter().map(|e| caller(e).map(|c| c.session.0)).collect::<Vec<_>>() as _,
        &events.iter().map(|e| caller(e).map(|c| c.token)).collect::<Vec<_>>() as _,
        &events.iter().map(|e| caller(e).map(|c| c.role.as_str().to_owned())).collect::<Vec<_>>() as _,
        &events.iter().map(|e| e.errand.reason.map(|r| r.code().to_owned())).collect::<Vec<_>>() as _,
        &events.iter().map(|e| e.errand.reference.clone()).collect::<Vec<_>>() as _,
        &events.iter().map(children).collect::<Vec<_>>(),
        &events.iter().map(|e| e.trail.details.clone()).collect::<Vec<_>>() as _,
        &events.iter().map(|e| e.errand.request).collect::<Vec<_>>(),
        &events.iter().map(|e| e.errand.address.map(|a| a.to_string())).collect::<Vec<_>>() as _,
        &events.iter().map(|e| e.errand.user_agent.clone()).collect::<Vec<_>>() as _,
        now,
        today,
        instance,
    )
    .fetch_all(&mut *connection)
    .await?;
    Ok(rows)
}
