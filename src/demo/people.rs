//! Children, one after the other, family by family.

use std::collections::VecDeque;

use chrono::{Datelike, NaiveDate};

use super::{
    Demo,
    chance::{Chance, years_before},
    directory::Directory,
    household::{Birth, Care, Household, Stay},
    identifiers::Identifiers,
    involvements::{Choices, Services, Setting, reception},
    names::{self, Family, Sex},
    places::PLACES,
    row::{Carer, Child, FormerWhereabouts, Identifier, KindOfName, Name, Whereabouts},
    seen::Seen,
    showpiece,
};

/// The children of a demo, the showpiece families first.
#[derive(Debug)]
pub(super) struct Children {
    pub(super) chance: Chance,
    pub(super) directory: Directory,
    pub(super) identifiers: Identifiers,
    pub(super) today: NaiveDate,
    seen: Seen,
    waiting: VecDeque<Child>,
}

impl Iterator for Children {
    type Item = Child;

    fn next(&mut self) -> Option<Child> {
        while self.waiting.is_empty() {
            self.family();
        }
        self.waiting.pop_front()
    }
}

impl Children {
    pub(super) fn new(demo: &Demo, directory: Directory) -> Self {
        let mut children = Self {
            chance: Chance::new(demo.seed),
            directory,
            identifiers: Identifiers::default(),
            today: demo.today,
            seen: Seen::new(demo.children),
            waiting: VecDeque::new(),
        };
        children.waiting = showpiece::children(&mut children).into();
        children
    }

    /// Makes the children of one family.
    fn family(&mut self) {
        let household = Household::draw(&mut self.chance, self.today);
        let choices = Choices::draw(&mut self.chance, &self.directory.locals[household.area]);
        let mut taken = Vec::new();
        for (at, birth) in household.births.iter().enumerate() {
            let child = self.child(&household, choices, at, *birth, &mut taken);
            self.waiting.push_back(child);
        }
    }

    fn child(
        &mut self,
        household: &Household,
        choices: Choices,
        at: usize,
        birth: Birth,
        taken: &mut Vec<String>,
    ) -> Child {
        let (born, precision, estimated) = self.date_of_birth(birth);
        let names = self.names(household.family_of(at), birth.sex, born, taken);
        let left = if let Stay::Left(day) = household.stay { Some(day) } else { None };
        let in_care = household.care == Care::Foster;
        let local = &self.directory.locals[household.area];
        let setting = Setting {
            directory: &self.directory,
            local,
            choices,
            born,
            today: self.today,
            left,
            in_care,
        };
        let Services { involvements, without } = setting.services(&mut self.chance);
        let social_care = involvements.iter().any(|i| i.service_type == "socialCare");
        let pupil = involvements.iter().any(|i| ["school", "college"].contains(&i.service_type));
        Child {
            names,
            date_of_birth: born,
            date_of_birth_precision: precision,
            date_of_birth_estimated: estimated,
            gender: gender(&mut self.chance, birth.sex),
            whereabouts: self.whereabouts(household),
            former_whereabouts: former_whereabouts(household, born),
            identifiers: self.identifiers(household.area, born, pupil, social_care),
            carers: carers(household, at),
            responsible_authority: PLACES[household.area].authority,
            without_service: without,
            involvements,
        }
    }

    /// The date as it is recorded: rarely only the month or the year is known.
    fn date_of_birth(&mut self, birth: Birth) -> (NaiveDate, Option<&'static str>, Option<bool>) {
        let born = birth.born;
        let (precision, known, estimated) = match self.chance.between(1, 1000) {
            1..=3 => ("month", born.with_day(1), None),
            4..=6 => ("year", born.with_day(1).and_then(|day| day.with_month(1)), Some(true)),
            _ => return (born, None, None),
        };
        let adult = years_before(self.today, 18);
        match known {
            Some(day) if day > adult && !birth.twin => (day, Some(precision), estimated),
            _ => (born, None, None),
        }
    }

    /// A current name that nobody else born on that day has, and perhaps others.
    fn names(
        &mut self,
        family: &Family,
        sex: Sex,
        born: NaiveDate,
        taken: &mut Vec<String>,
    ) -> Vec<KindOfName> {
        let current = loop {
            let given = vec![names::given(&mut self.chance, sex, family)];
            let name = Name { given, family: family.name.clone() };
            if !taken.contains(&name.given[0]) && self.seen.is_new(&name, born) {
                break self.with_middle_names(name, sex, family);
            }
        };
        taken.push(current.given[0].clone());
        let former = self.chance.permille(60).then(|| self.former(&current, sex, family));
        let known_as = self.known_as(&current);
        let kinds = [("current", Some(current)), ("former", former), ("knownAs", known_as)];
        kinds
            .into_iter()
            .filter_map(|(kind, name)| Some(KindOfName { kind, name: name? }))
            .collect()
    }

