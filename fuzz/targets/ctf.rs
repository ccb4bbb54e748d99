//! Batches as Common Transfer Files.
#![no_main]

use contactpoint::feed::BatchFormat;
use contactpoint_fuzz::rows_come_in_their_order;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| rows_come_in_their_order(BatchFormat::Ctf, bytes));
