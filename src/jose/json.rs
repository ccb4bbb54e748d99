//! JSON of others: whatever members it has, each stands once (RFC 8725, section 2.6; RFC 8259, section 4).

use std::fmt;

use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::object::Objects;

/// How deep it may be nested.
const MAX_DEPTH: usize = 32;

/// Reads a JSON object in which no member stands twice, at any depth.
pub(super) fn object(bytes: &[u8]) -> Option<Map<String, Value>> {
    let Once(value) = serde_json::from_slice(bytes).ok()?;
    match value {
        Value::Object(members) if depth(&members) <= MAX_DEPTH => Some(members),
        _ => None,
    }
}

/// Reads such an object into its type.
pub(super) fn read<T: DeserializeOwned>(members: Map<String, Value>) -> Option<T> {
    T::deserialize(Objects(Value::Object(members))).ok()
}

fn depth(members: &Map<String, Value>) -> usize {
    fn under(value: &Value) -> usize {
        match value {
            Value::Object(members) => 1 + members.values().map(under).max().unwrap_or(0),
            Value::Array(items) => 1 + items.iter().map(under).max().unwrap_or(0),
            _ => 0,
        }
    }
    1 + members.values().map(under).max().unwrap_or(0)
}

/// A value in which no member stands twice.
struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(Reader).map(Self)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut found = Vec::new();
        while let Some(Once(item)) = items.next_element()? {
            found.push(item);
        }
        Ok(Value::Array(found))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut found = Map::new();
        while let Some((name, Once(value))) = members.next_entry::<String, _>()? {
            if found.insert(name, value).is_some() {
                return Err(A::Error::custom("a member stands twice"));
            }
        }
        Ok(Value::Object(found))
    }
}
