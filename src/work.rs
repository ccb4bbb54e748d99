//! One unit of work: a look or a change that knows who is acting, and ends only by writing down what was done.

use std::{future::ready, iter, marker::PhantomData, pin::Pin, sync::Arc, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    body::BoxBody,
    http::{StatusCode, header},
    web::Bytes,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, NaiveDate, Utc};
use futures_util::{Stream, StreamExt, stream};
use serde::{Deserialize, Serialize};
use sqlx::{
    Connection, Executor, PgConnection, PgPool, Postgres, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use uuid::Uuid;

use crate::{
    access::{Access, Caller, Errand, Permission, ReadChild, Role, Sight, Viewer, goes_on},
    audit::{Event, Trail, leaf::Taken, ledger::Ledger, unaudited},
    clock::{Clock, day_in_london},
    digest::Once,
    http::IdempotencyKey,
    ids::{AccountId, ChildId, EventId, IndexNumber, OrganisationId},
    matching::matcher::{InForce, Matchers},
    organisation::OrganisationKind,
    problem::{Kind, Problem},
    scribe::{self, Line, Scribe},
    seal::{Place, Sealed, Vault},
};

/// How the database is reached, by one worker: a socket's driver stays with the runtime that opened it.
#[derive(Debug, Clone)]
pub struct Db {
    reader: PgPool,
    writer: PgPool,
    scribe: Scribe,
    matchers: Matchers,
    clock: Clock,
}

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
        let pool = |size| {
            PgPoolOptions::new()
                .max_connections(size)
                .acquire_timeout(Duration::from_secs(1))
                .test_before_acquire(false)
                .before_acquire(|connection, meta| {
                    Box::pin(async move {
                        if meta.idle_for > Duration::from_secs(10) {
                            connection.ping().await?;
                        }
                        Ok(true)
                    })
                })
        };
        // Looks cannot write, so an autocommitted write cannot be lost on a connection left inside a transaction.
        let reader = pool(connections.readers)
            .connect_lazy_with(options.clone().options([("default_transaction_read_only", "on")]));
        // A transaction whose request went away is rolled back before its connection is used again.
        let writer = pool(connections.writers)
            .after_release(|connection, _| {
                Box::pin(async move { connection.execute("rollback").await.map(|_| true) })
            })
            .connect_lazy_with(options.clone());
        let matchers = Matchers::default();
        Self { reader, writer, scribe, matchers, clock }
    }

    /// The same, with the matcher that all workers share.
    #[must_use]
    pub fn with_matchers(self, matchers: Matchers) -> Self {
        Self { matchers, ..self }
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
    ])
}

impl<P: Permission> Access<P> {
    /// Begins a look. Whether the caller may still act is told with the writing of its event; whether the one for whom
    /// they look may do the same, now.
    pub async fn look(self, db: &Db) -> Result<Look, Problem> {
        let now = db.now();
        if let Some(proof) = &self.caller.proof {
            let mut transaction = db.writer.begin().await?;
            spend_proof(&mut transaction, proof).await?;
            transaction.commit().await?;
        }
        let requester = match self.errand.on_behalf_of {
            Some(account) => Some(requester::<P>(db, &self.caller, account, now).await?),
            None => None,
        };
        Ok(Look {
            caller: self.caller,
            errand: self.errand,
            now,
            requester,
            reader: db.reader.clone(),
            scribe: db.scribe.clone(),
            matchers: db.matchers.clone(),
        })
    }

    /// Begins a change, if the caller may still act.
    pub async fn begin(self, db: &Db) -> Result<Work, Problem> {
        if self.errand.on_behalf_of.is_some() {
            return Err(Problem::new(
                Kind::InvalidHeader,
                "On-Behalf-Of is for looks, not for changes.",
            ));
        }
        let Access { caller, errand, .. } = self;
        let mut work = Work::open(db, caller, errand).await?;
        work.must_stand().await?;
        if let Some(proof) = work.caller.proof {
            spend_proof(work.db(), &proof).await?;
        }
        Ok(work)
    }

    /// Begins a creating change that is done once, however often it is asked for with the same key.
    pub async fn begin_once<T>(
        self,
        db: &Db,
        key: IdempotencyKey,
        digest: [u8; 32],
        path: &str,
    ) -> Result<Begun<T>, Problem> {
        let mut work = self.begin(db).await?;
        let asked =
            [work.errand.operation.as_bytes(), b"\0", path.as_bytes(), b"\0", &digest].concat();
        let hash = crate::http::sha256(&asked);
        let claimed = sqlx::query!(
            "insert into idempotency (caller_id, key, operation, body_hash, created_at) values ($1, $2, $3, $4, $5)
             on conflict do nothing",
            work.caller.subject.uuid(),
            key.0,
            work.errand.operation,
            &hash[..],
            work.now,
        )
        .execute(work.db())
        .await
        .map_err(in_progress)?;
        if claimed.rows_affected() == 1 {
            work.key = Some(key.0);
            return Ok(Begun::First(work));
        }
        work.repeat(&key.0, &hash).await.map(Begun::Repeat)
    }
}

