//! How an event is signed: HTTP Message Signatures (RFC 9421) over a digest of its body (RFC 9530), with the key of our tokens.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};

use crate::keys::{KeyFault, SigningKeys};

/// What is covered, in this order.
const COVERED: &str = r#"("@method" "@target-uri" "content-digest" "content-type")"#;

/// The headers that sign a POST of this body to this address: `Content-Digest`, `Signature-Input` and `Signature`.
pub fn headers(
    keys: &SigningKeys,
    target: &str,
    content_type: &str,
    body: &[u8],
    at: DateTime<Utc>,
) -> Result<[(&'static str, String); 3], KeyFault> {
    let digest = STANDARD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body));
    let digest = format!("sha-256=:{digest}:");
    let created = at.timestamp();
    let parameters =
        format!(r#"{COVERED};created={created};keyid="{}";alg="ed25519""#, keys.active());
    let base = base(target, &digest, content_type, &parameters);
    let signature = STANDARD.encode(keys.sign(base.as_bytes())?);
    Ok([
        ("content-digest", digest),
        ("signature-input", format!("contactpoint={parameters}")),
        ("signature", format!("contactpoint=:{signature}:")),
    ])
}

/// The signature base (RFC 9421, section 2.5).
fn base(target: &str, digest: &str, content_type: &str, parameters: &str) -> String {
    format!(
        "\"@method\": POST\n\"@target-uri\": {target}\n\"content-digest\": {digest}\n\"content-type\": {content_type}\n\"@signature-params\": {parameters}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_rfc_9530_and_the_signature_that_of_the_base() {
        let keys = SigningKeys::ephemeral().unwrap();
        let body = br#"{"hello": "world"}"#;
        let target = "https://example.org/hook?a=b";
        let [digest, input, signature] =
            headers(&keys, target, "application/json", body, DateTime::UNIX_EPOCH).unwrap();
        // RFC 9421, appendix B.1.
        assert_eq!(digest.1, "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:");
        let parameters = input.1.strip_prefix("contactpoint=").unwrap();
        let base = format!(
            "\"@method\": POST\n\"@target-uri\": {target}\n\"content-digest\": {}\n\"content-type\": application/json\n\"@signature-params\": {parameters}",
            digest.1
        );
        let signature = signature.1.strip_prefix("contactpoint=:").unwrap().trim_end_matches(':');
        let signature = STANDARD.decode(signature).unwrap();
        assert!(keys.verify(keys.active(), base.as_bytes(), &signature));
        assert!(!keys.verify(keys.active(), base.replace("?a=b", "").as_bytes(), &signature));
    }
}
