//! The signed roots over the events of the audit: words and rules. `docs/audit.md` says their form for anyone who verifies.

use std::{
    convert::Infallible,
    sync::{Arc, PoisonError, RwLock},
};

use aws_lc_rs::digest;
use chrono::{DateTime, Utc};
use minicbor::{Encoder, encode::Error};
use serde::Serialize;
use uuid::Uuid;

use super::leaf::moment;
use crate::keys::{JwkSet, KeyFault, SigningKeys};

pub mod routes;
pub mod store;
pub mod task;
pub mod witness;

/// What every signed payload begins with, so that a signature is for nothing else.
const DOMAIN: &str = "contactpoint audit root 1";

/// A hash (SHA-256).
pub type Hash = [u8; 32];

/// The keys that sign roots, shared by all that do so.
#[derive(Debug, Clone)]
pub struct Signer(Arc<RwLock<Arc<SigningKeys>>>);

impl Signer {
    /// Signs by these keys.
    #[must_use]
    pub fn new(keys: SigningKeys) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(keys))))
    }

    /// Signs by other keys from now on.
    pub fn replace(&self, keys: SigningKeys) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    /// The public halves of all keys that sign or signed.
    #[must_use]
    pub fn jwks(&self) -> JwkSet {
        self.keys().jwks()
    }

    fn keys(&self) -> Arc<SigningKeys> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Which transactions a root is over: of one epoch, from the first to before the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The epoch.
    pub epoch: i32,
    /// The first.
    pub from: i64,
    /// The one after the last.
    pub to: i64,
}

/// A signed root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// Its number, from 1 on.
    pub n: i64,
    /// Which transactions it is over.
    pub range: Range,
    /// The server of that epoch, as PostgreSQL knows it.
    pub cluster: String,
    /// How many events.
    pub events: i64,
    /// How many events there are from before the first root; 0 but in the first.
    pub earlier: i64,
    /// The root of the tree.
    pub root: Hash,
    /// The events that were no longer what the service wrote.
    pub doubted: Vec<Uuid>,
    /// The hash of the root before; zeros in the first.
    pub previous: Hash,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// The key that signed it.
    pub kid: String,
    /// The signature (Ed25519).
    pub signature: Vec<u8>,
}

impl Root {
    /// The same, signed by the key that is in use.
    pub fn signed(self, signer: &Signer) -> Result<Self, KeyFault> {
        let keys = signer.keys();
        let mut root = Self { kid: keys.active().to_owned(), ..self };
        let payload = root.payload().map_err(|_| KeyFault::Library)?;
        root.signature = keys.sign(&payload)?;
        Ok(root)
    }

    /// What the next root and the witness name it by.
    pub fn hash(&self) -> Result<Hash, KeyFault> {
        let payload = self.payload().map_err(|_| KeyFault::Library)?;
        Ok(sha256(&[&payload, &self.signature]))
    }

    fn payload(&self) -> Result<Vec<u8>, Error<Infallible>> {
        let mut payload = Encoder::new(Vec::with_capacity(256));
        payload.array(13)?.str(DOMAIN)?.i64(self.n)?.i32(self.range.epoch)?.str(&self.cluster)?;
        payload.i64(self.range.from)?.i64(self.range.to)?.i64(self.events)?.i64(self.earlier)?;
        payload.bytes(&self.root)?.array(self.doubted.len() as u64)?;
        for doubted in &self.doubted {
            payload.bytes(doubted.as_bytes())?;
        }
        payload.bytes(&self.previous)?.i64(moment(self.at))?.str(&self.kid)?;
        Ok(payload.into_writer())
    }

    /// As exports and witnesses have it.
    #[must_use]
    pub fn told(&self) -> Told<'_> {
        Told {
            n: self.n,
            epoch: self.range.epoch,
            cluster: &self.cluster,
            tx_from: self.range.from,
            tx_to: self.range.to,
            events: self.events,
            earlier: self.earlier,
            root: hex(&self.root),
            doubted: &self.doubted,
            previous: hex(&self.previous),
            at: moment(self.at),
            kid: &self.kid,
            signature: hex(&self.signature),
        }
    }
}

/// A root as exports and witnesses have it: bytes in hexadecimal, moments in microseconds since 1970.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "they are those of the root")]
pub struct Told<'r> {
    pub n: i64,
    pub epoch: i32,
    pub cluster: &'r str,
    pub tx_from: i64,
    pub tx_to: i64,
    pub events: i64,
    pub earlier: i64,
    pub root: String,
    pub doubted: &'r [Uuid],
    pub previous: String,
    pub at: i64,
    pub kid: &'r str,
    pub signature: String,
}

/// Bytes in hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn sha256(parts: &[&[u8]]) -> Hash {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// What stands in a tree for an event: its transaction and its leaf (RFC 6962, section 2.1).
#[must_use]
pub fn entry(tx: i64, leaf: &[u8]) -> Hash {
    sha256(&[&[0], &tx.to_be_bytes(), leaf])
}

fn node(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left, right])
}

/// The root of a tree of these entries (RFC 6962, section 2.1).
#[must_use]
pub fn root(entries: &[Hash]) -> Hash {
    match entries {
        [] => sha256(&[]),
        [entry] => *entry,
        entries => {
            let (left, right) = entries.split_at(split(entries.len()));
            node(&root(left), &root(right))
        }
    }
}

/// The hashes by which the entry at `index` leads to the root, from the bottom up (RFC 6962, section 2.1.1).
#[must_use]
pub fn path(entries: &[Hash], index: usize) -> Vec<Hash> {
    if entries.len() < 2 {
        return Vec::new();
    }
    let at = split(entries.len());
    let (left, right) = entries.split_at(at);
    let (mut below, beside) = if index < at {
        (path(left, index), root(right))
    } else {
        (path(right, index - at), root(left))
    };
    below.push(beside);
    below
}

/// The largest power of two that is smaller.
fn split(entries: usize) -> usize {
    entries.next_power_of_two() / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_of_a_tree_is_that_of_the_rfc() {
        // The entries and roots that implementations of RFC 6962 are tested by.
        let entries = [&b""[..], &[0x00], &[0x10], &[0x20, 0x21], &[0x30, 0x31]];
        let entries = entries.map(|data| sha256(&[&[0], data]));
        for (size, expected) in [
            (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
            (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
            (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
            (5, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
        ] {
            assert_eq!(hex(&root(&entries[..size])), expected);
        }
    }
}