/// Another request with the same key is not at its end.
fn in_progress(error: sqlx::Error) -> Problem {
    match error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref() {
        Some("55P03") => Problem::from(Kind::RequestInProgress).retry_after(1),
        _ => error.into(),
    }
}

/// Uses something up that may be used once; says whether it was new. Another that uses it at the same moment waits for
/// this transaction, and finds it used if that is committed.
pub(crate) async fn spend(db: &mut PgConnection, once: &Once) -> Result<bool, Problem> {
    let used = sqlx::query!(
        "insert into spent (token_hash, until) values ($1, $2) on conflict do nothing",
        &once.hash[..],
        once.until,
    );
    Ok(used.execute(db).await?.rows_affected() == 1)
}

/// Uses a proof up, and refuses one that was used before.
pub(crate) async fn spend_proof(db: &mut PgConnection, proof: &Once) -> Result<(), Problem> {
    if spend(db, proof).await? { Ok(()) } else { Err(Kind::DpopProofRefused.into()) }
}

/// Writes an event down with what it tells of, unless its caller may not act any more. Its number is to be kept once that is lasting.
async fn write_down(
    db: &mut PgConnection,
    event: Event,
    ledger: &Ledger,
) -> Result<Taken, Problem> {
    let line = Line::of(event, ledger).await?;
    let (verdicts, numbers) = scribe::statement(db, &[line], ledger).await.map_err(unaudited)?;
    verdicts.into_iter().flatten().next().map_or(Ok(numbers), |barred| Err(barred.into()))
}

/// The person for whom a caller looks, if both may: an account that stands, whose role holds the permission too. Any other
/// is refused alike.
async fn requester<P: Permission>(
    db: &Db,
    caller: &Caller,
    account: AccountId,
    now: DateTime<Utc>,
) -> Result<Requester, Problem> {
    let row = sqlx::query!(
        r#"
        select a.role as "role: Role", a.organisation_id as "organisation: OrganisationId", o.kind as "body: OrganisationKind"
        from account a
        join organisation o on o.organisation_id = a.organisation_id
        where a.account_id = $1 and stands_until(a.account_id, null, $2) > $2
        "#,
        account.0,
        now,
    )
    .fetch_optional(&db.reader)
    .await?;
    row.filter(|row| P::HELD_BY.contains(&row.role) && caller.account() != Some(account))
        .map(|row| Requester {
            viewer: Viewer { role: row.role, organisation: row.organisation },
            body: row.body,
        })
        .ok_or_else(|| {
            Problem::new(Kind::Forbidden, "The account on whose behalf you look may not do this.")
        })
}

/// The person for whom a caller looks.
#[derive(Debug, Clone, Copy)]
pub struct Requester {
    /// What decides on what they may see.
    pub viewer: Viewer,
    /// The kind of body that they work for.
    pub body: OrganisationKind,
}

/// What [`Access::begin_once`] finds.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once")]
pub enum Begun<T> {
    /// The request comes for the first time.
    First(Work),
    /// It was done before; this is what was answered.
    Repeat(Answer<T>),
}

/// A look at children: reads outside a transaction, and an answer only once its event is durable.
#[derive(Debug)]
#[must_use = "a look that is not recorded has no answer"]
pub struct Look {
    /// Who is looking.
    pub caller: Caller,
    /// What for.
    pub errand: Errand,
    /// When they began.
    pub now: DateTime<Utc>,
    /// The person for whom they look, where the look is mediated: nothing is seen that this person may not see too.
    pub requester: Option<Requester>,
    reader: PgPool,
    scribe: Scribe,
    matchers: Matchers,
}

impl Look {
    /// Everybody who must be allowed to see what is told.
    pub fn viewers(&self) -> impl Iterator<Item = Viewer> {
        iter::once(self.caller.viewer()).chain(self.requester.map(|requester| requester.viewer))
    }

    /// Whether all of them act for the caller's organisation, so that they see what only it may.
    #[must_use]
    pub fn within_one_organisation(&self) -> bool {
        self.viewers().all(|viewer| viewer.organisation == self.caller.organisation)
    }

    /// The organisation for which all of them act, where they act for one.
    #[must_use]
    pub fn one_organisation(&self) -> Option<OrganisationId> {
        self.within_one_organisation().then_some(self.caller.organisation)
    }

    /// Whether all of them see past a shield.
    pub(crate) fn sight(&self) -> Sight {
        match self.requester {
            None => Sight::of(&self.caller, self.now),
            Some(requester) => Sight::of_both(&self.caller, requester.viewer, self.now),
        }
    }

    /// The database, for reading.
    pub(crate) fn db(&self) -> &PgPool {
        &self.reader
    }

    /// What opens sealed values, for those who may see them.
    pub(crate) fn vault(&self) -> &Vault {
        self.scribe.ledger().vault()
    }

