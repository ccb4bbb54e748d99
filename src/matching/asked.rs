//! What is asked, as the matcher compares it.

use chrono::{Datelike, NaiveDate};
use linkage::{Birth, Name as LinkedName, NameKind as LinkedKind, Person, PersonName, Place};

use super::Criteria;
use crate::child::{
    ChildIn,
    address::{AddressLine, Postcode},
    birth::{DatePrecision, Gender},
    identifier::Identifier,
    name::{Name, NameKind, NamePart, PersonName as CarerName},
    whereabouts::WhereaboutsKind,
};

impl Criteria {
    /// The criteria as a person to be found; `schools` are the numbers of those that are meant.
    pub(crate) fn person(&self, schools: Vec<u64>) -> Person {
        let given = self.given.as_deref().unwrap_or_default();
        let family = self.family.as_ref().map(NamePart::as_str);
        let name = family.map(|family| named(LinkedKind::Current, given, family));
        Person {
            names: name.into_iter().collect(),
            birth: self.date_of_birth.and_then(|day| birth(day, DatePrecision::Day)),
            gender: self.gender.and_then(gender),
            places: self.further.place(self.postcode.as_ref()).into_iter().collect(),
            carers: self.further.carer.iter().map(carer).collect(),
            schools,
            practices: Vec::new(),
            identifiers: self.identifier.as_ref().map(identifier).into_iter().collect(),
        }
    }
}

/// A child who is to be added, as one to be found. Not by identifiers: not everybody may learn whose a number is, and one that
/// belongs to another child is refused without saying so.
pub(crate) fn person_of(child: &ChildIn) -> Person {
    let place = child.whereabouts.address().and_then(|address| {
        let lines: Vec<_> = address.lines.iter().map(AddressLine::as_str).collect();
        let former = child.whereabouts.kind() == WhereaboutsKind::LastKnown;
        place(&lines, address.town.as_str(), address.postcode.as_str(), former)
    });
    Person {
        names: child.names.iter().map(linked).collect(),
        birth: birth(child.birth().date, child.date_of_birth_precision),
        gender: gender(child.gender),
        places: place.into_iter().collect(),
        carers: child.carers.iter().map(|one| carer(&one.name)).collect(),
        schools: Vec::new(),
        practices: Vec::new(),
        identifiers: Vec::new(),
    }
}

fn linked(name: &Name) -> LinkedName {
    let kind = match name.kind {
        NameKind::Current => LinkedKind::Current,
        NameKind::KnownAs => LinkedKind::KnownAs,
        NameKind::Former => LinkedKind::Former,
    };
    named(kind, &name.given, name.family.as_str())
}

/// A name of this kind.
pub(super) fn named(kind: LinkedKind, given: &[NamePart], family: &str) -> LinkedName {
    LinkedName { kind, name: whole(given, family) }
}

/// A name, folded.
pub(super) fn whole(given: &[NamePart], family: &str) -> PersonName {
    let given: Vec<_> = given.iter().map(NamePart::as_str).collect();
    PersonName::of(&given, family)
}

/// The name of a carer, folded.
pub(super) fn carer(name: &CarerName) -> PersonName {
    whole(&name.given, name.family.as_str())
}

/// A date of birth, as far as it is known.
pub(super) fn birth(day: NaiveDate, precision: DatePrecision) -> Option<Birth> {
    let (month, of_month) = (u8::try_from(day.month()).ok(), u8::try_from(day.day()).ok());
    Some(Birth {
        year: i16::try_from(day.year()).ok()?,
        month: month.filter(|_| precision != DatePrecision::Year),
        day: of_month.filter(|_| precision == DatePrecision::Day),
    })
}

/// A gender, where it is specified.
pub(super) fn gender(gender: Gender) -> Option<linkage::Gender> {
    match gender {
        Gender::Female => Some(linkage::Gender::Female),
        Gender::Male => Some(linkage::Gender::Male),
        Gender::NotSpecified => None,
    }
}

/// An identifier with its kind.
pub(crate) fn identifier(identifier: &Identifier) -> String {
    format!("{}:{}", identifier.kind(), identifier.value())
}

/// A place of these lines, or nothing where nothing is said. The postcodes of no fixed abode say nothing of where a child lives.
pub(super) fn place(lines: &[&str], town: &str, postcode: &str, former: bool) -> Option<Place> {
    let postcode = if postcode.starts_with("ZZ99") { "" } else { postcode };
    let said = !lines.is_empty() || !town.is_empty() || !postcode.is_empty();
    said.then(|| Place::of(lines, town, postcode, former))
}

impl super::Further {
    fn place(&self, postcode: Option<&Postcode>) -> Option<Place> {
        let lines: Vec<_> = self.lines.iter().map(AddressLine::as_str).collect();
        let town = self.town.as_ref().map_or("", |town| town.as_str());
        place(&lines, town, postcode.map_or("", Postcode::as_str), false)
    }
}
