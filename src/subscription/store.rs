//! Subscriptions and what is delivered to them, in the database.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

use super::{
    Delivery, DeliveryStatus, EventAbout, MOST, Subscription, SubscriptionStatus, event::Pointer,
};
use crate::{
    change::ChangeKind,
    ids::{ChildId, DeliveryId, IndexNumber, OrganisationId, SubscriptionId},
    problem::{Kind, Problem},
    work::{Errands, Look, Work},
};

/// How many changes are looked through in one transaction.
pub(super) const LOOKED_THROUGH: i64 = 5_000;
/// How many events one worker takes at a time.
const TAKEN: i64 = 20;
/// How long one worker holds a subscription: longer than it takes to send what it took.
const LEASE: TimeDelta = TimeDelta::minutes(2);

/// The subscriptions of the caller's organisation.
pub(super) async fn list(look: &Look) -> Result<Vec<Subscription>, Problem> {
    all(look.db(), look.caller.organisation).await
}

async fn all(
    db: impl PgExecutor<'_>,
    organisation: OrganisationId,
) -> Result<Vec<Subscription>, Problem> {
    let rows = sqlx::query_as!(
        Subscription,
        r#"select subscription_id as "id: SubscriptionId", target, status as "status: SubscriptionStatus", created_at, confirmed_at, version
           from subscription where organisation_id = $1 order by created_at, subscription_id"#,
        organisation.0,
    );
    Ok(rows.fetch_all(db).await?)
}

/// Opens a subscription of the caller's organisation.
pub(super) async fn open(look: &Look, id: SubscriptionId) -> Result<Subscription, Problem> {
    read(look.db(), look.caller.organisation, id).await
}

async fn read(
    db: impl PgExecutor<'_>,
    organisation: OrganisationId,
    id: SubscriptionId,
) -> Result<Subscription, Problem> {
    let row = sqlx::query_as!(
        Subscription,
        r#"select subscription_id as "id: SubscriptionId", target, status as "status: SubscriptionStatus", created_at, confirmed_at, version
           from subscription where subscription_id = $1 and organisation_id = $2"#,
        id.0,
        organisation.0,
    );
    row.fetch_optional(db).await?.ok_or_else(|| Kind::NotFound.into())
}

/// Holds a subscription of the caller's organisation until the work is done.
pub(super) async fn lock(work: &mut Work, id: SubscriptionId) -> Result<Subscription, Problem> {
    let own = work.caller.organisation;
    sqlx::query!(
        "select subscription_id from subscription where subscription_id = $1 and organisation_id = $2 for update",
        id.0,
        own.0,
    )
    .fetch_optional(work.db())
    .await?;
    read(work.db(), own, id).await
}

/// Adds a subscription, unless the organisation has as many as it may have.
pub(super) async fn insert(work: &mut Work, target: &str) -> Result<Subscription, Problem> {
    let (id, own, by, now) =
        (SubscriptionId::new(), work.caller.organisation, work.caller.subject.uuid(), work.now);
    sqlx::query!("select from organisation where organisation_id = $1 for no key update", own.0)
        .execute(work.db())
        .await?;
    let made = sqlx::query!(
        "insert into subscription (subscription_id, organisation_id, target, created_by, created_at)
         select $1, $2, $3, $4, $5 where (select count(*) from subscription where organisation_id = $2) < $6",
        id.0,
        own.0,
        target,
        by,
        now,
        MOST,
    )
    .execute(work.db())
    .await?;
    if made.rows_affected() == 0 {
        return Err(Kind::TooManySubscriptions.into());
    }
    read(work.db(), own, id).await
}

/// Writes where events are sent, and whether they are.
pub(super) async fn save(
    work: &mut Work,
    id: SubscriptionId,
    target: &str,
    status: SubscriptionStatus,
) -> Result<Subscription, Problem> {
    sqlx::query!(
        "update subscription set target = $2, status = $3, version = version + 1
         where subscription_id = $1",
        id.0,
        target,
        status.as_str(),
    )
    .execute(work.db())
    .await?;
    let own = work.caller.organisation;
    read(work.db(), own, id).await
}

/// Ends a subscription, and with it what was to be sent; what remains.
pub(super) async fn delete(
    work: &mut Work,
    id: SubscriptionId,
) -> Result<Vec<Subscription>, Problem> {
    sqlx::query!("delete from subscription where subscription_id = $1", id.0)
        .execute(work.db())
        .await?;
    let own = work.caller.organisation;
    all(work.db(), own).await
}

