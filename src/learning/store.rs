//! Models, promotions and counts in the database.

use std::future;

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use linkage::{Frequencies, Model, Person, key::SCHEME};
use sqlx::{Connection, Executor, PgConnection, PgExecutor, types::Json};
use uuid::Uuid;

use super::{Origin, Report};
use crate::{audit::Kept, problem::Problem, work::Errands};

/// What is in force, by its numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Numbers {
    /// The version that was promoted last; none before any promotion.
    pub(super) promoted: Option<i32>,
    /// The newest revision of the counts.
    pub(super) revision: Option<i32>,
}

/// What is in force now.
pub(super) async fn numbers(db: impl PgExecutor<'_>) -> Result<Numbers, sqlx::Error> {
    sqlx::query_as!(
        Numbers,
        "select (select version from match_promotion order by promotion desc limit 1) as promoted,
                (select max(revision) from match_frequencies) as revision",
    )
    .fetch_one(db)
    .await
}

/// The version under which the model of this release is kept; it is kept where it is not yet.
pub(super) async fn shipped(
    db: &mut PgConnection,
    model: &Model,
    now: DateTime<Utc>,
) -> Result<i32, sqlx::Error> {
    if let Some(version) = held_as(db, model).await? {
        return Ok(version);
    }
    let mut transaction = db.begin().await?;
    sqlx::query!("select pg_advisory_xact_lock(7261047)").fetch_one(transaction.as_mut()).await?;
    let version = match held_as(&mut transaction, model).await? {
        Some(version) => version,
        None => {
            sqlx::query_scalar!(
                "insert into match_model (made_at, origin, model) values ($1, 'shipped', $2) returning version",
                now,
                Json(model) as _,
            )
            .fetch_one(transaction.as_mut())
            .await?
        }
    };
    transaction.commit().await?;
    Ok(version)
}

async fn held_as(db: &mut PgConnection, model: &Model) -> Result<Option<i32>, sqlx::Error> {
    sqlx::query_scalar!(
        "select version from match_model where origin = 'shipped' and model = $1 order by version limit 1",
        Json(model) as _,
    )
    .fetch_optional(db)
    .await
}

/// A model.
pub(super) async fn model(
    db: impl PgExecutor<'_>,
    version: i32,
) -> Result<Option<Model>, sqlx::Error> {
    let model = sqlx::query_scalar!(
        r#"select model as "model: Json<Model>" from match_model where version = $1"#,
        version,
    );
    Ok(model.fetch_optional(db).await?.map(|model| model.0))
}

/// Counts of the index.
pub(super) async fn frequencies(
    db: impl PgExecutor<'_>,
    revision: i32,
) -> Result<Option<Frequencies>, sqlx::Error> {
    let frequencies = sqlx::query_scalar!(
        r#"select frequencies as "frequencies: Json<Frequencies>" from match_frequencies where revision = $1"#,
        revision,
    );
    Ok(frequencies.fetch_optional(db).await?.map(|frequencies| frequencies.0))
}

/// How many children the index holds, as PostgreSQL's statistics tell, and how many it held when it was counted last, and when.
pub(super) async fn grown(
    db: impl PgExecutor<'_>,
) -> Result<(u64, Option<(u64, DateTime<Utc>)>), sqlx::Error> {
    let row = sqlx::query!(
        r#"
        select coalesce((select n_live_tup from pg_stat_user_tables
                         where schemaname = 'public' and relname = 'match_entry'), 0) as "children!",
               f.children as "before?", f.counted_at as "at?"
        from (select) as one
        left join lateral (select children, counted_at from match_frequencies order by revision desc limit 1) f on true
        "#
    )
    .fetch_one(db)
    .await?;
    let number = |n: i64| u64::try_from(n).unwrap_or_default();
    Ok((number(row.children), row.before.zip(row.at).map(|(before, at)| (number(before), at))))
}

/// Lets one instance count at a time; says whether this is the one, until the connection ends.
pub(super) async fn alone(db: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let held = sqlx::query_scalar!(r#"select pg_try_advisory_lock(7261048) as "held!""#);
    held.fetch_one(db).await
}

/// As many children are counted at most.
pub(super) const COUNTED: i64 = 500_000;

/// A child of a sample.
struct Packed {
    child_id: Uuid,
    packed: Vec<u8>,
}

/// A sample of the index, of about as many children as are counted at most; all where they are fewer.
pub(super) fn sample(
    db: &mut PgConnection,
    children: u64,
) -> BoxStream<'_, Result<(Uuid, Person), sqlx::Error>> {
    #[expect(clippy::cast_precision_loss, reason = "a share is no matter of single children")]
    let share = (100.0 * COUNTED as f64 / children.max(1) as f64).min(100.0);
    #[expect(clippy::cast_possible_truncation, reason = "as far as PostgreSQL takes it")]
    let rows = sqlx::query_as!(
        Packed,
        "select child_id, packed from match_entry tablesample system ($1) where scheme = $2 limit $3",
        share as f32,
        SCHEME,
        COUNTED,
    )
    .fetch(db);
    // Under a shield that was raised a moment ago there is nothing.
    let person =
        |row: &Packed| Person::unpack(&row.packed).ok().map(|person| (row.child_id, person));
    rows.try_filter_map(move |row| future::ready(Ok(person(&row)))).boxed()
}

