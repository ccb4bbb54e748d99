//! What twenty people do who misuse the index, four in each of five ways, beside their work.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
};

use chrono::{Days, NaiveDate, TimeDelta};
use contactpoint::detector::seen::{Act, Search};

use crate::{
    Deed,
    chance::Chance,
    work::moment,
    works,
    world::{Work, World},
};

/// In which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    OwnFamily,
    Hunter,
    Trader,
    Stalker,
    Colleague,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::OwnFamily => "ownFamily",
            Self::Hunter => "hunterOfTheFamous",
            Self::Trader => "sweeperOrTrader",
            Self::Stalker => "stalker",
            Self::Colleague => "colleague",
        }
    }
}

/// Who they are, whom they look at, on which days.
pub(crate) struct Abusers {
    pub(crate) kinds: BTreeMap<usize, Kind>,
    helpers: BTreeSet<usize>,
    prey: BTreeMap<usize, Vec<usize>>,
    days: BTreeMap<usize, BTreeSet<u64>>,
    begins: NaiveDate,
    sweepers: BTreeSet<usize>,
    teams: BTreeMap<usize, Vec<usize>>,
}

impl Abusers {
    /// Whether somebody misuses the index, or helps somebody who does.
    pub(crate) fn part_of_it(&self, who: usize) -> bool {
        self.kinds.contains_key(&who) || self.helpers.contains(&who)
    }
}

const WORKS: [Work; 4] =
    [Work::Teacher, Work::SocialWorker, Work::PracticeNurse, Work::CommunityNurse];

/// Somebody who works so and does nothing else yet.
fn one(world: &World, chance: &mut Chance, taken: &Abusers, work: Work) -> usize {
    loop {
        let who = chance.below(world.people.len());
        if world.people[who].work == work && !taken.part_of_it(who) {
            return who;
        }
    }
}

/// So many days of the year.
fn days(chance: &mut Chance, many: usize, from: usize, to: usize) -> BTreeSet<u64> {
    let mut days = BTreeSet::new();
    while days.len() < many {
        days.insert(u64::try_from(from + chance.below(to - from)).unwrap_or_default());
    }
    days
}

/// Chooses them.
pub(crate) fn choose(world: &mut World, chance: &mut Chance) -> Result<Abusers, Box<dyn Error>> {
    let mut all = Abusers {
        kinds: BTreeMap::new(),
        helpers: BTreeSet::new(),
        prey: BTreeMap::new(),
        days: BTreeMap::new(),
        begins: NaiveDate::from_ymd_opt(2026, 1, 5).unwrap_or_default(),
        sweepers: BTreeSet::new(),
        teams: BTreeMap::new(),
    };
    let famous = famous(world, chance)?;
    for work in WORKS {
        own_family(world, chance, &mut all, work);
        let who = one(world, chance, &all, work);
        all.kinds.insert(who, Kind::Hunter);
        all.prey.insert(who, famous.clone());
        all.days.insert(who, days(chance, 12, 20, 360));
    }
    for (n, work) in WORKS.into_iter().enumerate() {
        let who = if n < 2 {
            world.firm(n, chance)
        } else {
            let who = one(world, chance, &all, work);
            all.sweepers.insert(who);
            who
        };
        all.kinds.insert(who, Kind::Trader);
        let many = if n < 2 { 150 } else { 8 };
        all.days.insert(who, days(chance, many, 90, 300));
    }
    for (n, work) in WORKS.into_iter().enumerate() {
        let who = one(world, chance, &all, work);
        all.kinds.insert(who, Kind::Stalker);
        let mut child = world.anybody(n, chance);
        while world.has_to_do_with(who, child) {
            child = world.anybody(n, chance);
        }
        all.prey.insert(who, vec![child]);
        let first = 30 + chance.below(200);
        all.days.insert(who, days(chance, 16, first, first + 60));
        if n % 2 == 0 {
            team(world, chance, &mut all, who);
        }
        colleagues(world, chance, &mut all, work);
    }
    Ok(all)
}

/// The children of famous people, and records that nobody has reason to look at, in all areas.
fn famous(world: &mut World, chance: &mut Chance) -> Result<Vec<usize>, Box<dyn Error>> {
    let mut famous = Vec::new();
    for n in 0..42 {
        let area = n % world.areas.len();
        famous.push(if n < 12 {
            world.anybody(area, chance)
        } else {
            world.canary(area, chance)?
        });
    }
    Ok(famous)
}

/// Somebody who has children in the area and now and then looks at them.
fn own_family(world: &World, chance: &mut Chance, all: &mut Abusers, work: Work) {
    let (who, household) = loop {
        let who = one(world, chance, all, work);
        if let Some(household) = world.own.get(&who) {
            break (who, *household);
        }
    };
    all.kinds.insert(who, Kind::OwnFamily);
    all.prey.insert(who, world.households[household].clone());
    all.days.insert(who, days(chance, 10, 10, 360));
}

