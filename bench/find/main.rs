//! Finding among many: `find URL CHILDREN load | find N | absent N | peers N`. Loads the index of a population, unless it is
//! there; asks for its children as the service does (`matching::retrieve`, compare, decide), and for children who are not
//! there; sets other ways of retrieving beside. One line of JSON.

mod absent;
mod index;
mod peers;
mod present;
mod tally;

use std::{env, error::Error, str::FromStr};

use contactpoint::ids::ChildId;
use linkage::{Matcher, Model, sample};
use population::{Population, SEED};
use sqlx::postgres::PgConnectOptions;

/// What goes wrong, in words.
pub(crate) type Fault = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Fault> {
    let words: Vec<String> = env::args().skip(1).collect();
    let word = |n: usize| {
        words.get(n).map(String::as_str).ok_or("say URL CHILDREN load|find|absent|peers N")
    };
    let options = PgConnectOptions::from_str(word(0)?)?;
    let population = Population::new(word(1)?.parse()?, SEED);
    let count = || -> Result<usize, Fault> { Ok(word(3)?.parse()?) };
    let told = match word(2)? {
        "load" => index::load(&options, &population)?,
        "find" => present::measure(&options, &population, count()?)?,
        "absent" => absent::measure(&options, &population, count()?)?,
        "peers" => peers::measure(&options, &population, count()?)?,
        other => return Err(format!("there is no {other}").into()),
    };
    println!("{told}");
    Ok(())
}

/// The matcher of an index that holds this population: the model as shipped, with names counted as an instance counts them.
pub(crate) fn matcher(population: &Population) -> Matcher {
    let children = spread(population, 25).into_iter().flat_map(|block| population.block(block));
    let people: Vec<_> = children.map(|child| child.held().person()).collect();
    let mut frequencies = sample::count(&Model::cold(), &people);
    frequencies.index = population.children;
    Matcher::of(Model::cold(), frequencies)
}

/// The child of a number.
pub(crate) fn child(number: u64) -> Result<ChildId, Fault> {
    Ok(ChildId(population::id(number).parse()?))
}

/// At most so many blocks, from everywhere in the population.
pub(crate) fn spread(population: &Population, most: u64) -> Vec<u64> {
    let blocks = population.blocks();
    let most = most.min(blocks);
    (0..most).map(|n| n * blocks / most).collect()
}
