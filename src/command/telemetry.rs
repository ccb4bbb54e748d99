//! What the program says of itself while it runs: lines of a log, and traces where somebody gathers them.

use opentelemetry::{KeyValue, global, trace::TracerProvider};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter,
    filter::{FilterExt, Targets, filter_fn},
    fmt,
    prelude::*,
};
use url::Url;

/// What is told on standard error.
#[derive(Debug, Clone, Copy)]
pub(super) enum Log {
    /// One JSON object an event, at the level that `RUST_LOG` says. It says all by itself: spans are for traces alone.
    Lines,
    /// Only what goes wrong, for a person to read.
    Errors,
}

/// Sends the traces that are left when it ends.
#[derive(Debug)]
#[must_use = "traces are sent for as long as it is kept"]
pub(super) struct Telemetry(Option<SdkTracerProvider>);

impl Telemetry {
    /// Begins to tell; traces go to this collector (OTLP over HTTP, in protobuf), which is asked by its address alone.
    pub(super) fn begin(log: Log, collector: Option<&Url>) -> anyhow::Result<Self> {
        let provider = collector.map(provider).transpose()?;
        let traces = provider.as_ref().map(|provider| {
            global::set_text_map_propagator(TraceContextPropagator::new());
            tracing_opentelemetry::layer()
                .with_tracer(provider.tracer("contactpoint"))
                .with_location(false)
                .with_threads(false)
                .with_target(false)
                .with_tracked_inactivity(false)
                // Requests and what they wait for; never the crates that send the traces.
                .with_filter(Targets::new().with_target("contactpoint", Level::INFO))
        });
        let lines = match log {
            Log::Lines => fmt::layer()
                .json()
                .with_writer(std::io::stderr)
                .flatten_event(true)
                .with_span_list(false)
                .with_current_span(false)
                .boxed(),
            Log::Errors => fmt::layer().with_writer(std::io::stderr).boxed(),
        };
        let _ = tracing_subscriber::registry()
            .with(traces)
            .with(lines.with_filter(log.filter().and(filter_fn(is_event))))
            .try_init();
        Ok(Self(provider))
    }
}

fn is_event(what: &Metadata<'_>) -> bool {
    what.is_event()
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(provider) = &self.0 {
            let _ = provider.shutdown();
        }
    }
}

impl Log {
    fn filter(self) -> EnvFilter {
        match self {
            Self::Lines => EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| EnvFilter::new("info,actix_http=off,actix_server=warn")),
            Self::Errors => EnvFilter::new("error,actix_http=off"),
        }
    }
}

fn provider(collector: &Url) -> anyhow::Result<SdkTracerProvider> {
    let endpoint = format!("{}/v1/traces", collector.as_str().trim_end_matches('/'));
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(endpoint)
        .build()?;
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource =
        Resource::builder().with_service_name("contactpoint").with_attribute(version).build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}
