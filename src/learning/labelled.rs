//! Records of which it is known whose they are: one JSON object a line.

use std::collections::HashSet;

use linkage::{Birth, Gender, Name, NameKind, Person, PersonName, Place};
use serde::Deserialize;

use crate::http::sha256;

/// A record, and whose it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled {
    /// Its own name.
    pub id: String,
    /// The child.
    pub child: String,
    /// Of which kind it is, for those that are asked.
    pub class: Option<String>,
    /// Whether the index holds it.
    pub held: bool,
    /// Whether it is looked for.
    pub asked: bool,
    /// What it says.
    pub person: Person,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Row {
    id: String,
    child: String,
    class: Option<String>,
    held: bool,
    asked: bool,
    #[serde(default)]
    names: Vec<NameIn>,
    date_of_birth: Option<String>,
    gender: Option<GenderIn>,
    #[serde(default)]
    addresses: Vec<AddressIn>,
    #[serde(default)]
    carers: Vec<CarerIn>,
    #[serde(default)]
    schools: Vec<String>,
    #[serde(default)]
    practices: Vec<String>,
    #[serde(default)]
    identifiers: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NameIn {
    #[serde(default)]
    given: Vec<String>,
    #[serde(default)]
    family: String,
    #[serde(default)]
    kind: KindIn,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
enum KindIn {
    #[default]
    Current,
    KnownAs,
    Former,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum GenderIn {
    Female,
    Male,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AddressIn {
    #[serde(default)]
    lines: Vec<String>,
    #[serde(default)]
    town: String,
    #[serde(default)]
    postcode: String,
    #[serde(default)]
    former: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CarerIn {
    #[serde(default)]
    given: Vec<String>,
    #[serde(default)]
    family: String,
}

/// Reads a file of them, whose lines must all be right; says what is wrong with the first that is not.
pub fn read(text: &str) -> Result<Vec<Labelled>, String> {
    let (mut records, mut seen) = (Vec::new(), HashSet::new());
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let wrong = |fault: String| format!("line {number}: {fault}");
        let row: Row = serde_json::from_str(line).map_err(|error| wrong(said(&error)))?;
        let record = row.taken().map_err(|fault| wrong(fault.to_owned()))?;
        if !seen.insert(record.id.clone()) {
            return Err(wrong("another record has this id".to_owned()));
        }
        records.push(record);
    }
    Ok(records)
}

/// What is wrong, without the place, which is always line 1.
fn said(error: &serde_json::Error) -> String {
    let told = error.to_string();
    told.split(" at line ").next().unwrap_or(&told).to_owned()
}

impl Row {
    fn taken(self) -> Result<Labelled, &'static str> {
        if !self.held && !self.asked {
            return Err("it is neither held nor asked");
        }
        let birth =
            self.date_of_birth.as_deref().map(|text| date(text).ok_or("dateOfBirth is no date"));
        let person = Person {
            names: self.names.iter().map(NameIn::taken).collect(),
            birth: birth.transpose()?,
            gender: self.gender.map(|gender| match gender {
                GenderIn::Female => Gender::Female,
                GenderIn::Male => Gender::Male,
            }),
            places: self.addresses.iter().map(AddressIn::taken).collect(),
            carers: self
                .carers
                .iter()
                .map(|said| PersonName::of(&said.given, &said.family))
                .collect(),
            schools: self.schools.iter().map(|said| number(said)).collect(),
            practices: self.practices.iter().map(|said| number(said)).collect(),
            identifiers: self.identifiers,
        };
        let Self { id, child, class, held, asked, .. } = self;
        Ok(Labelled { id, child, class, held, asked, person })
    }
}

impl NameIn {
    fn taken(&self) -> Name {
        let kind = match self.kind {
            KindIn::Current => NameKind::Current,
            KindIn::KnownAs => NameKind::KnownAs,
            KindIn::Former => NameKind::Former,
        };
        Name { kind, name: PersonName::of(&self.given, &self.family) }
    }
}

impl AddressIn {
    fn taken(&self) -> Place {
        Place::of(&self.lines, &self.town, &postcode(&self.postcode), self.former)
    }
}

/// A postcode in capitals, with the space where it belongs; what is no postcode of the United Kingdom as it is written.
fn postcode(text: &str) -> String {
    let bare: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    let bare = bare.to_ascii_uppercase();
    let end = bare.len().saturating_sub(3);
    let shape: String = bare.chars().map(|c| if c.is_ascii_digit() { '9' } else { 'A' }).collect();
    let outward = ["A9", "A99", "A9A", "AA9", "AA99", "AA9A"].contains(&&shape[..end]);
    if outward && &shape[end..] == "9AA" {
        format!("{} {}", &bare[..end], &bare[end..])
    } else {
        text.trim().to_ascii_uppercase()
    }
}

/// A date of birth, as far as it is known: the year, the month, the day.
fn date(text: &str) -> Option<Birth> {
    let mut parts = text.split('-');
    let part = |text: &str| text.parse::<u8>().ok().filter(|_| text.len() == 2);
    let year = parts.next().filter(|year| year.len() == 4)?.parse().ok()?;
    let month = parts.next().map(|text| part(text).ok_or(())).transpose().ok()?;
    let day = parts.next().map(|text| part(text).ok_or(())).transpose().ok()?;
    let (first, on) = (u32::from(month.unwrap_or(1)), u32::from(day.unwrap_or(1)));
    let exists = chrono::NaiveDate::from_ymd_opt(i32::from(year), first, on).is_some();
    (exists && parts.next().is_none()).then_some(Birth { year, month, day })
}

/// The number that stands for a school or a practice.
fn number(said: &str) -> u64 {
    let hash = sha256(said.as_bytes());
    hash.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_with_everything_it_may_say() {
        let line = r#"{"id":"r1","child":"c1","class":"typo","held":true,"asked":false,"names":[{"given":["Amy"],"family":"Testley","kind":"current"}],
            "dateOfBirth":"2015-03","gender":"female","addresses":[{"lines":["12 High Street"],"town":"Leeds","postcode":"ls14ab","former":true}],
            "carers":[{"given":["Ann"],"family":"Testley"}],"schools":["s1"],"practices":["p1"],"identifiers":["upn:1"]}"#;
        let read = read(&line.replace('\n', " ")).unwrap();
        let person = &read[0].person;
        assert_eq!(person.places[0].postcode, "LS1 4AB");
        assert!(person.places[0].former);
        assert_eq!(person.birth, Some(Birth { year: 2015, month: Some(3), day: None }));
        assert_eq!(person.gender, Some(Gender::Female));
        assert_ne!(person.schools, person.practices);
    }

    #[test]
    fn what_is_wrong_is_told_by_the_number_of_its_line() {
        let good = r#"{"id":"r1","child":"c1","held":true,"asked":true}"#;
        for (bad, told) in [
            ("{", "line 2: EOF while parsing an object"),
            (
                r#"{"id":"r2","child":"c1","held":false,"asked":false}"#,
                "line 2: it is neither held nor asked",
            ),
            (good, "line 2: another record has this id"),
            (
                r#"{"id":"r2","child":"c1","held":true,"asked":true,"dateOfBirth":"2015-02-30"}"#,
                "line 2: dateOfBirth is no date",
            ),
            (r#"{"id":"r2","child":"c1","held":true}"#, "line 2: missing field `asked`"),
        ] {
            assert_eq!(read(&format!("{good}\n{bad}\n")).unwrap_err(), told);
        }
        let unknown =
            read(&format!("\n{}", good.replace("\"held\"", "\"x\":1,\"held\""))).unwrap_err();
        assert!(unknown.starts_with("line 2: unknown field `x`"), "{unknown}");
    }

    #[test]
    fn postcodes_get_their_space_and_others_stay() {
        for (text, taken) in [
            ("m11ae", "M1 1AE"),
            ("SW1A 1AA", "SW1A 1AA"),
            ("4011", "4011"),
            (" ec1 ", "EC1"),
            ("", ""),
        ] {
            assert_eq!(postcode(text), taken);
        }
    }

    #[test]
    fn dates_may_be_known_in_part() {
        assert_eq!(date("2015").unwrap().month, None);
        for bad in ["15-01-02", "2015-1-2", "2015-13", "2015-02-29", "2015-01-02-03", "", "x"] {
            assert_eq!(date(bad), None, "{bad}");
        }
    }
}
