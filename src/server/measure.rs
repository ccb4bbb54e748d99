//! What is measured of the running service, and how it is read.

use std::{io, net::SocketAddr, time::Duration};

use actix_web::{App, HttpResponse, HttpServer, web};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use sqlx::{PgPool, postgres::PgConnectOptions};

use super::errands::tell;
use crate::{
    app::Shared,
    feed::worker,
    metric,
    problem::Problem,
    subscription::task as events,
    work::{Db, SHORT_SILENCE, alone, unless_silent},
};

/// Measures the connections of a worker, as long as it runs.
pub(super) async fn measure_connections(db: Db, worker: usize) {
    let worker = worker.to_string();
    loop {
        for (pool, state, connections) in db.connections() {
            let labels =
                [("worker", worker.clone()), ("pool", pool.into()), ("state", state.into())];
            metrics::gauge!(metric::POOL_CONNECTIONS, &labels).set(f64::from(connections));
        }
        tokio::time::sleep(MEASURED).await;
    }
}

/// Measures what waits for all instances together; each tells the same.
pub(super) async fn measure_queues(options: PgConnectOptions, shared: Shared) {
    let db = alone(&options);
    loop {
        let measured = unless_silent(SHORT_SILENCE, measure_queues_once(&db, &shared));
        if let Err(problem) = measured.await {
            tell(&problem, "what waits could not be measured");
        }
        tokio::time::sleep(MEASURED).await;
    }
}

async fn measure_queues_once(db: &PgPool, shared: &Shared) -> Result<(), Problem> {
    let rows = worker::waiting(db).await?;
    metrics::gauge!(metric::FEED_ROWS_WAITING).set(metric::whole(rows));
    let (_, due) = events::waiting(db, shared.clock.now()).await?;
    metrics::gauge!(metric::EVENTS_DUE).set(metric::whole(due));
    Ok(())
}

/// How often what is not counted as it happens is measured.
const MEASURED: Duration = Duration::from_secs(10);

/// Collects metrics for the whole process.
pub fn measure() -> anyhow::Result<PrometheusHandle> {
    let buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
    let duration = Matcher::Full(metric::REQUEST_DURATION.to_owned());
    let delay = Matcher::Full(metric::AUDIT_SEAL_DELAY.to_owned());
    let batch = Matcher::Full(metric::AUDIT_BATCH.to_owned());
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(duration, &buckets)?
        .set_buckets_for_metric(delay, &buckets)?
        .set_buckets_for_metric(batch, &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0])?;
    let handle = builder.install_recorder()?;
    metric::describe();
    Ok(handle)
}

/// Serves the metrics on a port of their own.
pub fn serve_metrics(
    address: SocketAddr,
    metrics: PrometheusHandle,
) -> io::Result<actix_web::dev::Server> {
    let upkeep = metrics.clone();
    actix_web::rt::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            upkeep.run_upkeep();
        }
    });
    let server = HttpServer::new(move || {
        let metrics = metrics.clone();
        let render = move || {
            let body = metrics.render();
            async move { HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(body) }
        };
        App::new().route("/metrics", web::get().to(render))
    });
    Ok(server.workers(1).disable_signals().bind(address)?.run())
}