    /// The matcher in force.
    pub(crate) fn matcher(&self) -> Arc<InForce> {
        self.matchers.current()
    }

    /// The day, in Europe/London, of the look.
    #[must_use]
    pub fn today(&self) -> NaiveDate {
        day_in_london(self.now)
    }

    /// Writes down what was seen, and answers.
    pub async fn record<T: Serialize>(self, trail: Trail, answer: T) -> Reply<T> {
        self.record_as(EventId::new(), trail, answer).await
    }

    /// The same, under a number that the answer tells.
    pub async fn record_as<T: Serialize>(self, id: EventId, trail: Trail, answer: T) -> Reply<T> {
        let answer = Answer::new(StatusCode::OK, &answer)?;
        let mut event = Event::answered(self.now, self.caller, self.errand, 200, trail);
        event.id = id;
        match self.scribe.write(event).await? {
            None => Ok(answer),
            Some(barred) => Err(Problem::from(barred).recorded()),
        }
    }

    /// Answers piece by piece, as text of this type, and writes each piece down before it leaves; the first before it is answered
    /// at all. Where one cannot be told, the answer breaks off.
    pub async fn record_pieces<T, P: 'static>(
        self,
        kind: &'static str,
        begin: P,
        read: impl AsyncFn(&Self, P, bool) -> Result<Piece<P>, Problem> + 'static,
    ) -> Reply<T> {
        let first = self.piece(read(&self, begin, true).await?).await?;
        let rest = stream::try_unfold((self, read, first.1), async |(look, read, next)| {
            let Some(next) = next else { return Ok::<_, Problem>(None) };
            let (bytes, next) = look.piece(read(&look, next, false).await?).await?;
            Ok(Some((bytes, (look, read, next))))
        });
        let some = Box::pin(stream::once(ready(Ok(first.0))).chain(rest));
        Ok(Answer::of_lines(Lines { kind, some }))
    }

    async fn piece<P>(&self, piece: Piece<P>) -> Result<(Bytes, Option<P>), Problem> {
        let (caller, errand) = (self.caller.clone(), self.errand.clone());
        let event = Event::answered(self.now, caller, errand, 200, piece.trail);
        match self.scribe.write(event).await? {
            None => Ok((piece.bytes.into(), piece.next)),
            Some(barred) => Err(Problem::from(barred).recorded()),
        }
    }

    /// Writes down that something long is told, and answers with its lines of JSON as they are read.
    pub async fn record_lines<T>(self, trail: Trail, lines: Lines) -> Reply<T> {
        let answer = Answer::of_lines(lines);
        let event = Event::answered(self.now, self.caller, self.errand, 200, trail);
        match self.scribe.write(event).await? {
            None => Ok(answer),
            Some(barred) => Err(Problem::from(barred).recorded()),
        }
    }

    /// Writes down what was asked and found, and refuses to tell it.
    pub async fn refuse(self, problem: Problem, trail: Trail) -> Problem {
        let event = Event::refused(self.now, Some(self.caller), self.errand, &problem, trail);
        match self.scribe.write(event).await {
            Ok(None) => problem.recorded(),
            Ok(Some(barred)) => Problem::from(barred).recorded(),
            Err(unaudited) => unaudited,
        }
    }
}

/// A piece of a long answer.
#[derive(Debug)]
pub struct Piece<P> {
    /// Of whom it tells.
    pub trail: Trail,
    /// What it tells.
    pub bytes: Vec<u8>,
    /// Where the next begins, if there is one.
    pub next: Option<P>,
}

/// A change: a transaction that ends only by recording what was done.
#[derive(Debug)]
#[must_use = "work that is not recorded is undone"]
pub struct Work {
    /// Who is acting.
    pub caller: Caller,
    /// What for.
    pub errand: Errand,
    /// When they began.
    pub now: DateTime<Utc>,
    ledger: Ledger,
    key: Option<String>,
    matchers: Matchers,
    transaction: Transaction<'static, Postgres>,
}

impl Work {
    async fn open(db: &Db, caller: Caller, errand: Errand) -> Result<Self, Problem> {
        Ok(Self {
            caller,
            errand,
            now: db.now(),
            ledger: db.scribe.ledger().clone(),
            key: None,
            matchers: db.matchers.clone(),
            transaction: db.writer.begin().await?,
        })
    }

    /// Refuses a caller who may not act any more.
    async fn must_stand(&mut self) -> Result<(), Problem> {
        let standing = sqlx::query!(
            r#"select stands_until > $2 as "stands!", exists (select from stop) as "stopped!" from session where session_id = $1"#,
            self.caller.session.0,
            self.now,
        )
        .fetch_optional(self.transaction.as_mut())
        .await?;
        match standing {
            Some(standing) if standing.stopped && !goes_on(self.errand.operation) => {
                Err(Kind::Stopped.into())
            }
            Some(standing) if standing.stands => Ok(()),
            _ => Err(Kind::Unauthenticated.into()),
        }
    }

