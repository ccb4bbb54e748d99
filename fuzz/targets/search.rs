//! Searches: what is taken is JSON, and of one of the kinds that are answered.
#![no_main]

use contactpoint::{http::parse, matching::SearchIn};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if parse::<SearchIn>(bytes).is_ok() {
        serde_json::from_slice::<serde_json::Value>(bytes).expect("what is taken is JSON");
    }
});
