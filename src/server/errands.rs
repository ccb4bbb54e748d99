//! What is done without a request, as long as the service runs.

use std::{io, path::PathBuf, sync::Arc, thread, time::Duration};

use chrono::Days;
use sqlx::{Connection, PgConnection, PgPool, postgres::PgConnectOptions};
use tokio::{sync::Semaphore, task::LocalSet};

use super::measure::measure_queues;
use crate::{
    app::Shared,
    audit::{
        roots::task::{MOST, Sealer},
        task as months,
    },
    clock::{day_in_london, midnight_in_london},
    database,
    detector::task as detectors,
    feed::{batch::task as batches, worker},
    keys::{rotation, sealing},
    learning::task as learning,
    matching::task as indexing,
    metric,
    problem::{Kind, Problem},
    remote::Poster,
    retention::task,
    subscription::task as events,
    token::Issuer,
    work::{Errands, SHORT_SILENCE, SILENCE, alone, guarded, unless_silent},
};

/// Begins what nobody waits for, on a thread of its own, so that it holds up nothing else.
pub fn run_errands(options: PgConnectOptions, shared: Shared) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let thread = thread::Builder::new().name("errands".to_owned());
    thread.spawn(move || {
        let errands = LocalSet::new();
        errands.spawn_local(keep_house(options.clone(), shared.clone()));
        errands.spawn_local(retain(options.clone(), shared.clone()));
        errands.spawn_local(tidy_batches(options.clone(), shared.clone()));
        errands.spawn_local(index(options.clone(), shared.clone()));
        errands.spawn_local(watch(options.clone(), shared.clone()));
        errands.spawn_local(work_on_feeds(options.clone(), shared.clone()));
        errands.spawn_local(measure_queues(options.clone(), shared.clone()));
        errands.spawn_local(follow_matcher(options, shared));
        runtime.block_on(errands);
    })?;
    Ok(())
}

/// Every hour prepares the audit's months, so that no month begins unprepared, and forgets what is kept for a while only.
async fn keep_house(options: PgConnectOptions, shared: Shared) {
    loop {
        let (now, day) = (shared.clock.now(), day_in_london(shared.clock.now()));
        let prepared = async { database::prepare_audit_months(&options, day).await.map_err(away) };
        if let Err(problem) = unless_silent(SILENCE, prepared).await {
            tell(&problem, "the audit's months could not be prepared");
        }
        if let Err(problem) = unless_silent(SILENCE, shared.ledger.prepare(day)).await {
            tell(&problem, "the keys of the audit's months could not be prepared");
        }
        if let Err(problem) = unless_silent(SILENCE, forget_months(&options, &shared)).await {
            tell(&problem, "the keys of the audit's oldest months could not be destroyed");
        }
        let tidied = async { database::tidy(&options, now).await.map_err(away) };
        if let Err(problem) = unless_silent(SILENCE, tidied).await {
            tell(&problem, "what is kept for a while could not be forgotten");
        }
        tokio::time::sleep(Duration::from_hours(1)).await;
    }
}

fn away(fault: database::DatabaseFault) -> Problem {
    Problem::unavailable(fault)
}

async fn forget_months(options: &PgConnectOptions, shared: &Shared) -> Result<usize, Problem> {
    let work = Errands::begin(options, &shared.clock, "audit_forget").await?;
    let mut work = work.with_ledger(shared.ledger.clone());
    let kept_from = months::kept_from(work.today(), months::YEARS);
    let forgotten = months::forget(&mut work, kept_from).await;
    work.end(forgotten).await
}

/// Does what the passing of days brings about, every five minutes and right after midnight in London. Every instance tries;
/// one at a time does it.
async fn retain(options: PgConnectOptions, shared: Shared) {
    loop {
        match unless_silent(SILENCE, retain_once(&options, &shared)).await {
            Ok(None) => {}
            Ok(Some(done)) => tracing::info!(done = %done.told(), "what was due is done"),
            Err(problem) => tell(&problem, "what is due could not be done"),
        }
        let now = shared.clock.now();
        let midnight = midnight_in_london(day_in_london(now) + Days::new(1));
        let wait = (midnight - now).to_std().unwrap_or_default() + Duration::from_secs(1);
        tokio::time::sleep(wait.min(Duration::from_mins(5))).await;
    }
}