    /// The database, for as long as the work lasts.
    pub(crate) fn db(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    /// Whether the caller sees past a shield.
    pub(crate) fn sight(&self) -> Sight {
        Sight::of(&self.caller, self.now)
    }

    /// What seals and opens values.
    pub(crate) fn vault(&self) -> Vault {
        self.ledger.vault().clone()
    }

    /// The matcher in force.
    pub(crate) fn matcher(&self) -> Arc<InForce> {
        self.matchers.current()
    }

    /// The day, in Europe/London, on which the work is done.
    #[must_use]
    pub fn today(&self) -> NaiveDate {
        day_in_london(self.now)
    }

    /// Writes down what was done, makes it lasting and answers: all of it or nothing.
    pub async fn record<T: Serialize>(self, trail: Trail, answer: T) -> Reply<T> {
        let answer = Answer::new(StatusCode::OK, &answer)?;
        self.finish(trail, answer).await
    }

    /// The same, for what has been made at `location`; a request with an idempotency key is answered so again.
    pub async fn record_created<T: Serialize>(
        self,
        trail: Trail,
        answer: T,
        location: String,
        version: i64,
    ) -> Reply<T> {
        let answer = Answer::new(StatusCode::CREATED, &answer)?;
        let again = String::from_utf8(answer.body.clone()).map_err(Problem::internal)?;
        self.created(trail, answer.at(location).version(version), again).await
    }

    /// The same, where a repetition is answered without what may be told only once.
    pub async fn record_created_once<T: Serialize>(
        self,
        trail: Trail,
        answer: T,
        again: serde_json::Value,
        location: String,
        version: i64,
    ) -> Reply<T> {
        let answer = Answer::new(StatusCode::CREATED, &answer)?;
        self.created(trail, answer.at(location).version(version), again.to_string()).await
    }

    /// The same, for what has been received and is worked on at `location`.
    pub async fn record_accepted<T: Serialize>(
        self,
        trail: Trail,
        answer: T,
        location: String,
    ) -> Reply<T> {
        let answer = Answer::new(StatusCode::ACCEPTED, &answer)?;
        self.finish(trail, answer.at(location)).await
    }

    /// Writes down that a change begins which takes several transactions, under a name and a request number of its own, and
    /// makes lasting what was done so far.
    pub(crate) async fn begun(
        self,
        operation: &'static str,
        trail: Trail,
    ) -> Result<Midway, Problem> {
        let Self { caller, errand, now, ledger, mut transaction, .. } = self;
        let midway = Midway { caller: caller.clone(), errand: errand.clone() };
        let errand = Errand { operation, request: Uuid::new_v4(), ..errand };
        let event = Event::answered(now, caller, errand, StatusCode::OK.as_u16(), trail);
        let numbers = write_down(&mut transaction, event, &ledger).await?;
        transaction.commit().await.map_err(unaudited)?;
        numbers.keep();
        Ok(midway)
    }

    /// Goes on later with a change that has written nothing; a proof that came with it is used up.
    pub(crate) async fn put_off(self) -> Result<Midway, Problem> {
        self.transaction.commit().await?;
        Ok(Midway { caller: self.caller, errand: self.errand })
    }

    /// Makes lasting a part of a change that was written down when it began, and will be when it ends.
    pub(crate) async fn keep_part(self) -> Result<(), Problem> {
        Ok(self.transaction.commit().await?)
    }

    /// Whether a request with this key was done before.
    pub(crate) async fn knows(&mut self, key: &IdempotencyKey) -> Result<bool, Problem> {
        let caller = self.caller.subject.uuid();
        let known = sqlx::query_scalar!(
            r#"select exists (select from idempotency where caller_id = $1 and key = $2) as "known!""#,
            caller,
            key.0,
        );
        Ok(known.fetch_one(self.db()).await?)
    }

    /// Keeps where what a request with this key made is; or tells where the first request with it made it. For requests whose
    /// body is known only at their end: `asked` is all that they say.
    pub(crate) async fn once_at(
        &mut self,
        key: &IdempotencyKey,
        asked: &[u8],
        location: &str,
    ) -> Result<Option<String>, Problem> {
        let (caller, operation, now) =
            (self.caller.subject.uuid(), self.errand.operation, self.now);
        let hash = crate::http::sha256(&[operation.as_bytes(), b"\0", asked].concat());
        let claimed = sqlx::query!(
            "insert into idempotency (caller_id, key, operation, body_hash, status, location, created_at)
             values ($1, $2, $3, $4, 202, $5, $6) on conflict do nothing",
            caller,
            key.0,
            operation,
            &hash[..],
            location,
            now,
        )
        .execute(self.db())
        .await
        .map_err(in_progress)?;
        if claimed.rows_affected() == 1 {
            return Ok(None);
        }
        let first = sqlx::query!(
            "select body_hash, location from idempotency where caller_id = $1 and key = $2",
            caller,
            key.0
        )
        .fetch_optional(self.db())
        .await?
        .ok_or(Kind::RequestInProgress)?;
        match first.location {
            Some(location) if first.body_hash == hash => Ok(Some(location)),
            _ => Err(Kind::IdempotencyKeyReused.into()),
        }
    }

    async fn created<T>(mut self, trail: Trail, answer: Answer<T>, body: String) -> Reply<T> {
        if let Some(key) = self.key.take() {
            let caller = self.caller.subject.uuid();
            let open = trail.open_child();
            let hidden = trail.children.first().copied().filter(|_| open.is_none());
            let location = answer.location.clone();
            let kept = match (&location, hidden) {
                (Some(location), Some(_)) => Some(blind_location(self.ledger.vault(), location)),
                (location, _) => location.clone(),
            };
            let told = Told { body, hidden, location: location.filter(|_| hidden.is_some()) };
            let sealed = Sealed::seal(&told, self.ledger.vault(), &Told::place(caller, &key))?;
            sqlx::query!(
                "update idempotency set status = 201, location = $3, etag = $4, sealed = $5, child_id = $6
                 where caller_id = $1 and key = $2",
                caller,
                key,
                kept,
                answer.etag,
                sealed as _,
                open.map(|child| child.0),
            )
            .execute(self.db())
            .await?;
        }
        self.finish(trail, answer).await
    }

    /// The same, where what is done `last` may stop the caller too: its event is written while they still stand.
    pub async fn record_then<T: Serialize>(
        mut self,
        trail: Trail,
        last: impl AsyncFnOnce(&mut Self) -> Result<T, Problem>,
    ) -> Reply<T> {
        let (caller, errand) = (self.caller.clone(), self.errand.clone());
        let event = Event::answered(self.now, caller, errand, StatusCode::OK.as_u16(), trail);
        let numbers = write_down(&mut self.transaction, event, &self.ledger).await?;
        let answer = Answer::new(StatusCode::OK, &last(&mut self).await?)?;
        self.transaction.commit().await.map_err(unaudited)?;
        numbers.keep();
        Ok(answer)
    }

    /// Writes down whom a refusal tells of, and refuses; of work that has written nothing yet but its idempotency key, which may
    /// be used again.
    pub async fn refuse(mut self, problem: Problem, trail: Trail) -> Problem {
        match self.refused(&problem, trail).await {
            Ok(numbers) => match self.transaction.commit().await {
                Ok(()) => {
                    numbers.keep();
                    problem.recorded()
                }
                Err(error) => unaudited(error),
            },
            Err(instead) => instead,
        }
    }

    async fn refused(&mut self, problem: &Problem, trail: Trail) -> Result<Taken, Problem> {
        if let Some(key) = self.key.take() {
            let caller = self.caller.subject.uuid();
            sqlx::query!("delete from idempotency where caller_id = $1 and key = $2", caller, key)
                .execute(self.db())
                .await?;
        }
        let (caller, errand) = (self.caller.clone(), self.errand.clone());
        let event = Event::refused(self.now, Some(caller), errand, problem, trail);
        write_down(&mut self.transaction, event, &self.ledger).await
    }

    async fn finish<T>(self, trail: Trail, answer: Answer<T>) -> Reply<T> {
        let Self { caller, errand, now, ledger, mut transaction, .. } = self;
        let event = Event::answered(now, caller, errand, answer.status.as_u16(), trail);
        let numbers = write_down(&mut transaction, event, &ledger).await?;
        transaction.commit().await.map_err(unaudited)?;
        numbers.keep();
        Ok(answer)
    }

    async fn repeat<T>(mut self, key: &str, hash: &[u8; 32]) -> Reply<T> {
        let caller = self.caller.subject.uuid();
        let first = sqlx::query!(
            r#"select body_hash, location, etag, answer, child_id as "child: ChildId", sealed as "sealed: Sealed<Told>", created_at
               from idempotency where caller_id = $1 and key = $2"#,
            caller,
            key,
        )
        .fetch_optional(self.db())
        .await?
        .ok_or(Kind::RequestInProgress)?;
        if first.body_hash != hash {
            return Err(Kind::IdempotencyKeyReused.into());
        }
        let told = match (first.sealed, first.answer) {
            (Some(sealed), _) => Some(sealed.open(self.ledger.vault(), &Told::place(caller, key))?),
            (None, Some(answer)) => {
                Some(Told { body: answer.to_string(), hidden: None, location: None })
            }
            (None, None) => None,
        };
        let child = told.as_ref().and_then(|told| told.hidden).or(first.child);
        if !self.stands(child, first.created_at).await? {
            return Err(forgotten(None));
        }
        let told = told.ok_or_else(|| forgotten(first.location.clone()))?;
        let answer = Answer {
            status: StatusCode::CREATED,
            body: told.body.into_bytes(),
            lines: None,
            location: told.location.or(first.location),
            etag: first.etag,
            told: PhantomData,
        };
        let trail = Trail::about(child.into_iter().collect());
        let trail = trail.with(serde_json::json!({ "repeated": true }));
        let trail = if told.hidden.is_some() { trail.sealed() } else { trail };
        self.finish(trail, answer).await
    }

    /// Whether what was answered about a child may be told again: not once the identity has ended or the record was archived.
    async fn stands(
        &mut self,
        child: Option<ChildId>,
        answered: DateTime<Utc>,
    ) -> Result<bool, Problem> {
        let Some(child) = child else { return Ok(true) };
        let today = self.today();
        let stands = sqlx::query_scalar!(
            r#"select answer_stands($1, $2, $3) as "stands!""#,
            child.0,
            answered,
            today
        );
        Ok(stands.fetch_one(self.db()).await?)
    }
}

/// A caller in the midst of a change that takes several transactions.
#[derive(Debug, Clone)]
pub(crate) struct Midway {
    caller: Caller,
    errand: Errand,
}

impl Midway {
    /// The next transaction of the change, if the caller may still act.
    pub(crate) async fn go_on(&self, db: &Db) -> Result<Work, Problem> {
        let mut work = self.undo(db).await?;
        work.must_stand().await?;
        Ok(work)
    }

