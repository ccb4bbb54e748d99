//! What is done with the audit as a whole.

use chrono::{Months, NaiveDate};
use serde_json::json;

use super::{Trail, store};
use crate::{problem::Problem, work::Errands};

/// How many years what events hide is kept, by default and at least: as long as a claim may be brought (Limitation Act 1980).
pub const YEARS: u32 = 6;

/// The first day of the month whose key is still kept on a day, where what is hidden is kept for so many years.
#[must_use]
pub fn kept_from(day: NaiveDate, years: u32) -> NaiveDate {
    let day = day.checked_sub_months(Months::new(12 * years)).unwrap_or(day);
    chrono::Datelike::with_day0(&day, 0).unwrap_or(day)
}

/// Destroys the keys of the months before this one: what their events hide can never be read again, and the events still verify.
/// Says how many months that were.
pub async fn forget(work: &mut Errands, before: NaiveDate) -> Result<usize, Problem> {
    let gone = store::forget(work, before).await?;
    if !gone.is_empty() {
        work.record(Trail::default().with(json!({ "months": gone }))).await?;
    }
    Ok(gone.len())
}
