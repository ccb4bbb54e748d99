//! What is kept of one who looks: as much as the rules need, and no longer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{
    Threshold,
    chance::{Habit, surely},
    others::{KEPT, OF_LATE},
    seen::Search,
};
use crate::ids::{ChildId, EventId};

/// After so many days it is known whether the organisation has begun to work with a child.
pub const FOLLOWS: TimeDelta = TimeDelta::days(30);
/// As many searches of an hour as are kept.
const SEARCHES: usize = 120;
/// A habit is one after so many days.
const A_HABIT: u32 = 20;
/// For so long it is kept how many strangers there were, and on which days one bore a name that matters.
const A_YEAR: TimeDelta = TimeDelta::days(396);
/// As many days of a role as say what is usual.
const MANY_DAYS: u32 = 100;

/// A search, and the family name and given name by which it was made.
type Named = (EventId, (String, Option<String>));

/// Whose name a stranger, or a stranger's carer, bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Namesake {
    /// A stranger bears the own family name.
    Family,
    /// A carer of a stranger bears the own name.
    Oneself,
    /// A carer of a stranger bears the name of a colleague.
    Colleague,
}

/// An opening of a child, and those after it within a month.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Opening {
    /// The day of the first.
    pub on: NaiveDate,
    /// The day of the last.
    pub last: NaiveDate,
    /// On how many days.
    pub days: u32,
    /// Whether another authority than that of the own area answers for the record.
    pub elsewhere: bool,
}

/// What became of the openings of a day, a month later.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Settled {
    all: u32,
    elsewhere: u32,
}

/// What is kept of one who looks.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Person {
    /// The last day on which they did anything.
    pub(super) day: NaiveDate,
    /// The children opened on it with whom their organisation does not work.
    pub(super) strangers: BTreeSet<ChildId>,
    /// How many such there are on a day.
    habit: Habit,
    /// What they searched by within the last hour.
    searches: VecDeque<(DateTime<Utc>, EventId, Search)>,
    /// How often they searched on a day, and how often that found nobody.
    tried: BTreeMap<NaiveDate, (u32, u32)>,
    /// How many strangers they have opened in a month, and how often they searched.
    months: BTreeMap<NaiveDate, (u32, u32)>,
    /// The children opened within a month.
    openings: BTreeMap<ChildId, Opening>,
    /// What became of those before.
    settled: BTreeMap<NaiveDate, Settled>,
    /// On which days a stranger bore a name that matters.
    namesakes: [BTreeSet<NaiveDate>; 3],
}

impl Person {
    /// Begins a new day where it is one; tells the day that is over, with the strangers opened on it.
    pub(super) fn turn_to(&mut self, day: NaiveDate) -> Option<(NaiveDate, u32)> {
        if day <= self.day {
            return None;
        }
        let (over, count) = (self.day, count(self.strangers.len()));
        self.day = day;
        self.strangers.clear();
        self.searches.clear();
        self.tried.retain(|then, _| *then + KEPT > day);
        self.months.retain(|then, _| *then + A_YEAR > day);
        for days in &mut self.namesakes {
            days.retain(|then| *then + A_YEAR > day);
        }
        if over == NaiveDate::default() {
            return None;
        }
        self.habit.add(over, count);
        Some((over, count))
    }

    /// Notes that a child was opened, with whom the own organisation works or not.
    pub(super) fn open(&mut self, child: ChildId, elsewhere: bool, stranger: bool) -> Opening {
        let day = self.day;
        let opening = self.openings.entry(child).or_insert(Opening {
            on: day,
            last: day,
            days: 1,
            elsewhere,
        });
        if opening.last < day {
            opening.last = day;
            opening.days += 1;
        }
        let opening = *opening;
        if stranger && self.strangers.insert(child) {
            self.months.entry(month(day)).or_default().0 += 1;
        }
        opening
    }

    /// Whether a child was opened on a day already.
    #[must_use]
    pub fn has_opened(&self, child: ChildId, day: NaiveDate) -> bool {
        self.openings.get(&child).is_some_and(|opening| opening.last == day)
    }

    /// Notes a search.
    pub(super) fn search(&mut self, at: DateTime<Utc>, event: EventId, search: &Search) {
        let (all, empty) = self.tried.entry(self.day).or_default();
        if search.again {
            *empty = empty.saturating_sub(u32::from(!search.empty));
        } else {
            *all += 1;
            *empty += u32::from(search.empty);
            self.months.entry(month(self.day)).or_default().1 += 1;
        }
        self.searches.retain(|(then, ..)| *then + OF_LATE > at);
        self.searches.push_back((at, event, search.clone()));
        if self.searches.len() > SEARCHES {
            self.searches.pop_front();
        }
    }