/// Has a ping sent.
pub(super) async fn ping(work: &mut Work, id: SubscriptionId) -> Result<Delivery, Problem> {
    let (ping, now) = (DeliveryId::new(), work.now);
    sqlx::query!(
        "insert into delivery (delivery_id, subscription_id, made_at, next_at) values ($1, $2, $3, $3)",
        ping.0,
        id.0,
        now,
    )
    .execute(work.db())
    .await?;
    let own = work.caller.organisation;
    one(work.db(), own, id, ping).await
}

struct Row {
    id: DeliveryId,
    ping: bool,
    status: DeliveryStatus,
    made_at: DateTime<Utc>,
    attempts: i32,
    next_at: DateTime<Utc>,
    tried_at: Option<DateTime<Utc>>,
    outcome: Option<String>,
    version: i64,
}

impl From<Row> for Delivery {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            about: if row.ping { EventAbout::Ping } else { EventAbout::Change },
            status: row.status,
            made_at: row.made_at,
            attempts: row.attempts,
            next_at: (row.status == DeliveryStatus::Waiting).then_some(row.next_at),
            tried_at: row.tried_at,
            outcome: row.outcome,
            version: row.version,
        }
    }
}

/// A page of the deliveries of a subscription; one more than asked for where there is a next page.
pub(super) async fn deliveries(
    look: &Look,
    subscription: SubscriptionId,
    status: Option<DeliveryStatus>,
    after: (DateTime<Utc>, Uuid),
    limit: i64,
) -> Result<Vec<Delivery>, Problem> {
    let rows = sqlx::query_as!(
        Row,
        r#"select delivery_id as "id: DeliveryId", child_id is null as "ping!", status as "status: DeliveryStatus", made_at, attempts,
                  next_at, tried_at, outcome, version
           from delivery
           where subscription_id = $1 and (made_at, delivery_id) > ($2, $3) and ($4::text is null or status = $4)
           order by made_at, delivery_id limit $5"#,
        subscription.0,
        after.0,
        after.1,
        status.map(DeliveryStatus::as_str),
        limit,
    )
    .fetch_all(look.db())
    .await?;
    Ok(rows.into_iter().map(Delivery::from).collect())
}

/// Opens a delivery to a subscription of the caller's organisation.
pub(super) async fn delivery(
    look: &Look,
    subscription: SubscriptionId,
    id: DeliveryId,
) -> Result<Delivery, Problem> {
    one(look.db(), look.caller.organisation, subscription, id).await
}

async fn one(
    db: impl PgExecutor<'_>,
    organisation: OrganisationId,
    subscription: SubscriptionId,
    id: DeliveryId,
) -> Result<Delivery, Problem> {
    let row = sqlx::query_as!(
        Row,
        r#"select d.delivery_id as "id: DeliveryId", d.child_id is null as "ping!", d.status as "status: DeliveryStatus", d.made_at,
                  d.attempts, d.next_at, d.tried_at, d.outcome, d.version
           from delivery d
           join subscription s on s.subscription_id = d.subscription_id
           where d.delivery_id = $1 and d.subscription_id = $2 and s.organisation_id = $3"#,
        id.0,
        subscription.0,
        organisation.0,
    );
    row.fetch_optional(db).await?.map(Delivery::from).ok_or_else(|| Kind::NotFound.into())
}

/// Holds a delivery to a subscription of the caller's organisation until the work is done.
pub(super) async fn lock_delivery(
    work: &mut Work,
    subscription: SubscriptionId,
    id: DeliveryId,
) -> Result<Delivery, Problem> {
    let own = work.caller.organisation;
    sqlx::query!(
        "select d.delivery_id from delivery d join subscription s on s.subscription_id = d.subscription_id
         where d.delivery_id = $1 and d.subscription_id = $2 and s.organisation_id = $3 for update of d",
        id.0,
        subscription.0,
        own.0,
    )
    .fetch_optional(work.db())
    .await?;
    one(work.db(), own, subscription, id).await
}

/// Has an event sent again, from the beginning of its tries.
pub(super) async fn replay(
    work: &mut Work,
    subscription: SubscriptionId,
    id: DeliveryId,
) -> Result<Delivery, Problem> {
    let (own, now) = (work.caller.organisation, work.now);
    sqlx::query!(
        "update delivery set status = 'waiting', attempts = 0, next_at = $2, version = version + 1 where delivery_id = $1",
        id.0,
        now,
    )
    .execute(work.db())
    .await?;
    one(work.db(), own, subscription, id).await
}

