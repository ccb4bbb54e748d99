//! Who works with a child, as befits its age.

use chrono::{Days, Months, NaiveDate};
use population::{Chance, Child, Population};
use serde::Serialize;
use uuid::Uuid;

use super::directory::{DUTY, Directory, OFFICE};
use crate::demo::involvements::{reception, team};

/// Services that not every child has: in which share of children, from which age until which.
const ADDITIONAL: [(&str, f64, u32, u32); 11] = [
    ("socialCare", 0.04, 0, 17),
    ("earlyHelp", 0.045, 0, 17),
    ("educationWelfare", 0.045, 5, 16),
    ("youthJustice", 0.015, 10, 17),
    ("police", 0.03, 2, 17),
    ("paediatrics", 0.085, 0, 16),
    ("speechAndLanguageTherapy", 0.07, 2, 10),
    ("communityHealth", 0.04, 0, 17),
    ("familySupport", 0.045, 0, 15),
    ("youthService", 0.07, 11, 17),
    ("housing", 0.035, 0, 17),
];

/// An involvement.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) organisation: Uuid,
    pub(super) service: &'static str,
    pub(super) contact: Contact,
    pub(super) started_on: NaiveDate,
    pub(super) ended_on: Option<NaiveDate>,
    pub(super) confirmed_on: Option<NaiveDate>,
    /// The day on which it was said that action is taken.
    pub(super) taking_action_since: Option<NaiveDate>,
}

/// Who answers for an involvement.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Contact {
    #[serde(skip_serializing_if = "Option::is_none")]
    practitioner: Option<String>,
    team: &'static str,
    office_hours: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    out_of_hours: Option<&'static str>,
}

/// Everything that decides who works with a child.
pub(super) struct Setting<'a> {
    pub(super) population: &'a Population,
    pub(super) directory: &'a Directory,
    pub(super) child: &'a Child,
    pub(super) today: NaiveDate,
    /// The day on which the child moved, where it did.
    pub(super) moved_on: Option<NaiveDate>,
}

impl Setting<'_> {
    /// All of them, those that go on and those that are over.
    pub(super) fn services(&self, chance: &mut Chance) -> Vec<Work> {
        let mut all = Vec::with_capacity(8);
        self.practice(chance, &mut all);
        self.education(chance, &mut all);
        for (service, share, from, until) in ADDITIONAL {
            if chance.in_share(share) && (from..=until).contains(&self.age()) {
                all.push(self.additional(chance, service, from));
            }
        }
        all
    }

    fn age(&self) -> u32 {
        self.today.years_since(self.child.born).unwrap_or_default()
    }

    fn area(&self) -> usize {
        self.population.area(&self.child.home, self.directory.areas())
    }

    fn practice(&self, chance: &mut Chance, all: &mut Vec<Work>) {
        let practice = self.directory.practice(self.child.practice);
        let registered = after(self.child.born, 3 + chance.below(37) as u64).min(self.today);
        let since = match self.moved_on.filter(|day| *day > registered) {
            Some(moved) => {
                let before = self.directory.practice(self.child.practice.saturating_sub(1));
                if before != practice {
                    all.push(self.work(
                        chance,
                        before,
                        "generalPractice",
                        (registered, Some(moved)),
                    ));
                }
                moved
            }
            None => registered,
        };
        all.push(self.work(chance, practice, "generalPractice", (since, None)));
    }

    fn education(&self, chance: &mut Chance, all: &mut Vec<Work>) {
        let trust = self.directory.trust(self.area());
        let reception = reception(self.child.born);
        if reception > self.today {
            let visited = after(self.child.born, 1 + chance.below(13) as u64).min(self.today);
            all.push(self.work(chance, trust, "healthVisiting", (visited, None)));
        }
        let Some(school) = self.child.school else { return };
        let here = self.directory.school(school);
        if reception > self.today {
            let from = after(self.child.born, 280 + chance.below(800) as u64);
            if from <= self.today {
                all.push(self.work(chance, here, "earlyYears", (from, None)));
            }
            return;
        }
        if chance.in_share(0.88) {
            all.push(self.work(chance, trust, "schoolNursing", (reception, None)));
        }
        let moves_up = reception.checked_add_months(Months::new(84)).unwrap_or(self.today);
        if moves_up > self.today {
            all.push(self.work(chance, here, "school", (reception, None)));
            return;
        }
        let primary = self.directory.school(school.saturating_sub(1));
        if primary != here && chance.in_share(0.3) {
            let left = moves_up.checked_sub_days(Days::new(40)).unwrap_or(moves_up);
            all.push(self.work(chance, primary, "school", (reception, Some(left))));
        }
        all.push(self.work(chance, here, "school", (moves_up, None)));
    }

    fn additional(&self, chance: &mut Chance, service: &'static str, from: u32) -> Work {
        let organisation = match service {
            "police" => self.directory.police(self.area()),
            "paediatrics" | "speechAndLanguageTherapy" | "communityHealth" => {
                self.directory.trust(self.area())
            }
            _ => self.directory.authority(self.area()),
        };
        let earliest = self.child.born.checked_add_months(Months::new(from * 12));
        let earliest = earliest.unwrap_or(self.today).max(before(self.today, 900));
        let started = between(chance, earliest, self.today);
        let ended = chance.in_share(0.25).then(|| between(chance, started, self.today));
        let mut work = self.work(chance, organisation, service, (started, ended));
        if ended.is_none() && chance.in_share(0.2) {
            let since = between(chance, started.max(before(self.today, 300)), self.today);
            work.taking_action_since = Some(since);
        }
        work
    }

    fn work(
        &self,
        chance: &mut Chance,
        organisation: Uuid,
        service: &'static str,
        (started_on, ended_on): (NaiveDate, Option<NaiveDate>),
    ) -> Work {
        let universal = !ADDITIONAL.iter().any(|(additional, ..)| *additional == service);
        let named = chance.in_share(if universal { 0.25 } else { 0.65 });
        let practitioner = named.then(|| {
            let (given, family) = self.population.adult(chance);
            format!("{given} {family}")
        });
        let always = ["socialCare", "police", "paediatrics"].contains(&service);
        let contact = Contact {
            practitioner,
            team: team(service),
            office_hours: OFFICE,
            out_of_hours: always.then_some(DUTY),
        };
        let confirmed = ended_on.is_none() && chance.in_share(0.45);
        let confirmed_on =
            confirmed.then(|| between(chance, started_on.max(before(self.today, 365)), self.today));
        Work {
            organisation,
            service,
            contact,
            started_on,
            ended_on,
            confirmed_on,
            taking_action_since: None,
        }
    }
}

fn after(day: NaiveDate, days: u64) -> NaiveDate {
    day.checked_add_days(Days::new(days)).unwrap_or(day)
}

fn before(day: NaiveDate, days: u64) -> NaiveDate {
    day.checked_sub_days(Days::new(days)).unwrap_or(day)
}

/// A day from the first to the last.
pub(super) fn between(chance: &mut Chance, first: NaiveDate, last: NaiveDate) -> NaiveDate {
    let days = usize::try_from((last - first).num_days()).unwrap_or_default();
    after(first, chance.below(days + 1) as u64)
}
