//! Lifelike fictitious children of England, and what goes wrong when they are asked for.
//!
//! A [`Population`] is made in blocks, each from its own seed: any block can be made alone, on any core, and again, so that
//! twelve million children need neither memory nor a file. Nobody here is a real person.

mod chance;
mod child;
mod corrupt;
mod entry;
mod feed;
mod labelled;
mod names;
mod place;
mod record;

pub use chance::Chance;
pub use child::{Child, Population};
pub use corrupt::{Class, asked};
pub use entry::{COLUMNS, by_block, entries, id, rows};
pub use feed::Feed;
pub use labelled::labelled;
pub use place::Home;
pub use record::{Address, Carer, Labelled, Named, Record};

/// As many children as a block has.
pub const BLOCK: u64 = 10_000;

/// The seed of the population that is measured.
pub const SEED: u64 = 20_090_101;
