//! What is done once, however often it is asked for with the same key.

use std::marker::PhantomData;

use actix_web::http::StatusCode;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Answer, Db, Reply, Work};
use crate::{
    access::{Access, Permission},
    audit::Trail,
    http::IdempotencyKey,
    ids::ChildId,
    problem::{Kind, Problem},
    seal::{Place, Sealed, Vault},
};

/// What [`Access::begin_once`] finds.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once")]
pub enum Begun<T> {
    /// The request comes for the first time.
    First(Work),
    /// It was done before; this is what was answered.
    Repeat(Answer<T>),
}

impl<P: Permission> Access<P> {
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

impl Work {
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

    pub(super) async fn created<T>(
        mut self,
        trail: Trail,
        answer: Answer<T>,
        body: String,
    ) -> Reply<T> {
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

/// Another request with the same key is not at its end.
fn in_progress(error: sqlx::Error) -> Problem {
    match error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref() {
        Some("55P03") => Problem::from(Kind::RequestInProgress).retry_after(1),
        _ => error.into(),
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