    /// A transaction to undo what was done of the change, whatever the caller may do by now.
    pub(crate) async fn undo(&self, db: &Db) -> Result<Work, Problem> {
        Work::open(db, self.caller.clone(), self.errand.clone()).await
    }

    /// Writes down that the change is not done, and refuses.
    pub(crate) async fn refuse(self, db: &Db, problem: Problem, trail: Trail) -> Problem {
        let Self { caller, errand } = self;
        match db.record_refusal(Some(caller), errand, &problem, trail).await {
            Ok(()) => problem.recorded(),
            Err(instead) => instead.recorded(),
        }
    }
}

/// What stands for the location of an answer that must not stand beside the caller, so that the answer can be forgotten.
pub(crate) fn blind_location(vault: &Vault, location: &str) -> String {
    format!("#{}", URL_SAFE_NO_PAD.encode(vault.blind(&[b"location", location.as_bytes()])))
}

/// What was answered to a request with an idempotency key.
#[derive(Debug, Serialize, Deserialize)]
struct Told {
    /// To the letter.
    body: String,
    /// The child concerned, where it must not stand beside the caller.
    hidden: Option<ChildId>,
    /// Where what was made is, in that case.
    #[serde(default)]
    location: Option<String>,
}

impl Told {
    fn place(caller: Uuid, key: &str) -> Place {
        Place::named("idempotency", caller, key)
    }
}

/// The refusal of an answer that is told no more, with where to look.
fn forgotten(location: Option<String>) -> Problem {
    let done = "The request was done, and is not done again.";
    let detail = match location.filter(|location| !location.starts_with('#')) {
        Some(location) => format!("{done} What it made is at {location}."),
        None => done.to_owned(),
    };
    Problem::new(Kind::AnswerForgotten, detail)
}

/// Somebody who is not signed in yet, before anything is written.
#[derive(Debug)]
pub struct Arrival {
    /// What the request says of itself.
    pub errand: Errand,
    /// When it began.
    pub now: DateTime<Utc>,
    db: Db,
}

impl Arrival {
    /// The database, for reading.
    pub(crate) fn db(&self) -> &PgPool {
        &self.db.reader
    }