/// Five others in five other organisations, who look when they are asked to.
fn team(world: &World, chance: &mut Chance, all: &mut Abusers, who: usize) {
    let mut bodies = BTreeSet::from([world.people[who].body]);
    let mut team = Vec::new();
    while team.len() < 5 {
        let other = one(world, chance, all, WORKS[team.len() % 4]);
        if bodies.insert(world.people[other].body) {
            all.helpers.insert(other);
            team.push(other);
        }
    }
    all.teams.insert(who, team);
}

/// Somebody who looks at the children of colleagues.
fn colleagues(world: &World, chance: &mut Chance, all: &mut Abusers, work: Work) {
    loop {
        let who = one(world, chance, all, work);
        let body = world.people[who].body;
        let of_others = world
            .own
            .iter()
            .filter(|(other, _)| **other != who && world.people[**other].body == body);
        let mut households: Vec<_> =
            of_others.map(|(other, household)| (*other, *household)).collect();
        households.sort_unstable();
        if households.len() < 2 {
            continue;
        }
        households.truncate(3);
        let prey =
            households.iter().flat_map(|(_, household)| world.households[*household].clone());
        all.prey.insert(who, prey.collect());
        all.kinds.insert(who, Kind::Colleague);
        all.days.insert(who, days(chance, 8, 10, 360));
        return;
    }
}

/// What they do on a day beside their work.
pub(crate) fn day(
    world: &World,
    all: &Abusers,
    chance: &mut Chance,
    day: NaiveDate,
    deeds: &mut Vec<Deed>,
) {
    for (who, kind) in &all.kinds {
        let today = |n: &u64| all.begins + Days::new(*n) == day;
        if !all.days.get(who).is_some_and(|days| days.iter().any(today)) {
            continue;
        }
        match kind {
            Kind::Trader if all.sweepers.contains(who) => sweep(world, chance, *who, day, deeds),
            Kind::Trader if works(day) => trade(world, chance, *who, day, deeds),
            Kind::Trader => {}
            Kind::OwnFamily | Kind::Hunter | Kind::Stalker | Kind::Colleague => {
                let prey = &all.prey[who];
                let child = prey[chance.below(prey.len())];
                let at = moment(day, false, chance);
                let (id, search) = (world.children[child].id, world.search_for(child));
                deeds.push(Deed { at, who: *who, act: Act::Searched(search, vec![id]) });
                let at = at + TimeDelta::minutes(2);
                deeds.push(Deed { at, who: *who, act: world.opening(child) });
                let often = chance.is(0.3);
                for (n, other) in
                    all.teams.get(who).into_iter().flatten().enumerate().filter(|_| often)
                {
                    let after = TimeDelta::minutes(5 + 8 * i64::try_from(n).unwrap_or_default());
                    deeds.push(Deed { at: at + after, who: *other, act: world.opening(child) });
                }
            }
        }
    }
}

/// Searches name after name with one date of birth, and opens whom that finds.
fn sweep(world: &World, chance: &mut Chance, who: usize, day: NaiveDate, deeds: &mut Vec<Deed>) {
    let begins = moment(day, false, chance);
    let area = chance.below(world.areas.len());
    let born = world.children[world.anybody(area, chance)].born;
    for n in 0..25 {
        let at = begins + TimeDelta::minutes(2 * n);
        let hit = chance.is(0.2);
        let like = world.search_for(world.anybody(area, chance));
        let search = Search { born: Some(born), empty: !hit, ..like };
        let child = world.anybody(area, chance);
        let found = if hit { vec![world.children[child].id] } else { Vec::new() };
        deeds.push(Deed { at, who, act: Act::Searched(search, found) });
        if hit {
            let at = at + TimeDelta::minutes(1);
            deeds.push(Deed { at, who, act: world.opening(child) });
        }
    }
}

/// Opens child after child whose particulars are sold on, 45 a day or so, in all areas.
fn trade(world: &World, chance: &mut Chance, who: usize, day: NaiveDate, deeds: &mut Vec<Deed>) {
    for _ in 0..chance.times(45.0, 0.2) {
        let child = world.anybody(chance.below(world.areas.len()), chance);
        let at = moment(day, false, chance);
        let (id, search) = (world.children[child].id, world.search_for(child));
        deeds.push(Deed { at, who, act: Act::Searched(search, vec![id]) });
        deeds.push(Deed { at: at + TimeDelta::seconds(40), who, act: world.opening(child) });
    }
}
