//! What an instance writes events by: its numbers, and the keys of the months.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use chrono::{Datelike, Months, NaiveDate};
use secrecy::ExposeSecret;
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use uuid::Uuid;

use super::{Event, Hidden, leaf::Numbers, unaudited};
use crate::{keys::Cipher, problem::Problem, seal::Vault};

/// What an instance writes events by. All that write in one process share it.
#[derive(Debug, Clone)]
pub struct Ledger(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    instance: Uuid,
    options: PgConnectOptions,
    vault: Vault,
    numbers: Numbers,
    months: RwLock<BTreeMap<NaiveDate, Arc<Cipher>>>,
}

impl Ledger {
    /// One for a new instance, which has the keys of months from this database.
    #[must_use]
    pub fn new(options: &PgConnectOptions, vault: Vault) -> Self {
        let (instance, options) = (Uuid::new_v4(), options.clone());
        let (numbers, months) = (Numbers::default(), RwLock::default());
        Self(Arc::new(Inner { instance, options, vault, numbers, months }))
    }

    /// The number of the instance.
    #[must_use]
    pub fn instance(&self) -> Uuid {
        self.0.instance
    }

    /// What seals the keys of the months.
    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.0.vault
    }

    pub(crate) fn numbers(&self) -> &Numbers {
        &self.0.numbers
    }

    /// What an event hides, under the key of its month.
    pub(crate) async fn hide(&self, event: &Event, hidden: &Hidden) -> Result<Vec<u8>, Problem> {
        let key = self.key(Hidden::month(event.at)).await.map_err(unaudited)?;
        let plaintext = serde_json::to_vec(hidden).map_err(Problem::internal)?;
        key.seal(&plaintext, event.id.0.as_bytes()).map_err(Problem::internal)
    }

    /// Makes sure that this month and the three after it have keys.
    pub async fn prepare(&self, day: NaiveDate) -> Result<(), Problem> {
        let mut month = day.with_day0(0).unwrap_or(day);
        for _ in 0..4 {
            self.key(month).await.map_err(unaudited)?;
            month = month.checked_add_months(Months::new(1)).unwrap_or(month);
        }
        Ok(())
    }

    async fn key(&self, month: NaiveDate) -> anyhow::Result<Arc<Cipher>> {
        if let Some(key) = self.known(month) {
            return Ok(key);
        }
        let key = Arc::new(self.read_or_make(month).await?);
        let mut known = self.0.months.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(month, Arc::clone(&key));
        Ok(key)
    }

    fn known(&self, month: NaiveDate) -> Option<Arc<Cipher>> {
        let known = self.0.months.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&month).cloned()
    }

    /// On a connection of its own, so that a key never goes with a transaction that is undone.
    async fn read_or_make(&self, month: NaiveDate) -> anyhow::Result<Cipher> {
        let vault = &self.0.vault;
        let mut connection = PgConnection::connect_with(&self.0.options).await?;
        let mut sealed = kept(&mut connection, month).await?;
        if sealed.is_none() {
            let new = Cipher::random()?;
            let new = vault.seal(&*new, &Hidden::place_of_key(month))?;
            sqlx::query!(
                "insert into audit_key (month, sealed) values ($1, $2) on conflict do nothing",
                month,
                new,
            )
            .execute(&mut connection)
            .await?;
            sealed = kept(&mut connection, month).await?;
        }
        connection.close().await?;
        let sealed =
            sealed.ok_or_else(|| anyhow::anyhow!("the key of a month could not be kept"))?;
        let key = vault.open(&sealed, &Hidden::place_of_key(month))?;
        Ok(Cipher::new(key.expose_secret())?)
    }
}

async fn kept(db: &mut PgConnection, month: NaiveDate) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar!("select sealed from audit_key where month = $1", month)
        .fetch_optional(db)
        .await
}
