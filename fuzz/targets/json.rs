//! JSON bodies: what is taken is what any other reader of JSON takes, and nothing deeper, longer or said twice.
#![no_main]

use contactpoint::{carer::CarerIn, child::ChildIn, http::parse, load::Row};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let child = parse::<ChildIn>(bytes).is_ok();
    let carer = parse::<CarerIn>(bytes).is_ok();
    if child || carer {
        serde_json::from_slice::<serde_json::Value>(bytes).expect("what is taken is JSON");
    }
    let _ = Row::read(bytes, chrono::NaiveDate::from_ymd_opt(2026, 11, 16).expect("a day"));
});
