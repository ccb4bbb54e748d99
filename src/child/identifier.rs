//! Numbers that others gave the child: held here, not owned.

use std::str::FromStr;

use nhs_number::NHSNumber;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::{Validate, ValidationError, ValidationErrors};

use crate::{
    code::codes,
    word::{Refusal, Text, digits, word},
};

codes! {
    /// Whose number an identifier is.
    IdentifierKind {
        /// A school's unique pupil number.
        Upn = "upn",
        /// The health service's number.
        NhsNumber = "nhsNumber",
        /// A council's number for a child it works with.
        ChildReference = "childReference",
        /// The number for tax and benefits, given near the 16th birthday.
        NationalInsuranceNumber = "nationalInsuranceNumber",
        /// A learner's number from the age of 14.
        Uln = "uln",
    }
}

word! {
    /// A unique pupil number, permanent or temporary (a temporary one ends in a letter), with its check letter in front.
    #[schema(
        min_length = 13,
        max_length = 20,
        pattern = "^ *[A-HJ-NP-RT-Za-hj-np-rt-z][0-9]{11}[0-9A-HJ-NP-RT-Za-hj-np-rt-z] *$",
        example = "B801200005001",
    )]
    Upn = upn
}

word! {
    /// An NHS number: ten digits, the last a check digit. Spaces are dropped.
    #[schema(min_length = 10, max_length = 20, pattern = "^ *(?:[0-9] *){10}$", example = "9990011117")]
    NhsNumber = nhs_number
}

word! {
    /// A council's reference for a child.
    #[schema(min_length = 1, max_length = 20, pattern = "^ *[A-Za-z0-9/-]{1,20} *$", example = "C/104-22")]
    ChildReference = child_reference
}

word! {
    /// A National Insurance number: two letters, six digits and a letter from A to D. Spaces are dropped.
    #[schema(
        min_length = 9,
        max_length = 20,
        pattern = "^ *[A-CEGHJ-PR-TW-Za-ceghj-pr-tw-z] *[A-CEGHJ-NPR-TW-Za-ceghj-npr-tw-z] *(?:[0-9] *){6}[A-Da-d] *$",
        example = "AB123456C",
    )]
    NationalInsuranceNumber = national_insurance_number
}

word! {
    /// A unique learner number: ten digits, the last a check digit.
    #[schema(min_length = 10, max_length = 20, pattern = "^ *[1-9][0-9]{9} *$", example = "9990000017")]
    Uln = uln
}

/// The letters of a pupil number, in the order of their values.
const UPN_LETTERS: &[u8; 23] = b"ABCDEFGHJKLMNPQRTUVWXYZ";

impl Upn {
    /// Whether a school gave it for the time being.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        !self.0.ends_with(|c: char| c.is_ascii_digit())
    }
}

fn upn(text: &str) -> Result<String, Refusal> {
    const SHAPE: Refusal = Refusal::because(
        "A pupil number is a letter and twelve digits, or a letter, eleven digits and a letter; never I, O or S.",
    );
    const CHECK: Refusal = Refusal::because(
        "The check letter of the pupil number does not fit: look for a digit mistyped.",
    );
    let number = text.trim_matches(' ').to_ascii_uppercase();
    let [first, middle @ .., last] = number.as_bytes() else { return Err(SHAPE) };
    if middle.len() != 11 || !middle.iter().all(u8::is_ascii_digit) {
        return Err(SHAPE);
    }
    let letter = |wanted: u8| UPN_LETTERS.iter().position(|letter| *letter == wanted);
    let check = letter(*first).ok_or(SHAPE)?;
    let last = if last.is_ascii_digit() {
        usize::from(last - b'0')
    } else {
        letter(*last).ok_or(SHAPE)?
    };
    let values = middle.iter().map(|digit| usize::from(digit - b'0')).chain([last]);
    let sum: usize = values.zip(2..).map(|(value, weight)| value * weight).sum();
    if sum % 23 == check { Ok(number) } else { Err(CHECK) }
}

