//! A change: a transaction that ends by writing down what was done.

use std::sync::Arc;

use actix_web::http::StatusCode;
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use sqlx::{PgConnection, Postgres, Transaction};
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use super::{Answer, Author, Db, Reply, Unit, spend_proof, write_down};
use crate::{
    access::{Access, Caller, Errand, Permission, Sight, goes_on},
    audit::{Event, Trail, leaf::Taken, ledger::Ledger, unaudited},
    clock::day_in_london,
    ids::OrganisationId,
    matching::matcher::{InForce, Matchers},
    problem::{Kind, Problem},
    seal::Vault,
};

impl<P: Permission> Access<P> {
    /// Begins a change, if the caller may still act.
    pub async fn begin(self, db: &Db) -> Result<Work, Problem> {
        if self.errand.on_behalf_of.is_some() {
            return Err(Problem::new(
                Kind::InvalidHeader,
                "On-Behalf-Of is for looks, not for changes.",
            ));
        }
        let Access { caller, errand, .. } = self;
        let place = db.enter()?;
        let mut work = Work::open(db, caller, errand).await?;
        work.place = Some(place);
        work.must_stand().await?;
        if let Some(proof) = work.caller.proof {
            spend_proof(work.db(), &proof).await?;
        }
        Ok(work)
    }
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
    pub(super) ledger: Ledger,
    pub(super) key: Option<String>,
    matchers: Matchers,
    transaction: Transaction<'static, Postgres>,
    /// Among those that are worked on; the later parts of a change go on without.
    place: Option<OwnedSemaphorePermit>,
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
            place: None,
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

    pub(super) async fn finish<T>(self, trail: Trail, answer: Answer<T>) -> Reply<T> {
        let Self { caller, errand, now, ledger, mut transaction, .. } = self;
        let event = Event::answered(now, caller, errand, answer.status.as_u16(), trail);
        let numbers = write_down(&mut transaction, event, &ledger).await?;
        transaction.commit().await.map_err(unaudited)?;
        numbers.keep();
        Ok(answer)
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

impl Author for Work {
    fn source(&self) -> OrganisationId {
        self.caller.organisation
    }

    fn by(&self) -> Uuid {
        self.caller.subject.uuid()
    }
}
