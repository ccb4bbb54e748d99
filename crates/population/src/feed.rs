//! What a source system sends of a population of whom the index holds some: rows of a feed.

use std::{collections::VecDeque, io, io::Write};

use serde_json::{Value, json};

use crate::{BLOCK, Chance, Child, Class, Population, Record, asked};

/// Of five rows so many are of children whom the index holds, as long as there are such.
const HELD_OF_5: u64 = 3;
/// Rows are not in the order of households: the next is so many further on in its block.
const STEP: u64 = 7919;
/// What is wrong with the rows of children whom the index holds, in hundredths; the others say what it holds.
const WRONG: [(&str, f64); 6] = [
    ("typo_family", 0.07),
    ("typo_given", 0.07),
    ("nickname", 0.05),
    ("moved", 0.06),
    ("pc_typo", 0.03),
    ("dob_digit", 0.02),
];

/// What one source sends: a row each of children who are the first `held` of a population, and of others.
#[derive(Debug)]
pub struct Feed {
    population: Population,
    held: u64,
    blocks: VecDeque<(u64, Vec<Child>)>,
}

impl Feed {
    /// Of a population of so many children, the first `held` of whom the index holds.
    #[must_use]
    pub fn new(children: u64, held: u64, seed: u64) -> Self {
        Self { population: Population::new(children, seed), held, blocks: VecDeque::new() }
    }

    /// The children whom the index holds, as `contactpoint load` takes them, with the code of the authority that answers.
    pub fn load(&mut self, authority: &str, to: &mut impl Write) -> io::Result<()> {
        (0..self.held).try_for_each(|number| {
            let child = self.child(number);
            let mut row = told(&child, &child.held());
            row["responsibleAuthority"] = json!(authority);
            line(to, &json!({ "child": row }))
        })
    }

    /// The rows from this one on, as NDJSON.
    pub fn rows(&mut self, from: u64, count: u64, to: &mut impl Write) -> io::Result<()> {
        (from..from + count).try_for_each(|n| {
            let (child, record) = self.row(n);
            line(to, &row(&child, &record))
        })
    }

    /// The keys by which the index is asked for the same rows, each with its number, as `copy` takes them.
    pub fn keys(&mut self, from: u64, count: u64, to: &mut impl Write) -> io::Result<()> {
        (from..from + count).try_for_each(|n| {
            let keys: Vec<_> =
                self.row(n).1.person().keys_to_find().iter().map(i64::to_string).collect();
            writeln!(to, "{}\t{{{}}}", n - from + 1, keys.join(","))
        })
    }

    /// Of whom a row is, and what it says.
    fn row(&mut self, n: u64) -> (Child, Record) {
        let held = (n / 5 * HELD_OF_5 + (n % 5).min(HELD_OF_5)).min(self.held);
        let new = n - held;
        if n % 5 < HELD_OF_5 && held < self.held {
            let child = self.child(apart(held, 0, self.held));
            let mut chance = Chance::of(!self.population.children, child.number);
            let record = said(&child, &self.population, &mut chance);
            return (child, record);
        }
        let child = self.child(apart(new, self.held, self.population.children));
        let record = now(child.held());
        (child, record)
    }

    fn child(&mut self, number: u64) -> Child {
        let block = number / BLOCK;
        let held = self.blocks.iter().position(|(held, _)| *held == block);
        let at = held.unwrap_or_else(|| {
            self.blocks.truncate(5);
            self.blocks.push_front((block, self.population.block(block)));
            0
        });
        self.blocks[at].1[usize::try_from(number % BLOCK).unwrap_or_default()].clone()
    }
}

/// The nth of the numbers from `first` to `end`, those near each other apart.
fn apart(n: u64, first: u64, end: u64) -> u64 {
    let base = first + n / BLOCK * BLOCK;
    let width = BLOCK.min(end - base);
    base + n % BLOCK * STEP % width
}

/// What is said now: nothing of what was before.
fn now(mut record: Record) -> Record {
    record.names.truncate(1);
    record.addresses.truncate(1);
    record
}

