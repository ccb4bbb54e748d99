//! Where somebody lives.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::word::{Refusal, UpToFive, is_letter, line, word};

word! {
    /// A postcode, written `PO1 3AX`; case and a missing space are repaired. ZZ99 postcodes stand for no fixed abode.
    #[schema(
        min_length = 5,
        max_length = 9,
        pattern = "^ *(?:[A-PR-UWYZa-pr-uwyz](?:[0-9]{1,2}|[0-9][A-HJKPSTUWa-hjkpstuw]|[A-HK-Ya-hk-y][0-9]{1,2}|[A-HK-Ya-hk-y][0-9][ABEHMNPRVWXYabehmnprvwxy]) *[0-9][ABD-HJLNP-UW-Zabd-hjlnp-uw-z]{2}|[Zz]{2}99 *[0-9][A-Za-z]{2}|[Gg][Ii][Rr] *0[Aa]{2}) *$",
        example = "PO1 3AX",
    )]
    Postcode = postcode
}

word! {
    /// A unique property reference number: 1 to 12 digits, without leading noughts.
    #[schema(min_length = 1, max_length = 12, pattern = "^0*[1-9][0-9]*$", example = "100060023")]
    Uprn = uprn
}

word! {
    /// A line of an address: letters, digits, spaces and , . ' ’ - / ( ) & #.
    #[schema(
        min_length = 1,
        max_length = 60,
        pattern = r"^[ ,.'’/()&#-]*[A-Za-z0-9\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u02AF\u1E00-\u1EFF\u2C60-\u2C7F][A-Za-z0-9\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u02AF\u0300-\u036F\u1E00-\u1EFF\u2C60-\u2C7F ,.'’/()&#-]*$",
        example = "12 Harbour Way",
    )]
    AddressLine = address_line
}

impl Postcode {
    /// The postcode without its space, by which it is compared.
    #[must_use]
    pub fn postcode_key(&self) -> String {
        self.0.replace(' ', "")
    }

    /// Whether it stands for no fixed abode or an unknown place.
    #[must_use]
    pub fn is_pseudo(&self) -> bool {
        self.0.starts_with("ZZ99 ")
    }
}

fn postcode(text: &str) -> Result<String, Refusal> {
    const SHAPE: Refusal = Refusal::because("A postcode is written as PO1 3AX is.");
    let given = text.trim_matches(' ').to_ascii_uppercase();
    if !given.is_ascii() || given.len() < 5 {
        return Err(SHAPE);
    }
    let (outward, inward) = given.split_at(given.len() - 3);
    let outward = outward.trim_end_matches(' ');
    if !is_postcode(outward.as_bytes(), inward.as_bytes()) {
        return Err(SHAPE);
    }
    Ok(format!("{outward} {inward}"))
}

fn is_postcode(outward: &[u8], inward: &[u8]) -> bool {
    let [b'0'..=b'9', unit @ ..] = inward else { return false };
    match outward {
        b"GIR" => inward == b"0AA",
        b"ZZ99" => unit.iter().all(u8::is_ascii_uppercase),
        _ => is_outward(outward) && unit.iter().all(|c| is_one_but(*c, b"CIKMOV")),
    }
}

fn is_outward(outward: &[u8]) -> bool {
    let first = |c| is_one_but(c, b"QVX");
    let second = |c| is_one_but(c, b"IJZ");
    match *outward {
        [a, b'0'..=b'9'] | [a, b'0'..=b'9', b'0'..=b'9'] => first(a),
        [a, b'0'..=b'9', c] => first(a) && b"ABCDEFGHJKPSTUW".contains(&c),
        [a, b, b'0'..=b'9'] | [a, b, b'0'..=b'9', b'0'..=b'9'] => first(a) && second(b),
        [a, b, b'0'..=b'9', d] => first(a) && second(b) && b"ABEHMNPRVWXY".contains(&d),
        _ => false,
    }
}

fn is_one_but(c: u8, never: &[u8]) -> bool {
    c.is_ascii_uppercase() && !never.contains(&c)
}

fn uprn(text: &str) -> Result<String, Refusal> {
    let given = text.trim_matches(' ');
    let number = given.trim_start_matches('0');
    let valid =
        given.len() <= 12 && !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit());
    valid.then(|| number.to_owned()).ok_or(Refusal::because(
        "A property reference number is 1 to 12 digits, not all of them noughts.",
    ))
}

fn address_line(text: &str) -> Result<String, Refusal> {
    let counts = |c: char| is_letter(c) || c.is_ascii_digit();
    line(text, 60, counts, |c| c.is_ascii_digit() || " ,.'’-/()&#".contains(c)).ok_or(
        Refusal::because(
            "A line of an address is 1 to 60 letters, digits, spaces and , . ' - / ( ) & #.",
        ),
    )
}

