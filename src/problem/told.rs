//! How a problem is told: as RFC 9457 has it, or, by the token endpoints, as RFC 6749 has it.

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{self, HeaderMap, HeaderValue},
    },
};
use serde::Serialize;
use serde_json::Value;
use utoipa::{ToSchema, openapi::Ref};

use super::{Fault, Kind, Problem};

/// The headers of every answer (security rule H-4).
pub fn harden(headers: &mut HeaderMap, docs: bool) {
    const PAGE: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                        connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let policy = if docs { PAGE } else { "default-src 'none'; frame-ancestors 'none'" };
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, policy),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        self.told(None)
    }
}

impl Problem {
    /// The answer that tells it, with the policy that refused where one did.
    pub(crate) fn told(&self, policy: Option<&Value>) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        let mut fixed = HeaderMap::new();
        harden(&mut fixed, false);
        for header in fixed {
            response.insert_header(header);
        }
        if let Some(seconds) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        if let Some(methods) = &self.allow {
            response.insert_header((header::ALLOW, methods.as_str()));
        }
        if let Some(location) = self.beside.as_ref().and_then(|beside| beside.location.as_deref()) {
            response.insert_header((header::LOCATION, location));
        }
        if self.kind == Kind::Unauthenticated {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        if self.kind == Kind::DpopProofRefused {
            let again = "DPoP error=\"invalid_dpop_proof\", algs=\"EdDSA ES256 RS256 PS256\"";
            response.insert_header((header::WWW_AUTHENTICATE, again));
        }
        if self.kind == Kind::StepUpRequired {
            let again = "Bearer error=\"insufficient_user_authentication\", max_age=\"300\"";
            response.insert_header((header::WWW_AUTHENTICATE, again));
        }
        if self.kind == Kind::InvalidClient {
            response.insert_header((header::WWW_AUTHENTICATE, "Basic realm=\"contactpoint\""));
        }
        if self.kind.is_oauth() {
            return response
                .json(OAuthError { error: self.kind.slug(), error_description: self.detail() });
        }
        response.content_type("application/problem+json").json(ProblemBody {
            problem_type: self.kind.uri(),
            title: self.kind.title(),
            status: self.kind.status(),
            detail: self.detail(),
            errors: &self.errors,
            policy,
            narrow_by: self.beside.as_ref().and_then(|beside| beside.narrow_by),
            candidates: self.beside.as_ref().map_or(&[], |beside| &beside.candidates),
        })
    }
}

/// The body of every answer that is not a success (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    /// Which problem it is: a path under `/problems` that explains it.
    #[serde(rename = "type")]
    #[schema(format = "uri-reference", example = "/problems/invalid-value")]
    problem_type: String,
    /// The same words whenever it happens.
    #[schema(example = "A value is not allowed")]
    title: &'a str,
    /// The status of the answer.
    #[schema(example = 422)]
    status: u16,
    /// What it says about this occurrence; never a personal value.
    #[schema(
        example = "A value that can be read but may not be so; `errors` points to each. Nothing was stored."
    )]
    detail: &'a str,
    /// Each value at fault.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    errors: &'a [Fault],
    /// Of a 403: the policy that refused, and what would permit it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, schema_with = policy_line)]
    policy: Option<&'a Value>,
    /// Of `too-many-matches`: of what was not given, what would narrow best.
    #[serde(rename = "narrowBy", skip_serializing_if = "Option::is_none")]
    #[schema(required = false, schema_with = criterion)]
    narrow_by: Option<&'a str>,
    /// Of `possible-duplicate`: the children who may be the one, best first, as far as you may see them.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false, schema_with = candidates)]
    candidates: &'a [Value],
}

fn criterion() -> Ref {
    Ref::builder()
        .ref_location_from_schema_name("Criterion")
        .description(Some("Of `too-many-matches`: of what was not given, what would narrow best."))
        .build()
}

fn candidates() -> utoipa::openapi::Array {
    utoipa::openapi::ArrayBuilder::new()
        .items(Ref::from_schema_name("Match"))
        .max_items(Some(20))
        .description(Some(
            "Of `possible-duplicate`: the children who may be the one, best first, as far as you may see them.",
        ))
        .build()
}

fn policy_line() -> Ref {
    Ref::builder()
        .ref_location_from_schema_name("PolicyLine")
        .description(Some("Of a 403: the policy that refused, and what would permit it."))
        .build()
}

/// The body of a refusal by the token endpoints (RFC 6749, section 5.2).
#[derive(Serialize, ToSchema)]
pub struct OAuthError<'a> {
    /// One of the codes of RFC 6749, section 5.2.
    #[schema(example = "invalid_client")]
    error: &'a str,
    /// What it means.
    error_description: &'a str,
}