    /// Notes that a stranger bears a name that matters; says on how many days within a year one did.
    pub(super) fn meets(&mut self, namesake: Namesake) -> u32 {
        let days = &mut self.namesakes[namesake as usize];
        days.insert(self.day);
        count(days.len())
    }

    /// How many strangers were opened within a year, and how many searches made; so many at least.
    pub(super) fn in_a_year(&self, least: u32) -> (f64, f64) {
        let sum =
            self.months.values().fold((0, 0), |sum, month| (sum.0 + month.0, sum.1 + month.1));
        (f64::from(sum.0.max(least)), f64::from(sum.1.max(least)))
    }

    /// Whether more strangers were opened today than is usual of the role, of the organisation and of oneself; of whom that is not
    /// known yet, many more than of the role.
    pub(super) fn bursts(&self, role: &Habit, body: &Habit, measure: Threshold) -> bool {
        let today = count(self.strangers.len());
        let beyond = |habit: &Habit| {
            let known = if habit.days() < A_HABIT { role } else { habit };
            f64::from(today) > known.usual(3.0 * measure.limit)
        };
        measure.on
            && today >= measure.least
            && role.days() >= MANY_DAYS
            && f64::from(today) > role.usual(measure.limit)
            && beyond(body)
            && beyond(&self.habit)
    }

    /// The searches of late in which name follows name with one date of birth or one postcode.
    pub(super) fn sweeps(&self, at: DateTime<Utc>, rule: Threshold) -> Option<Vec<EventId>> {
        let (_, _, last) = self.searches.back()?;
        let since = at - rule.within().min(OF_LATE);
        let of_late = || self.searches.iter().filter(|(then, ..)| *then >= since);
        let by_birth = last.born.is_some().then(|| {
            let same = of_late().filter(|(.., search)| search.born == last.born);
            same.filter_map(|(_, event, search)| {
                Some((*event, (search.family.clone()?, search.given.clone())))
            })
            .collect()
        });
        let by_place = last.postcode.is_some().then(|| {
            let same = of_late().filter(|(.., search)| search.postcode == last.postcode);
            same.filter_map(|(_, event, search)| Some((*event, (search.family.clone()?, None))))
                .collect()
        });
        let found: Vec<Vec<Named>> = [by_birth, by_place].into_iter().flatten().collect();
        found.into_iter().filter(|_| rule.on).find_map(|same| {
            let names: BTreeSet<_> = same.iter().map(|(_, name)| name).collect();
            (count(names.len()) >= rule.least)
                .then(|| same.iter().map(|(event, _)| *event).collect())
        })
    }

    /// Whether too many searches have found nobody.
    pub(super) fn searches_in_vain(&self, rule: Threshold) -> bool {
        let since = self.day - TimeDelta::days(rule.days());
        let of_late = self.tried.iter().filter(|(day, _)| **day > since);
        let (all, empty) = of_late.fold((0, 0), |sum, (_, day)| (sum.0 + day.0, sum.1 + day.1));
        rule.on && all >= rule.least && surely(empty, all) > rule.limit
    }

    /// The children whose month is over.
    #[must_use]
    pub fn due(&self, today: NaiveDate) -> Vec<ChildId> {
        let over = |opening: &Opening| opening.on + FOLLOWS < today;
        self.openings.iter().filter(|(_, opening)| over(opening)).map(|(child, _)| *child).collect()
    }

    /// The day on which the first of them is due.
    #[must_use]
    pub fn due_on(&self) -> Option<NaiveDate> {
        self.openings.values().map(|opening| opening.on + FOLLOWS + TimeDelta::days(1)).min()
    }

    /// Notes what became of an opening whose month is over.
    pub(super) fn settle(
        &mut self,
        child: ChildId,
        works_with: impl FnOnce(NaiveDate) -> bool,
    ) -> Option<(NaiveDate, bool)> {
        let opening = self.openings.remove(&child)?;
        let followed = works_with(opening.on + FOLLOWS);
        let settled = self.settled.entry(opening.on).or_default();
        settled.all += 1;
        settled.elsewhere += u32::from(opening.elsewhere && !followed);
        Some((opening.on, followed))
    }

    /// Whether most children opened were of other areas, with whom nobody of the organisation has worked since.
    pub(super) fn looks_elsewhere(&mut self, until: NaiveDate, rule: Threshold) -> bool {
        self.settled.retain(|day, _| *day + KEPT > until);
        let from = until - TimeDelta::days(rule.days());
        let within = self.settled.range(from..=until);
        let (all, elsewhere) =
            within.fold((0, 0), |sum, (_, day)| (sum.0 + day.all, sum.1 + day.elsewhere));
        rule.on && elsewhere >= rule.least && f64::from(elsewhere) > rule.limit * f64::from(all)
    }
}

fn month(day: NaiveDate) -> NaiveDate {
    day.with_day(1).unwrap_or(day)
}

fn count(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}
