//! Blocking keys: two records are worth comparing where they share one.
//!
//! A stored record has keys for every name and address that it ever had. What is asked for has more: nicknames, names changed
//! over, day and month changed over; so the index does not grow with them. A key is a 64-bit hash (`SipHash` 1-3) of a letter
//! for its kind and its parts: of 300 million keys fewer than one in a thousand million comparisons is due to chance.

use std::{collections::HashSet, hash::Hasher};

use siphasher::sip::SipHasher13;

use crate::{
    nickname,
    person::{Birth, Person, PersonName, Place},
    similarity::sound,
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
    given: Vec<(String, char)>,
    family: Vec<String>,
}

impl Keys {
    fn of(mut self, person: &Person, asked: bool) -> Vec<i64> {
        let births = births(person.birth, asked);
        for name in person.names.iter().map(|name| &name.name) {
            self.name(&Sounds::of(name, asked), &births, &person.places, asked);
            if asked && !name.family.is_empty() && !name.given.is_empty() {
                let turned = PersonName {
                    given: vec![name.whole_family()],
                    family: vec![name.first().to_owned()],
                };
                self.name(&Sounds::of(&turned, false), &births, &person.places, asked);
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
            let year = birth.year.to_string();
            if let Some((month, day)) = birth.month_and_day() {
                let date = format!("{year}-{month:02}-{day:02}");
                for family in &name.family {
                    self.add(b'a', &[&date, family]);
                }
                for (given, _) in &name.given {
                    self.add(b'b', &[&date, given]);
                }
                for (family, (_, initial)) in pairs(name) {
                    let initial = initial.to_string();
                    self.add(b'i', &[family, &initial, &date[..7]]);
                    self.add(b'j', &[family, &initial, &year, &date[8..]]);
                    self.add(b'k', &[family, &initial, &date[5..]]);
                }
            }
            for (family, (given, _)) in pairs(name) {
                self.add(b'g', &[family, given, &year]);
            }
        }
        for (family, (given, _)) in pairs(name) {
            for place in places.iter().filter(|place| !place.outward().is_empty()) {
                self.add(b'h', &[family, given, place.outward()]);
            }
            // Records without a date of birth are found by names; all records only by those who ask without one.
            if asked || births.is_empty() {
                self.add(b'n', &[family, given]);
            }
            if !asked || births.is_empty() {
                self.add(b'f', &[family, given]);
            }
        }
        for place in
            places.iter().filter(|place| !place.street.is_empty() && !place.house.is_empty())
        {
            let street = &place.street[..place.street.len().min(6)];
            for family in &name.family {
                self.add(b'l', &[&place.house, street, family]);
            }
            for (given, _) in &name.given {
                self.add(b'm', &[&place.house, street, given]);
            }
        }
    }

    fn place(&mut self, place: &Place, births: &[Birth]) {
        if let Some(unit) = place.unit() {
            self.add(b'e', &[&unit]);
        }
        let outward = place.outward();
        for (month, day, year) in
            births.iter().filter_map(|birth| birth.month_and_day().map(|(m, d)| (m, d, birth.year)))
        {
            if !outward.is_empty() {
                self.add(b'd', &[&format!("{year}-{month:02}-{day:02}"), outward]);
            }
        }
        if !place.street.is_empty() && !place.house.is_empty() && !place.town.is_empty() {
            self.add(
                b'p',
                &[&place.house, &place.street[..place.street.len().min(6)], &sound(&place.town)],
            );
        }
    }
}

impl Sounds {
    fn of(name: &PersonName, asked: bool) -> Self {
        let first = name.first();
        let mut given: Vec<_> = (!first.is_empty()).then(|| first.to_owned()).into_iter().collect();
        if asked {
            given.extend(nickname::others(first));
        }
        let whole = name.whole_family();
        let halves =
            (name.family.len() > 1).then(|| name.family.iter().cloned()).into_iter().flatten();
        let family = (!whole.is_empty()).then_some(whole).into_iter().chain(halves);
        Self {
            given: given
                .iter()
                .filter_map(|name| Some((sound(name), name.chars().next()?)))
                .collect(),
            family: family.map(|name| sound(&name)).collect(),
        }
    }
}

fn pairs(name: &Sounds) -> impl Iterator<Item = (&String, &(String, char))> {
    name.family.iter().flat_map(|family| name.given.iter().map(move |given| (family, given)))
}

fn births(birth: Option<Birth>, asked: bool) -> Vec<Birth> {
    let turned = birth.filter(|_| asked).and_then(Birth::swapped);
    birth.into_iter().chain(turned).collect()
}
