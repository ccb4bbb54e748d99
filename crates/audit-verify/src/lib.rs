//! Verifies an export of the audit, line by line, by the published keys and what a witness has. It shares no code with the
//! service that wrote it, so that a fault of the one is not in the other; `docs/audit.md` says the forms.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt,
};

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use uuid::Uuid;

mod cbor;
mod form;
mod numbers;
mod tree;

#[cfg(test)]
mod logs;

use form::{Event, Line, Of, Root};
use numbers::Numbers;
use tree::{Hash, Tree, climb, sha256};

/// As many findings as are told one by one.
const TOLD: usize = 1000;

/// Why nothing can be verified.
#[derive(Debug)]
pub struct Unreadable(String);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreadable {}

fn unreadable(why: impl fmt::Display) -> Unreadable {
    Unreadable(why.to_string())
}

/// What is found.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Report {
    /// How many events there are.
    pub events: u64,
    /// How many of them are under no root yet.
    pub unsealed: u64,
    /// How many are from before events were hashed, and are not verified.
    pub earlier: u64,
    /// How many roots there are.
    pub roots: u64,
    /// The number of the last root.
    pub last: i64,
    /// How many findings there are.
    pub tampered: u64,
    /// What was tampered with and where; the first thousand.
    pub findings: Vec<String>,
    /// What is no sign of tampering, but to be known.
    pub warnings: Vec<String>,
}

/// The public keys that verify roots.
#[derive(Debug, Clone, Default)]
pub struct Keys(HashMap<String, Vec<u8>>);

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Key {
    kid: String,
    x: String,
}

impl Keys {
    /// Reads a JSON Web Key Set, as `GET /v1/audit/roots` has it.
    pub fn read(json: &str) -> Result<Self, Unreadable> {
        let set: KeySet =
            serde_json::from_str(json).map_err(|error| unreadable(format!("the keys: {error}")))?;
        let mut keys = HashMap::new();
        for key in set.keys {
            let form = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, key.x);
            if URL_SAFE_NO_PAD.encode(sha256(&[form.as_bytes()])) != key.kid {
                return Err(unreadable(format!(
                    "the key {} is not named by its thumbprint",
                    key.kid
                )));
            }
            let x = URL_SAFE_NO_PAD.decode(&key.x).map_err(unreadable)?;
            keys.insert(key.kid, x);
        }
        Ok(Self(keys))
    }

    fn verify(&self, root: &Root) -> Option<bool> {
        let key = UnparsedPublicKey::new(&ED25519, self.0.get(&root.kid)?);
        Some(key.verify(&root.payload(), &root.signature.0).is_ok())
    }
}

/// What a witness has of a root: its number and its hash.
#[derive(Debug, Clone, Deserialize)]
pub struct Witnessed {
    /// The number.
    pub n: i64,
    hash: form::Bytes,
}

impl Witnessed {
    /// Reads what a witness has: one JSON object a line.
    pub fn read(lines: &str) -> Result<Vec<Self>, Unreadable> {
        let lines = lines.lines().filter(|line| !line.trim().is_empty());
        lines
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()
            .map_err(|error| unreadable(format!("the witness: {error}")))
    }
}

/// What a root is over: its hash, how many entries, the epoch, and from which transaction to which.
type Over = (Vec<u8>, u64, i32, i64, i64);

/// Where an event leads: its number, epoch and transaction, the root, its place, its entry and the path.
type Leads = (Uuid, i32, i64, i64, u64, Hash, Vec<Hash>);

/// Verifies line by line.
#[derive(Debug, Default)]
pub struct Verifier {
    keys: Keys,
    witness: BTreeMap<i64, Vec<u8>>,
    of: Option<Of>,
    report: Report,
    seen: HashSet<Uuid>,
    numbers: HashMap<Uuid, Numbers>,
    tree: Tree,
    pending: Vec<(i32, i64, Uuid, Hash)>,
    last: Option<Root>,
    order: Option<(i32, i64, Uuid)>,
    /// Of an export of one child: the roots by number, and where each event leads.
    roots: HashMap<i64, Over>,
    paths: Vec<Leads>,
}

impl Verifier {
    /// Verifies by these keys, and what a witness has, if there is one.
    #[must_use]
    pub fn new(keys: Keys, witness: Vec<Witnessed>) -> Self {
        let mut verifier = Self { keys, ..Self::default() };
        for Witnessed { n, hash } in witness {
            let before = verifier.witness.insert(n, hash.0.clone());
            if before.is_some_and(|before| before != hash.0) {
                verifier.find(format!("root {n}: the witness has two of this number"));
            }
        }
        verifier
    }

