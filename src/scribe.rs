//! Writes the audit events of looks: those of concurrent requests together, one statement and one flush for all.
//!
//! The same statement tells of each caller whether they may still act, so that a session, an account, a client or an
//! organisation that was stopped gets no further answer, although a token itself lasts ten minutes; and whether what was looked
//! for is within the caller's budget, which it spends.

use std::{
    collections::HashMap,
    io,
    ops::RangeInclusive,
    thread,
    time::{Duration, Instant},
};

use chrono::{DateTime, Days, Utc};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::{
    access::GOES_ON,
    audit::{
        Event,
        leaf::{Number, REFUSALS, Taken, kept_status, proofs},
        ledger::Ledger,
        unaudited,
    },
    budget::{Charge, Exceeded, factor},
    clock::{day_in_london, midnight_in_london},
    metric,
    problem::{Kind, Problem},
};

/// As many events as one statement takes.
const BATCH: usize = 256;
/// How long a batch waits for more events, where the one before it had several: as long as that took to write, within these bounds. What is
/// slow because there is much to do is so done in fewer, larger batches. An event that comes alone waits for nothing.
const GATHER: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_millis(5);
/// As many events as may wait.
const QUEUE: usize = 4096;
/// How long an event may take to become durable.
const DEADLINE: Duration = Duration::from_secs(5);

/// Why a caller may not act although the request was in order, if they may not.
pub(crate) type Verdict = Option<Barred>;

/// Why a caller may not act.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Barred {
    /// They may not at all.
    Altogether(Kind),
    /// They did this as often as they may, until a moment, for a request that began at another.
    For(Exceeded, Option<DateTime<Utc>>, DateTime<Utc>),
}

impl From<Barred> for Problem {
    fn from(barred: Barred) -> Self {
        match barred {
            Barred::Altogether(kind) => kind.into(),
            Barred::For(exceeded, until, now) => {
                metrics::counter!(metric::OVER_BUDGET, "limit" => exceeded.as_str()).increment(1);
                exceeded.problem(until, now)
            }
        }
    }
}

type Written = Result<Verdict, String>;

/// Where events are handed in. Each is durable when [`Scribe::write`] returns.
#[derive(Debug, Clone)]
pub struct Scribe {
    queue: mpsc::Sender<(Line, oneshot::Sender<Written>)>,
    ledger: Ledger,
}

/// An event as it is kept, with what it hides.
#[derive(Debug)]
pub(crate) struct Line {
    event: Event,
    hidden: Option<Vec<u8>>,
}

impl Line {
    /// Hides what is to be hidden.
    pub(crate) async fn of(event: Event, ledger: &Ledger) -> Result<Self, Problem> {
        let (trail, hidden) = event.trail.clone().kept();
        let event = Event { trail, ..event };
        let hidden = match hidden {
            Some(hidden) => Some(ledger.hide(&event, &hidden).await?),
            None => None,
        };
        Ok(Self { event, hidden })
    }
}

impl Scribe {
    /// Starts a thread with a connection of its own, used for nothing else. It ends when the last handle is gone.
    ///
    /// One for all workers: a statement and its flush cost far more than an event in it, so the more events share them, the
    /// less each costs.
    pub fn start(options: &PgConnectOptions, ledger: Ledger) -> io::Result<Self> {
        let (queue, inbox) = mpsc::channel(QUEUE);
        let options = options.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name("scribe".to_owned());
        let own = ledger.clone();
        thread.spawn(move || runtime.block_on(write_all(options, own, inbox)))?;
        Ok(Self { queue, ledger })
    }

    /// What events are written by.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Writes an event down; says why its caller may not act, if they may not.
    #[tracing::instrument(name = "audit", skip_all)]
    pub(crate) async fn write(&self, event: Event) -> Result<Verdict, Problem> {
        let (done, written) = oneshot::channel();
        let line = Line::of(event, &self.ledger).await?;
        let sent = self.queue.try_send((line, done));
        sent.map_err(|_| unaudited(anyhow::anyhow!("too many events wait")))?;
        match tokio::time::timeout(DEADLINE, written).await {
            Ok(Ok(Ok(verdict))) => Ok(verdict),
            Ok(Ok(Err(cause))) => Err(unaudited(anyhow::anyhow!(cause))),
            Ok(Err(_)) => Err(unaudited(anyhow::anyhow!("the writer stopped"))),
            Err(_) => Err(unaudited(anyhow::anyhow!("the event was not durable in time"))),
        }
    }
}

type Inbox = mpsc::Receiver<(Line, oneshot::Sender<Written>)>;

