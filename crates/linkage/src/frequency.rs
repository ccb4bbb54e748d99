//! How often names and postcodes occur among the children of the index: that two rare ones agree says more.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use serde::{Deserialize, Serialize};

use crate::{estimate::Seen, fold::fold, nickname, person::Person};

const GIVEN: &str = include_str!("../../../data/given-names-england-wales.csv");
const FAMILY: &str = include_str!("../../../data/family-names.csv");

/// Shares of the population, as counted, each smoothed towards what is known of England and Wales.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Frequencies {
    /// How many children were counted.
    pub children: u64,
    /// How many children the index held, all of whom or a sample were counted.
    pub index: u64,
    /// How many of them have a given name first, of those that more than one has.
    pub given: HashMap<String, u32>,
    /// How many of them have a family name, whole or as a part.
    pub family: HashMap<String, u32>,
    /// How many of them live under a postcode, of the postcodes that have unusually many.
    pub postcode: HashMap<String, u32>,
    /// As how many children one counts whose value nobody else has.
    pub once: Once,
    /// How pairs of different children agree.
    pub random: Seen,
    /// How many brothers and sisters are there, where that was counted; else as many as the model says.
    pub kindred: Option<Kindred>,
}

/// How many brothers and sisters a child of the index has in it, on average.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Kindred {
    /// Twins.
    pub twins: f64,
    /// Others.
    pub siblings: f64,
}

/// As how many children one counts whose value nobody else has: fewer than one where most values are of that kind, since
/// another child who has it is then yet to be seen (Good, 1953).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Once {
    /// By the given name.
    pub given: f64,
    /// By the family name.
    pub family: f64,
    /// By the postcode.
    pub postcode: f64,
}

impl Default for Once {
    fn default() -> Self {
        Self { given: 1.0, family: 1.0, postcode: 1.0 }
    }
}

/// As many children as the published figures count for, beside those that are counted.
const PUBLISHED: f64 = 2000.0;
/// The share of a name that is in no list.
const RARE: f64 = 2e-6;

struct Published {
    given: HashMap<String, f64>,
    family: HashMap<String, f64>,
}

static KNOWN: LazyLock<Published> = LazyLock::new(|| Published {
    given: shares(
        GIVEN.lines().skip(1).filter_map(|line| {
            let mut columns = line.split(',').skip(1);
            Some((fold(columns.next()?), columns.next()?.parse().ok()?))
        }),
        1.0,
    ),
    // The list holds the commonest family names, which some four in ten have.
    family: shares(
        FAMILY.lines().skip(1).filter_map(|line| {
            let mut columns = line.split(',');
            Some((fold(columns.next()?), columns.next()?.parse().ok()?))
        }),
        0.4,
    ),
});

fn shares(counted: impl Iterator<Item = (String, f64)>, of: f64) -> HashMap<String, f64> {
    let mut shares: HashMap<String, f64> = HashMap::new();
    for (name, count) in counted {
        *shares.entry(name).or_default() += count;
    }
    let all: f64 = shares.values().sum();
    for share in shares.values_mut() {
        *share *= of / all;
    }
    shares
}

/// Whether a folded given name was given to 20 babies or more in England and Wales from 2003 to 2020, so that it is no slip.
#[must_use]
pub fn is_a_given_name(folded: &str) -> bool {
    static NAMES: LazyLock<std::collections::HashSet<String>> = LazyLock::new(|| {
        let counted = GIVEN.lines().skip(1).filter_map(|line| {
            let mut columns = line.split(',').skip(1);
            Some((fold(columns.next()?), columns.next()?.parse::<f64>().ok()?))
        });
        counted.filter(|(_, count)| *count >= 20.0).map(|(name, _)| name).collect()
    });
    NAMES.contains(folded)
}

/// Whether a folded given name was given to three babies or more in England and Wales from 2003 to 2020.
#[must_use]
pub fn is_published(folded: &str) -> bool {
    KNOWN.given.contains_key(folded)
}

