//! Subscriptions, over HTTP.

use actix_web::{
    delete, get, patch, post, put,
    web::{Data, Path},
};
use chrono::{DateTime, Utc};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{
    Deliveries, Delivery, DeliveryQuery, Subscription, SubscriptionChange, SubscriptionIn,
    SubscriptionStatus, Subscriptions, store,
};
use crate::{
    access::{Access, Permission, ReadSubscription, WriteSubscription},
    audit::Trail,
    cursor,
    http::{IdempotencyKey, IfMatch, Json, Query},
    ids::{DeliveryId, SubscriptionId},
    problem::Problem,
    remote::RemoteKeys,
    work::{Begun, Db, Reply},
};

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(list_subscriptions);
    api.service(subscribe);
    api.service(open_subscription);
    api.service(change_subscription);
    api.service(unsubscribe);
    api.service(ping_subscription);
    api.service(list_deliveries);
    api.service(open_delivery);
    api.service(replay_delivery);
}

/// List subscriptions
///
/// Those of your own organisation.
#[utoipa::path(
    tag = "subscriptions",
    security(("bearer" = [ReadSubscription::SCOPE])),
    responses((status = 200, description = "The subscriptions.", body = Subscriptions)),
)]
#[get("/subscriptions")]
async fn list_subscriptions(
    access: Access<ReadSubscription>,
    db: Data<Db>,
) -> Reply<Subscriptions> {
    let look = access.look(&db).await?;
    let items = store::list(&look).await?;
    look.record(Trail::default(), Subscriptions { items }).await
}

/// Have changes sent to an address
///
/// What `GET /v1/changes` tells a system of your organisation is sent there as `CloudEvents` 1.0 (JSON, structured mode), each a
/// pointer without personal data, signed as RFC 9421 has it over `@method`, `@target-uri`, `content-digest` (RFC 9530) and
/// `content-type` with a key of `/.well-known/jwks.json`. First a ping is sent, and nothing else until a ping was answered with
/// a status from 200 to 299. An event may come twice, and before another that is older: its `id` stays the same. It is tried
/// again after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h where it was not answered so within 30 seconds. At most 10
/// for an organisation. Needs a sign-in within the last 5 minutes.
#[utoipa::path(
    tag = "subscriptions",
    security(("bearer" = [WriteSubscription::SCOPE])),
    request_body = SubscriptionIn,
    responses((status = 201, description = "The subscription.", body = Subscription, headers(
        ("ETag" = String, description = "The version of the subscription, for `If-Match`."),
        ("Location" = String, description = "Where the subscription is."),
    ))),
)]
#[post("/subscriptions")]
async fn subscribe(
    access: Access<WriteSubscription>,
    key: IdempotencyKey,
    body: Json<SubscriptionIn>,
    remote: Data<RemoteKeys>,
    db: Data<Db>,
) -> Reply<Subscription> {
    let mut work = match access.begin_once(&db, key, body.digest, "").await? {
        Begun::First(work) => work,
        Begun::Repeat(answer) => return Ok(answer),
    };
    may_be_told(&remote, &body.value.target)?;
    let subscription = store::insert(&mut work, &body.value.target).await?;
    store::ping(&mut work, subscription.id).await?;
    let (id, version) = (subscription.id, subscription.version);
    let trail = Trail::default().with(json!({ "subscription": id, "target": body.value.target }));
    work.record_created(trail, subscription, format!("/v1/subscriptions/{id}"), version).await
}

/// Open a subscription
///
/// Where events are sent, and whether they are.
#[utoipa::path(
    tag = "subscriptions",
    security(("bearer" = [ReadSubscription::SCOPE])),
    params(("subscriptionId" = SubscriptionId, Path, description = "The subscription.")),
    responses((status = 200, description = "The subscription.", body = Subscription, headers(
        ("ETag" = String, description = "The version of the subscription, for `If-Match`."),
    ))),
)]
#[get("/subscriptions/{subscriptionId}")]
async fn open_subscription(
    access: Access<ReadSubscription>,
    id: Path<SubscriptionId>,
    db: Data<Db>,
) -> Reply<Subscription> {
    let look = access.look(&db).await?;
    let subscription = store::open(&look, *id).await?;
    let version = subscription.version;
    let trail = Trail::default().with(json!({ "subscription": *id }));
    Ok(look.record(trail, subscription).await?.version(version))
}

