//! The dated cases of retention through the rules themselves: prints how many there are, how many days, and how many of the
//! days have another state than the table says. The tests read the same table in the same way.

use std::{collections::BTreeMap, env, error::Error, fs};

use chrono::{DateTime, NaiveDate, Utc};
use contactpoint::{
    child::birth::{DateOfBirth, DatePrecision},
    clock::day_in_london,
    retention::{Facts, Held, Phase, Stay, purge_due_on},
};
use serde::Deserialize;
use serde_json::json;

/// A record, and its state at each of some moments.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case {
    name: String,
    born: NaiveDate,
    #[serde(default)]
    precision: DatePrecision,
    died_on: Option<NaiveDate>,
    left_on: Option<NaiveDate>,
    #[serde(default)]
    stays: Vec<Stay>,
    #[serde(default)]
    holds: Vec<Held>,
    on: BTreeMap<DateTime<Utc>, String>,
}

impl Case {
    fn state(&self, at: DateTime<Utc>) -> &'static str {
        let birth = DateOfBirth { date: self.born, precision: self.precision, estimated: false };
        let facts = Facts {
            birth,
            died_on: self.died_on,
            left_on: self.left_on,
            stays: self.stays.clone(),
        };
        let (since, day) = (facts.end().day, day_in_london(at));
        if day < since {
            return "inUse";
        }
        let held = self.holds.iter().any(|hold| hold.on(day));
        match Phase::on(since, day) {
            Phase::Over if !held && day >= purge_due_on(since, &self.holds) => "purge",
            phase => phase.as_str(),
        }
    }
}

/// How many cases and days there are, and what is wrong.
pub(crate) fn judge(table: &str) -> serde_json::Result<(usize, usize, Vec<String>)> {
    let cases: Vec<Case> = serde_json::from_str(table)?;
    let days = || cases.iter().flat_map(|case| case.on.iter().map(move |on| (case, on)));
    let wrong = days().filter(|(case, (at, expected))| case.state(**at) != expected.as_str());
    let told = wrong.map(|(case, (at, expected))| {
        format!("{} at {at}: {}, not {expected}", case.name, case.state(*at))
    });
    Ok((cases.len(), days().count(), told.collect()))
}

#[cfg_attr(test, expect(dead_code, reason = "the tests call only what it judges by"))]
fn main() -> Result<(), Box<dyn Error>> {
    let table = env::args().nth(1).ok_or("name the table")?;
    let (cases, days, wrong) = judge(&fs::read_to_string(table)?)?;
    for told in &wrong {
        eprintln!("  WRONG {told}");
    }
    println!("{}", json!({ "cases": cases, "days": days, "wrong": wrong.len() }));
    Ok(())
}