fn nhs_number(text: &str) -> Result<String, Refusal> {
    let number = without_spaces(text);
    let valid = number.len() == 10
        && number != "0000000000"
        && NHSNumber::from_str(&number).is_ok_and(|number| number.validate_check_digit());
    valid.then_some(number).ok_or(Refusal::because(
        "An NHS number is ten digits, the last of which checks the others: look for a digit mistyped.",
    ))
}

fn child_reference(text: &str) -> Result<String, Refusal> {
    let reference = text.trim_matches(' ');
    let valid = (1..=20).contains(&reference.len())
        && reference.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'/' | b'-'));
    valid.then(|| reference.to_owned()).ok_or(Refusal::because(
        "A child reference is 1 to 20 of the letters A to Z, digits, slashes and hyphens.",
    ))
}

fn national_insurance_number(text: &str) -> Result<String, Refusal> {
    const NEVER_GIVEN: [&[u8]; 7] = [b"BG", b"GB", b"NK", b"KN", b"TN", b"NT", b"ZZ"];
    let number = without_spaces(text).to_ascii_uppercase();
    let valid = match number.as_bytes() {
        [prefix @ .., d1, d2, d3, d4, d5, d6, b'A'..=b'D'] => {
            prefix.len() == 2
                && prefix.iter().all(|c| c.is_ascii_uppercase() && !b"DFIQUV".contains(c))
                && prefix[1] != b'O'
                && !NEVER_GIVEN.contains(&prefix)
                && [d1, d2, d3, d4, d5, d6].iter().all(|c| c.is_ascii_digit())
        }
        _ => false,
    };
    valid.then_some(number).ok_or(Refusal::because(
        "A National Insurance number is two letters, six digits and a letter from A to D, and not every two letters are used.",
    ))
}

fn uln(text: &str) -> Result<String, Refusal> {
    let number = text.trim_matches(' ');
    let valid = digits::<10>(number).is_some_and(|digits| {
        let sum: u32 =
            digits[..9].iter().zip((2..=10).rev()).map(|(digit, weight)| digit * weight).sum();
        digits[0] != 0 && !sum.is_multiple_of(11) && digits[9] == 10 - sum % 11
    });
    valid.then(|| number.to_owned()).ok_or(Refusal::because(
        "A learner number is ten digits, the last of which checks the others: look for a digit mistyped.",
    ))
}

fn without_spaces(text: &str) -> String {
    text.replace(' ', "")
}

/// A number that somebody else gave the child.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "IdentifierIn", deny_unknown_fields)]
pub struct Identifier {
    kind: IdentifierKind,
    /// As its owner writes it, without spaces.
    #[schema(min_length = 1, max_length = 20, example = "B801200005001")]
    value: String,
}

impl Identifier {
    /// Reads a value by the algorithm of its kind.
    pub fn parse(kind: IdentifierKind, value: &str) -> Result<Self, Refusal> {
        if value.chars().nth(20).is_some() {
            return Err(Refusal::because("An identifier has at most 20 characters."));
        }
        let value = match kind {
            IdentifierKind::Upn => upn(value),
            IdentifierKind::NhsNumber => nhs_number(value),
            IdentifierKind::ChildReference => child_reference(value),
            IdentifierKind::NationalInsuranceNumber => national_insurance_number(value),
            IdentifierKind::Uln => uln(value),
        }?;
        Ok(Self { kind, value })
    }

    /// One that was read before, as the database gives it back.
    #[must_use]
    pub fn from_stored(kind: IdentifierKind, value: String) -> Self {
        Self { kind, value }
    }

    /// Whose number it is.
    #[must_use]
    pub fn kind(&self) -> IdentifierKind {
        self.kind
    }

    /// The number, without spaces.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl std::fmt::Debug for Identifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identifier({}, …)", self.kind)
    }
}

