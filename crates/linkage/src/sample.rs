//! What a sample of the index tells without labels: how often names occur, and how records of different children agree.

use std::collections::{BTreeMap, HashMap};

use crate::{
    compare::{Comparison, Field, Level, Matcher},
    decide::is_a_relative,
    estimate::Seen,
    frequency::{Frequencies, Kindred},
    model::Model,
    person::Person,
};

/// As many children at least tell how records of different children agree; fewer tell only of one another.
pub const FEWEST: usize = 1_000;
/// As many random pairs are compared at most.
const PAIRS: usize = 300_000;
/// As many for each child, in a small sample.
const EACH: usize = 30;
/// As many pairs under one postcode at most.
const UNDER_ONE: usize = 10;
/// So many pairs are compared between two rests.
const BETWEEN_RESTS: usize = 500;
/// Whoever has more evidence for one child than this, in bits, beside the home, is no stranger.
const STRANGER: f64 = 5.0;

/// Numbers that are the same in every run (`SplitMix64`).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Begins at a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number below `n`; 0 where `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        let wide = u128::from(z) * (n as u128);
        usize::try_from(wide >> 64).unwrap_or_default()
    }
}

/// As many of those counted are compared at most.
const COMPARED: usize = 30_000;

/// People held packed, since they are many and each is looked at for a moment.
#[derive(Debug, Default)]
struct Held(Vec<Box<[u8]>>);

impl Held {
    fn of<'p>(people: impl IntoIterator<Item = &'p Person>) -> Self {
        let packed = people.into_iter().filter_map(|person| person.pack().ok());
        Self(packed.map(Vec::into_boxed_slice).collect())
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn at(&self, place: usize) -> Option<Person> {
        Person::unpack(self.0.get(place)?).ok()
    }

    fn people(&self) -> impl Iterator<Item = Person> {
        self.0.iter().filter_map(|packed| Person::unpack(packed).ok())
    }
}

/// Counts a sample of the index as it comes.
#[derive(Debug, Default)]
pub struct Count {
    frequencies: Frequencies,
    people: Held,
    /// One of so many is compared.
    every: u64,
}

impl Count {
    /// Counts another child.
    pub fn add(&mut self, person: &Person) {
        let number = self.frequencies.children;
        self.frequencies.count(person);
        if number.is_multiple_of(self.every.max(1)) {
            self.people.0.extend(Held::of([person]).0);
        }
        if self.people.len() > COMPARED {
            self.every = self.every.max(1) * 2;
            let mut number = 0;
            self.people.0.retain(|_| {
                number += 1;
                number % 2 == 1
            });
        }
    }

    /// Ends the counting, and compares pairs by the levels of `model`; `rest` is called after every few hundred of them.
    #[must_use]
    pub fn finish(self, model: &Model, rest: impl FnMut()) -> Frequencies {
        let Self { mut frequencies, people, every } = self;
        frequencies.close();
        if people.len() >= FEWEST {
            let matcher = Matcher::of(model.clone(), frequencies);
            let random = random(&matcher, &people, rest);
            // Of a part of the index most brothers and sisters would be missing.
            let kindred = (every <= 1).then(|| kindred(&matcher, &people));
            frequencies = Frequencies { random, kindred, ..matcher.frequencies };
        }
        frequencies
    }
}

/// Counts them all.
#[must_use]
pub fn count(model: &Model, people: &[Person]) -> Frequencies {
    let mut count = Count::default();
    for person in people {
        count.add(person);
    }
    count.finish(model, || {})
}

/// As many children are taken to have been counted before, with as many brothers and sisters as the model says.
const BEFORE: f64 = 100.0;

/// How many brothers and sisters the children have: those of one family name at one address who are not of one name.
fn kindred(matcher: &Matcher, people: &Held) -> Kindred {
    let mut homes: HashMap<(String, String, String), Vec<usize>> = HashMap::new();
    for (n, person) in people.people().enumerate() {
        let name = person.names.first().map_or("", |name| name.name.whole_family());
        for place in person.places.iter().filter(|place| !place.former && !place.house.is_empty()) {
            let home = (name.to_owned(), place.postcode.clone(), place.house.clone());
            homes.entry(home).or_default().push(n);
        }
    }
    let mut siblings = 0.0;
    for home in homes.values().filter(|home| (2..=12).contains(&home.len())) {
        let home: Vec<_> = home.iter().filter_map(|n| people.at(*n)).collect();
        for (n, one) in home.iter().enumerate() {
            for other in &home[n + 1..] {
                let compared = matcher.compare(one, other);
                let born = compared.level(Field::DateOfBirth);
                if compared.level(Field::GivenName) == Some(Level::Different)
                    && born.is_some_and(|level| level != Level::Same)
                {
                    siblings += 2.0;
                }
            }
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of children are far below 2^52")]
    let children = people.len() as f64 + BEFORE;
    let kin = &matcher.model.kin;
    let siblings = ((siblings + BEFORE * kin.siblings) / children).min(kin.siblings);
    // Of those born on one day nobody can tell here whether they are twins or one child by two names; twins go with the others.
    Kindred { twins: kin.twins * siblings / kin.siblings, siblings }
}

fn random(matcher: &Matcher, people: &Held, mut rest: impl FnMut()) -> Seen {
    let (mut dice, mut seen, mut pairs) = (Dice::new(1), Seen::default(), 0_usize);
    let mut compared = |a: usize, b: usize| {
        pairs += 1;
        if pairs.is_multiple_of(BETWEEN_RESTS) {
            rest();
        }
        let (one, other) = people.at(a).zip(people.at(b)).filter(|_| a != b)?;
        Some(matcher.compare(&one, &other))
    };
    for _ in 0..PAIRS.min(EACH * people.len()) {
        if let Some(compared) = compared(dice.below(people.len()), dice.below(people.len())) {
            seen.count(&compared);
        }
    }
    let mut under: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (n, person) in people.people().enumerate() {
        for place in person.places.iter().filter(|place| !place.former && place.unit().is_some()) {
            under.entry(place.postcode.clone()).or_default().push(n);
        }
    }
    for neighbours in under.values().filter(|neighbours| neighbours.len() > 1) {
        for _ in 0..UNDER_ONE.min(neighbours.len() * (neighbours.len() - 1) / 2) {
            let (a, b) = (dice.below(neighbours.len()), dice.below(neighbours.len()));
            let compared = compared(neighbours[a], neighbours[b]);
            if let Some(compared) = compared.filter(are_strangers) {
                seen.count_nearby(&compared);
            }
        }
    }
    seen
}

/// Whether two who live under one postcode are two, as far as anything beside the home tells.
fn are_strangers(compared: &Comparison) -> bool {
    let home =
        |field| matches!(field, Field::Postcode | Field::House | Field::Street | Field::Town);
    let beside = compared.findings.iter().filter(|finding| !home(finding.field));
    is_a_relative(compared) || beside.map(|finding| finding.bits).sum::<f64>() < STRANGER
}
