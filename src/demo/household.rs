//! Families: who lives together, where, and who cares for the children.

use chrono::NaiveDate;

use super::{
    chance::{Chance, plus, years_before},
    names::{self, Family, Sex},
    places::{PLACES, address, landline, mobile},
    row::{Address, Carer, Name},
    seen::fold,
};

/// A family with its children still to be made.
#[derive(Debug)]
pub(super) struct Household {
    /// Which of the two places it lives in.
    pub(super) area: usize,
    pub(super) family: Family,
    /// The family name that the youngest child of a step family bears.
    pub(super) second: Family,
    pub(super) care: Care,
    pub(super) carers: Vec<Carer>,
    pub(super) address: Address,
    /// Earlier addresses, oldest first, each with its last day.
    pub(super) moves: Vec<(Address, NaiveDate)>,
    pub(super) stay: Stay,
    pub(super) births: Vec<Birth>,
}

/// A child to be made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Birth {
    pub(super) born: NaiveDate,
    pub(super) sex: Sex,
    pub(super) twin: bool,
}

/// Who cares for the children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Care {
    Couple,
    OneParent,
    Step,
    Relative,
    Guardian,
    Foster,
}

/// Where the family is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stay {
    Home,
    LastKnown,
    NoneKnown(NaiveDate),
    Left(NaiveDate),
}

impl Household {
    pub(super) fn draw(chance: &mut Chance, today: NaiveDate) -> Self {
        let births = births(chance, today);
        let area = usize::from(chance.permille(480));
        let place = &PLACES[area];
        let family = names::family(chance);
        let second = names::family(chance);
        let care = Care::draw(chance);
        let address = address(chance, place);
        let mut household = Self {
            area,
            family,
            second,
            care,
            carers: Vec::new(),
            moves: moves(chance, area, &births, today, &address),
            address,
            stay: stay(chance, &births, today),
            births,
        };
        household.carers = carers(chance, &household);
        household
    }

    /// The carers as they stand to the child with this place among its siblings.
    pub(super) fn carers_of(&self, child: usize) -> Vec<Carer> {
        if !self.own_child_of_step_parent(child) {
            return self.carers.clone();
        }
        let mut carers: Vec<Carer> =
            self.carers.iter().filter(|c| c.relationship != "father").cloned().collect();
        for carer in carers.iter_mut().filter(|c| c.relationship == "stepParent") {
            carer.relationship = "father";
            carer.parental_responsibility = true;
        }
        carers
    }

    /// The family name of the child with this place among its siblings.
    pub(super) fn family_of(&self, child: usize) -> &Family {
        if self.own_child_of_step_parent(child) { &self.second } else { &self.family }
    }

    /// In a step family with several children the last is the couple's own.
    fn own_child_of_step_parent(&self, child: usize) -> bool {
        self.care == Care::Step
            && child > 0
            && child + 1 == self.births.len()
            && !self.births[child].twin
    }
}

impl Care {
    fn draw(chance: &mut Chance) -> Self {
        match chance.between(1, 1000) {
            1..=670 => Self::Couple,
            671..=860 => Self::OneParent,
            861..=950 => Self::Step,
            951..=970 => Self::Relative,
            971..=980 => Self::Guardian,
            _ => Self::Foster,
        }
    }
}

/// One to four births spread evenly over eighteen years, at least ten months apart, twins on the same day.
fn births(chance: &mut Chance, today: NaiveDate) -> Vec<Birth> {
    let earliest = plus(years_before(today, 18), 1);
    let span = (today - earliest).num_days() + 1;
    let number = match chance.between(1, 100) {
        1..=40 => 1,
        41..=80 => 2,
        81..=94 => 3,
        _ => 4,
    };
    let mut births = Vec::new();
    let mut at = i64::from(chance.between(0, 6573));
    for _ in 0..number {
        let born = plus(earliest, at % span);
        let twin = chance.permille(15);
        let first = sex(chance);
        births.push(Birth { born, sex: first, twin });
        if twin {
            let other = if chance.permille(670) { first } else { sex(chance) };
            births.push(Birth { born, sex: other, twin });
        }
        at += i64::from(chance.between(320, 1700));
    }
    births.sort_by_key(|birth| birth.born);
    births
}

fn sex(chance: &mut Chance) -> Sex {
    if chance.permille(513) { Sex::Male } else { Sex::Female }
}

