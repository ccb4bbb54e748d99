//! The form in which an event is hashed, and numbered by the instance that writes it. `docs/audit.md` says it for anyone who
//! would verify.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::digest;
use chrono::{DateTime, Utc};
use minicbor::{Encoder, encode::Error};
use uuid::Uuid;

use super::{Event, Outcome};
use crate::{access::Reason, seal::Vault};

/// The number of the encoding.
const VERSION: u8 = 1;
/// How many values it has.
const VALUES: u64 = 25;
/// What an event may be kept as: as it was handed in, or as one of these refusals.
pub(crate) const REFUSALS: [(&str, i16); 3] =
    [("unauthenticated", 401), ("stopped", 503), ("over-budget", 429)];

/// What an instance says of an event beside what happened: which of its events it is, below which number all are settled, and
/// which numbers came to nothing.
#[derive(Debug, Clone)]
pub(crate) struct Number {
    pub(crate) instance: Uuid,
    pub(crate) serial: i64,
    pub(crate) settled: i64,
    pub(crate) voids: Vec<i64>,
}

/// The numbers of the events of one instance.
#[derive(Debug, Clone, Default)]
pub(crate) struct Numbers(Arc<Mutex<Book>>);

#[derive(Debug)]
struct Book {
    next: i64,
    /// What is not at its end: the first number, how many, and the void numbers that go with them.
    open: BTreeMap<i64, (i64, Vec<i64>)>,
    voids: Vec<i64>,
}

impl Default for Book {
    fn default() -> Self {
        Self { next: 1, open: BTreeMap::new(), voids: Vec::new() }
    }
}

/// Numbers that are in use by a transaction. Unless it is said that they are kept, they come to nothing, and the next event says so.
#[derive(Debug)]
#[must_use = "numbers that are not kept come to nothing"]
pub(crate) struct Taken {
    numbers: Numbers,
    /// The first of them.
    pub(crate) first: i64,
    /// Below which all are settled.
    pub(crate) settled: i64,
    /// Which came to nothing, for the first event to say.
    pub(crate) voids: Vec<i64>,
}

impl Numbers {
    /// The next `count` numbers, for events that become durable together.
    pub(crate) fn take(&self, count: usize) -> Taken {
        let mut book = self.book();
        let first = book.next;
        let count = i64::try_from(count).unwrap_or_default();
        book.next += count;
        let voids = std::mem::take(&mut book.voids);
        let carried = book.open.values().flat_map(|(_, voids)| voids);
        let unsettled = book.open.keys().chain(carried).min().copied();
        let settled = unsettled.unwrap_or(first).min(first);
        book.open.insert(first, (count, voids.clone()));
        Taken { numbers: self.clone(), first, settled, voids }
    }

    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// The events are durable.
    pub(crate) fn keep(self) {
        self.numbers.book().open.remove(&self.first);
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut book = self.numbers.book();
        if let Some((count, voids)) = book.open.remove(&self.first) {
            book.voids.extend(voids);
            book.voids.extend(self.first..self.first + count);
        }
    }
}

/// The leaf of an event, and the instance's word for it, one after the other for each way in which it may be kept: as it was
/// handed in, and as each of the refusals.
pub(crate) fn proofs(
    event: &Event,
    hidden: Option<&[u8]>,
    number: &Number,
    vault: &Vault,
) -> Result<Vec<u8>, Error<Infallible>> {
    let status = kept_status(event.status);
    let (head, tail) = (head(event)?, tail(event, hidden, number)?);
    let own = (event.outcome, status, event.problem);
    let refused = REFUSALS.map(|(problem, status)| (Outcome::Refused, status, Some(problem)));
    let mut proofs = Vec::with_capacity(64 * (1 + refused.len()));
    for (outcome, status, problem) in [own].into_iter().chain(refused) {
        let mut verdict = Encoder::new(Vec::with_capacity(48));
        verdict.str(outcome.as_str())?.i16(status)?;
        text(&mut verdict, problem)?;
        let leaf = leaf(&[&head, &verdict.into_writer(), &tail]);
        proofs.extend_from_slice(&leaf);
        proofs.extend(word(vault, number.instance, number.serial, &leaf));
    }
    Ok(proofs)
}

/// The status as it is kept.
pub(crate) fn kept_status(status: u16) -> i16 {
    i16::try_from(status).unwrap_or_default()
}

