//! One unit of work: a look or a change that knows who is acting, and ends only by writing down what was done.

mod answer;
mod arrival;
mod change;
mod db;
mod errand;
mod look;
mod once;
mod replica;
mod silence;
mod unit;
mod way;

pub use self::{
    answer::{Answer, Lines, Reply},
    arrival::{Arrival, SignIn},
    change::Work,
    db::{Connections, Db, Places, alone, guarded},
    errand::Errands,
    look::{Look, Piece, Requester},
    once::Begun,
    replica::{Nearness, follow_replica},
    silence::{SHORT_SILENCE, SILENCE, unless_silent},
};
pub(crate) use self::{
    change::Midway,
    once::blind_location,
    silence::goes_on,
    unit::{Author, Unit, WordOf},
    way::give_way,
};

use sqlx::PgConnection;

use crate::{
    audit::{Event, leaf::Taken, ledger::Ledger, unaudited},
    digest::Once,
    problem::{Kind, Problem},
    scribe::{self, Line},
};

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