/// Keeps counts; says their revision.
pub(super) async fn keep_frequencies(
    work: &mut Errands,
    children: u64,
    frequencies: &Frequencies,
) -> Result<i32, sqlx::Error> {
    let now = work.now;
    sqlx::query_scalar!(
        "insert into match_frequencies (counted_at, children, frequencies) values ($1, $2, $3) returning revision",
        now,
        i64::try_from(children).unwrap_or(i64::MAX),
        Json(frequencies) as _,
    )
    .fetch_one(work.db())
    .await
}

/// Keeps a model that was trained; says its version.
pub(super) async fn keep_model(
    work: &mut Errands,
    model: &Model,
    report: &Report,
) -> Result<i32, sqlx::Error> {
    let now = work.now;
    sqlx::query_scalar!(
        "insert into match_model (made_at, origin, model, report) values ($1, 'trained', $2, $3) returning version",
        now,
        Json(model) as _,
        Json(report) as _,
    )
    .fetch_one(work.db())
    .await
}

/// Puts a model in force; says whether there is such a model.
pub(super) async fn promote(
    work: &mut Errands,
    version: i32,
    reason: &str,
) -> Result<bool, sqlx::Error> {
    let now = work.now;
    let done = sqlx::query!(
        "insert into match_promotion (version, promoted_at, reason)
         select version, $2, $3 from match_model where version = $1",
        version,
        now,
        reason,
    );
    Ok(done.execute(work.db()).await?.rows_affected() == 1)
}

/// A model in the list of all.
#[derive(Debug)]
pub struct Listed {
    /// Its version.
    pub version: i32,
    /// When it was made.
    pub made_at: DateTime<Utc>,
    /// Where it comes from.
    pub origin: Origin,
    /// How many records it was trained on, and how many pairs of one child are expected among them.
    pub report: Option<Report>,
    /// When it was put in force last, and why.
    pub promoted_at: Option<DateTime<Utc>>,
    /// Why.
    pub reason: Option<String>,
}

/// Every model, oldest first.
pub(super) async fn models(db: impl PgExecutor<'_>) -> Result<Vec<Listed>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select m.version, m.made_at, m.origin, m.report as "report: Json<Report>",
               p.promoted_at as "promoted_at?", p.reason as "reason?"
        from match_model m
        left join lateral (select promoted_at, reason from match_promotion p
                           where p.version = m.version order by promotion desc limit 1) p on true
        order by m.version
        "#
    )
    .fetch_all(db)
    .await?;
    let listed = rows.into_iter().map(|row| Listed {
        version: row.version,
        made_at: row.made_at,
        origin: if row.origin == "trained" { Origin::Trained } else { Origin::Shipped },
        report: row.report.map(|report| report.0),
        promoted_at: row.promoted_at,
        reason: row.reason,
    });
    Ok(listed.collect())
}

/// Hides the index of this session behind an empty one, which ends with the session.
pub(super) async fn hide(db: &mut PgConnection) -> Result<(), sqlx::Error> {
    db.execute("create temporary table match_entry (like public.match_entry including defaults)")
        .await?;
    Ok(())
}

/// Puts records in the index that hides the other; they are found once [`ready`] is done.
pub(super) async fn hold(db: &mut PgConnection, people: &[(Uuid, &Person)]) -> Result<(), Problem> {
    use std::fmt::Write as _;
    let mut rows = String::new();
    for (id, person) in people {
        let keys: Vec<_> = person.keys().iter().map(i64::to_string).collect();
        let _ = write!(rows, "{id}\tf\t\\N\t{SCHEME}\t{{{}}}\t\\\\x", keys.join(","));
        for byte in person.pack().map_err(Problem::internal)? {
            let _ = write!(rows, "{byte:02x}");
        }
        rows.push('\n');
    }
    let mut copy = db
        .copy_in_raw(
            "copy pg_temp.match_entry (child_id, shielded, archives_on, scheme, keys, packed) from stdin",
        )
        .await?;
    copy.send(rows.into_bytes()).await?;
    copy.finish().await?;
    Ok(())
}

/// Makes the records found by their keys.
pub(super) async fn ready(db: &mut PgConnection) -> Result<(), sqlx::Error> {
    db.execute(
        "create index on pg_temp.match_entry using gin (keys) with (fastupdate = off); analyze pg_temp.match_entry",
    )
    .await?;
    Ok(())
}

/// What an event of matching says, as it is kept, and when it began.
pub(super) async fn event(
    db: impl PgExecutor<'_>,
    event: Uuid,
) -> Result<Option<(DateTime<Utc>, Kept)>, sqlx::Error> {
    let kept = sqlx::query!(
        r#"select e.at, json_build_object('hidden', e.hidden, 'key', k.sealed, 'details', e.details) as "kept!: Json<Kept>"
           from audit_event e left join audit_key k on k.month = audit_month(e.at)
           where e.event_id = $1 and e.operation in ('match_child', 'search_children')"#,
        event,
    );
    Ok(kept.fetch_optional(db).await?.map(|event| (event.at, event.kept.0)))
}
