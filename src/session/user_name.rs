//! User names, written one way only.

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use utoipa::ToSchema;

const FEWEST: usize = 3;
const MOST: usize = 64;

/// The name a user signs in with: 3 to 64 letters, digits, `.`, `_`, `-` and `@`; capitals make no difference.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(
    value_type = String,
    min_length = 3,
    max_length = 64,
    pattern = r"^[^\x00-,/:-?\[-\^`{-\xA0]+$",
    example = "a.practitioner",
)]
pub struct UserName(String);

/// What was given is not a user name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a user name is 3 to 64 letters, digits, '.', '_', '-' and '@'")]
pub struct NotAUserName;

impl UserName {
    /// Reads a user name, folding its characters (NFKC, then case) so that no two spellings differ.
    pub fn parse(text: &str) -> Result<Self, NotAUserName> {
        if text.chars().nth(MOST).is_some() {
            return Err(NotAUserName);
        }
        let folded = fold(text);
        let long_enough = (FEWEST..=MOST).contains(&folded.chars().count());
        if long_enough && folded.chars().all(is_allowed) && fold(&folded) == folded {
            Ok(Self(folded))
        } else {
            Err(NotAUserName)
        }
    }

    /// The name as it is stored and looked up.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for UserName {
    type Err = NotAUserName;

    fn from_str(text: &str) -> Result<Self, NotAUserName> {
        Self::parse(text)
    }
}

fn is_allowed(c: char) -> bool {
    c.is_alphabetic() || c.is_ascii_digit() || "._-@".contains(c)
}

fn fold(text: &str) -> String {
    text.nfkc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc().collect()
}

impl TryFrom<String> for UserName {
    type Error = NotAUserName;

    fn try_from(text: String) -> Result<Self, NotAUserName> {
        Self::parse(&text)
    }
}

impl From<UserName> for String {
    fn from(name: UserName) -> Self {
        name.0
    }
}

impl fmt::Debug for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserName([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_spelling_of_a_name_is_the_same_name() {
        for (given, folded) in [
            ("a.practitioner", "a.practitioner"),
            ("A.Practitioner", "a.practitioner"),
            ("ａ.practitioner", "a.practitioner"),
            ("STRASSE", "strasse"),
            ("straße", "strasse"),
            ("ΣΊΣΥΦΟΣ", "σίσυφοσ"),
            ("σίσυφος", "σίσυφοσ"),
            ("e\u{301}lan", "élan"),
            ("ﬁona", "fiona"),
            ("\u{212A}elvin", "kelvin"),
            ("user@example.org", "user@example.org"),
        ] {
            assert_eq!(UserName::parse(given).map(String::from).as_deref(), Ok(folded));
        }
    }

    #[test]
    fn what_is_not_a_name_is_refused() {
        let too_long = "a".repeat(65);
        for given in [
            "",
            "ab",
            &too_long,
            "a b c",
            "abc\0",
            "abc\n",
            " abc",
            "abc ",
            "a:bc",
            "a'bc",
            "a/b/c",
            "a\u{200b}bc",
            "a\u{202e}bc",
            "abq\u{301}",
            "İstanbul",
            "ﷺ",
            "١٢٣",
        ] {
            assert_eq!(UserName::parse(given), Err(NotAUserName), "{given:?}");
        }
        assert!(UserName::parse(&"a".repeat(64)).is_ok());
    }

    #[test]
    fn json_is_read_like_any_other_text_and_debug_tells_nothing() {
        let name: UserName = serde_json::from_str("\"A.Practitioner\"").unwrap();
        assert_eq!(serde_json::to_string(&name).unwrap(), "\"a.practitioner\"");
        assert_eq!(format!("{name:?}"), "UserName([REDACTED])");
        assert!(serde_json::from_str::<UserName>("\"a\"").is_err());
    }

    proptest! {
        #[test]
        fn folding_once_is_enough(text in ".{0,80}") {
            if let Ok(name) = UserName::parse(&text) {
                prop_assert_eq!(UserName::parse(name.as_str()), Ok(name.clone()));
                prop_assert_eq!(UserName::parse(&text.to_lowercase()), Ok(name));
            }
        }
    }
}