/// What only the service can say of an event: that it wrote it under this number.
pub(crate) fn word(vault: &Vault, instance: Uuid, serial: i64, leaf: &[u8]) -> Vec<u8> {
    vault.blind(&[b"audit event", instance.as_bytes(), &serial.to_be_bytes(), leaf])
}

fn leaf(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(&[0]);
    for part in parts {
        hash.update(part);
    }
    let mut leaf = [0; 32];
    leaf.copy_from_slice(hash.finish().as_ref());
    leaf
}

type Written = Result<Vec<u8>, Error<Infallible>>;
type Line = Encoder<Vec<u8>>;

fn head(event: &Event) -> Written {
    let mut line = Encoder::new(Vec::with_capacity(96));
    line.array(VALUES)?.u8(VERSION)?.bytes(event.id.0.as_bytes())?;
    line.i64(moment(event.at))?.str(event.errand.operation)?;
    Ok(line.into_writer())
}

fn tail(event: &Event, hidden: Option<&[u8]>, number: &Number) -> Written {
    let mut line = Encoder::new(Vec::with_capacity(512));
    let (caller, errand) = (event.caller.as_ref(), &event.errand);
    id(&mut line, event.account())?;
    id(&mut line, event.client())?;
    id(&mut line, errand.on_behalf_of.map(|account| account.0))?;
    id(&mut line, caller.map(|caller| caller.organisation.0))?;
    id(&mut line, caller.map(|caller| caller.session.0))?;
    id(&mut line, caller.map(|caller| caller.token))?;
    text(&mut line, caller.map(|caller| caller.role.as_str()))?;
    text(&mut line, errand.reason.map(Reason::code))?;
    text(&mut line, errand.reference.as_deref())?;
    line.array(event.trail.children.len() as u64)?;
    for child in &event.trail.children {
        line.bytes(child.0.as_bytes())?;
    }
    bytes(&mut line, hidden)?;
    line.bytes(errand.request.as_bytes())?;
    match errand.address {
        Some(IpAddr::V4(address)) => line.bytes(&address.octets())?,
        Some(IpAddr::V6(address)) => line.bytes(&address.octets())?,
        None => line.null()?,
    };
    text(&mut line, errand.user_agent.as_deref())?;
    line.bytes(number.instance.as_bytes())?.i64(number.serial)?.i64(number.settled)?;
    line.array(number.voids.len() as u64)?;
    for void in &number.voids {
        line.i64(*void)?;
    }
    Ok(line.into_writer())
}

/// Microseconds since 1970, as the database keeps a moment.
pub(crate) fn moment(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros()
}

fn id(line: &mut Line, id: Option<Uuid>) -> Result<(), Error<Infallible>> {
    bytes(line, id.as_ref().map(|id| &id.as_bytes()[..]))
}

fn bytes(line: &mut Line, bytes: Option<&[u8]>) -> Result<(), Error<Infallible>> {
    match bytes {
        Some(bytes) => line.bytes(bytes)?,
        None => line.null()?,
    };
    Ok(())
}

fn text(line: &mut Line, text: Option<&str>) -> Result<(), Error<Infallible>> {
    match text {
        Some(text) => line.str(text)?,
        None => line.null()?,
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_comes_to_nothing_is_told_by_the_next_event_that_is_kept() {
        let numbers = Numbers::default();
        let one = numbers.take(1);
        assert_eq!((one.first, one.settled, one.voids.as_slice()), (1, 1, &[][..]));
        let (two, three) = (numbers.take(2), numbers.take(1));
        assert_eq!((two.first, two.settled, three.first, three.settled), (2, 1, 4, 1));
        one.keep();
        drop(two);
        let five = numbers.take(1);
        assert_eq!((five.settled, five.voids.as_slice()), (4, &[2, 3][..]));
        let six = numbers.take(1);
        assert_eq!(
            (six.settled, six.voids.as_slice()),
            (2, &[][..]),
            "it is not sure that 5 says so"
        );
        drop(five);
        let seven = numbers.take(1);
        assert_eq!(seven.voids, [2, 3, 5]);
        for kept in [three, six, seven] {
            kept.keep();
        }
        let eight = numbers.take(1);
        assert_eq!((eight.first, eight.settled, eight.voids.as_slice()), (8, 8, &[][..]));
    }
}
