//! `population labelled CHILDREN PER_CLASS [known]`: a labelled file. `population entries CHILDREN`: the rows of `match_entry`
//! for PostgreSQL's `copy … from stdin`. To standard output.

use std::{
    env,
    io::{self, BufWriter, Write},
    sync::mpsc,
    thread,
};

use population::{Population, labelled};

const SEED: u64 = 20_090_101;

fn main() -> io::Result<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    let number = |n: usize| words.get(n).and_then(|word| word.parse::<u64>().ok());
    let out = &mut BufWriter::with_capacity(1 << 20, io::stdout().lock());
    let (Some(what), Some(children)) = (words.first(), number(1)) else {
        return Err(io::Error::other("say labelled or entries, and how many children"));
    };
    let population = Population::new(children, SEED);
    if what == "labelled" {
        let per_class = number(2).and_then(|n| usize::try_from(n).ok()).unwrap_or(200);
        let known = words.get(3).is_some_and(|word| word == "known");
        return labelled(&population, per_class, known, 7, out);
    }
    entries(&population, out)?;
    out.flush()
}

/// The blocks in their order, made on every core.
fn entries(population: &Population, out: &mut impl Write) -> io::Result<()> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let makers: Vec<_> = (0..cores)
            .map(|core| {
                let (to, from) = mpsc::sync_channel(2);
                scope.spawn(move || {
                    let blocks = (core as u64..population.blocks()).step_by(cores);
                    blocks.map(|block| rows(population, block)).try_for_each(|rows| to.send(rows))
                });
                from
            })
            .collect();
        for block in 0..population.blocks() {
            let core = usize::try_from(block).unwrap_or_default() % cores;
            out.write_all(&makers[core].recv().map_err(io::Error::other)?)?;
        }
        Ok(())
    })
}

fn rows(population: &Population, block: u64) -> Vec<u8> {
    let mut rows = Vec::with_capacity(8 << 20);
    for child in population.block(block) {
        let person = child.held().person();
        let keys = person.keys();
        let packed = person.pack().unwrap_or_default();
        row(&mut rows, child.number, &keys, &packed);
    }
    rows
}

/// One row in the text form.
fn row(rows: &mut Vec<u8>, number: u64, keys: &[i64], packed: &[u8]) {
    let id = format!("00000000-0000-4000-8000-{number:012x}\t{}\t{{", linkage::key::SCHEME);
    rows.extend(id.as_bytes());
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
