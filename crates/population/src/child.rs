//! Children in their households.

use chrono::{Datelike, Days, NaiveDate};
use linkage::{fold::fold, similarity::sound};

use crate::{
    BLOCK, Chance, Home,
    names::Names,
    place::Places,
    record::{Address, Carer, Named, Record},
};

/// A child, as the index holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    /// The child's number, from 0.
    pub number: u64,
    /// The household within its block.
    pub household: u32,
    /// Whether another of the household was born on the same day.
    pub twin: bool,
    /// Whether another of the household is a child too.
    pub sibling: bool,
    /// The first given name.
    pub given: String,
    /// The second, where there is one.
    pub middle: Option<String>,
    /// The family name.
    pub family: String,
    /// A family name before.
    pub former_family: Option<String>,
    /// Whether the child is a boy.
    pub male: bool,
    /// The date of birth.
    pub born: NaiveDate,
    /// Where the child lives.
    pub home: Home,
    /// Where the household lived before.
    pub former_home: Option<Home>,
    /// Given and family names of those who care for the child.
    pub carers: Vec<(String, String)>,
    /// The school.
    pub school: Option<u64>,
    /// The general practice.
    pub practice: u64,
}

impl Child {
    /// Whether another of the household was born on the same day.
    #[must_use]
    pub const fn is_twin(&self) -> bool {
        self.twin
    }

    /// Whether another of the household is a child too.
    #[must_use]
    pub const fn is_sibling(&self) -> bool {
        self.sibling
    }

    /// The record that the index holds.
    #[must_use]
    pub fn held(&self) -> Record {
        let name = |family: &str, kind: &str| Named {
            given: std::iter::once(&self.given).chain(&self.middle).cloned().collect(),
            family: family.to_owned(),
            kind: kind.to_owned(),
        };
        let former = self.former_family.as_deref().map(|family| name(family, "former"));
        Record {
            names: std::iter::once(name(&self.family, "current")).chain(former).collect(),
            date_of_birth: Some(self.born.to_string()),
            gender: Some(if self.male { "male" } else { "female" }.to_owned()),
            addresses: std::iter::once(self.home.address(false))
                .chain(self.former_home.as_ref().map(|home| home.address(true)))
                .collect(),
            carers: self.carers.iter().map(|(given, family)| carer(given, family)).collect(),
            schools: self.school.map(school).into_iter().collect(),
            practices: vec![format!("p{}", self.practice)],
            identifiers: Vec::new(),
        }
    }
}

pub(crate) fn carer(given: &str, family: &str) -> Carer {
    Carer { given: vec![given.to_owned()], family: family.to_owned() }
}

pub(crate) fn school(number: u64) -> String {
    format!("s{number}")
}

impl Home {
    /// The address as it is written.
    #[must_use]
    pub fn address(&self, former: bool) -> Address {
        Address {
            lines: vec![format!("{} {}", self.house, self.street)],
            town: self.town.clone(),
            postcode: self.postcode.clone(),
            former,
        }
    }
}

/// So many children from one seed.
#[derive(Debug)]
pub struct Population {
    /// How many children there are.
    pub children: u64,
    pub(crate) names: Names,
    pub(crate) places: Places,
    seed: u64,
    today: NaiveDate,
}

/// The day on which the children are 0 to 17 years old, unless another is chosen.
const TODAY: NaiveDate = match NaiveDate::from_ymd_opt(2026, 9, 1) {
    Some(day) => day,
    None => NaiveDate::MIN,
};
const DAYS: usize = 18 * 365 + 4;

struct Household<'a> {
    population: &'a Population,
    south_asian: bool,
    family: String,
    home: Home,
    former_home: Option<Home>,
    carers: Vec<(String, String)>,
    school: u64,
    practice: u64,
}

impl Population {
    /// The population of a seed.
    #[must_use]
    pub fn new(children: u64, seed: u64) -> Self {
        let places = Places::new(usize::try_from(children).unwrap_or(usize::MAX));
        Self { children, names: Names::new(), places, seed, today: TODAY }
    }

    /// The same, of children who are 0 to 17 years old on this day.
    #[must_use]
    pub fn on(self, today: NaiveDate) -> Self {
        Self { today, ..self }
    }

    /// How many schools there are.
    #[must_use]
    pub const fn schools(&self) -> usize {
        self.places.schools
    }

    /// How many general practices there are.
    #[must_use]
    pub const fn practices(&self) -> usize {
        self.places.practices
    }

    /// In which of so many areas, each as populous as the next, a home lies.
    #[must_use]
    pub const fn area(&self, home: &Home, areas: usize) -> usize {
        home.at * areas / self.places.postcodes
    }

    /// Given and family name of an adult.
    #[must_use]
    pub fn adult(&self, chance: &mut Chance) -> (&'static str, &'static str) {
        let male = chance.in_share(0.2);
        (self.names.given(chance, male, false), self.names.family(chance, false))
    }

