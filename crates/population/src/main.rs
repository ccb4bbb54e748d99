//! `population CHILDREN PER_CLASS [known]`: a labelled file, to standard output.

use std::{
    env,
    io::{self, BufWriter, Write},
};

use population::{Population, labelled};

fn main() -> io::Result<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    let number = |n: usize| words.get(n).and_then(|word| word.parse::<u64>().ok());
    let out = &mut BufWriter::with_capacity(1 << 20, io::stdout().lock());
    let (Some(children), Some(per_class)) = (number(0), number(1)) else {
        return Err(io::Error::other(
            "say how many children, and how many to ask for in each class",
        ));
    };
    let known = words.get(2).is_some_and(|word| word == "known");
    let population = Population::new(children, population::SEED);
    labelled(&population, usize::try_from(per_class).unwrap_or(usize::MAX), known, 7, out)?;
    out.flush()
}
