//! Names that are written in several ways: transliterations, forms of several languages, forms for women and for men.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

/// The ways of writing, by kind of name: written for this project, MIT.
const VARIANTS: &str = include_str!("../../../data/name-variants.csv");

/// For each spelling the names that it may be, and for each name its spellings.
#[derive(Default)]
struct Names {
    of: HashMap<&'static str, Vec<usize>>,
    spellings: Vec<Vec<&'static str>>,
}

impl Names {
    fn kind(kind: &str) -> Self {
        let mut names = Self::default();
        for line in VARIANTS.lines().filter_map(|line| line.split_once(',')) {
            if line.0 == kind {
                let spellings: Vec<_> = line.1.split(' ').collect();
                for spelling in &spellings {
                    names.of.entry(spelling).or_default().push(names.spellings.len());
                }
                names.spellings.push(spellings);
            }
        }
        names
    }

    fn are_one(&self, a: &str, b: &str) -> bool {
        let (Some(a), Some(b)) = (self.of.get(a), self.of.get(b)) else { return false };
        a.iter().any(|name| b.contains(name))
    }

    fn others(&self, name: &str) -> impl Iterator<Item = &'static str> {
        let names = self.of.get(name).into_iter().flatten();
        names.flat_map(|name| self.spellings.get(*name).into_iter().flatten()).copied()
    }
}

static GIVEN: LazyLock<Names> = LazyLock::new(|| Names::kind("given"));
static FAMILY: LazyLock<Names> = LazyLock::new(|| Names::kind("family"));

/// Whether two folded given names are one name, written differently.
#[must_use]
pub fn is_one_given_name(a: &str, b: &str) -> bool {
    GIVEN.are_one(a, b)
}

/// Whether two folded family names are one name, written differently: by transliteration, or for women and for men.
#[must_use]
pub fn is_one_family_name(a: &str, b: &str) -> bool {
    FAMILY.are_one(a, b) || has_other_ending(a, b) || has_other_ending(b, a)
}

/// Whether a folded given name is among those that are written in several ways.
#[must_use]
pub fn is_listed(name: &str) -> bool {
    GIVEN.of.contains_key(name)
}

/// How a folded given name is written besides.
#[must_use]
pub fn given_names(name: &str) -> HashSet<&'static str> {
    GIVEN.others(name).filter(|other| *other != name).collect()
}

/// How a folded family name is written besides.
#[must_use]
pub fn family_names(name: &str) -> HashSet<String> {
    let listed = FAMILY.others(name).filter(|other| *other != name).map(str::to_owned);
    let turned = ENDINGS.iter().flat_map(|(a, b)| [(a, b), (b, a)]);
    let turned = turned.filter_map(|(from, to)| {
        let stem = name.strip_suffix(from)?;
        (stem.len() >= 3 && !from.is_empty()).then(|| format!("{stem}{to}"))
    });
    listed.chain(turned).collect()
}

/// Endings for men and for women: Polish, Czech, Slovak, Russian, Bulgarian, Lithuanian, Latvian, Greek.
const ENDINGS: [(&str, &str); 18] = [
    ("ski", "ska"),
    ("cki", "cka"),
    ("sky", "ska"),
    ("sky", "skaya"),
    ("skiy", "skaya"),
    ("skii", "skaia"),
    ("ov", "ova"),
    ("ev", "eva"),
    ("in", "ina"),
    ("yn", "yna"),
    ("ak", "akova"),
    ("ek", "kova"),
    ("ny", "na"),
    ("os", "ou"),
    ("is", "i"),
    ("as", "iene"),
    ("as", "aite"),
    ("is", "yte"),
];

fn has_other_ending(a: &str, b: &str) -> bool {
    if a.as_bytes().get(..3) != b.as_bytes().get(..3) {
        return false;
    }
    ENDINGS.iter().any(|(one, other)| {
        let stems = a.strip_suffix(one).zip(b.strip_suffix(other));
        stems.is_some_and(|(a, b)| a == b && a.len() >= 3)
    })
}

/// Particles, and what stands before or after a name without telling families apart.
const PARTICLES: [&str; 54] = [
    "ab", "abu", "ad", "al", "ap", "ar", "as", "at", "az", "bibi", "bin", "bint", "da", "das",
    "de", "del", "della", "den", "der", "di", "do", "dos", "du", "e", "el", "ferch", "ibn", "kaur",
    "la", "las", "le", "lo", "los", "mac", "mc", "o", "saint", "san", "santa", "singh", "st",
    "ten", "ter", "ud", "ul", "umm", "ur", "van", "vande", "vander", "von", "y", "zu", "zum",
];

/// Whether a part of a family name says nothing by itself: a particle such as *van* or *al*, or *Singh* and *Kaur* beside another.
#[must_use]
pub fn is_particle(part: &str) -> bool {
    PARTICLES.binary_search(&part).is_ok()
}

/// Whether a given name is often set before the name that a child goes by, and often left out.
#[must_use]
pub fn is_often_left_out(name: &str) -> bool {
    is_one_given_name(name, "muhammad") || is_one_given_name(name, "syed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn particles_are_in_order() {
        assert!(PARTICLES.is_sorted());
    }

    #[test]
    fn spellings_of_one_name_are_known() {
        assert!(is_one_given_name("mohammed", "md") && is_one_given_name("siobhan", "shivaun"));
        assert!(!is_one_given_name("hassan", "hussain"));
        assert!(
            is_one_family_name("novak", "novakova") && is_one_family_name("kowalska", "kowalski")
        );
        assert!(is_one_family_name("papadopoulos", "papadopoulou"));
        assert!(!is_one_family_name("smith", "smythe"));
        assert!(family_names("tolstoyskaya").contains("tolstoysky"));
    }
}
