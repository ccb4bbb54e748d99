//! What people are called.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use linkage::fold::{fold, tokens};

use crate::{
    code::codes,
    word::{Refusal, UpToFive, is_letter, line, word},
};

word! {
    /// One part of a name: 1 to 35 letters of any Latin script, with spaces, apostrophes, hyphens and full stops.
    /// Spaces around it are dropped and accents composed (Unicode NFC).
    #[schema(
        min_length = 1,
        max_length = 35,
        pattern = r"^[ .'’-]*[A-Za-z\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u02AF\u1E00-\u1EFF\u2C60-\u2C7F][A-Za-z\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u02AF\u0300-\u036F\u1E00-\u1EFF\u2C60-\u2C7F .'’-]*$",
        example = "Turner",
    )]
    NamePart = name_part
}

fn name_part(text: &str) -> Result<String, Refusal> {
    line(text, 35, is_letter, |c| matches!(c, ' ' | '.' | '\'' | '’' | '-')).ok_or(Refusal::because(
        "Each part of a name is 1 to 35 letters of a Latin script, spaces, apostrophes, hyphens and full stops.",
    ))
}

codes! {
    /// What a name is to the person.
    NameKind {
        /// The name now.
        Current = "current",
        /// A name before; kept, and found by search.
        Former = "former",
        /// What the person is called besides.
        KnownAs = "knownAs",
    }
}

/// A person's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonName {
    /// The given names in their order.
    #[schema(value_type = Vec<NamePart>, min_items = 1, max_items = 5, example = json!(["Amy", "Rose"]))]
    pub given: UpToFive<NamePart>,
    /// The family name.
    pub family: NamePart,
}

/// One of the names of a child.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Name {
    /// What the name is to the child.
    pub kind: NameKind,
    /// The given names in their order.
    #[schema(value_type = Vec<NamePart>, min_items = 1, max_items = 5, example = json!(["Amy", "Rose"]))]
    pub given: UpToFive<NamePart>,
    /// The family name.
    pub family: NamePart,
}

impl Name {
    /// The given names as a search compares them: the first, the first part's first word, and all together.
    #[must_use]
    pub fn given_keys(&self) -> Vec<String> {
        given_keys(&self.given)
    }

    /// The family name as a search compares it.
    #[must_use]
    pub fn family_key(&self) -> String {
        fold(self.family.as_str())
    }
}

/// Given names as a search compares them: the first, the first part's first word, and all together.
#[must_use]
pub fn given_keys(given: &[NamePart]) -> Vec<String> {
    let all: String = given.iter().map(|part| fold(part.as_str())).collect();
    let first = given.first().map(NamePart::as_str).unwrap_or_default();
    let mut keys = vec![fold(first), tokens(first).into_iter().next().unwrap_or_default(), all];
    keys.sort();
    keys.dedup();
    keys.retain(|key| !key.is_empty());
    keys
}

impl From<Name> for PersonName {
    fn from(Name { given, family, .. }: Name) -> Self {
        Self { given, family }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use sqlx::{Decode, Encode, Postgres, Type};

    use super::*;
    use crate::word::testing::{admits, reads, refused};

    #[test]
    fn names_of_latin_scripts_are_names() {
        for name in [
            "Amy",
            "O’Brien",
            "O'Brien",
            "Smith-Jones",
            "St. John",
            "Łukasz",
            "Ḥasan",
            "Ọlọ́run",
            "Nguyễn",
            "'t Hooft",
            "Ŵyn",
            "Ɛdem",
            "X",
        ] {
            assert!(reads::<NamePart>(name), "{name}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = "a".repeat(36);
        for name in [
            "",
            " ",
            "-",
            "Amy2",
            "Amy\u{0}",
            "Amy\nRose",
            "Иван",
            "A×B",
            "\u{301}",
            "<b>",
            "Amy_",
            &long,
        ] {
            assert!(!reads::<NamePart>(name), "{name:?}");
            assert!(!admits::<NamePart>(&name.into()), "{name:?}");
        }
    }

    #[test]
    fn a_name_is_tidied() {
        assert_eq!(NamePart::parse("  Zoe\u{308}   Ann ").unwrap().as_str(), "Zoë Ann");
        assert!(NamePart::parse(&"a".repeat(35)).is_ok());
        assert!(NamePart::parse(&"e\u{301}".repeat(35)).is_ok());
    }

    #[test]
    fn a_name_is_read_and_written_flat() {
        let written = json!({ "kind": "current", "given": ["Amy", "Rose"], "family": "Turner" });
        let name: Name = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(serde_json::to_value(&name).unwrap(), written);
        assert!(admits::<Name>(&written));
        assert!(!format!("{name:?}").contains("Amy"));
    }

    #[test]
    fn what_is_wrong_with_a_name_is_pointed_at_and_not_repeated() {
        for (wrong, path) in [
            (
                json!({ "kind": "current", "given": ["Amy", "R0se"], "family": "Turner" }),
                "given[1]",
            ),
            (json!({ "kind": "current", "given": ["Amy", 7351], "family": "Turner" }), "given[1]"),
            (json!({ "kind": "current", "given": [], "family": "Turner" }), "given"),
            (
                json!({ "kind": "current", "given": ["A", "B", "C", "D", "E", "F"], "family": "T" }),
                "given",
            ),
            (json!({ "kind": "maiden", "given": ["Amy"], "family": "Turner" }), "kind"),
            (
                json!({ "kind": "current", "given": ["Amy"], "family": "Turner", "title": "Miss" }),
                "title",
            ),
        ] {
            let (at, told) = refused::<Name>(&wrong);
            assert_eq!(at, path, "{told}");
            assert!(!admits::<Name>(&wrong), "{wrong}");
            assert!(
                !["R0se", "7351", "maiden", "Miss"].iter().any(|value| told.contains(value)),
                "{told}"
            );
        }
    }

    #[test]
    fn words_codes_and_lists_are_kept_as_text() {
        fn kept<T>() -> bool
        where
            T: Type<Postgres> + for<'q> Encode<'q, Postgres> + for<'r> Decode<'r, Postgres>,
        {
            let text = <String as Type<Postgres>>::type_info();
            let texts = <Vec<String> as Type<Postgres>>::type_info();
            T::compatible(&text) || T::compatible(&texts)
        }
        assert!(kept::<NamePart>() && kept::<NameKind>());
        assert!(kept::<UpToFive<NamePart>>() && kept::<Vec<NameKind>>());
    }

    proptest! {
        #[test]
        fn reading_again_changes_nothing(text in any::<String>()) {
            if let Ok(name) = NamePart::parse(&text) {
                prop_assert_eq!(NamePart::parse(name.as_str()).unwrap(), name);
            }
        }

        #[test]
        fn a_name_survives_json(text in "[A-Za-zÀ-ÖØ-öø-ɏ][A-Za-zÀ-ÖØ-öø-ɏ '’.-]{0,20}") {
            let name = NamePart::parse(&text).unwrap();
            let json = serde_json::to_string(&name).unwrap();
            prop_assert_eq!(serde_json::from_str::<NamePart>(&json).unwrap(), name);
        }
    }
}
