//! The running service: its workers, and how it stops.

mod errands;
mod measure;

use std::{
    io,
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix_web::dev::ServerHandle;
use sqlx::postgres::PgConnectOptions;

use self::measure::measure_connections;
pub use self::{
    errands::{follow_keys, run_errands, seal_audit, send_events, take_matcher},
    measure::{measure, serve_metrics},
};
use crate::{
    app::{self, Shared},
    listener::{self, Limits},
    scribe::Scribe,
    work::{Connections, Db, Nearness, Places, guarded},
};

/// How the service is to run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How the database is reached.
    pub database: PgConnectOptions,
    /// How a replica is reached, and whether it is near, where there is one.
    pub replica: Option<(PgConnectOptions, Nearness)>,
    /// How many connections to it each worker holds.
    pub connections: Connections,
    /// How many workers there are: one a core.
    pub workers: usize,
    /// What connections are kept within.
    pub limits: Limits,
}

/// Starts answering on `listener`. Await the server to wait for its end; stop it by its handle.
pub fn start(
    listener: TcpListener,
    settings: &Settings,
    shared: &Shared,
) -> io::Result<actix_server::Server> {
    let (settings, shared) = (settings.clone(), shared.clone());
    let scribe = Scribe::start(&guarded(&settings.database), shared.ledger.clone())?;
    let places = Places::of(settings.connections, settings.workers);
    let workers = Arc::new(AtomicUsize::new(0));
    listener::serve(listener, settings.workers, settings.limits.clone(), move || {
        let (scribe, clock) = (scribe.clone(), shared.clock.clone());
        let db = Db::new(&settings.database, settings.connections, scribe, clock)
            .with_matchers(shared.matchers.clone())
            .with_places(places.clone());
        let db = match &settings.replica {
            Some((options, nearness)) => db.with_replica(options, nearness.clone()),
            None => db,
        };
        let worker = workers.fetch_add(1, Ordering::Relaxed);
        actix_web::rt::spawn(measure_connections(db.clone(), worker));
        app::service(&shared, db)
    })
}

/// Waits to be told to stop, from this call on. On SIGTERM readiness is withdrawn at once and the balancer given time to
/// see it; on SIGINT there is nobody to wait for. Requests under way are finished, within 25 seconds.
pub fn stop_when_told(
    handle: ServerHandle,
    shared: Shared,
    notice: Duration,
) -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        let notice = tokio::select! {
            _ = term.recv() => notice,
            _ = interrupt.recv() => Duration::ZERO,
        };
        shared.draining.begin();
        tokio::time::sleep(notice).await;
        handle.stop(true).await;
    })
}
