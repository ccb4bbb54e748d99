//! What a request proves itself with: a bearer token (RFC 6750), or one bound to a key and a proof of that key (RFC 9449).

use std::sync::Arc;

use actix_web::{HttpRequest, http::header::AUTHORIZATION, web::Data};
use chrono::{DateTime, Utc};

use crate::{
    clock::Clock,
    digest::Once,
    dpop::{self, Proof, ProofFault, Target},
    problem::Kind,
    token::{Claims, Verifier},
};

/// What the token of a request claims, and the proof that came with it. A token that is bound to a key is good with a proof
/// alone, and only by its own scheme; any other is good without one.
pub fn read(request: &HttpRequest) -> Result<(Arc<Claims>, Option<Once>), Kind> {
    let refused = Kind::Unauthenticated;
    let verifier = request.app_data::<Data<Verifier>>().ok_or(refused)?;
    let now = request.app_data::<Data<Clock>>().ok_or(refused)?.now();
    let (scheme, token) = authorization(request).ok_or(refused)?;
    let claims = verifier.verify(token, now).map_err(|_| refused)?;
    match &claims.cnf {
        None if scheme.eq_ignore_ascii_case("bearer") => Ok((claims, None)),
        Some(bound) if scheme.eq_ignore_ascii_case("dpop") => {
            let origin = &verifier.issuer().issuer;
            let proof = proof(request).ok_or(Kind::DpopProofRefused)?;
            let proof = dpop::verify(proof, target(request, origin), Some(token), now);
            let proof = proof.ok().filter(|proof| proof.jkt == bound.jkt);
            Ok((Arc::clone(&claims), Some(proof.ok_or(Kind::DpopProofRefused)?.once)))
        }
        _ => Err(refused),
    }
}

/// The one `DPoP` header of a request.
fn proof(request: &HttpRequest) -> Option<&str> {
    let mut proofs = request.headers().get_all("DPoP");
    let (Some(proof), None) = (proofs.next(), proofs.next()) else { return None };
    proof.to_str().ok()
}

/// The proof of the key to which a token is to be bound, where one is offered: it comes before there is a token.
pub fn offered(
    request: &HttpRequest,
    origin: &str,
    now: DateTime<Utc>,
) -> Result<Option<Proof>, ProofFault> {
    if !request.headers().contains_key("DPoP") {
        return Ok(None);
    }
    let proof = proof(request).ok_or(ProofFault)?;
    dpop::verify(proof, target(request, origin), None, now).map(Some)
}

fn target<'r>(request: &'r HttpRequest, origin: &'r str) -> Target<'r> {
    Target { method: request.method().as_str(), origin, path: request.path() }
}

/// The scheme and the token of exactly one `Authorization` header.
fn authorization(request: &HttpRequest) -> Option<(&str, &str)> {
    let mut headers = request.headers().get_all(AUTHORIZATION);
    let (Some(header), None) = (headers.next(), headers.next()) else { return None };
    header.to_str().ok()?.split_once(' ')
}
