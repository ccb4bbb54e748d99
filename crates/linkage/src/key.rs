//! Blocking keys: two records are worth comparing where they share one.
//!
//! A stored record has keys for every name and address that it ever had. What is asked for has more: nicknames, names changed
//! over, day and month changed over; so the index does not grow with them. A key is a 64-bit hash (`SipHash` 1-3) of a letter
//! for its kind and its parts: of 300 million keys fewer than one in a thousand million comparisons is due to chance.

use std::{
    collections::{BTreeSet, HashSet},
    hash::Hasher,
};

use siphasher::sip::SipHasher13;

use crate::{
    nickname,
    person::{Birth, Person, PersonName, Place},
    similarity::sound,
    variant,
};

/// The version of the keys: stored keys of another version are made anew.
pub const SCHEME: i16 = 1;

impl Person {
    /// The keys under which a record is stored.
    #[must_use]
    pub fn keys(&self) -> Vec<i64> {
        Keys::default().of(self, false)
    }

    /// The keys under which records like this are looked for.
    #[must_use]
    pub fn keys_to_find(&self) -> Vec<i64> {
        Keys::default().of(self, true)
    }
}

#[derive(Default)]
struct Keys(HashSet<i64>);

/// How one name sounds, and with what it begins.
struct Sounds {
    given: BTreeSet<(String, char)>,
    family: BTreeSet<(String, char)>,
}

impl Keys {
    fn of(mut self, person: &Person, asked: bool) -> Vec<i64> {
        let births = births(person.birth, asked);
        for name in person.names.iter().map(|name| &name.name) {
            self.name(&Sounds::of(name, asked), &births, &person.places, asked);
            if asked {
                self.name(&Sounds::turned(name), &births, &person.places, asked);
            }
        }
        for place in &person.places {
            self.place(place, &births);
        }
        let mut keys: Vec<_> = self.0.into_iter().collect();
        keys.sort_unstable();
        keys
    }

    fn add(&mut self, kind: u8, parts: &[&str]) {
        let mut hasher = SipHasher13::new();
        hasher.write_u8(kind);
        for part in parts {
            hasher.write(part.as_bytes());
            hasher.write_u8(0xff);
        }
        self.0.insert(hasher.finish().cast_signed());
    }

    fn name(&mut self, name: &Sounds, births: &[Birth], places: &[Place], asked: bool) {
        for birth in births {
            self.name_and_birth(name, *birth);
        }
        let nowhere = births.is_empty() && places.iter().all(|place| place.outward().is_empty());
        for ((family, _), (given, _)) in pairs(name) {
            for place in places {
                if !place.outward().is_empty() {
                    self.add(b'h', &[family, given, place.outward()]);
                }
                if !place.number().is_empty() {
                    self.add(b'q', &[family, given, place.number()]);
                }
            }
            // Records without a date of birth are found by names; all records only by those who ask without a date or a place.
            if asked || births.is_empty() {
                self.add(b'n', &[family, given]);
            }
            if !asked || nowhere {
                self.add(b'f', &[family, given]);
            }
        }
        for place in places {
            self.name_and_home(name, place, asked);
        }
    }

    fn name_and_birth(&mut self, name: &Sounds, birth: Birth) {
        let year = birth.year.to_string();
        if let Some((month, day)) = birth.month_and_day() {
            let date = format!("{year}-{month:02}-{day:02}");
            for (family, _) in &name.family {
                self.add(b'a', &[&date, family]);
            }
            for (given, _) in &name.given {
                self.add(b'b', &[&date, given]);
            }
            for ((family, begins), (_, initial)) in pairs(name) {
                self.add(b'c', &[&date, &initials(*begins, *initial)]);
                let initial = initial.to_string();
                self.add(b'i', &[family, &initial, &date[..7]]);
                self.add(b'j', &[family, &initial, &year, &date[8..]]);
                self.add(b'k', &[family, &initial, &date[5..]]);
            }
        }
        for ((family, _), (given, _)) in pairs(name) {
            self.add(b'g', &[family, given, &year]);
        }
    }

    /// Who is asked for is looked for under every line; a record is stored under its street.
    fn name_and_home(&mut self, name: &Sounds, place: &Place, asked: bool) {
        let lines = place.lines.iter().filter(|_| asked);
        let streets = std::iter::once(&place.street).chain(lines);
        for street in streets.filter(|street| !street.is_empty()) {
            let street = begin(street);
            for (family, _) in &name.family {
                if !place.number().is_empty() {
                    self.add(b'l', &[place.number(), street, family]);
                }
                if !place.town.is_empty() {
                    self.add(b't', &[street, &sound(&place.town), family]);
                }
            }
            for (given, _) in name.given.iter().filter(|_| !place.number().is_empty()) {
                self.add(b'm', &[place.number(), street, given]);
            }
            for ((_, begins), (_, initial)) in pairs(name).filter(|_| !place.town.is_empty()) {
                self.add(b'r', &[street, &sound(&place.town), &initials(*begins, *initial)]);
            }
        }
    }

    fn place(&mut self, place: &Place, births: &[Birth]) {
        if let Some(unit) = place.unit() {
            self.add(b'e', &[&unit]);
        }
        for birth in births {
            let Some((month, day)) = birth.month_and_day() else { continue };
            let date = format!("{}-{month:02}-{day:02}", birth.year);
            if !place.outward().is_empty() {
                self.add(b'd', &[&date, place.outward()]);
            }
            if !place.number().is_empty() {
                self.add(b's', &[&date, place.number()]);
            }
        }
    }
}

/// The first four letters: the rest of a street is often shortened.
fn begin(street: &str) -> &str {
    street.get(..4).unwrap_or(street)
}

/// Both initials in the order of the alphabet, so that they hold where the names have changed places.
fn initials(family: char, given: char) -> String {
    format!("{}{}", family.min(given), family.max(given))
}

impl Sounds {
    fn of(name: &PersonName, asked: bool) -> Self {
        let first = name.first();
        let mut given = vec![first.to_owned()];
        if asked {
            given.extend(nickname::others(first));
            given.extend(name.further().iter().cloned());
        } else if variant::is_often_left_out(first) {
            given.extend(name.further().first().cloned());
        }
        if name.given.len() > 1 && asked {
            given.push(name.given.concat());
            given.push(name.given[..2].concat());
        }
        let whole = name.whole_family();
        let mut family = vec![whole.to_owned()];
        if name.family.len() > 1 {
            family.extend(name.family.iter().filter(|part| !variant::is_particle(part)).cloned());
        }
        if asked {
            let written = family.iter().flat_map(|name| variant::family_names(name));
            family.extend(written.collect::<Vec<_>>());
        }
        Self { given: sounds(&given), family: sounds(&family) }
    }

    /// Given name and family name changed over.
    fn turned(name: &PersonName) -> Self {
        let family = [name.first().to_owned(), name.given.concat()];
        Self { given: sounds(&[name.whole_family().to_owned()]), family: sounds(&family) }
    }
}

fn sounds(names: &[String]) -> BTreeSet<(String, char)> {
    names.iter().filter_map(|name| Some((sound(name), name.chars().next()?))).collect()
}

fn pairs(name: &Sounds) -> impl Iterator<Item = (&(String, char), &(String, char))> {
    name.family.iter().flat_map(|family| name.given.iter().map(move |given| (family, given)))
}

fn births(birth: Option<Birth>, asked: bool) -> Vec<Birth> {
    let turned = birth.filter(|_| asked).and_then(Birth::swapped);
    birth.into_iter().chain(turned).collect()
}
