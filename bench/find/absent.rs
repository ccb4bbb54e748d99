//! Children who are not there, while their twins, brothers, sisters and namesakes are: nobody must be taken for them.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use indicatif::{ProgressBar, ProgressStyle};
use linkage::Matcher;
use population::{Chance, Child, Class, Population, Record, SEED, asked};
use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;

use crate::{Fault, index, matcher, spread, tally};

/// As many trials as a block has.
const PER_BLOCK: usize = 1000;

struct Trials<'a> {
    options: &'a PgConnectOptions,
    population: &'a Population,
    matcher: Matcher,
    blocks: Vec<u64>,
    per_block: usize,
    next: AtomicU64,
    tally: Mutex<tally::Tally>,
    examples: Mutex<Vec<Value>>,
    bar: ProgressBar,
}

/// So many trials on every core.
pub(crate) fn measure(
    options: &PgConnectOptions,
    population: &Population,
    count: usize,
) -> Result<Value, Fault> {
    let blocks = spread(population, count.div_ceil(PER_BLOCK) as u64);
    let bar = ProgressBar::new(count as u64).with_style(ProgressStyle::with_template(
        "absent: {wide_bar} {human_pos} of {human_len} trials, {eta} to go",
    )?);
    let trials = Trials {
        options,
        population,
        matcher: matcher(population),
        per_block: count.div_ceil(blocks.len().max(1)),
        blocks,
        next: AtomicU64::new(0),
        tally: Mutex::default(),
        examples: Mutex::default(),
        bar,
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| -> Result<(), Fault> {
        let runs: Vec<_> = (0..cores).map(|_| scope.spawn(|| trials.run())).collect();
        runs.into_iter()
            .try_for_each(|run| run.join().map_err(|_| Fault::from("a trial stopped"))?)
    })?;
    trials.bar.finish_and_clear();
    let tally = trials.tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    let examples = trials.examples.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(
        json!({"all": tally.all(|_| true), "clean": tally.all(|kind| kind == "exact"), "kinds": tally.classes(), "false_merges": examples}),
    )
}

impl Trials<'_> {
    fn run(&self) -> Result<(), Fault> {
        let runtime = index::runtime()?;
        let mut db = runtime.block_on(index::connect(self.options))?;
        let classes = [Class::ALL.as_slice(), &Class::moved_and_known()].concat();
        while let Some(block) = self.take() {
            let children = self.population.block(block);
            let mut chance = Chance::of(SEED ^ 0xab, block);
            for (kind, child, record) in self.of_block(&children, &classes, &mut chance) {
                let person = record.person();
                let answer = runtime.block_on(tally::ask(
                    &mut db,
                    &self.matcher,
                    &person,
                    crate::child(child.number)?,
                    true,
                ))?;
                if answer.came == tally::Came::Wrong {
                    let example = json!({"kind": kind, "asked": record, "absent": child.held(), "taken_for": answer.best});
                    self.examples.lock().unwrap_or_else(PoisonError::into_inner).push(example);
                }
                self.tally.lock().unwrap_or_else(PoisonError::into_inner).add(kind, answer);
                self.bar.inc(1);
            }
        }
        Ok(())
    }

    fn take(&self) -> Option<u64> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        self.blocks.get(usize::try_from(next).ok()?).copied()
    }

    /// Every twin as they are written, some who have brothers or sisters, and others with something wrong.
    fn of_block<'a>(
        &self,
        children: &'a [Child],
        classes: &[Class],
        chance: &mut Chance,
    ) -> Vec<(&'static str, &'a Child, Record)> {
        let exact = Class::ALL[0];
        let mut trials = Vec::with_capacity(self.per_block);
        let few = self.per_block / 4;
        for child in children.iter().filter(|child| child.is_twin()).take(few) {
            trials
                .extend(asked(exact, child, self.population, chance).map(|it| ("twin", child, it)));
        }
        for child in children.iter().filter(|child| child.is_sibling()).take(few / 2) {
            trials.extend(
                asked(exact, child, self.population, chance).map(|it| ("sibling", child, it)),
            );
        }
        for child in children.iter().filter(|child| child.is_twin()).take(few / 5) {
            let class = *chance.pick(classes);
            trials.extend(
                asked(class, child, self.population, chance)
                    .map(|it| ("twin_with_slips", child, it)),
            );
        }
        let mut n = 0;
        while trials.len() < self.per_block && n < self.per_block * 200 {
            // The clean new child is asked for as often as ten others.
            let class = if n.is_multiple_of(4) { exact } else { classes[n % classes.len()] };
            let child = chance.pick(children);
            trials.extend(
                asked(class, child, self.population, chance).map(|it| (class.name, child, it)),
            );
            n += 1;
        }
        trials.retain(|(_, child, record)| !is_asked_as_a_relative(child, record, children));
        trials.truncate(self.per_block);
        trials
    }
}

/// Whether a child is asked for by the very name of a twin, a brother or a sister, as Benjamin who is called Ben and has a twin of that
/// name: parents choose no such names, and no evidence would tell.
fn is_asked_as_a_relative(child: &Child, record: &Record, children: &[Child]) -> bool {
    let asked = record.names.first().and_then(|name| name.given.first());
    asked != Some(&child.given)
        && children.iter().any(|other| {
            other.household == child.household
                && other.number != child.number
                && asked == Some(&other.given)
        })
}
