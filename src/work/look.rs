//! A look: reads outside a transaction, written down before it is answered.

use std::{future::ready, iter, sync::Arc};

use actix_web::{http::StatusCode, web::Bytes};
use chrono::{DateTime, NaiveDate, Utc};
use futures_util::{StreamExt, stream};
use serde::Serialize;
use sqlx::PgPool;
use tokio::sync::OwnedSemaphorePermit;

use super::{Answer, Db, Lines, Reply, spend_proof};
use crate::{
    access::{Access, Caller, Errand, Permission, Role, Sight, Viewer},
    audit::{Event, Trail},
    clock::day_in_london,
    ids::{AccountId, EventId, OrganisationId},
    matching::matcher::{InForce, Matchers},
    organisation::OrganisationKind,
    problem::{Kind, Problem},
    scribe::Scribe,
    seal::Vault,
};

impl<P: Permission> Access<P> {
    /// Begins a look at what may be a few seconds old: at a replica, where there is one that is near.
    pub async fn look_at_aged(self, db: &Db) -> Result<Look, Problem> {
        let reader = db.aged().clone();
        Ok(Look { reader, ..self.look(db).await? })
    }

    /// Begins a look. Whether the caller may still act is told with the writing of its event; whether the one for whom
    /// they look may do the same, now.
    pub async fn look(self, db: &Db) -> Result<Look, Problem> {
        let (place, now) = (db.enter()?, db.now());
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
            place: Some(place),
        })
    }
}

/// The person for whom a caller looks.
#[derive(Debug, Clone, Copy)]
pub struct Requester {
    /// What decides on what they may see.
    pub viewer: Viewer,
    /// The kind of body that they work for.
    pub body: OrganisationKind,
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
    /// Among those that are worked on; one who is told at length gives it up.
    place: Option<OwnedSemaphorePermit>,
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
        mut self,
        kind: &'static str,
        begin: P,
        read: impl AsyncFn(&Self, P, bool) -> Result<Piece<P>, Problem> + 'static,
    ) -> Reply<T> {
        let first = self.piece(read(&self, begin, true).await?).await?;
        self.place = None;
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