/// What there is to do: whether changes wait to be made events of, and how many subscriptions have something to be sent.
/// While nobody subscribes, changes wait for a minute, so that many are passed over at once.
pub(super) async fn waiting(
    db: impl PgExecutor<'_>,
    now: DateTime<Utc>,
) -> Result<(bool, i64), Problem> {
    let row = sqlx::query!(
        r#"select exists (select from change
                          where (xid, position) > ((select xid from change_cursor where name = 'webhooks'),
                                                   (select position from change_cursor where name = 'webhooks'))
                            and xid < pg_snapshot_xmin(pg_current_snapshot())
                            and (at < now() - interval '1 minute'
                                 or exists (select from subscription where confirmed_at is not null))) as "behind!",
                  (select count(*) from subscription s
                   where (s.leased_until is null or s.leased_until <= $1)
                     and exists (select from delivery d where d.subscription_id = s.subscription_id and d.status = 'waiting' and d.next_at <= $1
                                 and (s.status = 'active' or d.child_id is null))) as "due!""#,
        now,
    )
    .fetch_one(db)
    .await?;
    Ok((row.behind, row.due))
}

/// Makes events of the changes after those of which events were made; how many changes it looked through, and how many events it
/// made. One instance at a time does it. As with a reader, only what lies below every running transaction is taken. `offset 0` keeps
/// each change looked up by its child, whatever the planner takes their number to be.
pub(super) async fn fan_out(work: &mut Errands, today: NaiveDate) -> Result<(i64, i64), Problem> {
    let now = work.now;
    let held = sqlx::query_scalar!(
        "select name from change_cursor where name = 'webhooks' for update skip locked"
    )
    .fetch_optional(work.db())
    .await?;
    if held.is_none() {
        return Ok((0, 0));
    }
    let row = sqlx::query!(
        r#"
        with looked as materialized (
            select * from change
            where (xid, position) > ((select xid from change_cursor where name = 'webhooks'),
                                     (select position from change_cursor where name = 'webhooks'))
              and xid < pg_snapshot_xmin(pg_current_snapshot())
            order by xid, position limit $1
        ), concerned as (
            select l.xid, l.position, w.subscription_id
            from (select * from looked where exists (select from subscription where confirmed_at is not null)) l
            cross join lateral (
                select s.subscription_id from child c
                join involvement i on i.child_id = coalesce(c.merged_into, c.child_id)
                join subscription s on s.organisation_id = i.organisation_id and s.confirmed_at is not null
                where c.child_id = l.child_id offset 0
            ) w
            union
            select l.xid, l.position, s.subscription_id from looked l
            join subscription s on s.organisation_id = l.organisation_id and s.confirmed_at is not null
        ), made as (
            insert into delivery (delivery_id, subscription_id, child_id, xid, position, made_at, next_at)
            select gen_random_uuid(), c.subscription_id, l.child_id, l.xid, l.position, $2, $2
            from concerned c
            join looked l on l.xid = c.xid and l.position = c.position
            join subscription s on s.subscription_id = c.subscription_id
            cross join lateral change_told(l.child_id, l.kind, l.organisation_id, l.hidden, s.organisation_id, false, false, $3) t
            on conflict do nothing
            returning 1
        ), moved as (
            update change_cursor c set xid = last.xid, position = last.position
            from (select xid, position from looked order by xid desc, position desc limit 1) last
            where c.name = 'webhooks'
        )
        select (select count(*) from looked) as "looked!", (select count(*) from made) as "made!"
        "#,
        LOOKED_THROUGH,
        now,
        today,
    )
    .fetch_one(work.db())
    .await?;
    Ok((row.looked, row.made))
}

/// What a worker has taken to send: some events of one subscription.
#[derive(Debug, Clone)]
pub struct Taken {
    pub(super) subscription: SubscriptionId,
    pub(super) target: String,
    pub(super) events: Vec<TakenEvent>,
}

/// An event that was taken. One of a change that may not be told any more points to nothing.
#[derive(Debug, Clone)]
pub(super) struct TakenEvent {
    pub(super) id: DeliveryId,
    pub(super) child: Option<ChildId>,
    pub(super) told: Option<Pointer>,
    pub(super) at: DateTime<Utc>,
    pub(super) attempts: i32,
}

