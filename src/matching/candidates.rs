//! Records to compare with what is asked.

use linkage::{Comparison, Matcher, Person};
use uuid::Uuid;

use crate::{ids::ChildId, problem::Problem};

/// Records as they are packed: each is read when it is compared and let go of before the next.
#[derive(Debug, Default)]
pub struct Candidates {
    children: Vec<Uuid>,
    records: Vec<Vec<u8>>,
}

impl Candidates {
    /// The packed record of each child, at the same place.
    pub(crate) fn new(children: Vec<Uuid>, records: Vec<Vec<u8>>) -> Self {
        Self { children, records }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.children.len()
    }

    /// Each with what is known of the child.
    ///
    /// # Errors
    /// A record that cannot be read.
    pub fn known(&self) -> impl Iterator<Item = Result<(ChildId, Person), Problem>> {
        self.children.iter().zip(&self.records).map(|(child, packed)| {
            Ok((ChildId(*child), Person::unpack(packed).map_err(Problem::internal)?))
        })
    }

    /// Each with what speaks for it and against it.
    ///
    /// # Errors
    /// A record that cannot be read.
    pub fn compared(
        &self,
        matcher: &Matcher,
        asked: &Person,
    ) -> Result<Vec<(ChildId, Comparison)>, Problem> {
        let compare = |(child, known)| (child, matcher.compare(asked, &known));
        self.known().map(|known| known.map(compare)).collect()
    }
}
