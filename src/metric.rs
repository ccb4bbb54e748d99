//! What the service measures of itself, for Prometheus: never a person, a record or anything of one.

/// How a metric goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How often each size was seen.
    Histogram,
}

/// A metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name, with its unit as Prometheus has it.
    pub name: &'static str,
    /// How it goes.
    pub kind: MetricKind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

macro_rules! metrics_of {
    ($($(#[doc = $help:literal])+ $constant:ident $kind:ident $name:literal [$($label:literal),*];)+) => {
        $($(#[doc = $help])+ pub const $constant: &str = $name;)+

        /// All of them.
        pub const ALL: &[Metric] = &[$(Metric {
            name: $name,
            kind: MetricKind::$kind,
            labels: &[$($label),*],
            help: concat!($($help),+),
        }),+];
    };
}

metrics_of! {
    /// Seconds from the header of a request to the header of its answer.
    REQUEST_DURATION Histogram "http_server_request_duration_seconds" ["operation", "status"];
    /// Requests that have no answer yet.
    REQUESTS_UNDER_WAY Gauge "contactpoint_requests_under_way" [];
    /// Requests that were refused at once, because as many as can be were worked on.
    SHED Counter "contactpoint_shed_total" [];
    /// Requests that a limit on how much may be looked at has refused.
    OVER_BUDGET Counter "contactpoint_over_budget_total" ["limit"];
    /// Requests that have failed in a way that nobody foresaw.
    PANICS Counter "contactpoint_panics_total" [];
    /// Refresh tokens that were used a second time, by which a session ends.
    REFRESH_REUSE Counter "contactpoint_refresh_reuse_total" [];
    /// Connections to the database that a worker holds.
    POOL_CONNECTIONS Gauge "contactpoint_pool_connections" ["worker", "pool", "state"];
    /// Seconds by which the replica is behind.
    REPLICA_LAG Gauge "contactpoint_replica_lag_seconds" [];
    /// Answers that were not given because their event could not be written.
    AUDIT_FAILURES Counter "contactpoint_audit_failures_total" [];
    /// Events of looks that were written together.
    AUDIT_BATCH Histogram "contactpoint_audit_batch_events" [];
    /// Seconds that the oldest event under a root had waited for it.
    AUDIT_SEAL_DELAY Histogram "contactpoint_audit_seal_delay_seconds" [];
    /// Seconds that the oldest event without a root has waited.
    AUDIT_SEAL_LAG Gauge "contactpoint_audit_seal_lag_seconds" [];
    /// Events that are not as the service wrote them.
    AUDIT_DOUBTED Counter "contactpoint_audit_doubted_total" [];
    /// Seconds by which the detectors are behind the audit.
    WATCH_LAG Gauge "contactpoint_watch_lag_seconds" [];
    /// Rows of feeds that nobody has worked on yet.
    FEED_ROWS_WAITING Gauge "contactpoint_feed_rows_waiting" [];
    /// Events that are due to be sent to subscriptions.
    EVENTS_DUE Gauge "contactpoint_events_due" [];
}

/// Tells Prometheus what each is.
pub fn describe() {
    for metric in ALL {
        let help = metric.help.trim();
        match metric.kind {
            MetricKind::Counter => metrics::describe_counter!(metric.name, help),
            MetricKind::Gauge => metrics::describe_gauge!(metric.name, help),
            MetricKind::Histogram => metrics::describe_histogram!(metric.name, help),
        }
    }
}

/// A whole number as a metric has it.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "it is read by people, and exact up to 2^53")]
pub fn whole(number: i64) -> f64 {
    number as f64
}
