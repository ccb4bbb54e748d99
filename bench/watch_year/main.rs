//! A simulated year through the very rules and windows by which the service watches: plausible traffic of 60 organisations and 1,200
//! people, 20 of whom misuse the index in five ways. Prints who was found, who was flagged besides, and by which detector.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    error::Error,
};

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Utc, Weekday};
use contactpoint::{
    detector::{Detector, Finding, Rules, watch::States},
    ids::{AccountId, EventId, OrganisationId},
};
use serde_json::json;

mod abuse;
mod chance;
mod work;
mod world;

use chance::Chance;
use world::World;

/// Who is who, and what is done on which day, follows from this.
const SEED: u64 = 20_040_911;
/// Days of the year that is watched; the month after it settles what was opened in its last.
const DAYS: u64 = 365;
const AFTER: u64 = 35;

/// Something that somebody does: when, who, what.
pub(crate) struct Deed {
    pub(crate) at: DateTime<Utc>,
    pub(crate) who: usize,
    pub(crate) act: contactpoint::detector::seen::Act,
}

fn main() -> Result<(), Box<dyn Error>> {
    let seed = std::env::args().nth(1).map_or(Ok(SEED), |seed| seed.parse())?;
    let mut chance = Chance::new(seed);
    let mut world = World::new(&mut chance)?;
    let abusers = abuse::choose(&mut world, &mut chance)?;
    let begins = NaiveDate::from_ymd_opt(2026, 1, 5).ok_or("no day")?;
    let rules = Rules::default();
    let mut states = States::default();
    let mut found: Vec<Finding> = Vec::new();
    let (mut looks, mut events) = (0_u64, 0_u64);
    let mut due: BTreeMap<NaiveDate, BTreeSet<AccountId>> = BTreeMap::new();
    for n in 0..DAYS + AFTER {
        let day = begins + Days::new(n);
        let mut deeds = Vec::new();
        if n < DAYS {
            work::day(&mut world, &mut chance, day, &mut deeds);
            abuse::day(&world, &abusers, &mut chance, day, &mut deeds);
        }
        deeds.sort_by_key(|deed| deed.at);
        for deed in deeds {
            let event = world.seen(deed);
            events += 1;
            looks += u64::from(matches!(event.act, contactpoint::detector::seen::Act::Opened(_)));
            found.extend(states.see(&event, &world.facts, &rules));
            due.entry(day + TimeDelta::days(31)).or_default().insert(event.account);
        }
        let now = day.and_hms_opt(23, 0, 0).ok_or("no moment")?.and_utc();
        for account in due.remove(&day).unwrap_or_default() {
            let organisation = world.organisation_of(account);
            found.extend(states.settle((account, organisation), now, &world.facts, &rules));
        }
    }
    println!("{}", told(&world, &abusers, &found, &rules, (looks, events, seed)));
    Ok(())
}

fn told(
    world: &World,
    abusers: &abuse::Abusers,
    found: &[Finding],
    rules: &Rules,
    (looks, events, seed): (u64, u64, u64),
) -> serde_json::Value {
    let mut flagged: HashMap<AccountId, BTreeSet<Detector>> = HashMap::new();
    let mut bodies: BTreeSet<OrganisationId> = BTreeSet::new();
    let mut alerts = BTreeSet::new();
    for finding in found {
        alerts.insert((finding.detector, finding.about(), finding.day));
        if finding.detector == Detector::Purpose {
            bodies.insert(finding.organisation);
        }
        for account in finding.also.iter().chain([&finding.account]) {
            flagged.entry(*account).or_default().insert(finding.detector);
        }
    }
    let mut table: BTreeMap<&str, BTreeMap<String, u32>> = BTreeMap::new();
    let mut kinds: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for (who, kind) in &abusers.kinds {
        let by = flagged.get(&world.people[*who].account);
        let of_kind = kinds.entry(kind.as_str()).or_default();
        of_kind.0 += 1;
        of_kind.1 += u32::from(by.is_some());
        for detector in by.into_iter().flatten() {
            *table.entry(kind.as_str()).or_default().entry(detector.to_string()).or_default() += 1;
        }
    }
    let others = world.people.iter().enumerate().filter(|(n, _)| !abusers.part_of_it(*n));
    let (mut all, mut falsely) = (0_u32, 0_u32);
    for (_, person) in others {
        all += 1;
        let by = flagged.get(&person.account);
        falsely += u32::from(by.is_some());
        for detector in by.into_iter().flatten() {
            let row = table.entry(person.work.as_str()).or_default();
            *row.entry(detector.to_string()).or_default() += 1;
        }
    }
    let caught: u32 = kinds.values().map(|(_, found)| found).sum();
    let seeded: u32 = kinds.values().map(|(all, _)| all).sum();
    let abusive: BTreeSet<_> =
        abusers.kinds.keys().map(|who| world.people[*who].organisation).collect();
    let bodies_falsely = bodies.iter().filter(|body| !abusive.contains(body)).count();
    let rules: BTreeMap<_, _> = Detector::ALL.iter().map(|of| (of, rules.of(*of))).collect();
    json!({
        "seed": seed, "days": DAYS, "organisations": world.bodies.len(), "people": world.people.len(), "children": world.children.len(),
        "events": events, "openings": looks, "alerts": alerts.len(),
        "abusers": seeded, "abusersFound": caught, "others": all, "othersFlagged": falsely,
        "organisationsFlaggedFalsely": bodies_falsely,
        "kinds": kinds.iter().map(|(kind, (all, found))| (*kind, json!({ "seeded": all, "found": found })))
            .collect::<BTreeMap<_, _>>(),
        "table": table, "rules": rules,
    })
}

/// Whether a day is a working day; the bank holidays that matter for looks are those of Christmas.
pub(crate) fn works(day: NaiveDate) -> bool {
    let christmas = (day.month() == 12 && day.day() >= 24) || (day.month() == 1 && day.day() == 1);
    !matches!(day.weekday(), Weekday::Sat | Weekday::Sun) && !christmas
}

/// A new event's number.
pub(crate) fn event() -> EventId {
    EventId::new()
}
