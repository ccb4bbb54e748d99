//! `weigh FILE [WRONG]`: the matcher over a labelled file, with an index of keys in memory: the figures in one line of JSON, as
//! `contactpoint match evaluate` has them, without a database; the wrong pairs to WRONG.

use std::{
    collections::{BTreeMap, HashMap},
    env,
    error::Error,
    fs::{self, File},
    io::{BufWriter, Write},
};

use linkage::{Comparison, Matcher, Model, Outcome, Person, decide, sample};
use population::Labelled;
use serde_json::{Value, json};

struct Held<'a> {
    lines: Vec<(&'a Labelled, Person)>,
    by_key: HashMap<i64, Vec<usize>>,
}

impl<'a> Held<'a> {
    fn of(lines: &'a [Labelled]) -> Self {
        let lines: Vec<_> = lines
            .iter()
            .filter(|line| line.held)
            .map(|line| (line, line.record.person()))
            .collect();
        let mut by_key: HashMap<i64, Vec<usize>> = HashMap::new();
        for (n, (_, person)) in lines.iter().enumerate() {
            for key in person.keys() {
                by_key.entry(key).or_default().push(n);
            }
        }
        Self { lines, by_key }
    }

    fn candidates(&self, asked: &Labelled, person: &Person) -> Vec<usize> {
        let keys = person.keys_to_find();
        let mut found: Vec<_> =
            keys.iter().filter_map(|key| self.by_key.get(key)).flatten().copied().collect();
        found.sort_unstable();
        found.dedup();
        found.retain(|n| self.lines[*n].0.id != asked.id);
        found
    }
}

/// What is counted of the asked records of one class.
#[derive(Default)]
struct Counts {
    asked: u32,
    retrieved: u32,
    first: u32,
    matched: u32,
    review: u32,
    none: u32,
    wrong: u32,
}

