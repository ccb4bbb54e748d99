//! What is done without a request: by an operator, or by the service itself.

use std::{sync::Arc, time::Instant};

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{Connection, Executor, PgConnection, postgres::PgConnectOptions};
use uuid::Uuid;

use super::{
    Unit, goes_on,
    way::{BREATH, give_way},
};
use crate::{
    access::Errand,
    audit::{Event, Trail, ledger::Ledger, unaudited},
    clock::{Clock, day_in_london},
    ids::EventId,
    matching::matcher::{InForce, Matchers},
    problem::Problem,
    scribe::{self, Line},
    seal::Vault,
};

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
    gave_way: Instant,
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
            gave_way: Instant::now(),
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
        goes_on();
        &mut self.connection
    }

    /// The day, in Europe/London.
    #[must_use]
    pub fn today(&self) -> NaiveDate {
        day_in_london(self.now)
    }

    /// Takes leave of the database, with what came of them. What was not recorded is undone; merely left, the database would tell in
    /// its log of a connection that was lost in the midst of a transaction.
    pub async fn end<T>(self, came_of_it: T) -> T {
        // What was recorded lasts, whether or not the database is still there.
        let _ = self.connection.close().await;
        came_of_it
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
        goes_on();
        self.connection.execute("begin").await?;
        Ok(())
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

    /// Waits while a request is at work, unless it did so a moment ago.
    async fn give_way(&mut self) -> Result<(), Problem> {
        if self.gave_way.elapsed() < BREATH {
            return Ok(());
        }
        give_way(&mut self.connection).await?;
        self.gave_way = Instant::now();
        Ok(())
    }

    fn now(&self) -> DateTime<Utc> {
        self.now
    }
}
