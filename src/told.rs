//! What the database tells in the words of the API, handed on as it stands.

use std::{fmt, marker::PhantomData};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, de::Error};
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

/// The JSON of a `T` as the database made it: describe it by `#[schema(value_type = T)]`; nobody reads it on its way.
/// Opening a record costs half as
/// much in the service as taking every value apart and putting it together again. Only instants are written as everywhere
/// else in the API, with `Z` for UTC.
pub struct Told<T> {
    json: Box<RawValue>,
    told: PhantomData<T>,
}

impl<T> Told<T> {
    /// The same, with what the database could not tell.
    pub(crate) fn amended(&self, amend: impl FnOnce(&mut Value)) -> serde_json::Result<Self> {
        let mut told = serde_json::from_str(self.json.get())?;
        amend(&mut told);
        Ok(Self { json: serde_json::value::to_raw_value(&told)?, told: PhantomData })
    }
}

/// How PostgreSQL ends an instant in JSON.
const UTC: &str = "+00:00\"";

impl<'de, T> Deserialize<'de> for Told<T> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let json = <&RawValue>::deserialize(reader)?;
        let json = match with_z(json.get()) {
            Some(json) => RawValue::from_string(json).map_err(D::Error::custom)?,
            None => json.to_owned(),
        };
        Ok(Self { json, told: PhantomData })
    }
}

impl<T: DeserializeOwned> Told<T> {
    /// What it says, taken apart.
    pub fn read(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.json.get())
    }
}

impl<T: Serialize> Told<T> {
    /// A value, to be handed on as it stands.
    pub fn of(value: &T) -> Result<Self, serde_json::Error> {
        Ok(Self { json: to_raw_value(value)?, told: PhantomData })
    }
}

impl<T> Serialize for Told<T> {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        self.json.serialize(writer)
    }
}

impl<T> fmt::Debug for Told<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Told(…)")
    }
}

/// The JSON with every instant in UTC ending in `Z`, where there is one.
fn with_z(json: &str) -> Option<String> {
    let (mut told, mut rest) = (String::new(), json);
    while let Some(at) = rest.find(UTC) {
        let (before, after) = (&rest[..at], &rest[at + UTC.len()..]);
        told.push_str(before);
        told.push_str(if ends_in_an_instant(before) { "Z\"" } else { UTC });
        rest = after;
    }
    (!told.is_empty()).then(|| told + rest)
}

/// Whether the last string begun in the text is a date and a time, so far.
fn ends_in_an_instant(text: &str) -> bool {
    let Some((_, last)) = text.rsplit_once('"').filter(|(before, _)| !before.ends_with('\\'))
    else {
        return false;
    };
    let last = last.as_bytes();
    let shape = b"0000-00-00T00:00:00";
    let alike = |(byte, like): (&u8, &u8)| {
        if *like == b'0' { byte.is_ascii_digit() } else { byte == like }
    };
    last.len() >= shape.len()
        && last.iter().zip(shape).all(alike)
        && last[shape.len()..].iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(json: &str) -> String {
        let told: Told<()> = serde_json::from_str(json).unwrap();
        serde_json::to_string(&told).unwrap()
    }

    #[test]
    fn what_is_told_is_handed_on_with_instants_as_the_api_writes_them() {
        for (json, handed_on) in [
            (r#"{"at":"2026-11-16T09:30:00+00:00"}"#, r#"{"at":"2026-11-16T09:30:00Z"}"#),
            (
                r#"["2026-11-16T09:30:00.123456+00:00","2026-11-16T09:30:00+00:00",1]"#,
                r#"["2026-11-16T09:30:00.123456Z","2026-11-16T09:30:00Z",1]"#,
            ),
            (r#"{"team":"Team +00:00"}"#, r#"{"team":"Team +00:00"}"#),
            (
                r#"["\"2026-11-16T09:30:00+00:00", "+00:00"]"#,
                r#"["\"2026-11-16T09:30:00+00:00", "+00:00"]"#,
            ),
            (r#"{"a":[],"b":null}"#, r#"{"a":[],"b":null}"#),
            ("7", "7"),
        ] {
            assert_eq!(told(json), handed_on);
        }
    }
}
