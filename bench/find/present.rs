//! Children who are there, asked for with something wrong.

use linkage::Person;
use population::{Chance, Class, Population, Record, SEED, asked};
use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;

use crate::{Fault, child, index, matcher, spread, tally};

/// A question, and the child whom it means.
pub(crate) struct Question {
    pub(crate) class: Class,
    pub(crate) truth: u64,
    pub(crate) record: Record,
}

/// So many questions of each class, about children from everywhere.
pub(crate) fn questions(
    population: &Population,
    classes: &[Class],
    per_class: usize,
) -> Vec<Question> {
    let blocks = spread(population, 50);
    let mut questions = Vec::new();
    let mut asked_for = vec![0; classes.len()];
    for (n, block) in blocks.iter().enumerate() {
        let children = population.block(*block);
        let mut chance = Chance::of(SEED ^ 0x51, *block);
        let wanted = per_class * (n + 1) / blocks.len();
        for (class, asked_for) in classes.iter().zip(&mut asked_for) {
            for _ in 0..100_000 {
                if *asked_for >= wanted {
                    break;
                }
                let child = chance.pick(&children);
                if let Some(record) = asked(*class, child, population, &mut chance) {
                    questions.push(Question { class: *class, truth: child.number, record });
                    *asked_for += 1;
                }
            }
        }
    }
    questions
}

/// Asks every question twice: the first time of what the disk holds, the second time warm.
pub(crate) fn measure(
    options: &PgConnectOptions,
    population: &Population,
    per_class: usize,
) -> Result<Value, Fault> {
    let matcher = matcher(population);
    let known = Class::moved_and_known();
    let classes = [Class::ALL.as_slice(), &known].concat();
    let questions = questions(population, &classes, per_class);
    let people: Vec<Person> = questions.iter().map(|question| question.record.person()).collect();
    let runtime = index::runtime()?;
    let mut db = runtime.block_on(index::connect(options))?;
    let (mut first, mut warm) = (tally::Tally::default(), tally::Tally::default());
    for tally in [&mut first, &mut warm] {
        for (question, person) in questions.iter().zip(&people) {
            let truth = child(question.truth)?;
            let answer = tally::ask(&mut db, &matcher, person, truth, false);
            tally.add(question.class.name, runtime.block_on(answer)?);
        }
    }
    let plain = |name: &str| Class::ALL.iter().any(|class| class.name == name);
    let moved = |name: &str| known.iter().any(|class| class.name == name);
    Ok(
        json!({"classes": warm.classes(), "all": warm.all(plain), "first_touch": first.all(plain), "moved_known": warm.all(moved),
        "moved_only": warm.all(|name| name.starts_with("moved_") && name.ends_with("_known"))}),
    )
}
