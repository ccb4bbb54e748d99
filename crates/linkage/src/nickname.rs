//! Names that stand for one another.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::LazyLock,
};

use crate::{fold::fold, variant};

/// Given names and what they are shortened to: carltonnorthern/nicknames, Apache-2.0 (`data/nicknames.LICENSE`).
const NICKNAMES: &str = include_str!("../../../data/nicknames.csv");
/// Those of Britain and of its peoples that are not among them: written for this project, MIT.
const MORE: &str = include_str!("../../../data/nicknames-more.csv");

static SHORT: LazyLock<HashMap<String, HashSet<String>>> = LazyLock::new(|| {
    let mut short: HashMap<String, HashSet<String>> = HashMap::new();
    for line in NICKNAMES.lines().skip(1).chain(MORE.lines().skip(1)) {
        let mut columns = line.split(',');
        if let Some((name, nick)) = columns.next().zip(columns.next_back()) {
            short.entry(fold(name)).or_default().insert(fold(nick));
        }
    }
    short
});

static LONG: LazyLock<HashMap<&'static str, HashSet<&'static str>>> = LazyLock::new(|| {
    let mut long: HashMap<&str, HashSet<&str>> = HashMap::new();
    for (name, nicks) in SHORT.iter() {
        for nick in nicks {
            long.entry(nick).or_default().insert(name);
        }
    }
    long
});

/// Whether one of two folded given names is short for the other, or both are short for one.
#[must_use]
pub fn stand_for_one_another(a: &str, b: &str) -> bool {
    let common = || LONG.get(a).zip(LONG.get(b)).is_some_and(|(a, b)| !a.is_disjoint(b));
    is_short_for(a, b) || is_short_for(b, a) || common()
}

/// Whether one folded given name is short for another.
#[must_use]
pub fn is_short_for(short: &str, long: &str) -> bool {
    SHORT.get(long).is_some_and(|nicks| nicks.contains(short))
}

/// The folded given names that a folded given name is short for.
pub fn longer(short: &str) -> impl Iterator<Item = &'static str> {
    LONG.get(short).into_iter().flatten().copied()
}

/// Names that may stand for a folded given name: what it is short for, what is short for it, and how it is written besides.
#[must_use]
pub fn others(name: &str) -> Vec<String> {
    let short = SHORT.get(name).into_iter().flatten().map(String::as_str);
    let long = LONG.get(name).into_iter().flatten().copied();
    let names: BTreeSet<_> = short.chain(long).filter(|other| *other != name).collect();
    let variants: BTreeSet<_> = variant::given_names(name).into_iter().collect();
    variants.into_iter().take(24).chain(names.into_iter().take(12)).map(str::to_owned).collect()
}

/// Whether a folded given name is among those that are short for others or written in several ways.
#[must_use]
pub fn is_listed(name: &str) -> bool {
    SHORT.contains_key(name) || LONG.contains_key(name) || variant::is_listed(name)
}