/// Up to three moves while there were children, for three families in ten.
fn moves(
    chance: &mut Chance,
    area: usize,
    births: &[Birth],
    today: NaiveDate,
    now: &Address,
) -> Vec<(Address, NaiveDate)> {
    if !chance.permille(290) {
        return Vec::new();
    }
    let eldest = births.first().map_or(today, |birth| birth.born);
    let mut days: Vec<NaiveDate> =
        (0..chance.between(1, 3)).map(|_| chance.day(plus(eldest, 30), plus(today, -30))).collect();
    days.sort_unstable();
    days.dedup();
    days.retain(|day| *day > eldest && *day < today);
    let mut moves: Vec<(Address, NaiveDate)> = Vec::new();
    for day in days {
        let from = if chance.permille(60) { 1 - area } else { area };
        let old = address(chance, &PLACES[from]);
        if old != *now && moves.last().is_none_or(|(last, _)| *last != old) {
            moves.push((old, day));
        }
    }
    moves
}

fn stay(chance: &mut Chance, births: &[Birth], today: NaiveDate) -> Stay {
    let youngest = births.last().map_or(today, |birth| birth.born);
    let since = chance.day(youngest.max(plus(today, -600)), today);
    match chance.between(1, 1000) {
        1..=10 => Stay::LastKnown,
        11..=20 => Stay::NoneKnown(since),
        21..=30 => Stay::Left(since),
        _ => Stay::Home,
    }
}

/// The carers, the first of them living with the children.
fn carers(chance: &mut Chance, household: &Household) -> Vec<Carer> {
    use Sex::{Female, Male};
    let family = household.family.clone();
    let other = household.second.clone();
    let birth_name = if chance.permille(300) { names::family(chance) } else { family.clone() };
    let mother = |chance: &mut Chance| carer(chance, Female, &birth_name, "mother", true);
    match household.care {
        Care::Couple => couple(chance, &family, mother),
        Care::OneParent if chance.permille(140) => {
            vec![carer(chance, Male, &family, "father", true)]
        }
        Care::OneParent => {
            let mut carers = vec![mother(chance)];
            if chance.permille(550) {
                carers.push(elsewhere(chance, household.area, &family));
            }
            carers
        }
        Care::Step => vec![
            mother(chance),
            carer(chance, Male, &other, "stepParent", false),
            elsewhere(chance, household.area, &family),
        ],
        Care::Relative if chance.permille(700) => {
            vec![carer(chance, Female, &family, "grandparent", true)]
        }
        Care::Relative => vec![carer(chance, Female, &other, "otherRelative", true)],
        Care::Guardian => vec![carer(chance, Female, &other, "guardian", true)],
        Care::Foster => {
            let mut parent = mother(chance);
            parent.phones.clear();
            vec![carer(chance, Female, &other, "fosterCarer", false), parent]
        }
    }
}

fn couple(
    chance: &mut Chance,
    family: &Family,
    mother: impl Fn(&mut Chance) -> Carer,
) -> Vec<Carer> {
    match chance.between(1, 200) {
        1 => vec![mother(chance), mother(chance)],
        2 => {
            let other = names::family(chance);
            vec![
                carer(chance, Sex::Male, family, "father", true),
                carer(chance, Sex::Male, &other, "father", true),
            ]
        }
        _ => vec![mother(chance), carer(chance, Sex::Male, family, "father", true)],
    }
}

/// A father who lives at an address of his own.
fn elsewhere(chance: &mut Chance, area: usize, family: &Family) -> Carer {
    let responsible = chance.permille(800);
    let mut father = carer(chance, Sex::Male, family, "father", responsible);
    father.address = chance.permille(700).then(|| address(chance, &PLACES[area]));
    father
}

/// A carer with a mobile telephone, and often a landline and e-mail.
pub(super) fn carer(
    chance: &mut Chance,
    sex: Sex,
    family: &Family,
    relationship: &'static str,
    parental_responsibility: bool,
) -> Carer {
    let given = names::given_of_adult(chance, sex, family);
    let mut phones = vec![mobile(chance)];
    if chance.permille(250) {
        phones.push(landline(chance));
    }
    let domain = chance.pick(&["example.org", "example.com", "mail.example"]);
    let number = chance.between(1, 99);
    let email = format!("{}.{}{number}@{domain}", fold(&given), fold(&family.name));
    let emails = if chance.permille(650) { vec![email] } else { Vec::new() };
    let name = Name { given: vec![given], family: family.name.clone() };
    Carer { name, relationship, parental_responsibility, phones, emails, address: None }
}
