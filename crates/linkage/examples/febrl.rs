//! `cargo run --release -p linkage --example febrl -- FILE…`: a FEBRL file against itself, before and after learning.

use std::collections::{HashMap, HashSet};

use linkage::{
    Birth, Comparison, Frequencies, Matcher, Model, Name, NameKind, Person, PersonName, Place,
    estimate::{self, Prior},
    evaluate::{Scored, best, curve, recall_without_false},
    sample,
};

struct Record {
    id: String,
    child: String,
    person: Person,
}

fn read(path: &str) -> Vec<Record> {
    let text = std::fs::read_to_string(path).expect("a file that can be read");
    let mut lines = text.lines();
    let header: Vec<_> = lines.next().expect("a header").split(',').map(str::trim).collect();
    let column = |name: &str| header.iter().position(|held| *held == name).expect("a column");
    let columns =
        ["rec_id", "given_name", "surname", "street_number", "address_1", "address_2"].map(column);
    let more = ["suburb", "postcode", "date_of_birth"].map(column);
    let mut records = Vec::new();
    for line in lines.filter(|line| !line.trim().is_empty()) {
        let cells: Vec<_> = line.split(',').map(str::trim).collect();
        let [id, given, family, number, one, two] = columns.map(|n| cells[n]);
        let [town, postcode, birth] = more.map(|n| cells[n]);
        let child = id.split('-').nth(1).expect("a number").to_owned();
        let name = Name { kind: NameKind::Current, name: PersonName::of(&[given], family) };
        let lines = [format!("{number} {one}"), two.to_owned()];
        let place = Place::of(&lines, town, &uk(postcode), false);
        records.push(Record {
            id: id.to_owned(),
            child,
            person: Person {
                names: vec![name],
                birth: date(birth),
                places: vec![place],
                ..Person::default()
            },
        });
    }
    records
}

/// Four digits in the shape of a postcode here: 4011 becomes AA40 1AA... with digits as they are.
fn uk(postcode: &str) -> String {
    if std::env::var("RAWPC").is_ok() || postcode.len() != 4 {
        return postcode.to_owned();
    }
    let letter = |n: usize| char::from(b'A' + postcode.as_bytes()[n] - b'0');
    format!("{}{} {}{}A", letter(0), &postcode[1..2], &postcode[2..3], letter(3))
}

fn date(text: &str) -> Option<Birth> {
    let (year, month, day) = (
        text.get(..4)?.parse().ok()?,
        text.get(4..6)?.parse().ok()?,
        text.get(6..8)?.parse().ok()?,
    );
    let last = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    (1..=last).contains(&day).then(|| Birth::on(year, month, day))
}

fn candidates(records: &[Record]) -> Vec<(usize, usize)> {
    let mut index: HashMap<i64, Vec<usize>> = HashMap::new();
    for (n, record) in records.iter().enumerate() {
        for key in record.person.keys() {
            index.entry(key).or_default().push(n);
        }
    }
    let mut pairs = HashSet::new();
    for (n, record) in records.iter().enumerate() {
        for key in record.person.keys_to_find() {
            for other in index.get(&key).into_iter().flatten().filter(|other| **other != n) {
                pairs.insert((n.min(*other), n.max(*other)));
            }
        }
    }
    let mut pairs: Vec<_> = pairs.into_iter().collect();
    pairs.sort_unstable();
    pairs
}

