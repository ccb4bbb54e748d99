//! Fictitious children by the million, to try the index at the size of a nation.
//!
//! They are as many to a school and a practice, and are called as often by each name, as children of England; nobody of them is a
//! real person, and no number of theirs can be anybody's. The same plan always makes the same index.

use chrono::{DateTime, NaiveDate, Utc};
use population::Chance;
use uuid::{Builder, Uuid};

mod child;
mod copy;
mod directory;
mod identifiers;
mod services;
pub(crate) mod store;
pub mod task;

/// What is to be made.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How many children.
    pub children: u64,
    /// What the chances begin from.
    pub seed: u64,
    /// When it is received; the children are 0 to 17 years old then.
    pub now: DateTime<Utc>,
    /// The day of that moment in Europe/London.
    pub today: NaiveDate,
}

impl Plan {
    /// As many children as the index of the nation holds.
    pub const NATION: u64 = 12_000_000;
    /// The most for whom there are numbers.
    pub const MOST: u64 = 20_000_000;

    /// The chances of one child, apart from those by which the population made it.
    fn chance(&self, child: u64) -> Chance {
        Chance::of(!self.seed, child)
    }

    /// The number by which something is known, in the order of what it numbers. Its other bits tell nothing.
    fn id(&self, of: Numbered, number: u64) -> Uuid {
        let place = ((of as u64) << 40) | number;
        let [_, _, first @ ..] = place.to_be_bytes();
        let rest = mixed(self.seed ^ mixed(place));
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&first);
        bytes[6..14].copy_from_slice(&rest.to_be_bytes());
        bytes[14..].copy_from_slice(&mixed(rest).to_be_bytes()[..2]);
        Builder::from_random_bytes(bytes).into_uuid()
    }
}

/// What has numbers of its own.
#[derive(Debug, Clone, Copy)]
enum Numbered {
    Authority,
    School,
    Practice,
    Trust,
    Police,
    Child,
    Carer,
    Involvement,
}

/// A number in no visible order (the finaliser of `SplitMix64`).
const fn mixed(number: u64) -> u64 {
    let z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
