//! Adding children, correcting their records, and what those said before.

mod adding;
mod correcting;
mod duplicates;
mod facts;
mod history;
mod identifiers;