    /// The day, in Europe/London.
    #[must_use]
    pub fn today(&self) -> NaiveDate {
        day_in_london(self.now)
    }

    /// Begins to write.
    pub async fn begin(self) -> Result<SignIn, Problem> {
        let transaction = self.db.writer.begin().await?;
        let ledger = self.db.scribe.ledger().clone();
        Ok(SignIn { errand: self.errand, now: self.now, ledger, transaction })
    }
}

/// A transaction of somebody who is not signed in yet.
#[derive(Debug)]
#[must_use = "a sign-in that is not recorded is undone"]
pub struct SignIn {
    /// What the request says of itself.
    pub errand: Errand,
    /// When it began.
    pub now: DateTime<Utc>,
    ledger: Ledger,
    transaction: Transaction<'static, Postgres>,
}

impl SignIn {
    /// The database, for as long as it lasts.
    pub(crate) fn db(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    /// The day, in Europe/London.
    #[must_use]
    pub fn today(&self) -> NaiveDate {
        day_in_london(self.now)
    }

    /// Writes down who signed in, and answers.
    pub async fn record<T: Serialize>(self, caller: Caller, answer: T) -> Reply<T> {
        self.finish(Some(caller), Trail::default(), StatusCode::OK, answer).await
    }

    /// Writes down what somebody did who has no session, and answers.
    pub async fn record_unknown<T: Serialize>(self, trail: Trail, answer: T) -> Reply<T> {
        self.finish(None, trail, StatusCode::OK, answer).await
    }

    /// Writes down what was asked by somebody who need not be signed in, and answers that it was received.
    pub async fn record_received<T: Serialize>(
        mut self,
        caller: Option<Caller>,
        trail: Trail,
        answer: T,
    ) -> Reply<T> {
        if let Some(proof) = caller.as_ref().and_then(|caller| caller.proof.as_ref()) {
            spend_proof(self.db(), proof).await?;
        }
        self.finish(caller, trail, StatusCode::ACCEPTED, answer).await
    }

    async fn finish<T: Serialize>(
        self,
        caller: Option<Caller>,
        trail: Trail,
        status: StatusCode,
        answer: T,
    ) -> Reply<T> {
        let answer = Answer::new(status, &answer)?;
        let Self { errand, now, ledger, mut transaction } = self;
        let event = Event { caller, ..Event::done(now, errand, status.as_u16(), trail) };
        let numbers = write_down(&mut transaction, event, &ledger).await?;
        transaction.commit().await.map_err(unaudited)?;
        numbers.keep();
        Ok(answer)
    }

    /// Keeps a note of what is still under way; how it ends is written down with its end.
    pub async fn note(self) -> Result<(), Problem> {
        Ok(self.transaction.commit().await?)
    }

    /// Keeps what was noted of a refusal (a guess, a used code); the refusal itself is written down at the edge.
    pub async fn keep(self, refusal: Problem) -> Problem {
        match self.transaction.commit().await {
            Ok(()) => refusal,
            Err(error) => error.into(),
        }
    }
}

/// What a handler answers.
pub type Reply<T> = Result<Answer<T>, Problem>;

/// An answer to a caller. Only recording makes one, so nothing is told unrecorded.
#[derive(Debug)]
pub struct Answer<T> {
    status: StatusCode,
    body: Vec<u8>,
    lines: Option<Lines>,
    location: Option<String>,
    etag: Option<String>,
    told: PhantomData<T>,
}

/// The lines of a long answer, some at a time, as they are read. One that fails breaks the answer off.
pub struct Lines {
    kind: &'static str,
    some: Pin<Box<dyn Stream<Item = Result<Bytes, Problem>>>>,
}

impl Lines {
    /// Lines of JSON (`application/x-ndjson`) of a stream that yields some at a time.
    pub fn of<T: Serialize + 'static>(
        some: impl Stream<Item = Result<Vec<T>, Problem>> + 'static,
    ) -> Self {
        let some = some.map(|some| {
            let mut text = Vec::new();
            for line in some? {
                serde_json::to_writer(&mut text, &line).map_err(Problem::internal)?;
                text.push(b'\n');
            }
            Ok(Bytes::from(text))
        });
        Self { kind: "application/x-ndjson", some: Box::pin(some) }
    }
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lines(…)")
    }
}

