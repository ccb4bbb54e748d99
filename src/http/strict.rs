//! JSON that can be read in one way only.

use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};

use super::json::{escape, plain};
use crate::problem::{Fault, Kind, Problem};

/// The deepest nesting that is read (security rule H-1).
pub const MAX_DEPTH: usize = 32;

/// Refuses JSON with a member given twice or nested too deep, which parsers read in different ways (RFC 8259, section 4),
/// and null, which might be meant to leave a value as it is or to take it away.
pub(super) fn strict(bytes: &[u8]) -> Result<(), Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let mut trail = Trail::default();
    let read = Strict(&mut trail).deserialize(&mut json).and_then(|()| json.end());
    read.map_err(|error| {
        let fault = Fault { pointer: trail.steps.concat(), detail: plain(&error) };
        Problem::faults(Kind::MalformedJson, vec![fault])
    })?;
    match trail.null {
        Some(pointer) => Err(Problem::invalid(pointer, "must not be null: leave it out")),
        None => Ok(()),
    }
}

/// Where in the body the reader stands, and where it met the first null.
#[derive(Default)]
struct Trail {
    steps: Vec<String>,
    null: Option<String>,
}

struct Strict<'t>(&'t mut Trail);

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        if self.0.steps.len() > MAX_DEPTH {
            return Err(de::Error::custom("is nested over 32 levels deep"));
        }
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        if text.contains('\0') { Err(E::custom("contains a NUL character")) } else { Ok(()) }
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        let Trail { steps, null } = self.0;
        null.get_or_insert_with(|| steps.concat());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut n = 0;
        self.0.steps.push(String::new());
        loop {
            if let Some(step) = self.0.steps.last_mut() {
                *step = format!("/{n}");
            }
            if items.next_element_seed(Strict(self.0))?.is_none() {
                self.0.steps.pop();
                return Ok(());
            }
            n += 1;
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut seen = std::collections::HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            self.0.steps.push(format!("/{}", escape(&name)));
            if name.contains('\0') {
                return Err(de::Error::custom("contains a NUL character"));
            }
            if !seen.insert(name) {
                return Err(de::Error::custom("is given twice"));
            }
            members.next_value_seed(Strict(self.0))?;
            self.0.steps.pop();
        }
        Ok(())
    }
}