/// Change or pause a subscription
///
/// A new address must answer a ping, which is sent at once, before anything else is sent there; events are kept until then, and
/// while the subscription is paused. Needs a sign-in within the last 5 minutes.
#[utoipa::path(
    tag = "subscriptions",
    security(("bearer" = [WriteSubscription::SCOPE])),
    params(("subscriptionId" = SubscriptionId, Path, description = "The subscription.")),
    request_body = SubscriptionChange,
    responses((status = 200, description = "The subscription as it now stands.", body = Subscription, headers(
        ("ETag" = String, description = "The version of the subscription, for `If-Match`."),
    ))),
)]
#[patch("/subscriptions/{subscriptionId}")]
async fn change_subscription(
    access: Access<WriteSubscription>,
    id: Path<SubscriptionId>,
    base: IfMatch,
    body: Json<SubscriptionChange>,
    remote: Data<RemoteKeys>,
    db: Data<Db>,
) -> Reply<Subscription> {
    let mut work = access.begin(&db).await?;
    let held = store::lock(&mut work, *id).await?;
    base.check(held.version)?;
    let (target, status) = held.change(body.value)?;
    may_be_told(&remote, &target)?;
    let changed = store::save(&mut work, *id, &target, status).await?;
    if status == SubscriptionStatus::Unconfirmed {
        store::ping(&mut work, *id).await?;
    }
    let version = changed.version;
    let details = json!({ "subscription": *id, "target": target, "status": status });
    Ok(work.record(Trail::default().with(details), changed).await?.version(version))
}

/// End a subscription
///
/// Nothing more is sent from the moment of the answer, but for what is on its way; what was to be sent is forgotten. Needs a
/// sign-in within the last 5 minutes.
#[utoipa::path(
    tag = "subscriptions",
    security(("bearer" = [WriteSubscription::SCOPE])),
    params(("subscriptionId" = SubscriptionId, Path, description = "The subscription.")),
    responses((status = 200, description = "The subscriptions that remain.", body = Subscriptions)),
)]
#[delete("/subscriptions/{subscriptionId}")]
async fn unsubscribe(
    access: Access<WriteSubscription>,
    id: Path<SubscriptionId>,
    base: IfMatch,
    db: Data<Db>,
) -> Reply<Subscriptions> {
    let mut work = access.begin(&db).await?;
    let held = store::lock(&mut work, *id).await?;
    base.check(held.version)?;
    let items = store::delete(&mut work, *id).await?;
    let trail = Trail::default().with(json!({ "subscription": *id }));
    work.record(trail, Subscriptions { items }).await
}

/// Ping the address of a subscription
///
/// It is sent once, within seconds; what came of it stands in the delivery. Needs a sign-in within the last 5 minutes.
#[utoipa::path(
    tag = "subscriptions",
    security(("bearer" = [WriteSubscription::SCOPE])),
    params(("subscriptionId" = SubscriptionId, Path, description = "The subscription.")),
    responses((status = 201, description = "The ping that is to be delivered.", body = Delivery, headers(
        ("ETag" = String, description = "The version of the delivery."),
        ("Location" = String, description = "Where the delivery is."),
    ))),
)]
#[post("/subscriptions/{subscriptionId}/pings")]
async fn ping_subscription(
    access: Access<WriteSubscription>,
    id: Path<SubscriptionId>,
    key: IdempotencyKey,
    db: Data<Db>,
) -> Reply<Delivery> {
    let mut work = match access.begin_once(&db, key, [0; 32], &id.to_string()).await? {
        Begun::First(work) => work,
        Begun::Repeat(answer) => return Ok(answer),
    };
    store::lock(&mut work, *id).await?;
    let ping = store::ping(&mut work, *id).await?;
    let (location, version) =
        (format!("/v1/subscriptions/{}/deliveries/{}", *id, ping.id), ping.version);
    let trail = Trail::default().with(json!({ "subscription": *id, "delivery": ping.id }));
    work.record_created(trail, ping, location, version).await
}