impl Frequencies {
    /// Whether a folded given name may be one that parents choose, and no slip for `other`: it is listed, or it is not
    /// far rarer than the other among the births or in the index, as a slip is than the name in which it is made.
    #[must_use]
    pub fn may_be_chosen(&self, folded: &str, other: &str) -> bool {
        let births = |name: &str| KNOWN.given.get(name).copied().unwrap_or_default();
        let here = |name: &str| self.given.get(name).copied().map_or(0.0, f64::from);
        is_a_given_name(folded)
            || nickname::is_listed(folded)
            || births(folded) > 0.0 && births(folded) >= 1e-3 * births(other)
            || here(folded) >= 2.0 && here(folded) >= 5e-3 * here(other)
    }

    /// Whether two given names that stand for one another are both so common that twins might have them by chance: so rare are others
    /// that less than one pair of twins in a hundred thousand would.
    #[must_use]
    pub fn are_both_common(&self, a: &str, b: &str) -> bool {
        const COMMON: f64 = 1e-5;
        let births = |name: &str| KNOWN.given.get(name).copied().unwrap_or_default();
        let here = |name: &str| {
            let count = self.given.get(name).copied().unwrap_or_default();
            #[expect(clippy::cast_precision_loss, reason = "counts of children are far below 2^52")]
            let children = self.children.max(1) as f64;
            if count >= 2 { f64::from(count) / children } else { 0.0 }
        };
        [a, b].into_iter().all(|name| births(name).max(here(name)) > COMMON)
    }

    /// Counts a child.
    pub fn count(&mut self, person: &Person) {
        self.children += 1;
        self.index += 1;
        let once = |names: &mut HashMap<String, u32>, values: Vec<String>| {
            let values: HashSet<String> =
                values.into_iter().filter(|value| !value.is_empty()).collect();
            for value in values {
                *names.entry(value).or_default() += 1;
            }
        };
        let names = || person.names.iter().map(|name| &name.name);
        once(&mut self.given, names().map(|name| name.first().to_owned()).collect());
        let whole = names().map(|name| name.whole_family().to_owned());
        once(&mut self.family, whole.chain(names().flat_map(|name| name.family.clone())).collect());
        once(
            &mut self.postcode,
            person.places.iter().map(|place| place.postcode.clone()).collect(),
        );
    }

    /// Ends the counting: forgets the values that one child alone has, and says as how many such a child counts.
    pub fn close(&mut self) {
        let close = |values: &mut HashMap<String, u32>| {
            let have = |n| values.values().filter(|count| **count == n).count();
            let (once, twice) = (have(1), have(2));
            values.retain(|_, count| *count > 1);
            #[expect(clippy::cast_precision_loss, reason = "counts of children are far below 2^52")]
            if once == 0 { 1.0 } else { (2.0 * twice as f64 / once as f64).clamp(0.05, 1.0) }
        };
        self.once = Once {
            given: close(&mut self.given),
            family: close(&mut self.family),
            postcode: close(&mut self.postcode),
        };
    }

    fn share(&self, counted: Option<&u32>, once: f64, published: Option<&f64>) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts of children are far below 2^52")]
        let children = self.children as f64;
        let once = if self.children > 0 { once } else { 0.0 };
        let counted = counted.map_or(once, |count| f64::from(*count));
        (counted + PUBLISHED * published.copied().unwrap_or(RARE)) / (children + PUBLISHED)
    }

    /// The share of children who have this given name first.
    #[must_use]
    pub fn of_given(&self, folded: &str) -> f64 {
        self.share(self.given.get(folded), self.once.given, KNOWN.given.get(folded))
    }

    /// The share of children who have this family name.
    #[must_use]
    pub fn of_family(&self, folded: &str) -> f64 {
        self.share(self.family.get(folded), self.once.family, KNOWN.family.get(folded))
    }

    /// The share of children who live under this postcode.
    #[must_use]
    pub fn of_postcode(&self, postcode: &str) -> f64 {
        const USUAL: f64 = 8.0 / 12e6;
        self.share(self.postcode.get(postcode), self.once.postcode, Some(&USUAL))
    }
}
