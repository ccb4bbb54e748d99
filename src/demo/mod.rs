//! Plainly fictitious but lifelike organisations and children, to try the index with.

use chrono::NaiveDate;
use serde_json::Value;

use self::{directory::Directory, people::Children, row::Row};

mod chance;
mod directory;
mod flags;
mod household;
pub(crate) mod identifiers;
pub(crate) mod involvements;
mod lists;
mod names;
mod people;
mod places;
pub(crate) mod protection;
mod row;
mod seen;
mod showpiece;
pub(crate) mod store;
#[cfg(test)]
mod tests;

/// A made-up population; the same three numbers always make the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demo {
    /// What the chances begin from.
    pub seed: u64,
    /// How many children there are, from none to millions.
    pub children: u32,
    /// The day relative to which they are 0 to 17 years old.
    pub today: NaiveDate,
}

impl Demo {
    /// How many children a demo has unless told otherwise.
    pub const CHILDREN: u32 = 5_000;

    /// How few children a demo has: those that are shown to a newcomer.
    pub const FEWEST: u32 = showpiece::NUMBER;

    /// The rows in the load format, made one by one: first every organisation, then the children.
    pub fn rows(&self) -> impl Iterator<Item = Value> + Send + use<> {
        let directory = Directory::new();
        let organisations: Vec<Row> =
            directory.all().cloned().map(|body| Row::Organisation(Box::new(body))).collect();
        let number = usize::try_from(self.children).unwrap_or(usize::MAX);
        let children = Children::new(self, directory).take(number);
        organisations
            .into_iter()
            .chain(children.map(|child| Row::Child(Box::new(child))))
            .map(|row| row.value())
    }

    /// The body of a search that finds exactly one child: the first of the rows.
    #[must_use]
    pub fn example_search(&self) -> Value {
        showpiece::search(self.today)
    }
}