impl<T> Answer<T> {
    fn new(status: StatusCode, body: &impl Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_vec(body).map_err(Problem::internal)?;
        Ok(Self { status, body, lines: None, location: None, etag: None, told: PhantomData })
    }

    fn of_lines(lines: Lines) -> Self {
        let (status, body) = (StatusCode::OK, Vec::new());
        Self { status, body, lines: Some(lines), location: None, etag: None, told: PhantomData }
    }

    fn at(mut self, location: String) -> Self {
        self.location = Some(location);
        self
    }

    /// The same, with the version of the record as its `ETag`.
    #[must_use]
    pub fn version(mut self, version: i64) -> Self {
        self.etag = Some(format!("\"{version}\""));
        self
    }
}

impl<T> Responder for Answer<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(location) = self.location {
            response.insert_header((header::LOCATION, location));
        }
        if let Some(etag) = self.etag {
            response.insert_header((header::ETAG, etag));
        }
        match self.lines {
            Some(lines) => response.content_type(lines.kind).streaming(lines.some),
            None => response.content_type("application/json").body(self.body),
        }
    }
}

/// Something that is done as a whole or not at all: a change that somebody asks for, or an errand.
pub(crate) trait Unit {
    /// The database, for as long as it lasts.
    fn db(&mut self) -> &mut PgConnection;

    /// What seals and opens values.
    fn vault(&self) -> Result<Vault, Problem>;

    /// The matcher in force.
    fn matcher(&self) -> Arc<InForce>;

    /// When it began.
    fn now(&self) -> DateTime<Utc>;

    /// The day, in Europe/London.
    fn today(&self) -> NaiveDate {
        day_in_london(self.now())
    }
}

/// A unit in which somebody's word is written down.
pub(crate) trait Author: Unit {
    /// The organisation whose word it is.
    fn source(&self) -> OrganisationId;

    /// Who writes it down.
    fn by(&self) -> Uuid;

    /// The day as at which it is true.
    fn as_at(&self) -> NaiveDate {
        self.today()
    }
}

impl Author for Work {
    fn source(&self) -> OrganisationId {
        self.caller.organisation
    }

    fn by(&self) -> Uuid {
        self.caller.subject.uuid()
    }
}

