//! Tokens, proofs and assertions: nothing that was not signed by a key of ours is ever a token of ours.
#![no_main]

use std::sync::LazyLock;

use contactpoint::{
    client::assertion::Assertion,
    jose::Signed,
    keys::SigningKeys,
    token::{Issuer, Verifier},
};
use libfuzzer_sys::fuzz_target;

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    let keys = SigningKeys::ephemeral().expect("keys");
    Verifier::new(Issuer {
        issuer: "http://contactpoint.test".to_owned(),
        audience: "contactpoint".to_owned(),
        keys,
    })
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(token) = std::str::from_utf8(bytes) else { return };
    let now = chrono::DateTime::from_timestamp(1_800_000_000, 0).expect("a moment");
    assert!(VERIFIER.verify(token, now).is_err());
    let _ = Assertion::read(token);
    if let Ok(signed) = Signed::read(token, &["jwk"]) {
        let _ = signed.unverified::<serde_json::Value>();
        // A proof brings its own key: it may be signed by that, and by no other.
        if let Some(key) = signed.jwk() {
            let _ = signed.verified_by::<serde_json::Value>(key);
        }
    }
});
