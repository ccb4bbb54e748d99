//! How one value is read, kept, shown and described.

use std::{fmt, ops::Deref};

use chrono::NaiveDate;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, Visitor},
};
use unicode_normalization::UnicodeNormalization;

/// Why a value was refused: one sentence, which never repeats the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(&'static str);

impl Refusal {
    /// A refusal told with this sentence.
    #[must_use]
    pub const fn because(sentence: &'static str) -> Self {
        Self(sentence)
    }

    /// What integrators read.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        self.0
    }
}

/// Text from a document; anything else is refused without repeating it.
#[derive(Clone)]
pub(crate) struct Text(pub(crate) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_string(TextVisitor).map_err(|error| {
            let repeats = error.to_string().starts_with("invalid type");
            if repeats { D::Error::custom("Send text, in quotation marks.") } else { error }
        })
    }
}

/// A day written as `2015-03-14`; the calendar's own reader would take `+2015-3-14` too.
pub(crate) fn day<'de, D: Deserializer<'de>>(reader: D) -> Result<NaiveDate, D::Error> {
    full_date(&Text::deserialize(reader)?.0)
}

/// The same, where there may be none.
pub(crate) fn some_day<'de, D: Deserializer<'de>>(
    reader: D,
) -> Result<Option<NaiveDate>, D::Error> {
    let text: Option<Text> = Option::deserialize(reader)?;
    text.map(|text| full_date(&text.0)).transpose()
}

fn full_date<E: Error>(text: &str) -> Result<NaiveDate, E> {
    let written = |(n, byte): (usize, u8)| match n {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    let day =
        text.parse().ok().filter(|_| text.len() == 10 && text.bytes().enumerate().all(written));
    day.ok_or_else(|| E::custom("Send a day of the calendar as year, month and day: 2015-03-14."))
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
        Ok(Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Text, E> {
        Ok(Text(text))
    }
}

/// Defines a kind of text that exists only in its right form, which the named function makes.
macro_rules! word {
    ($(#[$meta:meta])* $name:ident = $parse:path) => {
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize, sqlx::Type, utoipa::ToSchema)]
        #[serde(try_from = "crate::word::Text")]
        #[sqlx(transparent)]
        #[schema(value_type = String)]
        $(#[$meta])*
        pub struct $name(String);

        impl $name {
            /// Reads it, repairing what is only a matter of writing.
            pub fn parse(text: &str) -> Result<Self, $crate::word::Refusal> {
                $parse(text).map(Self)
            }

            /// Its text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<$crate::word::Text> for $name {
            type Error = $crate::word::Refusal;

            fn try_from(text: $crate::word::Text) -> Result<Self, Self::Error> {
                Self::parse(&text.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::word::Refusal;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::word::Refusal;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> Self {
                word.0
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
                writer.serialize_str(&self.0)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    };
}
pub(crate) use word;

/// One to five things of a kind, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
#[serde(try_from = "Vec<T>", bound(deserialize = "T: Deserialize<'de>"))]
#[sqlx(transparent, no_pg_array)]
pub struct UpToFive<T>(Vec<T>);

impl<T> TryFrom<Vec<T>> for UpToFive<T> {
    type Error = Refusal;

    fn try_from(several: Vec<T>) -> Result<Self, Refusal> {
        match several.len() {
            1..=5 => Ok(Self(several)),
            _ => Err(Refusal::because("Give one to five.")),
        }
    }
}

impl<T> Deref for UpToFive<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> From<UpToFive<T>> for Vec<T> {
    fn from(several: UpToFive<T>) -> Self {
        several.0
    }
}

/// The text in Unicode's composed form, without spaces around it and with single spaces inside.
pub(crate) fn tidy(text: &str) -> String {
    let words = text.split(' ').filter(|word| !word.is_empty());
    let single = words.collect::<Vec<_>>().join(" ");
    if single.is_ascii() { single } else { single.nfc().collect() }
}

/// A line of at most `most` characters: letters, marks on them and what `also` allows, and at least one that `needs` asks for.
pub(crate) fn line(
    text: &str,
    most: usize,
    needs: impl Fn(char) -> bool,
    also: impl Fn(char) -> bool,
) -> Option<String> {
    let line = tidy(text);
    let before = line.find(&needs)?;
    let fits = line.chars().count() <= most
        && !line[..before].contains(is_mark)
        && line.chars().all(|c| is_letter(c) || is_mark(c) || also(c));
    fits.then_some(line)
}

/// Whether it is a letter of a Latin alphabet.
pub(crate) fn is_letter(c: char) -> bool {
    matches!(c,
        'A'..='Z' | 'a'..='z' | 'À'..='Ö' | 'Ø'..='ö' | 'ø'..='\u{2AF}' | '\u{1E00}'..='\u{1EFF}' | '\u{2C60}'..='\u{2C7F}')
}

/// Whether it is a mark on the letter before it, as in "ọ̀", which has no composed form.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}')
}

/// The digits' values, if the text is digits alone.
pub(crate) fn digits<const N: usize>(text: &str) -> Option<[u32; N]> {
    let values: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(10)).collect();
    values?.try_into().ok()
}

#[cfg(test)]
pub(crate) mod testing {
    //! What the tests of many words need.

    use serde::de::DeserializeOwned;
    use serde_json::Value;
    use utoipa::{PartialSchema, ToSchema};

    /// What the reader is told about a document that is refused: where, and why.
    pub(crate) fn refused<T: DeserializeOwned>(document: &Value) -> (String, String) {
        let text = document.to_string();
        let mut reader = serde_json::Deserializer::from_str(&text);
        let error = serde_path_to_error::deserialize::<_, T>(&mut reader).err().unwrap();
        (error.path().to_string(), error.inner().to_string())
    }

    /// The published schema of a type, with the types it refers to.
    pub(crate) fn schema<T: ToSchema>() -> Value {
        let mut parts = Vec::new();
        T::schemas(&mut parts);
        let mut schema = serde_json::to_value(<T as PartialSchema>::schema()).unwrap();
        let parts: serde_json::Map<_, _> = parts
            .into_iter()
            .map(|(name, part)| (name, serde_json::to_value(part).unwrap()))
            .collect();
        schema["components"] = serde_json::json!({ "schemas": parts });
        schema
    }

    /// Whether the published schema of a type admits a document.
    pub(crate) fn admits<T: ToSchema>(document: &Value) -> bool {
        jsonschema::validator_for(&schema::<T>()).unwrap().is_valid(document)
    }

    /// Whether a type reads the text, after checking that its schema says the same.
    pub(crate) fn reads<T: DeserializeOwned + ToSchema>(text: &str) -> bool {
        let document = Value::from(text);
        let read = serde_json::from_value::<T>(document.clone()).is_ok();
        assert!(admits::<T>(&document) || !read, "the schema refuses what is read: {text}");
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_text_is_refused_without_repeating_it() {
        for wrong in ["9434765870", "-5", "1.25", "true", "null", "[7]", "{\"Amy\":7}"] {
            let told = serde_json::from_str::<Text>(wrong).err().unwrap().to_string();
            assert!(!told.contains(wrong) || wrong == "null", "{told}");
        }
    }

    #[test]
    fn a_list_holds_one_to_five() {
        for (given, fits) in [(0, false), (1, true), (5, true), (6, false)] {
            assert_eq!(UpToFive::try_from(vec![(); given]).is_ok(), fits);
        }
    }
}