/// An identifier as a body brings it, in whichever order; validating points at a wrong `value`.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentifierIn {
    kind: IdentifierKind,
    /// The number; each kind is checked by its own algorithm.
    #[schema(value_type = String, min_length = 1, max_length = 20, example = "B801200005001")]
    value: Text,
}

impl IdentifierIn {
    /// Whose number it says it is.
    #[must_use]
    pub fn kind(&self) -> IdentifierKind {
        self.kind
    }

    /// The identifier, if its value is right for its kind.
    pub fn check(&self) -> Result<Identifier, Refusal> {
        Identifier::parse(self.kind, &self.value.0)
    }
}

impl From<&Identifier> for IdentifierIn {
    fn from(identifier: &Identifier) -> Self {
        Self { kind: identifier.kind, value: Text(identifier.value.clone()) }
    }
}

impl std::fmt::Debug for IdentifierIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IdentifierIn({}, …)", self.kind)
    }
}

impl Serialize for IdentifierIn {
    fn serialize<S: serde::Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        self.kind.serialize(writer)
    }
}

impl Validate for IdentifierIn {
    fn validate(&self) -> Result<(), ValidationErrors> {
        let Err(refusal) = self.check() else { return Ok(()) };
        let mut errors = ValidationErrors::new();
        errors.add(
            "value",
            ValidationError::new("identifier").with_message(refusal.sentence().into()),
        );
        Err(errors)
    }
}

impl TryFrom<IdentifierIn> for Identifier {
    type Error = Refusal;

