//! How two names agree.

use crate::{
    compare::{Field, Finding, Level},
    frequency::is_a_given_name,
    matcher::Matcher,
    nickname,
    person::{Person, PersonName},
    similarity::{Likeness, likeness, tells_apart},
    variant,
};

/// How two names agree.
#[derive(Clone, Copy, Default)]
pub(crate) struct Named {
    pub(crate) family: Option<Finding>,
    pub(crate) given: Option<Finding>,
    pub(crate) further: Option<Finding>,
    /// Whether the given names are not the same, and both are names that children are given: twins may be so named.
    pub(crate) in_use: bool,
}

impl Named {
    pub(crate) fn findings(&self) -> impl Iterator<Item = Finding> {
        [self.family, self.given, self.further].into_iter().flatten()
    }

    fn bits(&self) -> f64 {
        self.findings().map(|finding| finding.bits).sum()
    }
}

impl Matcher {
    /// The best of all pairs of names.
    pub(crate) fn names(&self, asked: &Person, known: &Person) -> Named {
        let pairs =
            asked.names.iter().flat_map(|a| known.names.iter().map(move |b| (&a.name, &b.name)));
        let compared = pairs.map(|(a, b)| self.name(a, b));
        compared.max_by(|a, b| a.bits().total_cmp(&b.bits())).unwrap_or_default()
    }

    fn name(&self, asked: &PersonName, known: &PersonName) -> Named {
        let given = self.given(asked, known);
        let straight = Named {
            family: self.family(asked, known),
            given,
            further: self.further(asked, known, given.map(|given| given.level)),
            in_use: given
                .is_some_and(|given| self.may_be_two(given.level, asked.first(), known.first())),
        };
        match self.turned(asked, known) {
            Some(turned) if turned.bits() > straight.bits() => turned,
            _ => straight,
        }
    }

    /// Whether given names that are not the same may be those of two children.
    fn may_be_two(&self, level: Level, a: &str, b: &str) -> bool {
        let both = || self.frequencies.may_be_chosen(a, b) && self.frequencies.may_be_chosen(b, a);
        match level {
            Level::AnotherRealName => true,
            Level::Variant => self.frequencies.are_both_common(a, b),
            // Of two short forms of one name each may be a child's.
            Level::Nickname => {
                self.frequencies.are_both_common(a, b)
                    || !(nickname::is_short_for(a, b) || nickname::is_short_for(b, a))
                    || self.is_short_for_another(a, b)
                    || self.is_short_for_another(b, a)
            }
            Level::OneEdit | Level::Close => tells_apart(a, b) || both(),
            _ => false,
        }
    }

    /// Whether what is short for one name is short for another common one too, as Em for Emily and Emma: twins may be so named.
    fn is_short_for_another(&self, short: &str, long: &str) -> bool {
        nickname::is_short_for(short, long)
            && nickname::longer(short).any(|other| {
                other != long
                    && !variant::is_one_given_name(other, long)
                    && self.frequencies.are_both_common(other, long)
            })
    }

    /// The same of names that have changed places: whoever is called Hassan Hassan has a brother Hussein Hassan.
    fn may_be_two_turned(&self, crossed: Crossed, a: &str, b: &str) -> bool {
        let Crossed::Like(likeness) = crossed else { return false };
        likeness > Likeness::Close || self.may_be_two(level_of(likeness), a, b)
    }

    fn family(&self, asked: &PersonName, known: &PersonName) -> Option<Finding> {
        let (a, b) = (asked.whole_family(), known.whole_family());
        if a.is_empty() || b.is_empty() {
            return None;
        }
        let share = |name: &str| self.frequencies.of_family(name);
        if a == b {
            return Some(self.finding(Field::FamilyName, Level::Same, share(a)));
        }
        if variant::is_one_family_name(a, b) || have_one_core(asked, known) {
            return Some(self.finding(Field::FamilyName, Level::Variant, share(a) + share(b)));
        }
        let rarest = common_parts(asked, known).map(share).min_by(f64::total_cmp);
        if let Some(share) = rarest {
            let cap = self.model.bits(Field::FamilyName, Level::Part, 0.0) + 3.0;
            let same = self.model.same(Field::FamilyName, Level::Part);
            let bits = (same / share).log2().min(cap).max(0.0);
            return Some(Finding { field: Field::FamilyName, level: Level::Part, bits });
        }
        let level = match likeness(a, b) {
            Likeness::Different if have_like_parts(asked, known) => Level::Distant,
            other => level_of(other),
        };
        Some(match level {
            Level::OneEdit | Level::Close | Level::Distant => {
                self.slip(Field::FamilyName, level, (share(a), share(b)))
            }
            _ => self.finding(Field::FamilyName, level, 0.0),
        })
    }