/// List what was sent, and is to be sent
///
/// The events of a subscription for 90 days, the oldest first, without the children of whom they tell.
#[utoipa::path(
    tag = "subscriptions",
    security(("bearer" = [ReadSubscription::SCOPE])),
    params(("subscriptionId" = SubscriptionId, Path, description = "The subscription."), DeliveryQuery),
    responses((status = 200, description = "A page of deliveries.", body = Deliveries)),
)]
#[get("/subscriptions/{subscriptionId}/deliveries")]
async fn list_deliveries(
    access: Access<ReadSubscription>,
    id: Path<SubscriptionId>,
    Query(query): Query<DeliveryQuery>,
    db: Data<Db>,
) -> Reply<Deliveries> {
    let after: Option<(DateTime<Utc>, Uuid)> =
        query.after.as_deref().map(cursor::read).transpose()?;
    let limit = query.limit.unwrap_or(20);
    let look = access.look(&db).await?;
    store::open(&look, *id).await?;
    let after = after.unwrap_or_default();
    let found = store::deliveries(&look, *id, query.status, after, i64::from(limit) + 1).await?;
    let (items, next) = cursor::page(found, limit, |last| (last.made_at, last.id));
    let trail = Trail::default().with(json!({ "subscription": *id }));
    look.record(trail, Deliveries { items, next }).await
}

/// Open a delivery
///
/// Whether an event was sent, and what came of it.
#[utoipa::path(
    tag = "subscriptions",
    security(("bearer" = [ReadSubscription::SCOPE])),
    params(
        ("subscriptionId" = SubscriptionId, Path, description = "The subscription."),
        ("deliveryId" = DeliveryId, Path, description = "The delivery: the event's `id`."),
    ),
    responses((status = 200, description = "The delivery.", body = Delivery, headers(
        ("ETag" = String, description = "The version of the delivery, for `If-Match`."),
    ))),
)]
#[get("/subscriptions/{subscriptionId}/deliveries/{deliveryId}")]
async fn open_delivery(
    access: Access<ReadSubscription>,
    path: Path<(SubscriptionId, DeliveryId)>,
    db: Data<Db>,
) -> Reply<Delivery> {
    let (subscription, id) = path.into_inner();
    let look = access.look(&db).await?;
    let delivery = store::delivery(&look, subscription, id).await?;
    let version = delivery.version;
    let trail =
        Trail::default().with(json!({ "subscription": subscription, "delivery": delivery.id }));
    Ok(look.record(trail, delivery).await?.version(version))
}

/// Send an event again
///
/// One that is dead or was delivered: under the same `id`, at once and as often as a new one, if it may still be told. Needs a
/// sign-in within the last 5 minutes.
#[utoipa::path(
    tag = "subscriptions",
    security(("bearer" = [WriteSubscription::SCOPE])),
    params(
        ("subscriptionId" = SubscriptionId, Path, description = "The subscription."),
        ("deliveryId" = DeliveryId, Path, description = "The delivery: the event's `id`."),
    ),
    responses(
        (status = 200, description = "The delivery as it now stands.", body = Delivery, headers(
            ("ETag" = String, description = "The version of the delivery, for `If-Match`."),
        )),
        (status = 409, description = "`delivery-not-replayable`."),
    ),
)]
#[put("/subscriptions/{subscriptionId}/deliveries/{deliveryId}/replay")]
async fn replay_delivery(
    access: Access<WriteSubscription>,
    path: Path<(SubscriptionId, DeliveryId)>,
    base: IfMatch,
    db: Data<Db>,
) -> Reply<Delivery> {
    let (subscription, id) = path.into_inner();
    let mut work = access.begin(&db).await?;
    let held = store::lock_delivery(&mut work, subscription, id).await?;
    base.check(held.version)?;
    held.may_be_replayed()?;
    let replayed = store::replay(&mut work, subscription, id).await?;
    let version = replayed.version;
    let trail = Trail::default().with(json!({ "subscription": subscription, "delivery": id }));
    Ok(work.record(trail, replayed).await?.version(version))
}

/// Refuses an address to which nothing is ever sent, such as one of our own network.
fn may_be_told(remote: &RemoteKeys, target: &str) -> Result<(), Problem> {
    remote.check(target).map_err(|sentence| Problem::invalid("/target", sentence))
}