    /// Takes the next line.
    pub fn line(&mut self, text: &str) -> Result<(), Unreadable> {
        match (serde_json::from_str(text).map_err(unreadable)?, self.of) {
            (Line::Export(export), None) if export.form == 1 => {
                self.of = Some(export.of);
                Ok(())
            }
            (Line::Export(_), _) | (_, None) => {
                Err(unreadable("it does not begin as an export of this form does"))
            }
            (Line::Event(event), Some(of)) => {
                self.event(&event, of);
                Ok(())
            }
            (Line::Root(root), Some(of)) => {
                self.root(*root, of);
                Ok(())
            }
        }
    }

    /// How many events were taken.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.report.events
    }

    fn find_all(&mut self, faults: Vec<String>) {
        for fault in faults {
            self.find(fault);
        }
    }

    fn find(&mut self, what: String) {
        self.report.tampered += 1;
        if self.report.findings.len() < TOLD {
            self.report.findings.push(what);
        }
    }

    fn event(&mut self, event: &Event, of: Of) {
        self.report.events += 1;
        let id = event.id;
        if !self.seen.insert(id) {
            self.find(format!("event {id}: there are two of this number"));
        }
        let Some(kept) = &event.leaf else {
            self.pending.push((event.epoch, event.tx, id, [0; 32]));
            return;
        };
        let leaf = event.leaf();
        if kept.0 != leaf {
            self.find(format!("event {id}: it is not what was hashed"));
        }
        if event.details.is_some() {
            self.find(format!("event {id}: something stands beside what was hashed"));
        }
        match (event.serial, event.settled) {
            (Some(serial), Some(settled)) => {
                let numbers = self.numbers.entry(event.instance).or_default();
                if !numbers.take(serial, settled, &event.voids) {
                    self.find(format!(
                        "event {id}: instance {} wrote another as its number {serial}",
                        event.instance
                    ));
                }
            }
            _ => self.find(format!("event {id}: it has no number of its instance")),
        }
        let entry = event.entry(&leaf);
        if of == Of::Child {
            self.path(event, entry);
            return;
        }
        if self.order.is_some_and(|before| before >= (event.epoch, event.tx, id)) {
            self.find(format!("event {id}: it is out of order"));
        }
        self.order = Some((event.epoch, event.tx, id));
        self.pending.push((event.epoch, event.tx, id, entry));
    }

    fn path(&mut self, event: &Event, entry: Hash) {
        let Some(path) = &event.path else {
            self.report.unsealed += 1;
            return;
        };
        let hashes = path.hashes.iter().filter_map(|hash| Hash::try_from(&hash.0[..]).ok());
        self.paths.push((
            event.id,
            event.epoch,
            event.tx,
            path.n,
            path.index,
            entry,
            hashes.collect(),
        ));
    }

    fn root(&mut self, root: Root, of: Of) {
        let n = root.n;
        self.report.roots += 1;
        match self.keys.verify(&root) {
            Some(true) => {}
            Some(false) => self.find(format!("root {n}: its signature is not by key {}", root.kid)),
            None => self.find(format!("root {n}: there is no published key {}", root.kid)),
        }
        self.follows(&root, of);
        let hash = root.hash();
        if self.witness.remove(&n).is_some_and(|kept| kept != hash) {
            self.find(format!("root {n}: the witness has another"));
        }
        for doubted in &root.doubted {
            self.find(format!("event {doubted}: it was changed before root {n} was made"));
        }
        if of == Of::Child {
            let known = (root.over.0.clone(), root.events, root.epoch, root.tx_from, root.tx_to);
            self.roots.insert(n, known);
        } else {
            self.cover(&root);
        }
        self.report.last = n;
        self.last = Some(root);
    }

    /// Whether a root goes on where the one before ended.
    fn follows(&mut self, root: &Root, of: Of) {
        let n = root.n;
        let Some(before) = &self.last else {
            if of != Of::Period && (n != 1 || root.previous.0 != [0; 32]) {
                self.find(format!("root {n}: roots before it are missing"));
            }
            return;
        };
        let mut faults = Vec::new();
        if n != before.n + 1 {
            faults.push(format!("root {n}: roots after {} are missing", before.n));
        } else if root.previous.0 != before.hash() {
            faults.push(format!("root {n}: it does not follow the root before"));
        }
        let goes_on = if root.epoch == before.epoch {
            root.tx_from == before.tx_to
        } else {
            root.epoch > before.epoch && root.cluster != before.cluster
        };
        if !goes_on {
            faults.push(format!("root {n}: it does not go on where the root before ended"));
        }
        self.find_all(faults);
    }

    /// Whether a root is over the events that came before it in the export.
    fn cover(&mut self, root: &Root) {
        let n = root.n;
        let first = self.last.is_none();
        let (mut earlier, mut faults) = (0, Vec::new());
        for (epoch, tx, id, entry) in std::mem::take(&mut self.pending) {
            let within = epoch == root.epoch && (root.tx_from..root.tx_to).contains(&tx);
            if within {
                if entry == [0; 32] {
                    faults.push(format!("event {id}: it was never hashed"));
                }
                self.tree.push(entry);
            } else if first && (epoch, tx) < (root.epoch, root.tx_from) {
                earlier += 1;
            } else {
                faults.push(format!("event {id}: its transaction {tx} is under no root"));
            }
        }
        if n == 1 && earlier != root.earlier {
            faults.push(format!(
                "{earlier} events are from before the first root, which counted {}",
                root.earlier
            ));
        }
        self.report.earlier += u64::try_from(earlier).unwrap_or_default();
        let tree = std::mem::take(&mut self.tree);
        if tree.entries != root.events {
            faults.push(format!(
                "root {n}: it is over {} events, of which {} are here",
                root.events, tree.entries
            ));
        }
        if tree.root()[..] != root.over.0 {
            faults.push(format!("root {n}: the events are not those that it is over"));
        }
        self.find_all(faults);
    }

    /// What is found, once all lines are taken.
    #[must_use]
    pub fn finish(mut self) -> Report {
        let unsealed = std::mem::take(&mut self.pending);
        let of = self.of.unwrap_or(Of::All);
        if let Some(last) = &self.last {
            let end = (last.epoch, last.tx_to);
            let n = last.n;
            let forged: Vec<_> = unsealed
                .iter()
                .filter(|(epoch, tx, _, entry)| (*epoch, *tx) < end || *entry == [0; 32])
                .map(|(_, _, id, _)| format!("event {id}: it is under no root up to {n}"))
                .collect();
            self.find_all(forged);
        }
        self.report.unsealed += unsealed.len() as u64;
        if self.report.unsealed > 0 {
            let warning = format!("{} events are under no root yet", self.report.unsealed);
            self.report.warnings.push(warning);
        }
        if self.report.earlier > 0 {
            let warning =
                format!("{} events are from before events were hashed", self.report.earlier);
            self.report.warnings.push(warning);
        }
        self.climb();
        if of != Of::Child {
            self.count(of);
        }
        if of != Of::Period {
            for n in std::mem::take(&mut self.witness).into_keys() {
                self.find(format!("root {n}: the witness has it, and it is not here"));
            }
        }
        self.report
    }

    fn climb(&mut self) {
        for (id, epoch, tx, n, index, entry, hashes) in std::mem::take(&mut self.paths) {
            let leads = self.roots.get(&n).is_some_and(|(root, events, of, from, to)| {
                *of == epoch
                    && (*from..*to).contains(&tx)
                    && climb(entry, index, *events, &hashes)
                        .is_some_and(|found| found[..] == root[..])
            });
            if !leads {
                self.find(format!("event {id}: it does not lead to root {n}"));
            }
        }
    }

    /// Whether an event is missing among those that an instance wrote.
    fn count(&mut self, of: Of) {
        let instances: BTreeSet<_> = self.numbers.keys().copied().collect();
        for instance in instances {
            let Some(numbers) = self.numbers.remove(&instance) else { continue };
            let (missing, told, open) = numbers.missing(of == Of::All);
            if of == Of::All {
                self.report.tampered += missing.saturating_sub(told.len() as u64);
                for serial in told {
                    self.find(format!("instance {instance}: its event {serial} is missing"));
                }
            } else if missing > 0 {
                let warning =
                    format!("instance {instance}: {missing} of its events are under other roots");
                self.report.warnings.push(warning);
            }
            if open > 0 {
                let warning = format!(
                    "instance {instance}: {open} of its last events were under way when it stopped, or are"
                );
                self.report.warnings.push(warning);
            }
        }
    }
}

/// The leaf of the event on a line of an export, if it is one: what `leaf` must be for it.
#[must_use]
pub fn leaf(line: &str) -> Option<[u8; 32]> {
    match serde_json::from_str(line).ok()? {
        Line::Event(event) => Some(event.leaf()),
        _ => None,
    }
}

#[cfg(test)]
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => Some(16 * digit(*high)? + digit(*low)?),
            _ => None,
        })
        .collect()
}