    /// How many blocks there are.
    #[must_use]
    pub const fn blocks(&self) -> u64 {
        self.children.div_ceil(BLOCK)
    }

    /// The children of a block, always the same.
    #[must_use]
    pub fn block(&self, block: u64) -> Vec<Child> {
        let mut chance = Chance::of(self.seed, block);
        let first = block * BLOCK;
        let count = usize::try_from(BLOCK.min(self.children.saturating_sub(first))).unwrap_or(0);
        let mut children = Vec::with_capacity(count + 3);
        let mut household = 0;
        while children.len() < count {
            let from = children.len();
            Household::new(self, &mut chance).children(&mut chance, household, &mut children);
            children.truncate(count);
            let siblings = children.len() - from > 1;
            for (number, child) in (first..).zip(&mut children).skip(from) {
                child.number = number;
                child.sibling = siblings;
            }
            household += 1;
        }
        children
    }

    /// A home to which a child might move.
    #[must_use]
    pub fn another_home(&self, chance: &mut Chance) -> Home {
        self.places.home(chance)
    }
}

impl<'a> Household<'a> {
    fn new(population: &'a Population, chance: &mut Chance) -> Self {
        let Population { names, places, .. } = population;
        let south_asian = chance.in_share(0.10);
        let mut family = names.family(chance, south_asian).to_owned();
        if !south_asian && chance.in_share(0.04) {
            family = format!("{family}-{}", names.family(chance, false));
        }
        let home = places.home(chance);
        let former_home = chance.in_share(0.35).then(|| places.home(chance));
        let mut carers = Vec::with_capacity(2);
        for (there, same_family, male) in [(0.97, 0.75, false), (0.75, 0.9, true)] {
            if chance.in_share(there) || (male && carers.is_empty()) {
                let given = names.given(chance, male, south_asian).to_owned();
                let same = chance.in_share(same_family);
                let other = || family.clone();
                let family =
                    if same { other() } else { names.family(chance, south_asian).to_owned() };
                carers.push((given, family));
            }
        }
        let (school, practice) = (places.school(chance, &home), places.practice(chance, &home));
        Self { population, south_asian, family, home, former_home, carers, school, practice }
    }

    fn children(&self, chance: &mut Chance, household: u32, into: &mut Vec<Child>) {
        let from = into.len();
        let count = match chance.share() {
            ..0.45 => 1,
            ..0.83 => 2,
            ..0.95 => 3,
            _ => 4,
        };
        for n in 0..count {
            let before = (n > 0).then(|| into.last().map(|child: &Child| child.born)).flatten();
            let twin_of = before.filter(|_| chance.in_share(0.03));
            let born = twin_of.unwrap_or_else(|| day_of_birth(chance, self.population.today));
            let child = self.child(chance, &into[from..], household, born);
            if twin_of.is_some()
                && let Some(other) = into.last_mut()
            {
                other.twin = true;
            }
            into.push(Child { twin: twin_of.is_some(), ..child });
        }
    }

    fn child(
        &self,
        chance: &mut Chance,
        others: &[Child],
        household: u32,
        born: NaiveDate,
    ) -> Child {
        let Population { names, places, today, .. } = self.population;
        let male = chance.in_share(0.512);
        let mut given = names.given(chance, male, self.south_asian);
        // Nobody calls two children of one household by two spellings of one name.
        while others.iter().any(|other| sound(&fold(&other.given)) == sound(&fold(given))) {
            given = names.given(chance, male, self.south_asian);
        }
        let middle =
            chance.in_share(0.7).then(|| names.given(chance, male, self.south_asian).to_owned());
        let family = if !others.is_empty() && chance.in_share(0.12) {
            names.family(chance, false).to_owned()
        } else {
            self.family.clone()
        };
        let former_family =
            chance.in_share(0.03).then(|| names.family(chance, self.south_asian).to_owned());
        let schooled = today.year() - born.year() > 4 || chance.in_share(0.5);
        let school =
            if chance.in_share(0.7) { self.school } else { places.school(chance, &self.home) };
        Child {
            number: 0,
            household,
            twin: false,
            sibling: false,
            given: given.to_owned(),
            middle,
            family,
            former_family,
            male,
            born,
            home: self.home.clone(),
            former_home: self.former_home.clone(),
            carers: self.carers.clone(),
            school: schooled.then_some(school),
            practice: self.practice,
        }
    }
}

fn day_of_birth(chance: &mut Chance, today: NaiveDate) -> NaiveDate {
    let days = chance.below(DAYS) as u64;
    let day = today.checked_sub_days(Days::new(days + 1)).unwrap_or(today);
    if chance.in_share(0.01) { day.with_ordinal(1).unwrap_or(day) } else { day }
}
