//! What people do who do what they are there for.

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Utc};
use contactpoint::detector::seen::{Act, Search};

use crate::{
    Deed,
    chance::Chance,
    works,
    world::{Work, World},
};

/// How somebody works: how many children they look at on a day, how uneven days are, how many of these are known to the organisation,
/// how many of the others are of another area, and with how many of the others it begins to work.
struct Habit {
    a_day: f64,
    uneven: f64,
    known: f64,
    elsewhere: f64,
    begun: f64,
    weekends: bool,
    nights: bool,
}

impl Habit {
    fn of(work: Work, day: NaiveDate) -> Self {
        let (a_day, uneven, known, elsewhere, begun) = match work {
            Work::Teacher => (1.2, 0.5, 0.88, 0.06, 0.8),
            Work::Admissions if matches!(day.month(), 8 | 9) => (14.0, 0.6, 0.55, 0.05, 0.97),
            Work::Admissions => (3.0, 0.5, 0.8, 0.1, 0.95),
            Work::SocialWorker => (2.5, 0.6, 0.72, 0.08, 0.6),
            Work::Hub => (26.0, 0.35, 0.25, 0.12, 0.3),
            Work::OutOfHours => (9.0, 0.6, 0.3, 0.15, 0.25),
            Work::Steward => (9.0, 0.5, 0.3, 0.02, 0.05),
            Work::PracticeNurse => (2.0, 0.5, 0.9, 0.03, 0.85),
            Work::Emergency => (7.0, 0.5, 0.12, 0.3, 0.15),
            Work::CommunityNurse => (3.0, 0.5, 0.8, 0.06, 0.7),
            Work::Trader => (0.0, 0.0, 1.0, 0.0, 0.0),
        };
        let weekends = matches!(work, Work::OutOfHours | Work::Emergency);
        let nights = matches!(work, Work::OutOfHours | Work::Emergency);
        Self { a_day, uneven, known, elsewhere, begun, weekends, nights }
    }
}

/// A moment of a working day, or of any hour.
pub(crate) fn moment(day: NaiveDate, nights: bool, chance: &mut Chance) -> DateTime<Utc> {
    let seconds = if nights { 86_000 } else { 32_400 };
    let first = if nights { 0 } else { 28_800 };
    let after = i64::try_from(first + chance.below(seconds)).unwrap_or_default();
    day.and_time(chrono::NaiveTime::MIN).and_utc() + TimeDelta::seconds(after)
}

/// What everybody does on a day.
pub(crate) fn day(world: &mut World, chance: &mut Chance, day: NaiveDate, deeds: &mut Vec<Deed>) {
    let holidays = matches!((day.month(), day.day()), (8, 1..=24) | (4, 1..=14) | (12, 19..=31));
    for who in 0..world.people.len() {
        let work = world.people[who].work;
        let habit = Habit::of(work, day);
        let school = matches!(work, Work::Teacher | Work::Admissions);
        // A third of those who work by shifts are there on any day; of the others four in five.
        let there = if habit.weekends { chance.is(0.6) } else { works(day) && chance.is(0.82) };
        if !there || (school && holidays && work == Work::Teacher) {
            continue;
        }
        for _ in 0..chance.times(habit.a_day, habit.uneven) {
            let at = moment(day, habit.nights, chance);
            let child = somebody(world, chance, who, &habit, day);
            look(world, chance, (who, at), child, deeds);
            if !chance.is(0.35) {
                continue;
            }
            for sibling in world.households[world.children[child].household].clone() {
                if sibling != child {
                    let act = world.opening(sibling);
                    deeds.push(Deed { at: at + TimeDelta::minutes(3), who, act });
                }
            }
        }
    }
}

/// Whom somebody looks at; where their organisation begins to work with the child, that is recorded within three weeks.
fn somebody(
    world: &mut World,
    chance: &mut Chance,
    who: usize,
    habit: &Habit,
    day: NaiveDate,
) -> usize {
    let body = world.people[who].body;
    let caseload = world.bodies[body].caseload.len();
    if caseload > 0 && chance.is(habit.known) {
        return world.bodies[body].caseload[chance.below(caseload)];
    }
    let home = world.bodies[body].area;
    let area = if chance.is(habit.elsewhere) { chance.below(world.areas.len()) } else { home };
    let child = world.anybody(area, chance);
    if chance.is(habit.begun) {
        let after = u64::try_from(chance.below(21)).unwrap_or_default();
        world.begin_work(body, child, day + Days::new(after));
    }
    child
}

/// A search and an opening; one search in ten has a slip of the pen and is repeated less exactly, and some find nobody at all.
fn look(
    world: &World,
    chance: &mut Chance,
    (who, at): (usize, DateTime<Utc>),
    child: usize,
    deeds: &mut Vec<Deed>,
) {
    let id = world.children[child].id;
    let search = world.search_for(child);
    if chance.is(0.03) {
        let nobody = Search { given: Some("nobody".to_owned()), empty: true, ..search };
        let again = Search { again: true, ..nobody.clone() };
        for (minutes, search) in [(0, nobody), (1, again)] {
            let at = at + TimeDelta::minutes(minutes);
            deeds.push(Deed { at, who, act: Act::Searched(search, Vec::new()) });
        }
        return;
    }
    if chance.is(0.1) {
        let slip = search.family.as_ref().map(|family| format!("{family}e"));
        let nobody = Search { family: slip, empty: true, ..search };
        let again = Search { empty: false, again: true, ..nobody.clone() };
        deeds.push(Deed { at, who, act: Act::Searched(nobody, Vec::new()) });
        let at = at + TimeDelta::minutes(1);
        deeds.push(Deed { at, who, act: Act::Searched(again, vec![id]) });
    } else {
        deeds.push(Deed { at, who, act: Act::Searched(search, vec![id]) });
    }
    deeds.push(Deed { at: at + TimeDelta::minutes(2), who, act: world.opening(child) });
}
