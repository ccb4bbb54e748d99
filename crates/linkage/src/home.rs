//! How two addresses agree. Whatever two records share of an address is counted once: postcode, house, street and town together
//! never say more than that it is one household.

use crate::{
    compare::{Field, Finding, Level},
    matcher::Matcher,
    person::{Person, Place},
    place,
    similarity::{Likeness, likeness, within_one_edit},
};

/// How two addresses agree.
#[derive(Clone, Copy, Default)]
pub(crate) struct Home {
    pub(crate) postcode: Option<Finding>,
    pub(crate) house: Option<Finding>,
    pub(crate) street: Option<Finding>,
    pub(crate) town: Option<Finding>,
}

impl Home {
    fn parts(&mut self) -> impl Iterator<Item = &mut Finding> {
        [&mut self.postcode, &mut self.house, &mut self.street, &mut self.town]
            .into_iter()
            .flatten()
    }

    pub(crate) fn bits(&self) -> f64 {
        let parts = [self.postcode, self.house, self.street, self.town];
        parts.into_iter().flatten().map(|finding| finding.bits).sum()
    }

    /// The same evidence, for less.
    pub(crate) fn scale(&mut self, by: f64) {
        self.parts().for_each(|finding| finding.bits *= by);
    }
}

/// As many children live in a household at most, for what an address can say.
const HOUSEHOLD: f64 = 3.0;

impl Matcher {
    /// The best of all pairs of addresses.
    pub(crate) fn home(&self, asked: &Person, known: &Person) -> Home {
        let pairs = asked.places.iter().flat_map(|a| known.places.iter().map(move |b| (a, b)));
        let compared = pairs.map(|(a, b)| self.place(a, b));
        compared.max_by(|a, b| a.bits().total_cmp(&b.bits())).unwrap_or_default()
    }

    fn place(&self, asked: &Place, known: &Place) -> Home {
        let level = (!asked.postcode.is_empty() && !known.postcode.is_empty())
            .then(|| postcode_level(&asked.postcode, &known.postcode));
        let postcode = level.map(|level| {
            let frequency = if level == Level::Same {
                self.frequencies.of_postcode(&known.postcode)
            } else {
                0.0
            };
            self.finding(Field::Postcode, level, frequency)
        });
        let mut home = Home { postcode, ..Home::default() };
        if level == Some(Level::Same) {
            home.house =
                house_level(asked, known).map(|level| self.finding(Field::House, level, 0.0));
            home.street = streets(asked, known).map(|likeness| {
                let level = match likeness {
                    Likeness::Same => Level::SameHere,
                    Likeness::OneEdit | Likeness::Close => Level::AlikeHere,
                    _ => Level::DifferentHere,
                };
                self.finding(Field::Street, level, 0.0)
            });
        } else {
            home.street =
                street_level(asked, known).map(|level| self.finding(Field::Street, level, 0.0));
            home.town = town_level(asked, known).map(|level| self.finding(Field::Town, level, 0.0));
            once(&mut home);
        }
        let most = (self.model.population / HOUSEHOLD).log2();
        let bits = home.bits();
        if bits > most {
            home.scale(most / bits);
        }
        home
    }
}

/// Another postcode, street and town are one move, not three; the same district and the same town are one place. A postcode that
/// is nearly the same is no slip where street and town are others.
fn once(home: &mut Home) {
    let Some(postcode) = &mut home.postcode else { return };
    let nearly = matches!(postcode.level, Level::OneEdit | Level::TwoEdits);
    let others = [home.street, home.town].into_iter().flatten();
    let elsewhere = home.street.is_some()
        && home.town.is_some()
        && others.into_iter().all(|part| part.level == Level::Different);
    if nearly && elsewhere {
        postcode.bits = postcode.bits.min(0.0);
    }
    let counted = !nearly || home.street.is_some_and(|street| street.level == Level::Different);
    if !nearly && let Some(street) = &mut home.street {
        street.bits = street.bits.max(0.0);
    }
    if let Some(town) = &mut home.town {
        if counted {
            town.bits = town.bits.max(0.0);
        }
        let lesser = if town.bits < postcode.bits { &mut town.bits } else { &mut postcode.bits };
        if *lesser > 0.0 {
            *lesser *= 0.25;
        }
    }
}

