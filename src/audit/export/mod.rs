//! The audit as it is kept, line by line, for anyone who verifies it. `docs/audit.md` says the form.

use chrono::{DateTime, Utc};

use crate::ids::ChildId;

pub mod store;
pub mod task;

/// What is exported.
#[derive(Debug, Clone, Copy)]
pub enum Of {
    /// Everything.
    All,
    /// The roots that were made from a moment to before another, with the events under them.
    Period(DateTime<Utc>, DateTime<Utc>),
    /// The events in which this child stands, each with its path to its root, and every root.
    Child(ChildId),
}

impl Of {
    /// Its name in the first line.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Period(..) => "period",
            Self::Child(_) => "child",
        }
    }
}

/// A place between events: before those of this transaction.
pub type Place = (i32, i64);