impl Counts {
    fn json(&self) -> Value {
        json!({"asked": self.asked, "retrieved": self.retrieved, "top1": self.first, "auto": self.matched,
            "review": self.review, "missed": self.none, "false_merges": self.wrong})
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let file = fs::read_to_string(words.first().ok_or("say which file")?)?;
    let lines: Vec<Labelled> = file.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let held = Held::of(&lines);
    let matcher = {
        let people: Vec<Person> = held.lines.iter().map(|(_, person)| person.clone()).collect();
        let frequencies = sample::count(&Model::cold(), &people);
        Matcher::of(Model::cold(), frequencies)
    };
    let mut scores: HashMap<(&str, &str), (f64, bool)> = HashMap::new();
    let mut classes: BTreeMap<(&str, bool), Counts> = BTreeMap::new();
    let mut wrong = Vec::new();
    for line in lines.iter().filter(|line| line.asked) {
        let person = line.record.person();
        let compared: Vec<(usize, Comparison)> = held
            .candidates(line, &person)
            .into_iter()
            .map(|n| (n, matcher.compare(&person, &held.lines[n].1)))
            .collect();
        let is_true = |n: usize| held.lines[n].0.child == line.child;
        let present =
            held.lines.iter().any(|(one, _)| one.child == line.child && one.id != line.id);
        for (n, comparison) in &compared {
            let other = held.lines[*n].0;
            let pair = if other.asked && other.id < line.id {
                (other.id.as_str(), line.id.as_str())
            } else {
                (line.id.as_str(), other.id.as_str())
            };
            let score = scores.entry(pair).or_insert((f64::MIN, is_true(*n)));
            score.0 = score.0.max(comparison.bits);
        }
        let counts = classes.entry((line.class.as_deref().unwrap_or("all"), present)).or_default();
        counts.asked += 1;
        counts.retrieved += u32::from(compared.iter().any(|(n, _)| is_true(*n)));
        let decision = decide(&matcher.model, compared);
        let first = decision.ranked.first().is_some_and(|(n, _)| is_true(*n));
        counts.first += u32::from(first);
        match (decision.outcome, decision.best) {
            (Outcome::Match, Some(n)) if is_true(n) => counts.matched += 1,
            (Outcome::Match, _) => counts.wrong += 1,
            (Outcome::Review, _) => counts.review += 1,
            (Outcome::None, _) => counts.none += 1,
        }
        let merged = decision.outcome == Outcome::Match && !decision.best.is_some_and(is_true);
        if (present && !first) || merged {
            let best = decision
                .ranked
                .first()
                .map(|(n, comparison)| json!({"held": held.lines[*n].0, "comparison": comparison}));
            let truth: Vec<_> = held.lines.iter().filter(|(one, _)| one.child == line.child && one.id != line.id)
                .map(|(one, known)| json!({"held": one, "comparison": matcher.compare(&person, known)})).collect();
            wrong.push(json!({"why": if merged { "merged" } else { "not first" }, "asked": line, "best": best, "truth": truth}));
        }
    }
    let truths = true_pairs(&lines);
    let mut all: Vec<_> = scores.iter().map(|(pair, (bits, same))| (*bits, *same, *pair)).collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (f1, clean) = curve(&all, truths);
    for (bits, same, pair) in all.iter().filter(|(bits, same, _)| !same && *bits > 5.0).take(40) {
        wrong.push(json!({"why": "false pair high", "bits": bits, "same": same, "pair": pair}));
    }
    let mut sums = Counts::default();
    let mut per_class: BTreeMap<&str, BTreeMap<&str, Value>> = BTreeMap::new();
    let mut asked_present = 0;
    for ((class, present), counts) in &classes {
        per_class
            .entry(class)
            .or_default()
            .insert(if *present { "present" } else { "absent" }, counts.json());
        sums.wrong += counts.wrong;
        if *present {
            asked_present += counts.asked;
            sums.first += counts.first;
            sums.matched += counts.matched;
            sums.review += counts.review;
            sums.none += counts.none;
        }
    }
    let share = |count: u32| f64::from(count) / f64::from(asked_present.max(1));
    println!(
        "{}",
        json!({"f1": f1, "recall_at_zero_fp": clean, "top1": share(sums.first), "auto": share(sums.matched),
        "review": share(sums.review), "missed": share(sums.none), "false_merges": sums.wrong, "true_pairs": truths, "per_class": per_class})
    );
    if let Some(path) = words.get(1) {
        let mut file = BufWriter::new(File::create(path)?);
        wrong.iter().try_for_each(|one| writeln!(file, "{one}"))?;
    }
    Ok(())
}

/// How many pairs of an asked and a held record are of one child; two that are both count once.
fn true_pairs(lines: &[Labelled]) -> usize {
    let mut of_child: HashMap<&str, Vec<&Labelled>> = HashMap::new();
    for line in lines {
        of_child.entry(&line.child).or_default().push(line);
    }
    let pairs = of_child.values().flat_map(|lines| {
        lines.iter().enumerate().flat_map(|(n, a)| lines[n + 1..].iter().map(move |b| (a, b)))
    });
    pairs.filter(|(a, b)| (a.asked && b.held) || (b.asked && a.held)).count()
}

/// The best F1 over all thresholds, and the share of true pairs above the first false one.
#[expect(clippy::cast_precision_loss, reason = "counts of pairs are far below 2^52")]
fn curve(all: &[(f64, bool, (&str, &str))], truths: usize) -> (f64, f64) {
    let (mut best, mut right, mut clean) = (0.0_f64, 0_usize, None);
    let mut seen = 0;
    for together in all.chunk_by(|a, b| (a.0 - b.0).abs() < 1e-9) {
        let of_them = together.iter().filter(|(_, same, _)| *same).count();
        if of_them < together.len() && clean.is_none() {
            clean = Some(right);
        }
        right += of_them;
        seen += together.len();
        best = best.max(2.0 * right as f64 / (seen + truths) as f64);
    }
    (best, clean.unwrap_or(right) as f64 / truths.max(1) as f64)
}
