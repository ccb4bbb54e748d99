//! Logs as the service may write them are clean, and no line of one can be changed unseen.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use proptest::{prelude::*, sample::Index};
use serde_json::{Map, Value, json};

use super::*;

/// What the service writes between two roots: which of three instances writes, and whether a number of it came to nothing before.
type Span = Vec<(usize, bool)>;

/// An export, line by line: the events under each root, its root, and events under none.
struct Log {
    lines: Vec<Value>,
    keys: Keys,
    witness: Vec<Witnessed>,
    /// How many events are under roots.
    sealed: usize,
}

fn id(kind: u128, n: usize) -> Uuid {
    Uuid::from_u128((kind << 64) + u128::try_from(n).unwrap() * 7919)
}

fn event(n: usize, instance: usize, serial: i64, voids: &[i64]) -> Value {
    let mut event = json!({
        "epoch": 1, "tx": 1000 + 3 * n, "id": id(1, n), "at": 1_790_000_000_000_000_i64 + i64::try_from(n).unwrap(), "operation": "open_child",
        "outcome": "answered", "status": 200, "problem": null, "account": id(2, n % 5), "client": null, "on_behalf_of": null,
        "organisation": id(3, n % 2), "session": id(4, n), "token": id(5, n), "role": "practitioner", "reason": "direct-service",
        "reference": null, "children": [id(6, n)], "hidden": "00ff17", "details": null, "request": id(7, n), "address": "192.0.2.7",
        "user_agent": "a browser", "instance": id(8, instance), "serial": serial, "settled": serial, "voids": voids, "leaf": null,
    });
    hashed(&mut event);
    event
}

/// Writes the leaf that an event is to have.
fn hashed(event: &mut Value) {
    let line = json!({ "event": event }).to_string();
    event["leaf"] = json!(hex(&leaf(&line).unwrap()));
}

impl Log {
    fn of(spans: &[Span], tail: &Span) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let x = URL_SAFE_NO_PAD.encode(pair.public_key());
        let form = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        let kid = URL_SAFE_NO_PAD.encode(sha256(&[form.as_bytes()]));
        let keys = Keys::read(&json!({ "keys": [{ "kid": kid, "x": x }] }).to_string()).unwrap();
        let mut log = Self { lines: Vec::new(), keys, witness: Vec::new(), sealed: 0 };
        let (mut serials, mut n, mut from, mut previous) = ([0_i64; 3], 0, 0_i64, [0; 32]);
        let mut write = |lines: &mut Vec<Value>, span: &Span| {
            let begun = n;
            for (instance, void) in span {
                let voids = if *void { vec![serials[*instance] + 1] } else { vec![] };
                serials[*instance] += 1 + i64::from(*void);
                lines.push(json!({ "event": event(n, *instance, serials[*instance], &voids) }));
                n += 1;
            }
            begun..n
        };
        for (at, span) in spans.iter().enumerate() {
            let first = log.lines.len();
            let written = write(&mut log.lines, span);
            let mut tree = Tree::default();
            for line in &log.lines[first..] {
                let Line::Event(event) = serde_json::from_value(line.clone()).unwrap() else {
                    panic!()
                };
                tree.push(event.entry(&event.leaf()));
            }
            let to = i64::try_from(1000 + 3 * written.end).unwrap();
            let mut root = json!({
                "n": at + 1, "epoch": 1, "cluster": "7", "tx_from": from, "tx_to": to, "events": span.len(), "earlier": 0, "root": hex(&tree.root()),
                "doubted": [], "previous": hex(&previous), "at": 1_790_000_100_000_000_i64, "kid": kid, "signature": "",
            });
            let read = |root: &Value| serde_json::from_value::<Root>(root.clone()).unwrap();
            root["signature"] = json!(hex(pair.sign(&read(&root).payload()).as_ref()));
            (previous, from) = (read(&root).hash(), to);
            let witnessed = json!({ "n": at + 1, "hash": hex(&previous) });
            log.witness.push(serde_json::from_value(witnessed).unwrap());
            log.lines.push(json!({ "root": root }));
            log.sealed += span.len();
        }
        write(&mut log.lines, tail);
        log
    }

    fn verified(&self) -> Report {
        let mut verifier = Verifier::new(self.keys.clone(), self.witness.clone());
        verifier.line(r#"{"export":{"form":1,"of":"all"}}"#).unwrap();
        for line in &self.lines {
            verifier.line(&line.to_string()).unwrap();
        }
        verifier.finish()
    }

    /// The places of lines of one kind.
    fn places(&self, kind: &str) -> Vec<usize> {
        (0..self.lines.len()).filter(|at| self.lines[*at].get(kind).is_some()).collect()
    }

    fn sealed_places(&self) -> Vec<usize> {
        self.places("event")[..self.sealed].to_vec()
    }
}

