//! The lines of an export, and what of them is hashed.

use std::net::IpAddr;

use serde::{Deserialize, Deserializer, de::Error};
use uuid::Uuid;

use crate::{
    cbor::Cbor,
    tree::{Hash, entry, sha256},
    unhex,
};

/// A line of an export.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Line {
    /// The first: what the export holds.
    Export(Export),
    /// An event, as it is kept.
    Event(Box<Event>),
    /// A signed root, after the events under it.
    Root(Box<Root>),
}

/// What an export holds.
#[derive(Debug, Deserialize)]
pub(crate) struct Export {
    pub(crate) form: u32,
    pub(crate) of: Of,
}

/// What an export is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Of {
    /// Of everything.
    All,
    /// Of a period: whole roots with the events under them.
    Period,
    /// Of one child: single events with their paths, and every root.
    Child,
}

/// Bytes, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(reader)?;
        unhex(&text).map(Self).ok_or_else(|| D::Error::custom("is not hexadecimal"))
    }
}

/// An event, as it is kept.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Event {
    pub(crate) epoch: i32,
    pub(crate) tx: i64,
    pub(crate) id: Uuid,
    pub(crate) at: i64,
    pub(crate) operation: String,
    pub(crate) outcome: String,
    pub(crate) status: i64,
    pub(crate) problem: Option<String>,
    pub(crate) account: Option<Uuid>,
    pub(crate) client: Option<Uuid>,
    pub(crate) on_behalf_of: Option<Uuid>,
    pub(crate) organisation: Option<Uuid>,
    pub(crate) session: Option<Uuid>,
    pub(crate) token: Option<Uuid>,
    pub(crate) role: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) reference: Option<String>,
    pub(crate) children: Vec<Uuid>,
    pub(crate) hidden: Option<Bytes>,
    pub(crate) details: Option<serde_json::Value>,
    pub(crate) request: Uuid,
    pub(crate) address: Option<IpAddr>,
    pub(crate) user_agent: Option<String>,
    pub(crate) instance: Uuid,
    pub(crate) serial: Option<i64>,
    pub(crate) settled: Option<i64>,
    pub(crate) voids: Vec<i64>,
    pub(crate) leaf: Option<Bytes>,
    pub(crate) path: Option<Path>,
}

/// How a single event leads to its root.
#[derive(Debug, Deserialize)]
pub(crate) struct Path {
    pub(crate) n: i64,
    pub(crate) index: u64,
    pub(crate) hashes: Vec<Bytes>,
}

impl Event {
    /// The leaf: over everything that is kept of the event but the transaction it came in.
    pub(crate) fn leaf(&self) -> Hash {
        let id = |cbor: Cbor, id: Uuid| cbor.bytes(id.as_bytes());
        let text = |cbor: Cbor, text: &String| cbor.text(text);
        let mut cbor = Cbor::default().array(25).number(1);
        cbor = id(cbor, self.id).number(self.at).text(&self.operation).text(&self.outcome);
        cbor = cbor.number(self.status).maybe(self.problem.as_ref(), text);
        for who in [
            self.account,
            self.client,
            self.on_behalf_of,
            self.organisation,
            self.session,
            self.token,
        ] {
            cbor = cbor.maybe(who, id);
        }
        for why in [&self.role, &self.reason, &self.reference] {
            cbor = cbor.maybe(why.as_ref(), text);
        }
        cbor = cbor.array(self.children.len());
        for child in &self.children {
            cbor = id(cbor, *child);
        }
        cbor = cbor.maybe(self.hidden.as_ref(), |cbor, hidden| cbor.bytes(&hidden.0));
        cbor = id(cbor, self.request).maybe(self.address, |cbor, address| match address {
            IpAddr::V4(address) => cbor.bytes(&address.octets()),
            IpAddr::V6(address) => cbor.bytes(&address.octets()),
        });
        cbor = id(cbor.maybe(self.user_agent.as_ref(), text), self.instance);
        cbor = cbor.maybe(self.serial, Cbor::number).maybe(self.settled, Cbor::number);
        cbor = cbor.array(self.voids.len());
        for void in &self.voids {
            cbor = cbor.number(*void);
        }
        entry(&[&cbor.done()])
    }

    /// What stands for the event in the tree: its transaction and its leaf.
    pub(crate) fn entry(&self, leaf: &[u8]) -> Hash {
        entry(&[&self.tx.to_be_bytes(), leaf])
    }
}

/// A signed root.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Root {
    pub(crate) n: i64,
    pub(crate) epoch: i32,
    pub(crate) cluster: String,
    pub(crate) tx_from: i64,
    pub(crate) tx_to: i64,
    pub(crate) events: u64,
    pub(crate) earlier: i64,
    #[serde(rename = "root")]
    pub(crate) over: Bytes,
    pub(crate) doubted: Vec<Uuid>,
    pub(crate) previous: Bytes,
    pub(crate) at: i64,
    pub(crate) kid: String,
    pub(crate) signature: Bytes,
}

impl Root {
    /// What is signed.
    pub(crate) fn payload(&self) -> Vec<u8> {
        let events = i64::try_from(self.events).unwrap_or(i64::MAX);
        let mut cbor = Cbor::default().array(13).text("contactpoint audit root 1").number(self.n);
        cbor = cbor.number(i64::from(self.epoch)).text(&self.cluster);
        cbor = cbor.number(self.tx_from).number(self.tx_to).number(events).number(self.earlier);
        cbor = cbor.bytes(&self.over.0).array(self.doubted.len());
        for doubted in &self.doubted {
            cbor = cbor.bytes(doubted.as_bytes());
        }
        cbor.bytes(&self.previous.0).number(self.at).text(&self.kid).done()
    }

    /// What the next root names it by.
    pub(crate) fn hash(&self) -> Hash {
        sha256(&[&self.payload(), &self.signature.0])
    }
}