async fn write_all(options: PgConnectOptions, ledger: Ledger, mut inbox: Inbox) {
    let mut connection: Option<PgConnection> = None;
    let mut batch = Vec::with_capacity(BATCH);
    let mut crowded = false;
    let mut pause = *GATHER.start();
    while inbox.recv_many(&mut batch, BATCH).await > 0 {
        if crowded && batch.len() < BATCH {
            // Nothing else runs on this thread, and the runtime's own timer would round up to its next tick.
            thread::sleep(pause);
            while batch.len() < BATCH
                && let Ok(next) = inbox.try_recv()
            {
                batch.push(next);
            }
        }
        crowded = batch.len() > 1;
        let (lines, waiting): (Vec<_>, Vec<_>) = batch.drain(..).unzip();
        let together = u32::try_from(lines.len()).unwrap_or(u32::MAX);
        metrics::histogram!(metric::AUDIT_BATCH).record(f64::from(together));
        let began = Instant::now();
        let written = insert(&mut connection, &options, &lines, &ledger).await;
        pause = began.elapsed().clamp(*GATHER.start(), *GATHER.end());
        if written.is_err() {
            connection = None;
        }
        for (n, waiter) in waiting.into_iter().enumerate() {
            let answer = match &written {
                Ok(verdicts) => Ok(verdicts.get(n).copied().unwrap_or(UNWRITTEN)),
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
    lines: &[Line],
    ledger: &Ledger,
) -> Result<Vec<Verdict>, sqlx::Error> {
    let attempt = async {
        let live = match connection {
            Some(live) => live,
            None => connection.insert(PgConnection::connect_with(options).await?),
        };
        statement(live, lines, ledger).await
    };
    match tokio::time::timeout(DEADLINE, attempt).await {
        Ok(written) => written.map(|(verdicts, numbers)| {
            numbers.keep();
            verdicts
        }),
        Err(_) => Err(sqlx::Error::PoolTimedOut),
    }
}

/// Of an event that was not written.
const UNWRITTEN: Verdict = Some(Barred::Altogether(Kind::Unauthenticated));

/// What the events spend of their callers' budgets, side by side.
#[derive(Default)]
struct Spending {
    events: Vec<Uuid>,
    callers: Vec<Uuid>,
    organisations: Vec<Uuid>,
    factors: Vec<i32>,
    charges: Vec<String>,
    hits: Vec<bool>,
    openings: Vec<Option<i64>>,
}

impl Spending {
    fn of(events: &[&Event]) -> Self {
        let mut all = Self::default();
        for event in events {
            let Some(caller) = &event.caller else { continue };
            let (operation, problem) = (event.errand.operation, event.problem);
            let charge = Charge::of(caller, operation, problem, &event.trail.children);
            let Some(charge) = charge else { continue };
            all.events.push(event.id.0);
            all.callers.push(caller.subject.uuid());
            all.organisations.push(caller.organisation.0);
            all.factors.push(factor(caller));
            all.charges.push(charge.as_str().to_owned());
            all.hits.push(matches!(charge, Charge::Search { hit: true }));
            all.openings.push(match charge {
                Charge::Opening(known_by) => Some(known_by),
                _ => None,
            });
        }
        all
    }
}

/// What binds the events to what was written, side by side.
#[derive(Default)]
struct Binding {
    serials: Vec<i64>,
    voids: Vec<String>,
    proofs: Vec<Vec<u8>>,
}

impl Binding {
    fn of(lines: &[Line], ledger: &Ledger, taken: &Taken) -> Result<Self, sqlx::Error> {
        let mut all = Self::default();
        let mut voids = taken.voids.clone();
        for (line, serial) in lines.iter().zip(taken.first..) {
            let (instance, settled) = (ledger.instance(), taken.settled);
            let number = Number { instance, serial, settled, voids: std::mem::take(&mut voids) };
            let proofs = proofs(&line.event, line.hidden.as_deref(), &number, ledger.vault());
            all.proofs.push(proofs.map_err(|error| sqlx::Error::Encode(error.to_string().into()))?);
            all.voids.push(array(&number.voids));
            all.serials.push(serial);
        }
        Ok(all)
    }
}

/// Items as an array of the database.
fn array<T: ToString>(items: &[T]) -> String {
    let items: Vec<_> = items.iter().map(T::to_string).collect();
    format!("{{{}}}", items.join(","))
}

/// Inserts the events and answers, for each in its order, why its caller may not act, if they may not. The numbers of the events are
/// to be kept once that is lasting.
pub(crate) async fn statement(
    connection: &mut PgConnection,
    lines: &[Line],
    ledger: &Ledger,
) -> Result<(Vec<Verdict>, Taken), sqlx::Error> {
    let taken = ledger.numbers().take(lines.len());
    let events: Vec<_> = lines.iter().map(|line| &line.event).collect();
    let Some(last) = events.last() else { return Ok((Vec::new(), taken)) };
    let binding = Binding::of(lines, ledger, &taken)?;
    let children = |event: &Event| array(&event.trail.children);
    let caller = |event: &Event| event.caller.clone();
    let spending = Spending::of(&events);
    let today = day_in_london(last.at);
    let written = sqlx::query!(
        r#"
        with judged as materialized (
            select e.*, spent.exceeded, spent.until, case
                when e.session_id is not null and not coalesce(s.stands_until > $20, false) then 1
                when (e.session_id is not null or (e.outcome = 'answered' and e.status > 0))
                     and not e.operation = any($22) and exists (select from stop) then 2
                when spent.exceeded is not null then 3
                else 0 end as verdict
            from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::smallint[], $6::text[],
                        $7::uuid[], $8::uuid[], $9::uuid[], $10::uuid[], $11::uuid[], $12::text[], $13::text[],
                        $14::text[], $15::text[], $16::bytea[], $17::uuid[], $18::text[], $19::text[], $23::uuid[],
                        $33::bigint[], $34::text[], $35::bytea[])
                 as e (event_id, at, operation, outcome, status, problem, account_id, client_id, organisation_id, session_id,
                       token_id, role, reason, reference, children, hidden, request_id, address, user_agent, on_behalf_of,
                       serial, voids, proofs)
            left join session s on s.session_id = e.session_id
            left join spend($24, $25, $26, $27, $28, $29, $30, $20, $31, $32) spent on spent.event_id = e.event_id
        ), written as (
            insert into audit_event (event_id, at, operation, outcome, status, problem, account_id, client_id, organisation_id,
                session_id, token_id, role, reason, reference, children, hidden, request_id, address, user_agent, instance, on_behalf_of,
                serial, settled, voids, leaf, mac)
            select e.event_id, e.at, e.operation,
                   case verdict when 0 then e.outcome else 'refused' end,
                   case verdict when 0 then e.status else ($37::smallint[])[verdict] end,
                   case verdict when 0 then e.problem else ($38::text[])[verdict] end,
                   e.account_id, e.client_id, e.organisation_id, e.session_id, e.token_id, e.role, e.reason, e.reference,
                   e.children::uuid[], e.hidden, e.request_id, e.address::inet, e.user_agent, $21, e.on_behalf_of,
                   e.serial, $36, e.voids::bigint[],
                   substring(e.proofs from 64 * verdict + 1 for 32), substring(e.proofs from 64 * verdict + 33 for 32)
            from judged e
        )
        select event_id as "event_id!", verdict as "verdict!", exceeded as "exceeded: Exceeded", until from judged
        "#,
        &events.iter().map(|e| e.id.0).collect::<Vec<_>>(),
        &events.iter().map(|e| e.at).collect::<Vec<_>>(),
        &events.iter().map(|e| e.errand.operation.to_owned()).collect::<Vec<_>>(),
        &events.iter().map(|e| e.outcome.as_str().to_owned()).collect::<Vec<_>>(),
        &events.iter().map(|e| kept_status(e.status)).collect::<Vec<_>>(),
        &events.iter().map(|e| e.problem.map(str::to_owned)).collect::<Vec<_>>() as _,
        &events.iter().map(|e| e.account()).collect::<Vec<_>>() as _,
        &events.iter().map(|e| e.client()).collect::<Vec<_>>() as _,
        &events.iter().map(|e| caller(e).map(|c| c.organisation.0)).collect::<Vec<_>>() as _,
        &events.iter().map(|e| caller(e).map(|c| c.session.0)).collect::<Vec<_>>() as _,
        &events.iter().map(|e| caller(e).map(|c| c.token)).collect::<Vec<_>>() as _,
        &events.iter().map(|e| caller(e).map(|c| c.role.as_str().to_owned())).collect::<Vec<_>>() as _,
        &events.iter().map(|e| e.errand.reason.map(|r| r.code().to_owned())).collect::<Vec<_>>() as _,
        &events.iter().map(|e| e.errand.reference.clone()).collect::<Vec<_>>() as _,
        &events.iter().copied().map(children).collect::<Vec<_>>(),
        &lines.iter().map(|line| line.hidden.clone()).collect::<Vec<_>>() as _,
        &events.iter().map(|e| e.errand.request).collect::<Vec<_>>(),
        &events.iter().map(|e| e.errand.address.map(|a| a.to_string())).collect::<Vec<_>>() as _,
        &events.iter().map(|e| e.errand.user_agent.clone()).collect::<Vec<_>>() as _,
        last.at,
        ledger.instance(),
        &GOES_ON.map(str::to_owned)[..],
        &events.iter().map(|e| e.errand.on_behalf_of.map(|id| id.0)).collect::<Vec<_>>() as _,
        &spending.events,
        &spending.callers,
        &spending.organisations,
        &spending.factors,
        &spending.charges,
        &spending.hits,
        &spending.openings as _,
        today,
        midnight_in_london(today + Days::new(1)),
        &binding.serials,
        &binding.voids,
        &binding.proofs,
        taken.settled,
        &REFUSALS.map(|(_, status)| status)[..],
        &REFUSALS.map(|(problem, _)| problem.to_owned())[..],
    )
    .fetch_all(&mut *connection)
    .await?;
    let judged = |verdict, exceeded: Option<Exceeded>, until| match verdict {
        1 => Some(Barred::Altogether(Kind::Unauthenticated)),
        2 => Some(Barred::Altogether(Kind::Stopped)),
        _ => exceeded.map(|exceeded| Barred::For(exceeded, until, last.at)),
    };
    let verdicts: HashMap<Uuid, Verdict> =
        written.into_iter().map(|e| (e.event_id, judged(e.verdict, e.exceeded, e.until))).collect();
    let in_order = events.iter().map(|e| verdicts.get(&e.id.0).copied().unwrap_or(UNWRITTEN));
    Ok((in_order.collect(), taken))
}
