//! A labelled file: the children of an index, and records that are asked for with known truth.

use std::io::{self, Write};

use crate::{Chance, Child, Class, Labelled, Population, asked};

/// Writes the labelled file of an index of the population, all but some of whose children are held, and of `per_class` records
/// of children who are held and half as many of children who are not, of each class; and as many of twins and of brothers and
/// sisters who are not held while the others are. With `known`, the classes of a child who moved with more known are asked too.
pub fn labelled(
    population: &Population,
    per_class: usize,
    known: bool,
    seed: u64,
    to: &mut impl Write,
) -> io::Result<()> {
    let children: Vec<Child> = (0..population.blocks()).flat_map(|n| population.block(n)).collect();
    let mut chance = Chance::of(seed, 0);
    let mut lines = Asked { population, held: vec![true; children.len()], lines: Vec::new() };
    let classes = classes_of(known);
    let exact = Class::ALL[0];
    for (name, wanted) in
        [("twin", Child::is_twin as fn(&Child) -> bool), ("sibling", Child::is_sibling)]
    {
        let all: Vec<_> = children.iter().filter(|child| wanted(child)).collect();
        lines.ask(exact, name, per_class, false, &all, &mut chance);
    }
    let all: Vec<_> = children.iter().collect();
    let double: Vec<_> = children.iter().filter(|child| child.family.contains('-')).collect();
    for class in classes.iter().copied() {
        let from = if class.name == "half_barrel" { &double } else { &all };
        lines.ask(class, class.name, per_class / 2, false, from, &mut chance);
    }
    for class in classes {
        let from = if class.name == "half_barrel" { &double } else { &all };
        lines.ask(class, class.name, per_class, true, from, &mut chance);
    }
    for child in &children {
        if lines.is_held(child) {
            let record = child.held();
            let name = child.number.to_string();
            let line = Labelled {
                id: format!("h{name}"),
                child: name,
                class: None,
                held: true,
                asked: false,
                record,
            };
            write(to, &line)?;
        }
    }
    lines.lines.iter().try_for_each(|line| write(to, line))
}

fn classes_of(known: bool) -> Vec<Class> {
    let more = if known { Class::moved_and_known() } else { Vec::new() };
    Class::ALL.into_iter().chain(more).collect()
}

fn write(to: &mut impl Write, line: &Labelled) -> io::Result<()> {
    serde_json::to_writer(&mut *to, line)?;
    writeln!(to)
}

struct Asked<'a> {
    population: &'a Population,
    held: Vec<bool>,
    lines: Vec<Labelled>,
}

impl Asked<'_> {
    fn is_held(&self, child: &Child) -> bool {
        usize::try_from(child.number).is_ok_and(|number| self.held[number])
    }

    fn ask(
        &mut self,
        class: Class,
        name: &str,
        count: usize,
        present: bool,
        from: &[&Child],
        chance: &mut Chance,
    ) {
        let mut asked_for = 0;
        for _ in 0..count * 300 {
            if asked_for == count || from.is_empty() {
                return;
            }
            let child = from[chance.below(from.len())];
            // Of a household one at most is left out, so that its relatives are there.
            let relatives = !present && self.a_relative_is_left_out(child);
            if relatives || !self.is_held(child) {
                continue;
            }
            if let Some(record) = asked(class, child, self.population, chance) {
                if !present && let Ok(number) = usize::try_from(child.number) {
                    self.held[number] = false;
                }
                self.lines.push(Labelled {
                    id: format!("q{}", self.lines.len()),
                    child: child.number.to_string(),
                    class: Some(name.to_owned()),
                    held: false,
                    asked: true,
                    record,
                });
                asked_for += 1;
            }
        }
    }

    /// Whether one of the three before or after, who may be of the household, is not held.
    fn a_relative_is_left_out(&self, child: &Child) -> bool {
        let number = usize::try_from(child.number).unwrap_or_default();
        let near = number.saturating_sub(3)..(number + 4).min(self.held.len());
        self.held[near].iter().any(|held| !held)
    }
}
