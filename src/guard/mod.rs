//! What a shield does to records: it seals what must not be seen, on whatever path a child is written (security rule S-1).

use crate::ids::ChildId;

pub(crate) mod store;

/// The lock that a load holds while it looks and writes: nobody is shielded meanwhile. Loads share it as long as nobody is
/// shielded at all.
pub(crate) const LOADING: i64 = 0x5348_4945_4c44;

/// Children of whom something was written by which a person is known, or which a shield hides: names, birth, identifiers,
/// whereabouts, carers, involvements. Only [`store::guard`] takes it, and gives the trail of the event for it.
#[derive(Debug)]
#[must_use = "what was written has not passed the guard"]
pub(crate) struct Written {
    children: Vec<ChildId>,
}

impl Written {
    /// Something was written of this child.
    pub(crate) fn of(child: ChildId) -> Self {
        Self { children: vec![child] }
    }

    /// This, and that too.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.children.extend(other.children);
        self.children.sort();
        self.children.dedup();
        self
    }
}
