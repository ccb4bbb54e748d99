//! What is done by somebody who is not signed in yet.

use actix_web::http::StatusCode;
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use tokio::sync::OwnedSemaphorePermit;

use super::{Answer, Db, Reply, spend_proof, write_down};
use crate::{
    access::{Caller, Errand},
    audit::{Event, Trail, ledger::Ledger, unaudited},
    clock::day_in_london,
    problem::Problem,
};

/// Somebody who is not signed in yet, before anything is written.
#[derive(Debug)]
pub struct Arrival {
    /// What the request says of itself.
    pub errand: Errand,
    /// When it began.
    pub now: DateTime<Utc>,
    pub(super) db: Db,
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
        let place = self.db.enter()?;
        self.open(Some(place)).await
    }

    /// The same for a request that was let in before and is noted as a guess in vain until it ends: for want of a place it is not
    /// refused, which would count as a wrong one. How many are at it is limited where guesses and hashes are.
    pub async fn go_on(self) -> Result<SignIn, Problem> {
        self.open(None).await
    }

    async fn open(self, place: Option<OwnedSemaphorePermit>) -> Result<SignIn, Problem> {
        let transaction = self.db.writer.begin().await?;
        let ledger = self.db.scribe.ledger().clone();
        Ok(SignIn { errand: self.errand, now: self.now, ledger, transaction, _place: place })
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
    _place: Option<OwnedSemaphorePermit>,
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
        let Self { errand, now, ledger, mut transaction, .. } = self;
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