    fn with_middle_names(&mut self, mut name: Name, sex: Sex, family: &Family) -> Name {
        let number = match self.chance.between(1, 100) {
            1..=33 => 0,
            34..=85 => 1,
            86..=98 => 2,
            _ => 3,
        };
        for _ in 0..number {
            let middle = names::given(&mut self.chance, sex, family);
            if !name.given.contains(&middle) {
                name.given.push(middle);
            }
        }
        name
    }

    /// Mostly another family name, sometimes another given name.
    fn former(&mut self, current: &Name, sex: Sex, family: &Family) -> Name {
        let mut former = current.clone();
        if self.chance.permille(150) {
            former.given[0] = names::given(&mut self.chance, sex, family);
        }
        while former == *current {
            former.family = names::family(&mut self.chance).name;
        }
        former
    }

    /// The short form of the given name, or the middle name.
    fn known_as(&mut self, current: &Name) -> Option<Name> {
        let short = names::short(&current.given[0]).map(str::to_owned);
        let often = if short.is_some() { 120 } else { 50 };
        if !self.chance.permille(often) {
            return None;
        }
        let given = vec![short.or_else(|| current.given.get(1).cloned())?];
        Some(Name { given, family: current.family.clone() })
    }

    fn whereabouts(&mut self, household: &Household) -> Whereabouts {
        let address = household.address.clone();
        match household.stay {
            Stay::Home => Whereabouts::Current { address },
            Stay::LastKnown => Whereabouts::LastKnown { address },
            Stay::NoneKnown(_) => Whereabouts::NoneKnown,
            Stay::Left(left_on) => {
                let r#return = self.chance.pick(&["intends", "doesNotIntend", "notKnown"]);
                Whereabouts::LeftEngland { left_on, r#return }
            }
        }
    }

    /// The identifiers that a child of this age has.
    pub(super) fn identifiers(
        &mut self,
        area: usize,
        born: NaiveDate,
        pupil: bool,
        social_care: bool,
    ) -> Vec<Identifier> {
        let age = self.today.years_since(born).unwrap_or_default();
        let place = &PLACES[area];
        let year = usize::try_from(reception(born).year()).unwrap_or_default();
        let mut found = Vec::new();
        let mut add = |kind, value: Option<String>| {
            found.extend(value.map(|value| Identifier { kind, value }));
        };
        if self.chance.permille(985) {
            add("nhsNumber", self.identifiers.nhs_number());
        }
        if pupil {
            let upn = match self.chance.between(1, 1000) {
                1..=5 => self.identifiers.temporary_upn(place.authority, year),
                6..=25 => None,
                _ => self.identifiers.upn(area, place.authority, year),
            };
            add("upn", upn);
        }
        if social_care {
            add("childReference", Some(self.identifiers.child_reference()));
        }
        if age >= 14 && pupil && self.chance.permille(900) {
            add("uln", self.identifiers.uln());
        }
        if age >= 16 && self.chance.permille(700) {
            add("nationalInsuranceNumber", self.identifiers.national_insurance_number());
        }
        found
    }
}

fn gender(chance: &mut Chance, sex: Sex) -> &'static str {
    match sex {
        _ if chance.permille(4) => "notSpecified",
        Sex::Female => "female",
        Sex::Male => "male",
    }
}

/// The carers; the first at home stands with the child's address.
fn carers(household: &Household, at: usize) -> Vec<Carer> {
    let mut carers = household.carers_of(at);
    let separate = household.care == Care::Foster || household.stay != Stay::Home;
    if let Some(first) = carers.first_mut().filter(|_| !separate) {
        first.address = Some(household.address.clone());
    }
    carers
}

/// Where the child has lived since its birth, oldest first.
fn former_whereabouts(household: &Household, born: NaiveDate) -> Vec<FormerWhereabouts> {
    let mut former = household.moves.clone();
    if let Stay::NoneKnown(day) | Stay::Left(day) = household.stay {
        former.retain(|(_, until)| *until < day);
        former.push((household.address.clone(), day));
    }
    former
        .into_iter()
        .filter(|(_, until)| *until > born)
        .map(|(address, until)| FormerWhereabouts {
            whereabouts: Whereabouts::Current { address },
            until,
        })
        .collect()
}