fn show(label: &str, matcher: &Matcher, records: &[Record], pairs: &[(usize, usize)], wrong: bool) {
    let all: u64 = {
        let mut count: HashMap<&str, u64> = HashMap::new();
        for record in records {
            *count.entry(&record.child).or_default() += 1;
        }
        count.values().map(|n| n * (n - 1) / 2).sum()
    };
    let compared: Vec<(usize, usize, Comparison)> = pairs
        .iter()
        .map(|(a, b)| (*a, *b, matcher.compare(&records[*a].person, &records[*b].person)))
        .collect();
    let same = |a: usize, b: usize| records[a].child == records[b].child;
    let scored: Vec<_> =
        compared.iter().map(|(a, b, c)| Scored { bits: c.bits, one_child: same(*a, *b) }).collect();
    let found = scored.iter().filter(|pair| pair.one_child).count();
    let curve = curve(scored, all);
    let best = best(&curve).expect("a point");
    let mut top: HashMap<usize, (f64, bool)> = HashMap::new();
    for (a, b, c) in &compared {
        for n in [*a, *b] {
            let held = top.entry(n).or_insert((f64::MIN, false));
            if c.bits > held.0 {
                *held = (c.bits, same(*a, *b));
            }
        }
    }
    let mut with_other: HashMap<&str, usize> = HashMap::new();
    for record in records {
        *with_other.entry(&record.child).or_default() += 1;
    }
    let asked: Vec<_> =
        (0..records.len()).filter(|n| with_other[records[*n].child.as_str()] > 1).collect();
    let right = asked.iter().filter(|n| top.get(n).is_some_and(|top| top.1)).count();
    println!(
        "{label:22} pairs {} found {found}/{all} bestF1 {:.4} at {:.1} (P {:.4} R {:.4}) R@0FP {:.4} top1 {:.4}",
        pairs.len(),
        best.f1,
        best.bits,
        best.precision,
        best.recall,
        recall_without_false(&curve),
        right as f64 / asked.len() as f64,
    );
    if wrong {
        let pairs: HashSet<_> = pairs.iter().copied().collect();
        for a in 0..records.len() {
            for b in a + 1..records.len() {
                if same(a, b) && !pairs.contains(&(a, b)) {
                    println!(
                        "  UNFOUND\n     {:?}\n     {:?}",
                        brief(&records[a].person),
                        brief(&records[b].person)
                    );
                }
            }
        }
        let floor = std::env::var("FLOOR").ok().and_then(|floor| floor.parse::<f64>().ok());
        let mut compared: Vec<_> = compared
            .iter()
            .filter(|(a, b, c)| same(*a, *b) != (c.bits >= floor.unwrap_or(best.bits)))
            .collect();
        compared.sort_by(|x, y| y.2.bits.total_cmp(&x.2.bits));
        for (a, b, c) in compared.iter().take(60) {
            let told: Vec<_> = c
                .findings
                .iter()
                .map(|f| format!("{:?}:{:?}:{:.1}", f.field, f.level, f.bits))
                .collect();
            println!(
                "  {} {:.1} {} {}{}\n     {:?}\n     {:?}",
                if same(*a, *b) { "MISSED" } else { "FALSE" },
                c.bits,
                records[*a].id,
                records[*b].id,
                told.join(" "),
                brief(&records[*a].person),
                brief(&records[*b].person),
            );
        }
    }
}

fn brief(person: &Person) -> String {
    let name = &person.names[0].name;
    let place = &person.places[0];
    let birth = person.birth.map(|b| format!("{}-{:?}-{:?}", b.year, b.month, b.day));
    format!(
        "{:?} {:?} {birth:?} {}|{}|{}|{}",
        name.given, name.family, place.house, place.street, place.town, place.postcode
    )
}

fn main() {
    for path in std::env::args().skip(1) {
        let records = read(&path);
        println!("{path}: {} records", records.len());
        let pairs = candidates(&records);
        let wrong = std::env::var("WRONG").is_ok();
        let cold = Matcher { model: Model::cold(), frequencies: Frequencies::default() };
        show("cold, no frequencies", &cold, &records, &pairs, false);
        let people: Vec<_> = records.iter().map(|record| record.person.clone()).collect();
        let frequencies = sample::count(&cold.model, &people);
        let counted = Matcher { frequencies: frequencies.clone(), ..cold };
        show("cold, counted", &counted, &records, &pairs, false);
        let with_u = Matcher::of(counted.model.clone(), frequencies);
        show("u", &with_u, &records, &pairs, wrong && std::env::var("WRONGU").is_ok());
        let mut learnt = with_u.clone();
        for round in 0..3 {
            let compared: Vec<_> = pairs
                .iter()
                .map(|(a, b)| learnt.compare(&records[*a].person, &records[*b].person))
                .collect();
            let estimate = {
                let space = estimate::Space::of(records.len(), records.len() as u64);
                estimate::with_same(&learnt.model, &compared, space, Prior::default(), 200)
            };
            if round == 2 {
                println!(
                    "  {:?} {:.1} rounds {}",
                    estimate.picked,
                    estimate.expected,
                    estimate.likelihood.len()
                );
            }
            learnt.model = estimate.model;
            show("u and m", &learnt, &records, &pairs, wrong && round == 2);
        }
        if wrong {
            for (field, levels) in &learnt.model.weights {
                for (level, weight) in levels {
                    let cold = counted_weight(*field, *level);
                    println!(
                        "  {field:?} {level:?} m {:.4} (cold {:.4}) u {:?} (cold {:?})",
                        weight.same, cold.same, weight.different, cold.different
                    );
                }
            }
        }
    }
}

fn counted_weight(field: linkage::Field, level: linkage::Level) -> linkage::model::Weight {
    Model::cold().weights[&field][&level]
}
