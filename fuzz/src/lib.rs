//! What holds of every batch, whatever is in it.

use std::io::BufReader;

use contactpoint::feed::{BatchFormat, import::rows};

/// However a body is cut, its rows come in their order, and after a fault there is nothing more.
///
/// # Panics
/// Where that is not so.
pub fn rows_come_in_their_order(format: BatchFormat, body: &[u8]) {
    let today = chrono::NaiveDate::from_ymd_opt(2026, 11, 16).expect("a day");
    let told = |buffer| {
        let mut rows = rows(format, BufReader::with_capacity(buffer, body), today);
        let (mut told, mut last) = (Vec::new(), 0);
        for row in rows.by_ref() {
            match row {
                Ok((number, row)) => {
                    assert!(number > last, "{number} after {last}");
                    last = number;
                    told.push((number, row.is_ok()));
                }
                Err(_) => told.push((i64::MAX, false)),
            }
        }
        assert!(rows.next().is_none());
        told
    };
    assert_eq!(told(1 << 16), told(7));
}