    fn try_from(identifier: IdentifierIn) -> Result<Self, Refusal> {
        identifier.check()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::word::testing::{admits, reads, refused};

    fn vectors(name: &str) -> Vec<String> {
        let all: Value =
            serde_json::from_str(include_str!("../../tests/data/identifier-vectors.json")).unwrap();
        serde_json::from_value(all[name].clone()).unwrap()
    }

    #[test]
    fn the_published_vectors_hold() {
        for (list, valid, read) in [
            ("upn_valid", true, reads::<Upn> as fn(&str) -> bool),
            ("upn_generated", true, reads::<Upn>),
            ("upn_invalid", false, reads::<Upn>),
            ("nhs_valid", true, reads::<NhsNumber>),
            ("nhs_generated_999", true, reads::<NhsNumber>),
            ("nhs_invalid", false, reads::<NhsNumber>),
            ("nino_valid", true, reads::<NationalInsuranceNumber>),
            ("nino_invalid", false, reads::<NationalInsuranceNumber>),
        ] {
            for number in vectors(list) {
                assert_eq!(read(&number), valid, "{list}: {number}");
            }
        }
    }

    #[test]
    fn learner_numbers_have_a_check_digit() {
        for number in ["1234567899", "9990000017"] {
            assert!(reads::<Uln>(number), "{number}");
        }
        for number in ["1234567890", "0234567899", "123456789", "12345678990", "123456789X"] {
            assert!(!reads::<Uln>(number), "{number}");
        }
    }

    #[test]
    fn references_are_short_and_plain() {
        for (reference, valid) in [
            ("C/104-22", true),
            ("7", true),
            ("", false),
            ("a b", false),
            ("é", false),
            ("a\u{0}", false),
        ] {
            assert_eq!(reads::<ChildReference>(reference), valid, "{reference:?}");
        }
        assert!(!reads::<ChildReference>(&"7".repeat(21)));
    }

    #[test]
    fn spaces_and_case_are_repaired() {
        assert_eq!(NhsNumber::parse("943 476 5870").unwrap().as_str(), "9434765870");
        assert_eq!(NationalInsuranceNumber::parse("ab 12 34 56 c").unwrap().as_str(), "AB123456C");
        assert_eq!(Upn::parse(" j81043210900a ").unwrap().as_str(), "J81043210900A");
        assert!(NhsNumber::parse("0000000000").is_err());
    }

    #[test]
    fn a_temporary_pupil_number_ends_in_a_letter() {
        assert!(Upn::parse("J81043210900A").unwrap().is_temporary());
        assert!(!Upn::parse("F380209314001").unwrap().is_temporary());
    }

    #[test]
    fn a_wrong_value_is_pointed_at_in_whichever_order_it_comes() {
        #[derive(Debug, Deserialize, Validate)]
        struct Body {
            #[validate(nested)]
            identifiers: Vec<IdentifierIn>,
        }
        for wrong in [
            r#"{"value":"9434765871","kind":"nhsNumber"}"#,
            r#"{"kind":"nhsNumber","value":"9434765871"}"#,
        ] {
            let body: Body =
                serde_json::from_str(&format!(r#"{{"identifiers":[{wrong}]}}"#)).unwrap();
            let told = body.validate().unwrap_err().to_string();
            assert!(told.contains("identifiers[0].value: An NHS number is"), "{told}");
            assert!(!told.contains("9434765871") && !format!("{body:?}").contains("9434765871"));
            assert!(serde_json::from_str::<Identifier>(wrong).is_err());
        }
    }

    #[test]
    fn an_identifier_is_two_members_and_nothing_else() {
        let right = json!({ "kind": "nhsNumber", "value": "943 476 5870" });
        assert!(admits::<IdentifierIn>(&right));
        let read: Identifier = serde_json::from_value(right).unwrap();
        assert_eq!(
            serde_json::to_value(&read).unwrap(),
            json!({ "kind": "nhsNumber", "value": "9434765870" })
        );
        assert_eq!(format!("{read:?}"), "Identifier(nhsNumber, …)");
        let (at, told) =
            refused::<IdentifierIn>(&json!({ "kind": "nhsNumber", "value": 9_434_765_870_u64 }));
        assert_eq!(at, "value");
        assert!(!told.contains("943"), "{told}");
        let more = json!({ "kind": "upn", "value": "B801200005001", "note": "x" });
        assert!(refused::<IdentifierIn>(&more).1.contains("unknown field"));
        assert!(!admits::<IdentifierIn>(&more));
    }

    fn changed(number: &str, at: usize, by: u8) -> String {
        let mut bytes = number.as_bytes().to_vec();
        bytes[at] = b'0' + (bytes[at] - b'0' + by) % 10;
        String::from_utf8(bytes).unwrap()
    }

    proptest! {
        #[test]
        fn any_single_digit_of_a_pupil_number_changed_is_noticed(digits in "[0-9]{12}", at in 1..13_usize, by in 1..10_u8) {
            let letters = "ABCDEFGHJKLMNPQRTUVWXYZ".chars().map(|letter| format!("{letter}{digits}"));
            let fitting: Vec<_> = letters.filter(|number| Upn::parse(number).is_ok()).collect();
            prop_assert_eq!(fitting.len(), 1);
            prop_assert!(Upn::parse(&changed(&fitting[0], at, by)).is_err());
        }

        #[test]
        fn any_single_digit_of_an_nhs_number_changed_is_noticed(digits in "[1-9][0-9]{8}", at in 0..10_usize, by in 1..10_u8) {
            let fitting: Vec<_> =
                (0..10).map(|check| format!("{digits}{check}")).filter(|number| NhsNumber::parse(number).is_ok()).collect();
            prop_assert!(fitting.len() <= 1);
            for number in fitting {
                prop_assert!(NhsNumber::parse(&changed(&number, at, by)).is_err());
            }
        }

        #[test]
        fn no_text_makes_reading_panic(text in any::<String>()) {
            for kind in IdentifierKind::ALL {
                if let Ok(read) = Identifier::parse(*kind, &text) {
                    prop_assert_eq!(Identifier::parse(*kind, read.value()).unwrap(), read);
                }
            }
        }
    }
}
