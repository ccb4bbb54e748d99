//! What a change and an errand have in common.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    clock::day_in_london, ids::OrganisationId, matching::matcher::InForce, problem::Problem,
    seal::Vault,
};

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

    /// Lets those go first who are waited for by somebody, where this is waited for by nobody.
    async fn give_way(&mut self) -> Result<(), Problem> {
        Ok(())
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

    async fn give_way(&mut self) -> Result<(), Problem> {
        self.work.give_way().await
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