    /// What it says that names differ by a slip, at least what the model says. Another child has the rarer spelling by name, or by a
    /// slip in the commoner one; a slip has many ways to happen, of which this is one. So in a great index a spelling that nobody else
    /// has says nearly as much as the name in which it was made.
    fn slip(&self, field: Field, level: Level, (a, b): (f64, f64)) -> Finding {
        let ways = if level == Level::OneEdit { 50.0 } else { 500.0 };
        let so = self.model.same(field, level) / ways;
        let known = self.finding(field, level, 0.0);
        let bits = (so / (a.min(b) + so * a.max(b))).log2().max(known.bits);
        Finding { bits, ..known }
    }

    fn given(&self, asked: &PersonName, known: &PersonName) -> Option<Finding> {
        let (a, b) = (asked.first(), known.first());
        if a.is_empty() || b.is_empty() {
            return None;
        }
        let share = |name: &str| self.frequencies.of_given(name);
        let level = given_level(asked, known);
        let frequency = match level {
            Level::Same => share(if a.len() >= b.len() { a } else { b }),
            Level::Variant if is_left_out(asked, known) => {
                share(if variant::is_often_left_out(a) { b } else { a })
            }
            Level::Variant => {
                let mut spellings = variant::given_names(a);
                spellings.extend(variant::given_names(b));
                spellings.into_iter().map(share).sum()
            }
            _ => 0.0,
        };
        let mut finding = match level {
            Level::OneEdit | Level::Close => {
                self.slip(Field::GivenName, level, (share(a), share(b)))
            }
            _ => self.finding(Field::GivenName, level, frequency),
        };
        match level {
            Level::AnotherRealName => finding.bits = finding.bits.min(0.0),
            Level::Variant | Level::Nickname => finding.bits = finding.bits.max(0.0),
            _ => {}
        }
        Some(finding)
    }

    /// The given names after the first, where both records have some.
    fn further(
        &self,
        asked: &PersonName,
        known: &PersonName,
        given: Option<Level>,
    ) -> Option<Finding> {
        let (a, b) = (asked.further(), known.further());
        let aligned = !(matches!(given, None | Some(Level::OtherGivenName))
            || given == Some(Level::Variant) && is_left_out(asked, known));
        if !aligned || a.is_empty() || b.is_empty() || is_joined(asked, known) {
            return None;
        }
        let common = a.iter().filter(|name| b.contains(name));
        let share = common.map(|name| self.frequencies.of_given(name)).min_by(f64::total_cmp);
        let either = |alike: &dyn Fn(&str, &str) -> bool| {
            a.iter().any(|x| b.iter().any(|y| alike(x, y) || alike(y, x)))
        };
        let level = if share.is_some() {
            Level::Same
        } else if either(&|x, y| x.len() == 1 && y.starts_with(x)) {
            Level::Initial
        } else if either(&|x, y| {
            likeness(x, y) <= Likeness::Close
                || variant::is_one_given_name(x, y)
                || nickname::stand_for_one_another(x, y)
        }) {
            Level::Close
        } else {
            Level::Different
        };
        Some(self.finding(Field::FurtherNames, level, share.unwrap_or_default()))
    }

    /// Given name and family name changed over.
    fn turned(&self, asked: &PersonName, known: &PersonName) -> Option<Named> {
        // Where the family name is the same, nothing has changed places.
        if asked.whole_family() == known.whole_family() {
            return None;
        }
        let family = crossed(asked, known);
        let given = crossed(known, asked);
        match (family, given) {
            (Crossed::Not, _) | (_, Crossed::Not) => return None,
            (Crossed::Same, _) | (_, Crossed::Same) => {}
            (Crossed::Like(Likeness::OneEdit | Likeness::Close), Crossed::Like(likeness))
                if likeness <= Likeness::Close => {}
            _ => return None,
        }
        let find = |crossed, field, frequency| {
            let level = match crossed {
                Crossed::Same => Level::SwappedSame,
                Crossed::Like(_) => Level::SwappedLike,
                Crossed::Missing | Crossed::Not => return None,
            };
            Some(self.finding(field, level, frequency))
        };
        // Either record may have them in the right place; what says less is taken.
        let shares = |name: &PersonName| {
            let family = self.frequencies.of_family(name.whole_family());
            (family, self.frequencies.of_given(name.first()))
        };
        let (one, other) = (shares(asked), shares(known));
        let (family_share, given_share) =
            if one.0 * one.1 > other.0 * other.1 { one } else { other };
        Some(Named {
            family: find(family, Field::FamilyName, family_share),
            given: find(given, Field::GivenName, given_share),
            in_use: self.may_be_two_turned(family, asked.first(), known.whole_family())
                || self.may_be_two_turned(given, asked.whole_family(), known.first()),
            ..Named::default()
        })
    }
}