/// Takes a subscription that nobody else holds and that has something to be sent, and what is to be sent; nothing while everything
/// is stopped, nor to an organisation that may not act.
pub(super) async fn take(work: &mut Errands, today: NaiveDate) -> Result<Option<Taken>, Problem> {
    let now = work.now;
    let held = sqlx::query!(
        r#"
        update subscription set leased_until = $2
        where subscription_id = (
            select s.subscription_id from subscription s
            join organisation o on o.organisation_id = s.organisation_id and o.status = 'accredited'
                and (o.accredited_from is null or o.accredited_from <= $3) and (o.accredited_until is null or o.accredited_until >= $3)
            where (s.leased_until is null or s.leased_until <= $1) and not exists (select from stop)
              and exists (select from delivery d where d.subscription_id = s.subscription_id and d.status = 'waiting' and d.next_at <= $1
                          and (s.status = 'active' or d.child_id is null))
            order by s.leased_until nulls first limit 1
            for update of s skip locked)
        returning subscription_id as "subscription: SubscriptionId", target, organisation_id, status = 'active' as "active!"
        "#,
        now,
        now + LEASE,
        today,
    )
    .fetch_optional(work.db())
    .await?;
    let Some(held) = held else { return Ok(None) };
    let rows = sqlx::query!(
        r#"
        select d.delivery_id as "id: DeliveryId", d.child_id as "child: ChildId", d.attempts, coalesce(r.at, d.made_at) as "at!",
               t.kind as "kind?: ChangeKind", t.index_number as "number?: IndexNumber", t.survivor as "into?: IndexNumber"
        from delivery d
        left join change r on r.xid = d.xid and r.position = d.position
        left join lateral change_told(r.child_id, r.kind, r.organisation_id, r.hidden, $2, false, false, $3) t on true
        where d.subscription_id = $1 and d.status = 'waiting' and d.next_at <= $4 and ($5 or d.child_id is null)
        order by d.next_at, d.xid, d.position limit $6
        "#,
        held.subscription.0,
        held.organisation_id,
        today,
        now,
        held.active,
        TAKEN,
    )
    .fetch_all(work.db())
    .await?;
    let events = rows
        .into_iter()
        .map(|row| TakenEvent {
            id: row.id,
            child: row.child,
            told: row.number.zip(row.kind).map(|(index_number, kind)| Pointer {
                index_number,
                kind,
                into: row.into,
            }),
            at: row.at,
            attempts: row.attempts,
        })
        .collect();
    Ok(Some(Taken { subscription: held.subscription, target: held.target, events }))
}

/// How an event stands after it was taken.
#[derive(Debug, Clone)]
pub(super) struct Settled {
    pub(super) id: DeliveryId,
    pub(super) status: DeliveryStatus,
    pub(super) attempts: i32,
    pub(super) next_at: DateTime<Utc>,
    pub(super) outcome: Option<String>,
}

/// Writes down what came of what was taken, and lets go of the subscription; where a ping was answered at the address that it
/// still has, it is active.
pub(super) async fn settle(
    work: &mut Errands,
    taken: &Taken,
    settled: &[Settled],
    answered: bool,
) -> Result<(), Problem> {
    let now = work.now;
    let ids: Vec<_> = settled.iter().map(|settled| settled.id.0).collect();
    let statuses: Vec<_> =
        settled.iter().map(|settled| settled.status.as_str().to_owned()).collect();
    let attempts: Vec<_> = settled.iter().map(|settled| settled.attempts).collect();
    let next: Vec<_> = settled.iter().map(|settled| settled.next_at).collect();
    let outcomes: Vec<_> = settled.iter().map(|settled| settled.outcome.clone()).collect();
    sqlx::query!(
        "update delivery d set status = s.status, attempts = s.attempts, next_at = s.next_at, outcome = s.outcome, tried_at = $6,
             version = version + 1
         from unnest($1::uuid[], $2::text[], $3::int[], $4::timestamptz[], $5::text[]) as s (id, status, attempts, next_at, outcome)
         where d.delivery_id = s.id and d.status = 'waiting'",
        &ids,
        &statuses,
        &attempts,
        &next,
        &outcomes as _,
        now,
    )
    .execute(work.db())
    .await?;
    sqlx::query!(
        "update subscription set leased_until = null,
             confirmed_at = case when $2 and target = $3 and status = 'unconfirmed' then $4 else confirmed_at end,
             version = version + case when $2 and target = $3 and status = 'unconfirmed' then 1 else 0 end,
             status = case when $2 and target = $3 and status = 'unconfirmed' then 'active' else status end
         where subscription_id = $1",
        taken.subscription.0,
        answered,
        taken.target,
        now,
    )
    .execute(work.db())
    .await?;
    Ok(())
}
