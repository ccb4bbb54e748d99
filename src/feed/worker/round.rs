//! Which rows may be done together: those of which none could be found by what another brings.

use std::collections::HashSet;

use super::{Source, Told, decide::Asked};
use crate::ids::ChildId;

/// What a row is known by: two rows without one in common are of two children, and neither changes what becomes of the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Mark {
    Key(i64),
    Identifier(&'static str, String),
    Child(ChildId),
}

/// A row that says something new, as it is looked for.
pub(super) struct Row<'r> {
    pub(super) told: Told<'r>,
    pub(super) asked: Asked<'r>,
    marks: Vec<Mark>,
}

impl<'r> Row<'r> {
    pub(super) fn new(source: &Source, told: Told<'r>) -> Self {
        let asked = Asked::new(source, told.said);
        let keys = asked.person.keys().into_iter().chain(asked.person.keys_to_find());
        let numbers = told.said.identifiers.iter();
        let numbers =
            numbers.map(|one| Mark::Identifier(one.kind().as_str(), one.value().to_owned()));
        let marks = keys.map(Mark::Key).chain(numbers).chain(told.known.map(Mark::Child));
        Self { told, marks: marks.collect(), asked }
    }
}

/// Parts the rows that may be done together from those that wait for one of them, each in the order of the lines.
pub(super) fn split(rows: Vec<Row<'_>>) -> (Vec<Row<'_>>, Vec<Row<'_>>) {
    let (mut seen, mut now, mut later) = (HashSet::new(), Vec::new(), Vec::new());
    for row in rows {
        let waits = row.marks.iter().any(|mark| seen.contains(mark));
        seen.extend(row.marks.iter().cloned());
        if waits { later.push(row) } else { now.push(row) }
    }
    (now, later)
}