/// The word of an organisation that does not act itself: what a feed has sent.
#[derive(Debug)]
pub(crate) struct WordOf<'w, W> {
    /// The unit in which it is written down.
    pub(crate) work: &'w mut W,
    /// Whose word it is.
    pub(crate) source: OrganisationId,
    /// Who sent it, or decided that it is taken.
    pub(crate) by: Uuid,
    /// The day as at which it is true.
    pub(crate) as_at: NaiveDate,
}

impl<W: Unit> Unit for WordOf<'_, W> {
    fn db(&mut self) -> &mut PgConnection {
        self.work.db()
    }

    fn vault(&self) -> Result<Vault, Problem> {
        self.work.vault()
    }

    fn matcher(&self) -> Arc<InForce> {
        self.work.matcher()
    }

    fn now(&self) -> DateTime<Utc> {
        self.work.now()
    }
}

impl<W: Unit> Author for WordOf<'_, W> {
    fn source(&self) -> OrganisationId {
        self.source
    }

    fn by(&self) -> Uuid {
        self.by
    }

    fn as_at(&self) -> NaiveDate {
        self.as_at
    }
}

impl Unit for Work {
    fn db(&mut self) -> &mut PgConnection {
        self.db()
    }

    fn vault(&self) -> Result<Vault, Problem> {
        Ok(self.vault())
    }

    fn matcher(&self) -> Arc<InForce> {
        self.matcher()
    }

    fn now(&self) -> DateTime<Utc> {
        self.now
    }
}

impl Unit for Errands {
    fn db(&mut self) -> &mut PgConnection {
        self.db()
    }

    fn vault(&self) -> Result<Vault, Problem> {
        self.vault()
    }

    fn matcher(&self) -> Arc<InForce> {
        self.matchers.current()
    }

    fn now(&self) -> DateTime<Utc> {
        self.now
    }
}

/// What an operator does at the command line: transactions of the application's role, each ending in its event.
#[derive(Debug)]
pub struct Errands {
    /// When they began.
    pub now: DateTime<Utc>,
    operation: &'static str,
    options: PgConnectOptions,
    ledger: Option<Ledger>,
    matchers: Matchers,
    connection: PgConnection,
}

impl Errands {
    /// Reaches the database to do `operation`.
    pub async fn begin(
        options: &PgConnectOptions,
        clock: &Clock,
        operation: &'static str,
    ) -> Result<Self, Problem> {
        let mut connection = PgConnection::connect_with(options).await?;
        connection.execute("begin").await?;
        Ok(Self {
            now: clock.now(),
            operation,
            options: options.clone(),
            ledger: None,
            matchers: Matchers::default(),
            connection,
        })
    }

    /// The same, as an instance of its own. Nothing can be recorded without either this or a ledger.
    #[must_use]
    pub fn with_vault(self, vault: Vault) -> Self {
        let ledger = Ledger::new(&self.options, vault);
        self.with_ledger(ledger)
    }

    /// The same, as a part of the instance whose ledger this is.
    #[must_use]
    pub fn with_ledger(self, ledger: Ledger) -> Self {
        Self { ledger: Some(ledger), ..self }
    }

    /// The same, with the matcher that others share.
    #[must_use]
    pub fn with_matchers(self, matchers: Matchers) -> Self {
        Self { matchers, ..self }
    }

    /// What seals and opens values.
    pub(crate) fn vault(&self) -> Result<Vault, Problem> {
        self.ledger().map(|ledger| ledger.vault().clone())
    }

    /// What events are written by.
    pub fn ledger(&self) -> Result<&Ledger, Problem> {
        let ledger = self.ledger.as_ref();
        ledger.ok_or_else(|| Problem::internal(anyhow::anyhow!("this is done without the keys")))
    }

    /// The database, inside the present transaction.
    pub(crate) fn db(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// The day, in Europe/London.
    #[must_use]
    pub fn today(&self) -> NaiveDate {
        day_in_london(self.now)
    }

    /// Undoes what was done since the last was recorded.
    pub(crate) async fn undo(&mut self) -> Result<(), Problem> {
        self.connection.execute("rollback; begin").await?;
        Ok(())
    }

    /// Writes down what was done, makes it lasting, and begins the next.
    pub async fn record(&mut self, trail: Trail) -> Result<(), Problem> {
        let errand = Errand {
            request: Uuid::new_v4(),
            operation: self.operation,
            address: None,
            user_agent: None,
            reason: None,
            reference: None,
            on_behalf_of: None,
        };
        let event = Event {
            id: EventId::new(),
            at: self.now,
            outcome: crate::audit::Outcome::Answered,
            status: 0,
            problem: None,
            caller: None,
            errand,
            trail,
        };
        let ledger = self.ledger()?.clone();
        let line = Line::of(event, &ledger).await?;
        let written = scribe::statement(&mut self.connection, &[line], &ledger).await;
        let (_, numbers) = written.map_err(unaudited)?;
        // Apart, since PostgreSQL counts what a connection did, and so knows what to analyse, only between two transactions.
        self.connection.execute("commit").await?;
        numbers.keep();
        self.connection.execute("begin").await?;
        Ok(())
    }
}
