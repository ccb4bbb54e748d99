//! Sets of public keys (RFC 7517, section 5).

use std::collections::HashSet;

use serde_json::Value;

use super::{KeyFault, PublicKey, json};

/// How large a set that was fetched may be, in bytes.
const LARGEST_SET: usize = 64 * 1024;
/// How many keys a set may have.
const MOST_KEYS: usize = 20;

/// The public keys of somebody, at least one.
#[derive(Debug, Clone)]
pub struct PublicKeys(Vec<PublicKey>);

/// Why a set cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct SetFault {
    /// Where in the set, as a JSON pointer (RFC 6901) from the set itself.
    at: Option<usize>,
    /// What is wrong there.
    pub sentence: &'static str,
}

impl SetFault {
    fn whole(sentence: &'static str) -> Self {
        Self { at: None, sentence }
    }

    fn of(at: usize, KeyFault(sentence): KeyFault) -> Self {
        Self { at: Some(at), sentence }
    }

    /// Where in the set, as a JSON pointer (RFC 6901) from the set itself: `/keys/2`, or `/keys`.
    #[must_use]
    pub fn pointer(&self) -> String {
        self.at.map_or_else(|| "/keys".to_owned(), |at| format!("/keys/{at}"))
    }
}

impl PublicKeys {
    /// Reads a set that was fetched. Keys that are of no use here are passed over (RFC 7517, section 5).
    pub fn parse(bytes: &[u8]) -> Result<Self, SetFault> {
        if bytes.len() > LARGEST_SET {
            return Err(SetFault::whole("is over 64 KiB"));
        }
        let members = json::object(bytes).ok_or(SetFault::whole("is not a JSON object"))?;
        let keys = listed(members.get("keys"))?;
        let usable = keys.iter().filter_map(|key| PublicKey::from_jwk(key).ok()).collect();
        let keys = Self::distinct(usable)?;
        if keys.0.is_empty() { Err(SetFault::whole("has no usable key")) } else { Ok(keys) }
    }

    /// Reads a set that is registered with us, of which every key must be of use.
    pub fn registered(set: &Value) -> Result<Self, SetFault> {
        let keys = listed(set.get("keys"))?;
        let read = |(at, key)| PublicKey::from_jwk(key).map_err(|fault| SetFault::of(at, fault));
        let keys = keys.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Err(SetFault::whole("must have a key"));
        }
        Self::distinct(keys)
    }

    fn distinct(keys: Vec<PublicKey>) -> Result<Self, SetFault> {
        let mut seen = HashSet::new();
        match keys.iter().filter_map(PublicKey::kid).position(|kid| !seen.insert(kid)) {
            Some(_) => Err(SetFault::whole("must have keys of different `kid`")),
            None => Ok(Self(keys)),
        }
    }

    /// The key of this name; where none is named, the one key that there is.
    #[must_use]
    pub fn find(&self, kid: Option<&str>) -> Option<&PublicKey> {
        match (kid, &self.0[..]) {
            (Some(kid), keys) => keys.iter().find(|key| key.kid() == Some(kid)),
            (None, [only]) => Some(only),
            (None, _) => None,
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &PublicKey> {
        self.0.iter()
    }
}

fn listed(keys: Option<&Value>) -> Result<&Vec<Value>, SetFault> {
    let keys = keys.and_then(Value::as_array).ok_or(SetFault::whole("must be a list of keys"))?;
    if keys.len() > MOST_KEYS {
        return Err(SetFault::whole("must have at most 20 keys"));
    }
    Ok(keys)
}
