//! Sets of keys that others publish: none that is read has a secret half, twice the same number, or no use.
#![no_main]

use contactpoint::jose::{PublicKey, PublicKeys};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(set) = PublicKeys::parse(bytes) {
        assert!(set.iter().count() > 0);
        for key in set.iter() {
            assert!(set.find(key.kid()).is_some() || key.kid().is_none());
        }
    }
    if let Ok(value) = serde_json::from_slice(bytes) {
        let _ = PublicKeys::registered(&value);
        let _ = PublicKey::from_jwk(&value);
    }
});
