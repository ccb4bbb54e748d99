//! The trace of a request: its route, number, status and time; never a query, a body or a name.

use actix_web::{
    Error, HttpMessage,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
};
use opentelemetry::{global, propagation::Extractor};
use tracing::Span;
use tracing_actix_web::RootSpanBuilder;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::access::Errand;

/// A span that tells nothing personal. The library's own would put the query string into logs and traces.
#[derive(Debug)]
pub struct QuietSpan;

/// What a request says of the trace that it is a part of (W3C Trace Context): numbers alone. Its `tracestate`, in which a caller may write
/// anything, is not read.
struct Parent<'r>(&'r ServiceRequest);

impl Extractor for Parent<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.headers().get("traceparent").filter(|_| name == "traceparent")?;
        value.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent"]
    }
}

impl RootSpanBuilder for QuietSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let route = request.match_pattern().unwrap_or_else(|| "unmatched".to_owned());
        let span = tracing::info_span!(
            "request",
            otel.name = %format!("{} {route}", request.method()),
            otel.kind = "server",
            http.request.method = %request.method(),
            http.route = %route,
        );
        let of = global::get_text_map_propagator(|propagator| propagator.extract(&Parent(request)));
        // Where nobody gathers traces there is nothing to be a part of.
        let _ = span.set_parent(of);
        span
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        let status = match outcome {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        span.set_attribute("http.response.status_code", i64::from(status.as_u16()));
        if let Ok(response) = outcome
            && let Some(errand) = response.request().extensions().get::<Errand>()
        {
            span.set_attribute("request_id", errand.request.to_string());
        }
    }
}