/// Makes the entries by which the matcher finds children, where any other path than the service's own has left them missing
/// or stale: when the service starts, and every minute. Every instance does its part.
async fn index(options: PgConnectOptions, shared: Shared) {
    let mut anew = true;
    loop {
        match unless_silent(SILENCE, index_once(&options, &shared, anew)).await {
            Ok(made) => {
                anew = false;
                if made > 0 {
                    tracing::info!(made, "entries of the match index are made");
                }
            }
            Err(problem) => {
                let cause = problem.cause().unwrap_or_else(|| problem.detail().to_owned());
                tracing::error!(cause, "the match index could not be made");
            }
        }
        tokio::time::sleep(Duration::from_mins(1)).await;
    }
}

async fn index_once(
    options: &PgConnectOptions,
    shared: &Shared,
    anew: bool,
) -> Result<u64, Problem> {
    let work = Errands::begin(options, &shared.clock, "match_index").await?;
    let mut work = work.with_ledger(shared.ledger.clone());
    let made = make_entries(&mut work, anew).await;
    work.end(made).await
}

async fn make_entries(work: &mut Errands, anew: bool) -> Result<u64, Problem> {
    if anew {
        let waiting = indexing::ask_anew(work, false).await?;
        if waiting > 0 {
            tracing::warn!(
                waiting,
                "children are not found by likeness yet; `contactpoint match index` shows the progress"
            );
        }
    }
    indexing::catch_up(work, indexing::BATCH, |_| {}).await
}

/// Forgets what is left of batches that did not come in whole, every minute. Every instance does so.
async fn tidy_batches(options: PgConnectOptions, shared: Shared) {
    loop {
        match unless_silent(SILENCE, tidy_once(&options, &shared)).await {
            Ok(0) => {}
            Ok(abandoned) => tracing::info!(abandoned, "batches have broken off"),
            Err(problem) => tell(&problem, "what is left of batches could not be forgotten"),
        }
        tokio::time::sleep(Duration::from_mins(1)).await;
    }
}

async fn tidy_once(options: &PgConnectOptions, shared: &Shared) -> Result<usize, Problem> {
    let work = Errands::begin(options, &shared.clock, "tidy_batches").await?;
    let mut work = work.with_ledger(shared.ledger.clone());
    let abandoned = batches::tidy(&mut work).await;
    work.end(abandoned).await
}