fn postcode_level(a: &str, b: &str) -> Level {
    if a == b {
        return if place::is_whole(a) { Level::Same } else { Level::SameDistrict };
    }
    let both_whole = a.contains(' ') && b.contains(' ');
    if (both_whole || (place::is_whole(a) && place::is_whole(b)))
        && within_one_edit(a.as_bytes(), b.as_bytes())
    {
        return Level::OneEdit;
    }
    let district = place::outward(a) == place::outward(b);
    let inward = |postcode: &str| postcode.bytes().rev().nth(2);
    if both_whole && district && inward(a) == inward(b) {
        return Level::SameSector;
    }
    let others = a.bytes().zip(b.bytes()).filter(|(x, y)| x != y).count();
    if both_whole && a.len() == b.len() && others == 2 {
        return Level::TwoEdits;
    }
    if district {
        return Level::SameDistrict;
    }
    let area = |postcode: &str| postcode.bytes().take_while(u8::is_ascii_alphabetic).count();
    if area(a) > 0 && a.get(..area(a)) == b.get(..area(b)) {
        Level::SameArea
    } else {
        Level::Different
    }
}

fn house_level(asked: &Place, known: &Place) -> Option<Level> {
    let (a, b) = (asked.number(), known.number());
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let flats = (asked.flat(), known.flat());
    let letter = |c: char| c.is_ascii_alphabetic();
    let digits = |house: &str| house.starts_with(|c: char| c.is_ascii_digit());
    Some(if a == b && (flats.0 == flats.1 || flats.0.is_empty() || flats.1.is_empty()) {
        Level::Same
    } else if a == b {
        Level::Different
    } else if digits(a) && digits(b) {
        let same = a.trim_end_matches(letter) == b.trim_end_matches(letter);
        let both = a.ends_with(letter) && b.ends_with(letter);
        if same && !both { Level::Part } else { Level::Different }
    } else if digits(a) != digits(b) {
        // A house may have a name and a number, of which either is written.
        return None;
    } else if likeness(a, b) <= Likeness::Close {
        Level::Part
    } else {
        Level::Different
    })
}

/// How alike the streets are; what is the street for one may be another line for the other.
fn streets(asked: &Place, known: &Place) -> Option<Likeness> {
    if asked.street.is_empty() || known.street.is_empty() {
        return None;
    }
    let with = |street: &str, lines: &[String]| {
        lines.iter().map(|line| likeness(street, line)).min().unwrap_or(Likeness::Different)
    };
    let street = likeness(&asked.street, &known.street);
    if street == Likeness::Same {
        return Some(street);
    }
    let crossed = with(&asked.street, &known.lines).min(with(&known.street, &asked.lines));
    Some(street.min(crossed))
}

fn street_level(asked: &Place, known: &Place) -> Option<Level> {
    let streets = streets(asked, known)?;
    let house = house_level(asked, known) == Some(Level::Same);
    Some(match (streets, house) {
        (Likeness::Same, true) => Level::SameWithHouse,
        (Likeness::Same, false) => Level::Same,
        (Likeness::OneEdit | Likeness::Close, true) => Level::OneEdit,
        _ => Level::Different,
    })
}

fn town_level(asked: &Place, known: &Place) -> Option<Level> {
    if asked.town.is_empty() || known.town.is_empty() {
        return None;
    }
    Some(match likeness(&asked.town, &known.town) {
        Likeness::Same => Level::Same,
        Likeness::OneEdit | Likeness::Close => Level::OneEdit,
        _ => Level::Different,
    })
}
