//! How the database is reached, and the limits under which.

use std::{
    ops::RangeInclusive,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use sqlx::{
    Connection, Executor, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Arrival, Nearness};
use crate::{
    access::{Caller, Errand, Permission, ReadChild, Role},
    audit::{Event, Trail},
    clock::{Clock, day_in_london},
    ids::IndexNumber,
    matching::matcher::Matchers,
    metric,
    problem::{Kind, Problem},
    scribe::Scribe,
};

/// How the database is reached, by one worker: a socket's driver stays with the runtime that opened it.
#[derive(Debug, Clone)]
pub struct Db {
    pub(super) reader: PgPool,
    pub(super) writer: PgPool,
    replica: Option<(PgPool, Nearness)>,
    pub(super) scribe: Scribe,
    pub(super) matchers: Matchers,
    places: Places,
    doubt: Doubt,
    clock: Clock,
}

/// When a request was last given up in the midst of its work: its connection may be one that never answers again, and is not to be
/// taken back without an answer.
#[derive(Debug, Clone, Default)]
struct Doubt(Arc<Mutex<Option<Instant>>>);

impl Doubt {
    fn arise(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn lasts(&self) -> bool {
        let arisen = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        arisen.is_some_and(|at| at.elapsed() < DOUBTED_FOR)
    }
}

/// For how long connections that come back are doubted.
const DOUBTED_FOR: Duration = Duration::from_secs(10);
/// How long one that is doubted may take to answer.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// The same for one that somebody waits for: so long that another can be tried, and a third, within the second in which one is to be had.
const AT_ONCE: Duration = Duration::from_millis(200);

/// What a connection answers in time; else it is closed.
async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = sqlx::Result<T>>,
) -> sqlx::Result<T> {
    let answer = tokio::time::timeout(limit, answer).await;
    answer.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// As many requests are worked on at a time for each connection: one has it, the others wait for it.
const WAITING: usize = 2;
/// The seconds after which one that found no place may come again, spread so that not all come at once.
const SHED_FOR: RangeInclusive<u32> = 1..=3;

/// How many connections a worker holds.
#[derive(Debug, Clone, Copy)]
pub struct Connections {
    /// For looks.
    pub readers: u32,
    /// For changes.
    pub writers: u32,
}

impl Default for Connections {
    fn default() -> Self {
        Self { readers: 4, writers: 4 }
    }
}

/// Places for requests that are worked on.
#[derive(Debug, Clone)]
pub struct Places(Arc<Semaphore>);

impl Places {
    /// As many as so many workers have who hold these connections each.
    #[must_use]
    pub fn of(connections: Connections, workers: usize) -> Self {
        let held = usize::try_from(connections.readers + connections.writers).unwrap_or_default();
        Self(Arc::new(Semaphore::new(held * WAITING * workers)))
    }
}

fn shed() -> Problem {
    metrics::counter!(metric::SHED).increment(1);
    let wait = rand::random_range(SHED_FOR);
    Problem::from(Kind::Unavailable).retry_after(wait).recorded()
}

/// Connections to a replica that a worker holds.
const REPLICA: u32 = 2;

/// Connections that are asked for a sign of life when they are taken only where they lay idle, or are doubted.
fn pool(size: u32, doubt: &Doubt) -> PgPoolOptions {
    let doubt = doubt.clone();
    PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(Duration::from_secs(1))
        .test_before_acquire(false)
        .before_acquire(move |connection, meta| {
            let doubted = doubt.lasts() || meta.idle_for > Duration::from_secs(10);
            Box::pin(async move {
                if doubted {
                    within(AT_ONCE, connection.ping()).await?;
                }
                Ok(true)
            })
        })
}

/// Connections that cannot write, so that an autocommitted write cannot be lost on one left inside a transaction.
fn looks(options: &PgConnectOptions, size: u32, doubt: &Doubt) -> PgPool {
    let doubt = doubt.clone();
    pool(size, &doubt)
        .after_release(move |connection, _| {
            let doubted = doubt.lasts();
            Box::pin(async move {
                if doubted {
                    within(SIGN_OF_LIFE, connection.ping()).await?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(options.clone().options([("default_transaction_read_only", "on")]))
}

/// One connection, lazily made, for what the service does by itself. It is asked for a sign of life when it comes back: what it was
/// used for may have been given up.
#[must_use]
pub fn alone(options: &PgConnectOptions) -> PgPool {
    pool(1, &Doubt::default())
        .after_release(|connection, _| {
            Box::pin(async move { within(SIGN_OF_LIFE, connection.ping()).await.map(|()| true) })
        })
        .connect_lazy_with(guarded(options))
}

impl Db {
    /// Reaches the database lazily, keeping time by `clock`; must be called on the runtime of a worker.
    #[must_use]
    pub fn new(
        options: &PgConnectOptions,
        connections: Connections,
        scribe: Scribe,
        clock: Clock,
    ) -> Self {
        let options = guarded(options);
        let doubt = Doubt::default();
        let reader = looks(&options, connections.readers, &doubt);
        // A transaction whose request went away is rolled back before its connection is used again.
        let writer = pool(connections.writers, &doubt)
            .after_release(|connection, _| {
                Box::pin(async move {
                    within(SIGN_OF_LIFE, connection.execute("rollback")).await.map(|_| true)
                })
            })
            .connect_lazy_with(options.clone());
        let places = Places::of(connections, 1);
        Self {
            reader,
            writer,
            replica: None,
            scribe,
            matchers: Matchers::default(),
            places,
            doubt,
            clock,
        }
    }

    /// Says that a request was given up in the midst of its work.
    pub(crate) fn doubt(&self) {
        self.doubt.arise();
    }

    /// The same, with a replica for what may be a little old, as long as it is near.
    #[must_use]
    pub fn with_replica(self, options: &PgConnectOptions, nearness: Nearness) -> Self {
        let pool = looks(&guarded(options), REPLICA, &self.doubt);
        Self { replica: Some((pool, nearness)), ..self }
    }

    /// Where what may be a few seconds old is read.
    pub(super) fn aged(&self) -> &PgPool {
        let replica = self.replica.as_ref().filter(|(_, nearness)| nearness.is_near());
        replica.map_or(&self.reader, |(pool, _)| pool)
    }

    /// The same, with the matcher that all workers share.
    #[must_use]
    pub fn with_matchers(self, matchers: Matchers) -> Self {
        Self { matchers, ..self }
    }

    /// The same, with the places that all workers share, so that none is refused by one while another has room.
    #[must_use]
    pub fn with_places(self, places: Places) -> Self {
        Self { places, ..self }
    }

    /// Takes a place among the requests that are worked on, until it is dropped. Where all are taken, the request is refused at once rather
    /// than kept waiting, since whoever waits too long asks again (security rule H-6). Nothing is decided by that, so nothing is written down.
    pub(super) fn enter(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.places.0).try_acquire_owned().map_err(|_| shed())
    }

    /// The refusal of a request that would find no place, before anything is done for it: what a refusal costs, those who have a place lack.
    #[must_use]
    pub fn refusal_of_more(&self) -> Option<Problem> {
        (self.places.0.available_permits() == 0).then(shed)
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Writes down a request that is not done. A caller who may no longer act is told nothing else.
    pub async fn record_refusal(
        &self,
        caller: Option<Caller>,
        errand: Errand,
        problem: &Problem,
        trail: Trail,
    ) -> Result<(), Problem> {
        let known = caller.is_some();
        let event = Event::refused(self.now(), caller, errand, problem, trail);
        let verdict = self.scribe.write(event).await?;
        verdict.filter(|_| known).map_or(Ok(()), |barred| Err(barred.into()))
    }

    /// Whether the database answers, is migrated and takes the audit.
    pub async fn ready(&self) -> Result<(), Problem> {
        sqlx::query_scalar!("select max(version) from _sqlx_migrations")
            .fetch_one(&self.reader)
            .await?;
        Ok(())
    }

    /// The record in use into which a record was merged, where the caller sees it: a subject the own one alone.
    pub async fn survivor(
        &self,
        caller: &Caller,
        number: &str,
    ) -> Result<Option<IndexNumber>, Problem> {
        let (own, all) = match caller.role {
            Role::Subject => (true, false),
            role => (false, role == Role::Feed || ReadChild::HELD_BY.contains(&role)),
        };
        let survivor = sqlx::query_scalar!(
            r#"select s.index_number as "number: IndexNumber" from child r join child s on s.child_id = r.merged_into
               where r.index_number = $1 and in_use(s.status, s.archives_on, $2)
                 and ($3 or $4 and exists (select from subject x
                                           where x.child_id = s.child_id and x.account_id = $5 and x.ended_at is null))"#,
            number,
            day_in_london(self.now()),
            all,
            own,
            caller.subject.uuid(),
        );
        Ok(survivor.fetch_optional(&self.reader).await?)
    }

    /// How many connections are held: for looks and for changes, idle and used.
    #[must_use]
    pub fn connections(&self) -> [(&'static str, &'static str, u32); 4] {
        let of = |pool: &PgPool| {
            let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
            (idle, pool.size().saturating_sub(idle))
        };
        let ((idle, used), (free, busy)) = (of(&self.reader), of(&self.writer));
        [
            ("looks", "idle", idle),
            ("looks", "used", used),
            ("changes", "idle", free),
            ("changes", "used", busy),
        ]
    }

    /// Somebody who is not signed in yet: to sign in, to exchange a token.
    #[must_use]
    pub fn arrive(&self, errand: Errand) -> Arrival {
        Arrival { errand, now: self.now(), db: self.clone() }
    }
}

/// The limits that every connection of the service works under (security rule D-4).
#[must_use]
pub fn guarded(options: &PgConnectOptions) -> PgConnectOptions {
    options.clone().application_name("contactpoint").options([
        ("statement_timeout", "5s"),
        ("lock_timeout", "1s"),
        ("idle_in_transaction_session_timeout", "5s"),
        ("timezone", "UTC"),
        // Statements are planned once: planning a look anew costs more than the look.
        ("plan_cache_mode", "force_generic_plan"),
        // A page is as near as any other on the disks of today, so a few rows are had by their keys.
        ("random_page_cost", "1.1"),
        // Compiling a plan takes longer than any of these statements.
        ("jit", "off"),
        // A machine that is gone is noticed, and what it held let go, within half a minute rather than hours.
        ("tcp_keepalives_idle", "10"),
        ("tcp_keepalives_interval", "5"),
        ("tcp_keepalives_count", "4"),
    ])
}
