//! Names, weighted as they are given in England and Wales.

use std::sync::LazyLock;

use super::{
    chance::Chance,
    lists::{ACCENTED, FATHERS, MOTHERS, SHORT},
};

const GIVEN: &str = include_str!("../../data/given-names-england-wales.csv");
const GIVEN_BY_ORIGIN: &str = include_str!("../../data/given-names-by-origin.csv");
const FAMILY: &str = include_str!("../../data/family-names.csv");

/// Which list of given names a girl or a boy is named from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sex {
    Female,
    Male,
}

/// A family name, and which given names often go with it.
#[derive(Debug, Clone)]
pub(super) struct Family {
    pub(super) name: String,
    origin: &'static str,
}

/// Things drawn as often as they are weighty.
#[derive(Debug, Default)]
struct Weighted<T> {
    things: Vec<T>,
    up_to: Vec<u32>,
}

impl<T> Weighted<T> {
    fn add(&mut self, thing: T, weight: u32) {
        self.up_to.push(self.up_to.last().unwrap_or(&0) + weight);
        self.things.push(thing);
    }

    fn draw(&self, chance: &mut Chance) -> &T {
        let total = self.up_to.last().unwrap_or(&1);
        let at = chance.between(0, total - 1);
        &self.things[self.up_to.partition_point(|up_to| *up_to <= at)]
    }
}

#[derive(Debug, Default)]
struct Lists {
    girls: Weighted<&'static str>,
    boys: Weighted<&'static str>,
    by_origin: Vec<(&'static str, Sex, Vec<&'static str>)>,
    families: Weighted<(&'static str, &'static str)>,
}

static LISTS: LazyLock<Lists> = LazyLock::new(|| {
    let mut lists = Lists::default();
    for [sex, name, number] in lines(GIVEN) {
        let weight = number.split('.').next().and_then(|n| n.parse().ok()).unwrap_or(1);
        if is_a_name(name) {
            list_of(sex, &mut lists.girls, &mut lists.boys).add(name, weight);
        }
    }
    for [origin, sex, name] in lines(GIVEN_BY_ORIGIN) {
        let sex = if sex == "F" { Sex::Female } else { Sex::Male };
        match lists.by_origin.iter_mut().find(|(o, s, _)| *o == origin && *s == sex) {
            Some((_, _, names)) => names.push(name),
            None => lists.by_origin.push((origin, sex, vec![name])),
        }
    }
    for [name, weight, origin] in lines(FAMILY) {
        lists.families.add((name, origin), weight.parse().unwrap_or(1));
    }
    lists
});

/// The rows of three columns under the heading.
fn lines(csv: &'static str) -> impl Iterator<Item = [&'static str; 3]> {
    csv.lines().skip(1).filter_map(|line| {
        let mut cells = line.split(',');
        Some([cells.next()?, cells.next()?, cells.next()?])
    })
}

fn list_of<'a, T>(sex: &str, girls: &'a mut T, boys: &'a mut T) -> &'a mut T {
    if sex == "F" { girls } else { boys }
}

/// Placeholders and initials are no names.
fn is_a_name(name: &str) -> bool {
    name.len() > 1 && name.starts_with(char::is_uppercase) && !["Baby", "Twin"].contains(&name)
}

/// A family name.
pub(super) fn family(chance: &mut Chance) -> Family {
    let &(name, origin) = LISTS.families.draw(chance);
    if origin == "english" && chance.permille(45) {
        let (second, _) = LISTS.families.draw(chance);
        if *second != name && !second.contains(['-', ' ']) {
            return Family { name: format!("{name}-{second}"), origin };
        }
    }
    Family { name: name.to_owned(), origin }
}

/// A given name as children are given it now.
pub(super) fn given(chance: &mut Chance, sex: Sex, family: &Family) -> String {
    let fitting = fitting(family.origin, sex);
    if !fitting.is_empty() && chance.permille(if family.origin == "celtic" { 250 } else { 750 }) {
        return chance.pick(fitting).to_owned();
    }
    let list = if sex == Sex::Female { &LISTS.girls } else { &LISTS.boys };
    let name = *list.draw(chance);
    match ACCENTED.iter().find(|(plain, _)| *plain == name) {
        Some((_, accented)) if chance.permille(300) => (*accented).to_owned(),
        _ => name.to_owned(),
    }
}

/// A given name as grown-ups bear it.
pub(super) fn given_of_adult(chance: &mut Chance, sex: Sex, family: &Family) -> String {
    let fitting = fitting(family.origin, sex);
    if !fitting.is_empty() && family.origin != "celtic" && chance.permille(850) {
        return chance.pick(fitting).to_owned();
    }
    let names = if sex == Sex::Female { &MOTHERS } else { &FATHERS };
    chance.pick(names).to_owned()
}

/// Any grown-up's whole name, such as a practitioner's.
pub(super) fn adult(chance: &mut Chance) -> String {
    let family = family(chance);
    let sex = if chance.permille(700) { Sex::Female } else { Sex::Male };
    format!("{} {}", given_of_adult(chance, sex, &family), family.name)
}

/// The short form of a given name, where it has a usual one.
pub(super) fn short(given: &str) -> Option<&'static str> {
    SHORT.iter().find(|(long, _)| *long == given).map(|(_, short)| *short)
}

fn fitting(origin: &str, sex: Sex) -> &'static [&'static str] {
    LISTS.by_origin.iter().find(|(o, s, _)| *o == origin && *s == sex).map_or(&[], |(_, _, n)| n)
}
