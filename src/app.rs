//! The rooms put together, and their description.

use std::{convert::Infallible, sync::LazyLock};

use actix_web::{
    App, Error, HttpResponse,
    body::{BoxBody, SizedStream},
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
    middleware::from_fn,
    web::{self, Bytes, Data, PathConfig},
};
use futures_util::stream;
use tracing_actix_web::TracingLogger;
use utoipa::{OpenApi as _, openapi::OpenApi};
use utoipa_actix_web::{AppExt, scope, service_config::ServiceConfig};
use utoipa_swagger_ui::SwaggerUi;

use crate::{
    access_request, account, alert, archive, audit,
    audit::{ledger::Ledger, roots::Signer},
    bounds, budget, carer, catalogue, change, child, client,
    clock::Clock,
    consent, contact_request,
    describe::{self, Description},
    detector, duplicate,
    edge::{Operations, TrustedProxies, edge, no_route, only_get, turn_away},
    examples, external,
    external::Issuers,
    feed::{self, batch::LargestBatch},
    health::{self, Draining},
    hold, identity, information_request, investigation, involvement,
    limit::Rates,
    matching::{self, matcher::Matchers},
    merge, my, notice, oauth, organisation, override_grant, policy,
    problem::{Kind, Problem},
    purge, reconciliation, record,
    remote::RemoteKeys,
    report, retention, review,
    session::{self, Door},
    shield,
    span::QuietSpan,
    stop, subject, subscription,
    token::Verifier,
    transfer, usage, withholding,
    work::Db,
};

/// What every worker shares.
#[derive(Debug, Clone)]
pub struct Shared {
    /// Knows our own tokens.
    pub verifier: Data<Verifier>,
    /// Judges those who sign in.
    pub door: Data<Door>,
    /// What events are written by.
    pub ledger: Ledger,
    /// What signs the roots over them.
    pub signer: Signer,
    /// How often systems have called.
    pub rates: Data<Rates>,
    /// The public keys of clients and issuers.
    pub remote: Data<RemoteKeys>,
    /// The issuers by which people may sign in.
    pub issuers: Data<Issuers>,
    /// The matcher in force.
    pub matchers: Matchers,
    /// The largest batch that is taken.
    pub largest_batch: LargestBatch,
    /// The time.
    pub clock: Clock,
    /// Whether the service is stopping.
    pub draining: Draining,
    /// Proxies whose word is taken on whom they speak for.
    pub proxies: TrustedProxies,
}

/// Adds every route.
pub fn mount(api: &mut ServiceConfig) {
    api.app_data(PathConfig::default().error_handler(|_, _| Problem::from(Kind::NotFound).into()));
    oauth::routes::mount(api);
    health::mount(api);
    catalogue::mount(api);
    api.service(scope("/v1").configure(|rooms: &mut ServiceConfig| {
        session::routes::mount(rooms);
        matching::routes::mount(rooms);
        child::routes::mount(rooms);
        duplicate::routes::mount(rooms);
        merge::routes::mount(rooms);
        record::routes::mount(rooms);
        carer::routes::mount(rooms);
        involvement::routes::mount(rooms);
        consent::routes::mount(rooms);
        contact_request::routes::mount(rooms);
        subject::routes::mount(rooms);
        my::routes::mount(rooms);
        information_request::routes::mount(rooms);
        withholding::routes::mount(rooms);
        shield::routes::mount(rooms);
        override_grant::routes::mount(rooms);
        identity::routes::mount(rooms);
        alert::routes::mount(rooms);
        investigation::routes::mount(rooms);
        detector::routes::mount(rooms);
        usage::routes::mount(rooms);
        organisation::routes::mount(rooms);
        budget::routes::mount(rooms);
        account::routes::mount(rooms);
        client::routes::mount(rooms);
        external::routes::mount(rooms);
        feed::routes::mount(rooms);
        reconciliation::routes::mount(rooms);
        review::routes::mount(rooms);
        access_request::routes::mount(rooms);
        transfer::routes::mount(rooms);
        notice::routes::mount(rooms);
        change::routes::mount(rooms);
        subscription::routes::mount(rooms);
        audit::routes::mount(rooms);
        audit::roots::routes::mount(rooms);
        policy::routes::mount(rooms);
        retention::routes::mount(rooms);
        hold::routes::mount(rooms);
        archive::routes::mount(rooms);
        purge::routes::mount(rooms);
        stop::routes::mount(rooms);
        report::routes::mount(rooms);
    }));
}

static API: LazyLock<(OpenApi, Operations)> = LazyLock::new(|| {
    let app = App::new().into_utoipa_app().openapi(Description::openapi());
    let mut api = app.configure(mount).split_for_parts().1;
    describe::complete(&mut api);
    bounds::complete(&mut api);
    examples::add(&mut api);
    let operations = Operations::of(&api);
    (api, operations)
});

static DOCUMENT: LazyLock<String> = LazyLock::new(document);

/// Describes every route that [`mount`] adds.
#[must_use]
pub fn describe() -> &'static OpenApi {
    &API.0
}

/// The description as a document.
#[must_use]
pub fn document() -> String {
    describe().to_pretty_json().unwrap_or_default() + "\n"
}

/// The document goes out piece by piece, so that none who does not receive it has all of it held for them.
const PIECE: usize = 16 * 1024;

async fn read_document() -> HttpResponse {
    let document: &'static [u8] = DOCUMENT.as_bytes();
    let pieces = document.chunks(PIECE).map(|piece| Ok::<_, Infallible>(Bytes::from_static(piece)));
    let whole = u64::try_from(document.len()).unwrap_or(u64::MAX);
    HttpResponse::Ok()
        .content_type("application/json")
        .body(SizedStream::new(whole, stream::iter(pieces)))
}

/// The whole service, as one worker runs it.
pub fn service(
    shared: &Shared,
    db: Db,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = Error,
        InitError = (),
    > + use<>,
> {
    let operations: &'static Operations = &API.1;
    App::new()
        .app_data(shared.verifier.clone())
        .app_data(shared.door.clone())
        .app_data(Data::new(shared.signer.clone()))
        .app_data(shared.rates.clone())
        .app_data(shared.remote.clone())
        .app_data(shared.issuers.clone())
        .app_data(Data::new(shared.largest_batch))
        .app_data(Data::new(shared.clock.clone()))
        .app_data(Data::new(shared.draining.clone()))
        .app_data(Data::new(shared.proxies.clone()))
        .app_data(Data::new(operations))
        .app_data(Data::new(db))
        .configure(|routes| mount(&mut ServiceConfig::new(routes)))
        .service(
            web::resource("/openapi.json").get(read_document).default_service(web::to(only_get)),
        )
        .service(web::redirect("/docs", "/docs/"))
        .service(SwaggerUi::new("/docs/{_:.*}").config(describe::page()))
        .default_service(web::to(no_route))
        .wrap(from_fn(edge))
        .wrap(TracingLogger::<QuietSpan>::new())
        .wrap(from_fn(turn_away))
}