/// A value that is not this one and can stand in its place.
fn other(member: &str, value: &Value) -> Value {
    match (member, value) {
        ("address", _) => json!("2001:db8::7"),
        ("hidden" | "leaf" | "root" | "previous" | "signature", Value::String(text)) => {
            let last = if text.ends_with('0') { "1" } else { "0" };
            json!(format!("{}{last}", &text[..text.len() - 1]))
        }
        ("children" | "doubted", Value::Array(all)) => {
            json!([all.clone(), vec![json!(id(9, 1))]].concat())
        }
        ("voids", Value::Array(all)) => json!([all.clone(), vec![json!(1_000_000)]].concat()),
        (_, Value::Number(number)) => json!(number.as_i64().unwrap() + 1),
        (_, Value::String(text)) if Uuid::parse_str(text).is_ok() => json!(id(9, 2)),
        (_, Value::String(text)) => json!(format!("{text}x")),
        ("problem" | "reference", Value::Null) => json!("forbidden"),
        ("details", Value::Null) => json!({ "more": true }),
        (_, Value::Null) => json!(id(9, 3)),
        (_, value) => panic!("{member}: {value}"),
    }
}

fn changed(line: &mut Value, kind: &str, member: Index, but: &[&str]) -> String {
    let object: &mut Map<String, Value> = line[kind].as_object_mut().unwrap();
    let members: Vec<_> =
        object.keys().filter(|name| !but.contains(&name.as_str())).cloned().collect();
    let name = member.get(&members).clone();
    let new = other(&name, &object[&name]);
    object.insert(name.clone(), new);
    name
}

fn spans() -> impl Strategy<Value = (Vec<Span>, Span)> {
    let span = || prop::collection::vec((0..3_usize, prop::bool::weighted(0.2)), 0..6);
    // The first has something in it, so that there is something to change.
    (prop::collection::vec(span(), 1..5), span()).prop_map(|(mut spans, tail)| {
        spans[0].push((0, false));
        (spans, tail)
    })
}

proptest! {
    #[test]
    fn what_was_written_in_order_is_clean((spans, tail) in spans()) {
        let log = Log::of(&spans, &tail);
        let report = log.verified();
        prop_assert_eq!(report.findings, Vec::<String>::new());
        prop_assert_eq!(report.events, (log.sealed + tail.len()) as u64);
        prop_assert_eq!((report.roots, report.unsealed), (spans.len() as u64, tail.len() as u64));
    }

    #[test]
    fn an_event_changed_in_any_member_is_found((spans, tail) in spans(), at: Index, member: Index) {
        let mut log = Log::of(&spans, &tail);
        let place = *at.get(&log.places("event"));
        // The transaction of an event under no root yet is nowhere but in the database, which sets it.
        let sealed = log.sealed_places().contains(&place);
        let but: &[&str] = if sealed { &[] } else { &["tx", "epoch"] };
        let name = changed(&mut log.lines[place], "event", member, but);
        prop_assert!(log.verified().tampered > 0, "{}", name);
    }

    #[test]
    fn an_event_changed_with_its_leaf_under_a_root_is_found((spans, tail) in spans(), at: Index, member: Index) {
        let mut log = Log::of(&spans, &tail);
        let place = *at.get(&log.sealed_places());
        let name = changed(&mut log.lines[place], "event", member, &["details"]);
        if name != "leaf" {
            hashed(&mut log.lines[place]["event"]);
        }
        prop_assert!(log.verified().tampered > 0, "{}", name);
    }

    #[test]
    fn an_event_removed_doubled_or_moved_under_a_root_is_found((spans, tail) in spans(), at: Index, to: Index) {
        let log = Log::of(&spans, &tail);
        let place = *at.get(&log.sealed_places());
        let with = |change: &dyn Fn(&mut Vec<Value>)| {
            let mut lines = log.lines.clone();
            change(&mut lines);
            Log { lines, keys: log.keys.clone(), witness: log.witness.clone(), sealed: 0 }.verified().tampered
        };
        prop_assert!(with(&|lines| drop(lines.remove(place))) > 0, "removed");
        prop_assert!(with(&|lines| lines.insert(place, lines[place].clone())) > 0, "doubled");
        let target = *to.get(&log.places("event"));
        if target != place {
            prop_assert!(with(&|lines| lines.swap(place, target)) > 0, "moved");
        }
    }

    #[test]
    fn an_event_removed_before_it_is_under_a_root_is_found_if_its_instance_wrote_on((spans, mut tail) in spans(), at: Index) {
        tail.extend([(0, false), (0, false)]);
        let mut log = Log::of(&spans, &tail);
        let unsealed = log.places("event")[log.sealed..].to_vec();
        let of = |place: usize| log.lines[place]["event"]["instance"].clone();
        let goes_on = |place: &usize| unsealed.iter().any(|later| later > place && of(*later) == of(*place));
        let gone: Vec<_> = unsealed.iter().copied().filter(goes_on).collect();
        log.lines.remove(*at.get(&gone));
        prop_assert!(log.verified().tampered > 0);
    }

    #[test]
    fn a_root_changed_in_any_member_removed_or_cut_off_is_found((spans, tail) in spans(), at: Index, member: Index) {
        let mut log = Log::of(&spans, &tail);
        let place = *at.get(&log.places("root"));
        let mut without = log.lines.clone();
        without.remove(place);
        let without = Log { lines: without, keys: log.keys.clone(), witness: log.witness.clone(), sealed: 0 };
        prop_assert!(without.verified().tampered > 0, "removed");
        let lines = log.lines[..place].to_vec();
        let cut = Log { lines, keys: log.keys.clone(), witness: log.witness.clone(), sealed: 0 };
        prop_assert!(cut.verified().tampered > 0, "cut off");
        let name = changed(&mut log.lines[place], "root", member, &[]);
        prop_assert!(log.verified().tampered > 0, "{}", name);
    }
}
