//! Changing the key over sealed values: the values get it one after the other, while the service runs.

pub mod store;
pub mod task;

/// What sealed values are under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The number of the key.
    pub key: u32,
    /// How many values are under it.
    pub values: u64,
    /// Whether that is so in the present way, each value by a key of its own.
    pub enveloped: bool,
}
