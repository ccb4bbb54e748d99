//! How to reach somebody.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::word::{Refusal, is_letter, line, word};

word! {
    /// A telephone number: 10 to 15 digits, from nought in the United Kingdom or with + and the country in front;
    /// spaces and parentheses are kept. 101, 111 and 999 are numbers too.
    #[schema(
        min_length = 3,
        max_length = 30,
        pattern = r"^ *(?:101|111|999|\+[ ()]*[1-9](?:[ ()]*[0-9]){9,14}[ ()]*|[ ()]*0(?:[ ()]*[0-9]){9,14}[ ()]*) *$",
        example = "01632 960001",
    )]
    Phone = phone
}

word! {
    /// An e-mail address of at most 254 characters.
    #[schema(
        min_length = 3,
        max_length = 254,
        pattern = r"^ *[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+ *$",
        example = "duty.team@example.org",
    )]
    Email = email
}

word! {
    /// A practitioner's or team's name: 1 to 70 letters, digits, spaces and , . ' ’ - / ( ) &.
    #[schema(
        min_length = 1,
        max_length = 70,
        pattern = r"^[0-9 ,.'’/()&-]*[A-Za-z\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u02AF\u1E00-\u1EFF\u2C60-\u2C7F][A-Za-z0-9\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u02AF\u0300-\u036F\u1E00-\u1EFF\u2C60-\u2C7F ,.'’/()&-]*$",
        example = "Family Support (North)",
    )]
    PersonLine = person_line
}

fn phone(text: &str) -> Result<String, Refusal> {
    const SHAPE: Refusal = Refusal::because(
        "A telephone number is 10 to 15 digits, from 0 or with + and the country in front, with spaces and parentheses.",
    );
    let given = text.trim_matches(' ');
    let (abroad, rest) = given.strip_prefix('+').map_or((false, given), |rest| (true, rest));
    let digits: String = rest.chars().filter(|c| !matches!(c, ' ' | '(' | ')')).collect();
    let valid = (10..=15).contains(&digits.len())
        && digits.bytes().all(|c| c.is_ascii_digit())
        && digits.starts_with('0') != abroad;
    let known = valid || matches!(given, "101" | "111" | "999");
    if known && text.len() <= 30 { Ok(given.to_owned()) } else { Err(SHAPE) }
}

fn email(text: &str) -> Result<String, Refusal> {
    let given = text.trim_matches(' ');
    let valid = text.len() <= 254
        && given.split_once('@').is_some_and(|(person, place)| {
            let person_may =
                |c: u8| c.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&c);
            let place_may = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-');
            !person.is_empty()
                && !place.is_empty()
                && person.bytes().all(person_may)
                && place.bytes().all(place_may)
        });
    valid.then(|| given.to_owned()).ok_or(Refusal::because(
        "An e-mail address has one @ with a name before and a place after it, and no spaces.",
    ))
}

fn person_line(text: &str) -> Result<String, Refusal> {
    line(text, 70, is_letter, |c| c.is_ascii_digit() || " ,.'’-/()&".contains(c)).ok_or(
        Refusal::because(
            "A practitioner or team is 1 to 70 letters, digits, spaces and , . ' - / ( ) &, with at least one letter.",
        ),
    )
}

/// Who answers for an involvement, and how to reach them: a practitioner, a team, or both.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "Told", rename_all = "camelCase", deny_unknown_fields)]
pub struct Contact {
    /// The practitioner; needed where there is no team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub practitioner: Option<PersonLine>,
    /// The team; needed where there is no practitioner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub team: Option<PersonLine>,
    /// The number in office hours.
    pub office_hours: Phone,
    /// The number at other times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub out_of_hours: Option<Phone>,
    /// The e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub email: Option<Email>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Told {
    practitioner: Option<PersonLine>,
    team: Option<PersonLine>,
    office_hours: Phone,
    out_of_hours: Option<Phone>,
    email: Option<Email>,
}

impl TryFrom<Told> for Contact {
    type Error = Refusal;

    fn try_from(told: Told) -> Result<Self, Refusal> {
        let Told { practitioner, team, office_hours, out_of_hours, email } = told;
        if practitioner.is_none() && team.is_none() {
            return Err(Refusal::because("A contact names a practitioner or a team."));
        }
        Ok(Self { practitioner, team, office_hours, out_of_hours, email })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::word::testing::{admits, reads, refused};

    #[test]
    fn telephone_numbers_are_kept_as_given() {
        for right in [
            "01632 960001",
            "(01632) 960001",
            "+44 (0)1632 960001",
            "+353 1 234 5678",
            "07700900123",
            "101",
            "111",
            "999",
        ] {
            assert!(reads::<Phone>(right), "{right}");
            assert_eq!(Phone::parse(&format!(" {right} ")).unwrap().as_str(), right);
        }
        for wrong in [
            "",
            "112",
            "960001",
            "1632 960001",
            "01632-960001",
            "+0163296000",
            "0163296000100000",
            "01632 960001 ext 2",
            "+",
            "++441632960001",
            "٠١٦٣٢٩٦٠٠٠١",
            "101                            ",
        ] {
            assert!(!reads::<Phone>(wrong), "{wrong}");
            assert!(!admits::<Phone>(&wrong.into()), "{wrong}");
        }
    }

    #[test]
    fn an_email_address_has_one_at_and_no_spaces() {
        for right in ["duty.team@example.org", "o'neill+x@nhs.example", "a@b"] {
            assert!(reads::<Email>(right), "{right}");
        }
        let long = format!("{}@example.org", "a".repeat(243));
        for wrong in ["", "@", "a@", "@b", "a b@c", "a@b@c", "a@b\n", "a\u{0}@b", "a,b@c", &long] {
            assert!(!reads::<Email>(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn a_contact_names_somebody() {
        let written = json!({ "team": "0-19 Health Team", "officeHours": "01632 960001", "outOfHours": "111" });
        let contact: Contact = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(serde_json::to_value(&contact).unwrap(), written);
        assert!(admits::<Contact>(&written));
        assert!(!format!("{contact:?}").contains("01632"));
        let (_, told) = refused::<Contact>(&json!({ "officeHours": "01632 960001" }));
        assert!(told.contains("a practitioner or a team"), "{told}");
    }

    #[test]
    fn what_is_wrong_with_a_contact_is_pointed_at_and_not_repeated() {
        for (member, value) in [
            ("officeHours", json!("960001")),
            ("outOfHours", json!(960_001)),
            ("email", json!("960001")),
            ("practitioner", json!("960001")),
            ("notes", json!("960001")),
        ] {
            let mut contact = json!({ "team": "Family Support", "officeHours": "01632 960002" });
            contact[member] = value;
            let (at, told) = refused::<Contact>(&contact);
            assert_eq!(at, member);
            assert!(!told.contains("960001"), "{told}");
            assert!(!admits::<Contact>(&contact));
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_admitted_by_the_schema(text in "[+(]?[0-9 ()]{0,22}") {
            let document = serde_json::Value::from(text.as_str());
            prop_assert_eq!(Phone::parse(&text).is_ok(), admits::<Phone>(&document));
        }

        #[test]
        fn no_text_makes_reading_panic(text in any::<String>()) {
            let _ = (Phone::parse(&text), Email::parse(&text), PersonLine::parse(&text));
        }
    }
}
