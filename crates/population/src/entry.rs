//! The rows of `match_entry` for PostgreSQL's `copy … from stdin`.

use std::{io, sync::mpsc, thread};

use crate::{Child, Population};

/// The columns of the rows, in their order.
pub const COLUMNS: &str = "child_id, shielded, scheme, keys, packed";

/// Rows of a population, a block after the other, made on every core.
pub fn entries<E: From<io::Error>>(
    population: &Population,
    take: impl FnMut(Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    by_block(population, rows, take)
}

/// What is made of each block, one after the other, made on every core.
pub fn by_block<T: Send, E: From<io::Error>>(
    population: &Population,
    make: impl Fn(&[Child]) -> T + Sync,
    mut take: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let makers: Vec<_> = (0..cores)
            .map(|core| {
                let (to, from) = mpsc::sync_channel(1);
                let make = &make;
                scope.spawn(move || {
                    let blocks = (core as u64..population.blocks()).step_by(cores);
                    blocks
                        .map(|block| make(&population.block(block)))
                        .try_for_each(|made| to.send(made))
                });
                from
            })
            .collect();
        for block in 0..population.blocks() {
            let core = usize::try_from(block).unwrap_or_default() % cores;
            take(makers[core].recv().map_err(io::Error::other)?)?;
        }
        Ok(())
    })
}

/// The rows of some children.
#[must_use]
pub fn rows(children: &[Child]) -> Vec<u8> {
    let mut rows = Vec::with_capacity(children.len() * 800);
    for child in children {
        let person = child.held().person();
        let keys = person.keys();
        let packed = person.pack().unwrap_or_default();
        row(&mut rows, child.number, &keys, &packed);
    }
    rows
}

/// The id of a child in the database.
#[must_use]
pub fn id(number: u64) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}

/// One row in the text form.
fn row(rows: &mut Vec<u8>, number: u64, keys: &[i64], packed: &[u8]) {
    let begin = format!("{}\tf\t{}\t{{", id(number), linkage::key::SCHEME);
    rows.extend(begin.as_bytes());
    for (n, key) in keys.iter().enumerate() {
        if n > 0 {
            rows.push(b',');
        }
        rows.extend(key.to_string().as_bytes());
    }
    rows.extend(b"}\t\\\\x");
    for byte in packed {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        rows.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    rows.push(b'\n');
}