fn said(child: &Child, population: &Population, chance: &mut Chance) -> Record {
    let mut drawn = chance.share();
    for (name, share) in WRONG {
        if drawn < share {
            let class = Class::ALL.into_iter().find(|class| class.name == name);
            let wrong = class.and_then(|class| asked(class, child, population, chance));
            let wrong = wrong.filter(|wrong| wrong.date_of_birth.as_deref().is_some_and(plausible));
            let carers = child.held().carers;
            return wrong
                .map_or_else(|| now(child.held()), |wrong| now(Record { carers, ..wrong }));
        }
        drawn -= share;
    }
    now(child.held())
}

/// Whether a child may have been born on this day: others are refused, and prove nothing of the matcher.
fn plausible(day: &str) -> bool {
    ("2008-09-01".."2026-09-01").contains(&day)
}

/// What is told of a child, as the API takes it.
fn told(child: &Child, record: &Record) -> Value {
    let names: Vec<_> = record
        .names
        .iter()
        .map(|name| json!({ "kind": name.kind, "given": name.given, "family": name.family }))
        .collect();
    let home = &record.addresses[0];
    let carers: Vec<_> = record
        .carers
        .iter()
        .zip(["mother", "father"])
        .map(|(carer, relationship)| {
            json!({
                "name": { "given": carer.given, "family": carer.family }, "relationship": relationship,
                "parentalResponsibility": true, "phones": [format!("01632 960{:03}", child.number % 1000)],
            })
        })
        .collect();
    json!({
        "names": names, "dateOfBirth": record.date_of_birth, "gender": record.gender,
        "whereabouts": {
            "kind": "current",
            "address": { "lines": home.lines, "town": home.town, "postcode": home.postcode },
        },
        "carers": carers,
    })
}

fn row(child: &Child, record: &Record) -> Value {
    let mut row = told(child, record);
    row["reference"] = json!(format!("P-{:08}", child.number));
    row["identifiers"] = json!([{ "kind": "upn", "value": upn(child.number) }]);
    row["involvement"] = json!({
        "contact": { "team": "Pastoral Team", "officeHours": "01632 960003" }, "startedOn": "2026-09-01",
    });
    row
}

/// A pupil number of this child, with its check letter.
fn upn(number: u64) -> String {
    let body = format!("801{number:09}");
    let sum: usize =
        body.bytes().zip(2..).map(|(digit, weight)| usize::from(digit - b'0') * weight).sum();
    format!("{}{body}", char::from(b"ABCDEFGHJKLMNPQRTUVWXYZ"[sum % 23]))
}

fn line(to: &mut impl Write, value: &Value) -> io::Result<()> {
    serde_json::to_writer(&mut *to, value)?;
    writeln!(to)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> Vec<String> {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn rows_are_of_as_many_children_wherever_they_begin() {
        let feed = || Feed::new(30_000, 12_000, 7);
        let all = text(|out| feed().rows(0, 29_000, out));
        let references: HashSet<_> = all
            .iter()
            .map(|row| serde_json::from_str::<Value>(row).unwrap()["reference"].to_string())
            .collect();
        assert_eq!(references.len(), 29_000);
        assert_eq!(text(|out| feed().rows(25_000, 100, out)), all[25_000..25_100]);
        let held = |n: usize| {
            let held = |row: &&String| {
                let row: Value = serde_json::from_str(row).unwrap();
                let number: u64 = row["reference"].as_str().unwrap()[2..].parse().unwrap();
                number < 12_000
            };
            all[..n].iter().filter(held).count()
        };
        assert_eq!((held(1000), held(29_000)), (600, 12_000));
    }

    #[test]
    fn what_is_said_of_a_child_whom_the_index_holds_is_mostly_what_it_holds() {
        let mut feed = Feed::new(10_000, 10_000, 7);
        let right = (0..1000).filter(|n| {
            let (child, record) = feed.row(n / 3 * 5 + n % 3);
            record == now(child.held())
        });
        let right = right.count();
        assert!((650..750).contains(&right), "{right}");
    }
}