/// Looks through the audit as it grows, every two seconds, and at once where there is more. Every instance tries; one at a time does it.
async fn watch(options: PgConnectOptions, shared: Shared) {
    let patient = [("statement_timeout", "1min"), ("idle_in_transaction_session_timeout", "1min")];
    let options = guarded(&options).options(patient);
    loop {
        let mut more = false;
        match unless_silent(SILENCE, watch_once(&options, &shared)).await {
            Ok(None) => {}
            Ok(Some(done)) => {
                more = done.more;
                metrics::gauge!(metric::WATCH_LAG).set(metric::whole(done.behind));
                if done.raised > 0 {
                    tracing::info!(raised = done.raised, "alerts are raised");
                }
                if done.behind > BEHIND {
                    tracing::warn!(seconds = done.behind, "the detectors are behind");
                }
            }
            Err(problem) => tell(&problem, "the audit could not be looked through"),
        }
        if !more {
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    }
}

/// The detectors are no more than five minutes behind (security rule E-6).
const BEHIND: i64 = 300;

async fn watch_once(
    options: &PgConnectOptions,
    shared: &Shared,
) -> Result<Option<detectors::Done>, Problem> {
    let work = Errands::begin(options, &shared.clock, detectors::OPERATION).await?;
    let mut work = work.with_ledger(shared.ledger.clone());
    let done = detectors::run(&mut work).await;
    work.end(done).await
}

async fn retain_once(
    options: &PgConnectOptions,
    shared: &Shared,
) -> Result<Option<task::Summary>, Problem> {
    let work = Errands::begin(options, &shared.clock, "retention_run").await?;
    let mut work = work.with_ledger(shared.ledger.clone());
    let today = work.today();
    let done = task::run(&mut work, today, task::BATCH, |_| true).await;
    work.end(done).await
}

/// Works on what feeds have sent. One instance does at a time, and another at once where it dies.
async fn work_on_feeds(options: PgConnectOptions, shared: Shared) {
    let patient = [
        ("lock_timeout", "10s"),
        ("statement_timeout", "10min"),
        ("idle_in_transaction_session_timeout", "1min"),
        // All is looked up by keys, in tables that may grow from nothing to a million rows under a plan that was made when they were empty.
        ("enable_seqscan", "off"),
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
    ];
    let options = guarded(&options).options(patient);
    let db = alone(&options);
    loop {
        match unless_silent(SILENCE, work_on_feeds_once(&options, &db, &shared)).await {
            Ok(done) if done.rows() > 0 => tracing::info!(?done, "rows of feeds are done"),
            Ok(_) => {}
            Err(problem) => tell(&problem, "rows of feeds could not be done"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn work_on_feeds_once(
    options: &PgConnectOptions,
    db: &PgPool,
    shared: &Shared,
) -> Result<worker::Progress, Problem> {
    let mut turn = db.acquire().await?;
    if !worker::take_turn(&mut turn).await? {
        return Ok(worker::Progress::default());
    }
    let done = work_on_what_waits(options, shared).await;
    worker::give_turn_back(&mut turn).await?;
    done
}

async fn work_on_what_waits(
    options: &PgConnectOptions,
    shared: &Shared,
) -> Result<worker::Progress, Problem> {
    let work = Errands::begin(options, &shared.clock, "feed_work").await?;
    let mut work = work.with_ledger(shared.ledger.clone()).with_matchers(shared.matchers.clone());
    let done = worker::run_until_idle(&mut work, &shared.clock, worker::CHUNK, |_| true).await;
    work.end(done).await
}

/// How long one round of sealing may take: each of its few statements ends within 5 s, unless the database is silent.
const SEALING: Duration = Duration::from_secs(30);

/// Makes roots over the events of the audit, every second. One instance does at a time, and another where it dies.
pub async fn seal_audit(options: PgConnectOptions, mut sealer: Sealer) {
    let options = guarded(&options);
    let mut connection = None;
    loop {
        let sealing = seal_once(&options, &mut connection, &mut sealer);
        let done = tokio::time::timeout(SEALING, sealing).await;
        if let Err(error) = done.unwrap_or_else(|_| Err(anyhow::anyhow!("the database is silent")))
        {
            connection = None;
            tracing::error!(error = format!("{error:#}"), "the audit could not be sealed");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn seal_once(
    options: &PgConnectOptions,
    connection: &mut Option<PgConnection>,
    sealer: &mut Sealer,
) -> anyhow::Result<()> {
    let db = if let Some(db) = connection {
        db
    } else {
        let mut db = PgConnection::connect_with(options).await?;
        if !sealer.take_turn(&mut db).await? {
            return Ok(());
        }
        connection.insert(db)
    };
    sealer.run(db, MOST).await?;
    Ok(())
}

/// Takes in the keys of a folder of secrets whenever they have changed, within 2 seconds, so that no change needs a restart.
pub async fn follow_keys(folder: PathBuf, shared: Shared) {
    let (mut signing, mut sealing) = (rotation::Watch::of(&folder), sealing::Watch::of(&folder));
    let mut roots = rotation::Watch::of_roots(&folder);
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        match signing.changed() {
            Ok(None) => {}
            Ok(Some(keys)) => {
                tracing::info!(active = keys.active(), "the signing keys have changed");
                let old = shared.verifier.issuer();
                let (issuer, audience) = (old.issuer.clone(), old.audience.clone());
                shared.verifier.replace(Issuer { issuer, audience, keys });
            }
            Err(error) => tracing::error!(%error, "the signing keys cannot be read"),
        }
        match roots.changed() {
            Ok(None) => {}
            Ok(Some(keys)) => {
                tracing::info!(
                    active = keys.active(),
                    "the keys of the audit's roots have changed"
                );
                shared.signer.replace(keys);
            }
            Err(error) => tracing::error!(%error, "the keys of the audit's roots cannot be read"),
        }
        match sealing.changed() {
            Ok(None) => {}
            Ok(Some(sealer)) => {
                tracing::info!(active = sealer.active(), "the sealing keys have changed");
                if let Err(error) = shared.door.take_keys(sealer) {
                    tracing::error!(%error, "nothing can be sealed");
                }
            }
            Err(error) => tracing::error!(%error, "the sealing keys cannot be read"),
        }
    }
}

/// How often an instance that begins asks for the matcher where it cannot be had at once, every half second: another instance may be
/// writing it down, or a standby have to hear of it first.
const BEGINNINGS: u32 = 60;

/// Takes in the matcher in force, so that nothing is ever compared by another.
pub async fn take_matcher(options: &PgConnectOptions, shared: &Shared) -> Result<(), Problem> {
    let db = alone(options);
    let mut taken = learning::Taken::default();
    for _ in 0..BEGINNINGS {
        match learning::take(&db, &shared.matchers, &shared.clock, &mut taken).await {
            Err(problem) if problem.kind() == Kind::Unavailable => {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            Err(problem) => return Err(problem),
            Ok(_) => {
                db.close().await;
                return Ok(());
            }
        }
    }
    Err(Problem::unavailable(anyhow::anyhow!("the matcher in force could not be read")))
}

/// Takes in the matcher in force whenever it has changed, within 2 seconds; every few seconds sees whether the index has grown
/// so that its names are to be counted anew, which one instance at a time does.
async fn follow_matcher(options: PgConnectOptions, shared: Shared) {
    let db = alone(&options);
    let mut taken = learning::Taken::default();
    for round in 0_u64.. {
        let found = learning::take(&db, &shared.matchers, &shared.clock, &mut taken);
        match unless_silent(SHORT_SILENCE, found).await {
            Ok(None) => {}
            Ok(Some(version)) => tracing::info!(version, "the matcher has changed"),
            Err(problem) => tell(&problem, "the matcher in force cannot be read"),
        }
        if round.is_multiple_of(5)
            && let Err(problem) = unless_silent(
                SILENCE,
                learning::count(&options, &db, &shared.clock, &shared.ledger),
            )
            .await
        {
            tell(&problem, "the names of the index could not be counted");
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

/// How many subscriptions one instance sends to at once: one that is slow keeps no other waiting.
const LANES: usize = 8;

/// Makes events of what has changed, and sends them; every second sees whether there is something. Every instance does its part.
pub async fn send_events(options: PgConnectOptions, shared: Shared) {
    let db = alone(&options);
    let poster = Poster::new(shared.remote.reach());
    let lanes = Arc::new(Semaphore::new(LANES));
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let due = match unless_silent(SHORT_SILENCE, events::waiting(&db, shared.clock.now())).await
        {
            Ok((behind, due)) => {
                let clock = &shared.clock;
                if behind
                    && let Err(problem) =
                        unless_silent(SILENCE, events::fan_out(&options, clock, &shared.ledger))
                            .await
                {
                    tell(&problem, "events could not be made of what has changed");
                }
                due
            }
            Err(problem) => {
                tell(&problem, "it cannot be read which events wait");
                0
            }
        };
        for _ in 0..due {
            let Ok(lane) = Arc::clone(&lanes).try_acquire_owned() else { break };
            let sender = events::Sender {
                options: options.clone(),
                clock: shared.clock.clone(),
                ledger: shared.ledger.clone(),
                issuer: shared.verifier.issuer(),
                poster: poster.clone(),
            };
            actix_web::rt::spawn(async move {
                loop {
                    match unless_silent(SILENCE, sender.deliver()).await {
                        Ok(true) => {}
                        Ok(false) => break,
                        Err(problem) => {
                            tell(&problem, "events could not be sent");
                            break;
                        }
                    }
                }
                drop(lane);
            });
        }
    }
}

pub(super) fn tell(problem: &Problem, what: &str) {
    let cause = problem.cause().unwrap_or_else(|| problem.detail().to_owned());
    tracing::error!(cause, "{what}");
}