/// An address in the United Kingdom.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Address {
    /// The lines above the town.
    #[schema(value_type = Vec<AddressLine>, min_items = 1, max_items = 5, example = json!(["12 Harbour Way"]))]
    pub lines: UpToFive<AddressLine>,
    /// The post town.
    #[schema(example = "Exampleton")]
    pub town: AddressLine,
    /// The postcode.
    pub postcode: Postcode,
    /// The property's reference number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub uprn: Option<Uprn>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::word::testing::{admits, reads, refused};

    #[test]
    fn the_published_vectors_hold_but_for_what_is_repaired() {
        let all: Value =
            serde_json::from_str(include_str!("../../tests/data/identifier-vectors.json")).unwrap();
        let list = |name: &str| serde_json::from_value::<Vec<String>>(all[name].clone()).unwrap();
        for valid in list("pc_valid") {
            assert!(reads::<Postcode>(&valid));
            assert_eq!(Postcode::parse(&valid).unwrap().as_str(), valid);
        }
        for invalid in list("pc_invalid") {
            if invalid == "PO13AX" {
                assert_eq!(Postcode::parse(&invalid).unwrap().as_str(), "PO1 3AX");
            } else {
                assert!(!reads::<Postcode>(&invalid), "{invalid}");
            }
        }
    }

    #[test]
    fn case_and_space_of_a_postcode_are_repaired_and_no_more() {
        for given in ["po13ax", " PO1 3AX ", "Po1  3aX"] {
            assert!(reads::<Postcode>(given), "{given}");
            assert_eq!(Postcode::parse(given).unwrap().as_str(), "PO1 3AX");
        }
        for given in [
            "",
            "P",
            "PO1",
            "PO1 3A",
            "PO1 3AXX",
            "PO1-3AX",
            "PO1\u{a0}3AX",
            "GIR 1AA",
            "ÀO1 3AX",
            "PO 13AX",
        ] {
            assert!(!reads::<Postcode>(given), "{given}");
        }
    }

    #[test]
    fn no_fixed_abode_has_a_postcode() {
        for given in ["ZZ99 3VZ", "zz993cz"] {
            assert!(reads::<Postcode>(given));
            assert!(Postcode::parse(given).unwrap().is_pseudo());
        }
        assert_eq!(Postcode::parse("ZZ99 3VZ").unwrap().postcode_key(), "ZZ993VZ");
        assert!(!reads::<Postcode>("ZZ98 3VZ"));
    }

    #[test]
    fn a_property_number_has_one_form() {
        assert_eq!(Uprn::parse("000100060023").unwrap(), Uprn::parse("100060023").unwrap());
        for wrong in ["", "0", "1000000000000", "10006002A", "-1"] {
            assert!(!reads::<Uprn>(wrong), "{wrong}");
        }
    }

    #[test]
    fn lines_hold_what_addresses_hold() {
        for right in
            ["12 Harbour Way", "Flat 2/1 (rear), St. Mary’s & All Saints #3", "Tŷ-Glas", "7"]
        {
            assert!(reads::<AddressLine>(right), "{right}");
        }
        for wrong in ["", " ", "--", "a\tb", "a\u{0}", "a;b", "a\nb", "a\u{202e}b", &"a".repeat(61)]
        {
            assert!(!reads::<AddressLine>(wrong), "{wrong:?}");
            assert!(!admits::<AddressLine>(&wrong.into()), "{wrong:?}");
        }
    }

    #[test]
    fn an_address_is_read_and_written() {
        let written =
            json!({ "lines": ["12 Harbour Way"], "town": "Exampleton", "postcode": "PO1 3AX" });
        let address: Address = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(serde_json::to_value(&address).unwrap(), written);
        assert!(admits::<Address>(&written));
        assert!(!format!("{address:?}").contains("PO1"));
    }

    #[test]
    fn what_is_wrong_with_an_address_is_pointed_at() {
        for (member, value, path) in [
            ("postcode", json!("Q1 1AA"), "postcode"),
            ("lines", json!([]), "lines"),
            ("lines", json!(["ok", "<b>"]), "lines[1]"),
            ("uprn", json!("x"), "uprn"),
            ("county", json!("Kent"), "county"),
        ] {
            let mut address =
                json!({ "lines": ["12 Harbour Way"], "town": "Exampleton", "postcode": "PO1 3AX" });
            address[member] = value;
            assert_eq!(refused::<Address>(&address).0, path);
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_panic(text in any::<String>()) {
            if let Ok(line) = AddressLine::parse(&text) {
                prop_assert_eq!(AddressLine::parse(line.as_str()).unwrap(), line);
            }
            prop_assert!(Uprn::parse(&text).is_err() || text.trim_matches(' ').bytes().all(|c| c.is_ascii_digit()));
            prop_assert!(Postcode::parse(&text).is_err() || text.is_ascii());
        }

        #[test]
        fn a_postcode_read_again_is_the_same(text in "[A-Za-z]{1,2}[0-9]{1,2}[A-Za-z]? ?[0-9][A-Za-z]{2}") {
            if let Ok(postcode) = Postcode::parse(&text) {
                prop_assert_eq!(Postcode::parse(&postcode.postcode_key()).unwrap(), postcode.clone());
                prop_assert!(admits::<Postcode>(&postcode.as_str().into()) && admits::<Postcode>(&text.as_str().into()));
            }
        }
    }
}