fn given_level(asked: &PersonName, known: &PersonName) -> Level {
    let (a, b) = (asked.first(), known.first());
    if a == b || is_joined(asked, known) {
        return Level::Same;
    }
    if a.len() == 1 || b.len() == 1 {
        return if a.as_bytes().first() == b.as_bytes().first() {
            Level::Initial
        } else {
            Level::Different
        };
    }
    if variant::is_one_given_name(a, b) || is_left_out(asked, known) {
        return Level::Variant;
    }
    if nickname::stand_for_one_another(a, b) {
        return Level::Nickname;
    }
    match level_of(likeness(a, b)) {
        Level::Different
            if asked.given.iter().any(|part| part == b)
                || known.given.iter().any(|part| part == a) =>
        {
            Level::OtherGivenName
        }
        Level::Different => Level::Different,
        _ if is_a_given_name(a) && is_a_given_name(b) => Level::AnotherRealName,
        level => level,
    }
}

/// Whether one has the names in one that the other has apart: Maryanne and Mary Anne.
fn is_joined(asked: &PersonName, known: &PersonName) -> bool {
    let joins = |apart: &PersonName, one: &PersonName| match apart.given.as_slice() {
        [first, second, ..] => one.first().strip_prefix(first.as_str()) == Some(second),
        _ => false,
    };
    joins(asked, known) || joins(known, asked)
}

/// Whether one leaves out a name such as Muhammad before the name that the child goes by.
fn is_left_out(asked: &PersonName, known: &PersonName) -> bool {
    let leaves = |one: &PersonName, other: &PersonName| {
        let same = |second: &String| {
            second == one.first() || variant::is_one_given_name(second, one.first())
        };
        other.given.get(1).is_some_and(same)
            && variant::is_often_left_out(other.first())
            && !variant::is_often_left_out(one.first())
    };
    leaves(asked, known) || leaves(known, asked)
}

/// Whether the names are the same but for particles, such as *al* and *van*, or *Singh* and *Kaur*.
fn have_one_core(asked: &PersonName, known: &PersonName) -> bool {
    if asked.family.len() == 1 && known.family.len() == 1 {
        return matches!(
            (asked.whole_family(), known.whole_family()),
            ("singh", "kaur") | ("kaur", "singh")
        );
    }
    let core = |name: &PersonName| name.family.iter().any(|part| !variant::is_particle(part));
    let parts = |name: &'_ PersonName| {
        name.family
            .clone()
            .into_iter()
            .filter(|part| !variant::is_particle(part))
            .collect::<Vec<_>>()
    };
    core(asked) && core(known) && parts(asked) == parts(known)
}

/// The parts that both family names have, or that one has and the other has among the further given names: chains of names are
/// cut in different places.
fn common_parts<'a>(asked: &'a PersonName, known: &'a PersonName) -> impl Iterator<Item = &'a str> {
    let in_family = asked.family.iter().filter(|part| known.family.contains(part));
    let in_known =
        asked.family.iter().filter(|part| part.len() >= 3 && known.further().contains(part));
    let in_asked =
        known.family.iter().filter(|part| part.len() >= 3 && asked.further().contains(part));
    let all = in_family.chain(in_known).chain(in_asked);
    all.filter(|part| !variant::is_particle(part)).map(String::as_str)
}

fn have_like_parts(asked: &PersonName, known: &PersonName) -> bool {
    if asked.family.len() == 1 && known.family.len() == 1 {
        return false;
    }
    let long = |part: &&String| part.len() >= 4;
    asked.family.iter().filter(long).any(|a| {
        known
            .family
            .iter()
            .filter(long)
            .any(|b| likeness(a, b) <= Likeness::OneEdit || variant::is_one_family_name(a, b))
    })
}

/// How the given names of one agree with the family name of another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Crossed {
    Missing,
    Same,
    Like(Likeness),
    Not,
}

fn crossed(given: &PersonName, family: &PersonName) -> Crossed {
    let (first, whole) = (given.first(), family.whole_family());
    if first.is_empty() || whole.is_empty() {
        return Crossed::Missing;
    }
    if first == whole || is_whole_of(&given.given, whole) {
        return Crossed::Same;
    }
    // Most names do not begin alike; those that do not are not looked at further.
    if first.as_bytes().first() != whole.as_bytes().first() {
        return Crossed::Not;
    }
    match likeness(first, whole) {
        Likeness::Different => Crossed::Not,
        likeness => Crossed::Like(likeness),
    }
}

fn is_whole_of(parts: &[String], whole: &str) -> bool {
    let mut rest = Some(whole);
    for part in parts {
        rest = rest.and_then(|rest| rest.strip_prefix(part.as_str()));
    }
    rest == Some("")
}

pub(crate) fn level_of(likeness: Likeness) -> Level {
    match likeness {
        Likeness::Same => Level::Same,
        Likeness::OneEdit => Level::OneEdit,
        Likeness::Close => Level::Close,
        Likeness::Distant => Level::Distant,
        Likeness::Different => Level::Different,
    }
}
