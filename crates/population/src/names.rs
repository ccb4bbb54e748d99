//! Names as often as children have them.

use std::collections::HashMap;

use crate::chance::{Chance, Weighted};

const GIVEN: &str = include_str!("../../../data/given-names-england-wales.csv");
const FAMILY: &str = include_str!("../data/family-names.csv");
const NICKNAMES: &str = include_str!("../../../data/nicknames.csv");

/// Family names of one household in ten, with weights.
const SOUTH_ASIAN: [(&str, f64); 34] = [
    ("Khan", 10.0),
    ("Ahmed", 9.0),
    ("Ali", 9.0),
    ("Hussain", 8.0),
    ("Patel", 8.0),
    ("Singh", 6.0),
    ("Kaur", 5.0),
    ("Begum", 4.0),
    ("Miah", 3.0),
    ("Uddin", 3.0),
    ("Hassan", 3.0),
    ("Mohamed", 3.0),
    ("Malik", 3.0),
    ("Akhtar", 3.0),
    ("Shah", 3.0),
    ("Mahmood", 3.0),
    ("Iqbal", 2.5),
    ("Rahman", 2.5),
    ("Islam", 2.5),
    ("Chowdhury", 2.0),
    ("Sharma", 2.0),
    ("Kumar", 2.0),
    ("Mirza", 1.5),
    ("Abdi", 1.5),
    ("Omar", 1.5),
    ("Osman", 1.2),
    ("Ibrahim", 1.2),
    ("Yusuf", 1.2),
    ("Adeyemi", 1.0),
    ("Okafor", 1.0),
    ("Mensah", 1.0),
    ("Nguyen", 1.0),
    ("Chen", 1.0),
    ("Wong", 1.0),
];

/// Given names of four in five children of those households.
const SOUTH_ASIAN_GIVEN: &str = "Muhammad Mohammed Mohammad Mohamed Ibrahim Yusuf Ali Ahmed Hassan Hussain Omar Hamza Zain \
    Ayaan Rayyan Bilal Abdullah Aisha Ayesha Fatima Maryam Zainab Khadija Hafsa Safa Amina Hana Inaya Zara Sara Anaya Aaliyah \
    Aarav Arjun Rohan Simran Jasmine Ishaan Samuel Daniel David Grace Esther";

/// The names of a population.
#[derive(Debug)]
pub(crate) struct Names {
    given: [Weighted<&'static str>; 2],
    south_asian_given: [Weighted<&'static str>; 2],
    family: Weighted<&'static str>,
    south_asian: Weighted<&'static str>,
    short: HashMap<String, Vec<&'static str>>,
}

impl Names {
    pub(crate) fn new() -> Self {
        let of = |sex: &'static str| {
            GIVEN.lines().filter_map(move |line| {
                let mut columns = line.split(',');
                let right = columns.next() == Some(sex);
                let (name, count) = (columns.next()?, columns.next()?.parse().ok()?);
                right.then_some((name, count))
            })
        };
        let some = |sex| {
            Weighted::of(of(sex).filter(|(name, _): &(&str, f64)| {
                SOUTH_ASIAN_GIVEN.split_whitespace().any(|one| one == *name)
            }))
        };
        let family = FAMILY.lines().filter_map(|line| {
            let (name, count) = line.split_once(',')?;
            Some((name, count.parse().ok()?))
        });
        let mut short: HashMap<String, Vec<&'static str>> = HashMap::new();
        for line in NICKNAMES.lines().skip(1) {
            let mut columns = line.split(',');
            if let (Some(name), Some(nick)) = (columns.next(), columns.nth(1)) {
                short.entry(name.to_owned()).or_default().push(nick);
            }
        }
        Self {
            given: [Weighted::of(of("F")), Weighted::of(of("M"))],
            south_asian_given: [some("F"), some("M")],
            family: Weighted::of(family),
            south_asian: Weighted::of(SOUTH_ASIAN),
            short,
        }
    }

    pub(crate) fn given(&self, chance: &mut Chance, male: bool, south_asian: bool) -> &'static str {
        let names =
            if south_asian && chance.in_share(0.8) { &self.south_asian_given } else { &self.given };
        names[usize::from(male)].draw(chance)
    }

    pub(crate) fn family(&self, chance: &mut Chance, south_asian: bool) -> &'static str {
        (if south_asian { &self.south_asian } else { &self.family }).draw(chance)
    }

    /// What the given name is shortened to, if anything.
    pub(crate) fn nickname(&self, chance: &mut Chance, given: &str) -> Option<String> {
        let short = self.short.get(&given.to_lowercase())?;
        Some(title(chance.pick::<&str>(short)))
    }
}

/// The word with a capital.
pub(crate) fn title(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters.flat_map(char::to_lowercase)).collect()
    })
}
