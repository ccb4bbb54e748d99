//! Which rows may be done together: those of which none could be found by what another brings.

use std::collections::HashSet;

use super::{Source, Told, decide};
use crate::ids::ChildId;

/// What a row is known by: two rows without one in common are of two children, and neither changes what becomes of the other.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Mark {
    Key(i64),
    Identifier(&'static str, String),
    Child(ChildId),
}

/// Parts the rows that may be done together from those that wait for one of them, each in the order of the lines.
pub(super) fn split<'r>(source: &Source, rows: Vec<Told<'r>>) -> (Vec<Told<'r>>, Vec<Told<'r>>) {
    let mut seen = HashSet::new();
    rows.into_iter().partition(|told| {
        let marks = marks(source, told);
        let alone = marks.iter().all(|mark| !seen.contains(mark));
        seen.extend(marks);
        alone
    })
}

fn marks(source: &Source, told: &Told<'_>) -> Vec<Mark> {
    let person = decide::person(source, told.said);
    let keys = person.keys().into_iter().chain(person.keys_to_find()).map(Mark::Key);
    let identifiers = told.said.identifiers.iter();
    let identifiers =
        identifiers.map(|one| Mark::Identifier(one.kind().as_str(), one.value().to_owned()));
    keys.chain(identifiers).chain(told.known.map(Mark::Child)).collect()
}
