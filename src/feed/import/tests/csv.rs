use super::*;
use crate::feed::import::csv::{ALONE, NEEDED, NUMBERS, OF_A_CARER, TOGETHER};

const COLUMNS: &str = "reference,given,family,knownAsFamily,formerGiven,formerFamily,dateOfBirth,gender,addressLine1,\
                       addressLine2,town,postcode,uprn,upn,uln,carer2Given,carer2Family,carer2Relationship,\
                       carer2ParentalResponsibility,carer2Phone,carer2Email,responsibleAuthority,contactTeam,\
                       contactOfficeHours,startedOn,endedOn";
const VALUES: &str = "PUPIL-0042,Amy Rose,Testley,Trial,Amy,Example,2015-03-14,female,Flat 2,12 Harbour Way,Exampleton,\
                      po13ax,100060023,B801200005001,9990000017,Ann,Testley,mother,TRUE,01632 960001,ann@example.org,\
                      887,Pastoral Team,01632 960003,2020-09-01,2026-07-21";

pub(super) fn whole_as_csv() -> String {
    format!("{COLUMNS}\n{VALUES}\n")
}

/// The whole row with one value changed.
fn with(column: &str, value: &str) -> String {
    let place = COLUMNS.split(',').position(|name| name == column).unwrap();
    let values = VALUES.split(',').enumerate().map(|(n, old)| if n == place { value } else { old });
    format!("{COLUMNS}\n{}\n", values.collect::<Vec<_>>().join(","))
}

#[test]
fn a_row_says_what_the_same_child_says_as_json() {
    assert_eq!(one(BatchFormat::Csv, &whole_as_csv()).unwrap(), whole());
    let marked = format!("\u{FEFF}{}", whole_as_csv().replace('\n', "\r\n"));
    assert_eq!(one(BatchFormat::Csv, &marked).unwrap(), whole());
}

#[test]
fn what_is_empty_is_not_said() {
    let least = "gender,reference,given,family,dateOfBirth,town,carer1Given,contactTeam\nmale,1,Bo,Li,2015-03-14,,,\n";
    let read = one(BatchFormat::Csv, least).unwrap();
    assert_eq!(
        read,
        json!({
            "reference": "1", "names": [{ "kind": "current", "given": ["Bo"], "family": "Li" }],
            "dateOfBirth": "2015-03-14", "dateOfBirthPrecision": "day", "gender": "male", "identifiers": [], "carers": [],
        })
    );
}

#[test]
fn given_names_over_five_stand_together_in_the_fifth() {
    let read = one(BatchFormat::Csv, &with("given", "A B  C D E F G")).unwrap();
    assert_eq!(read["names"][0]["given"], json!(["A", "B", "C", "D", "E F G"]));
}

#[test]
fn whereabouts_may_be_said_without_an_address() {
    let header = "reference,given,family,dateOfBirth,gender,whereabouts,leftOn,return";
    let read = |values: &str| {
        one(BatchFormat::Csv, &format!("{header}\n1,Bo,Li,2015-03-14,male,{values}\n"))
    };
    assert_eq!(read("noneKnown,,").unwrap()["whereabouts"], json!({ "kind": "noneKnown" }));
    let left = json!({ "kind": "leftEngland", "leftOn": "2024-01-31", "return": "notKnown" });
    assert_eq!(read("leftEngland,2024-01-31,notKnown").unwrap()["whereabouts"], left);
    assert_eq!(read("leftEngland,2014-01-31,notKnown"), Err(vec!["/leftOn".to_owned()]));
    assert_eq!(read("gone,,"), Err(vec!["/whereabouts".to_owned()]));
}

#[test]
fn what_is_wrong_is_told_by_its_column() {
    for (column, value) in [
        ("reference", ""),
        ("reference", "a b"),
        ("given", ""),
        ("given", "Amy 2"),
        ("family", ""),
        ("knownAsFamily", "Tr1al"),
        ("formerGiven", "?"),
        ("dateOfBirth", "14/03/2015"),
        ("dateOfBirth", ""),
        ("gender", "F"),
        ("addressLine2", "<b>"),
        ("town", ""),
        ("postcode", ""),
        ("postcode", "Q1 1AA"),
        ("uprn", "x"),
        ("upn", "A801200005001"),
        ("uln", "1"),
        ("carer2Given", ""),
        ("carer2Relationship", "mum"),
        ("carer2Relationship", ""),
        ("carer2ParentalResponsibility", "maybe"),
        ("carer2ParentalResponsibility", ""),
        ("carer2Phone", "mum"),
        ("carer2Email", "x"),
        ("responsibleAuthority", "88"),
        ("contactOfficeHours", ""),
        ("startedOn", ""),
        ("startedOn", "2014-01-01"),
        ("endedOn", "2027-01-01"),
    ] {
        let row = with(column, value);
        assert_eq!(one(BatchFormat::Csv, &row), Err(vec![format!("/{column}")]), "{row}");
    }
}

#[test]
fn rows_have_the_numbers_of_their_lines_and_each_is_refused_by_itself() {
    let body = format!(
        "{COLUMNS}\n{VALUES}\n{VALUES},more\n\n{}\n{VALUES}\nshort\n{VALUES}",
        VALUES.replace("Flat 2", "\"Flat\n2\"")
    );
    let (rows, end) = read(BatchFormat::Csv, body.as_bytes());
    let told: Vec<_> = rows.iter().map(|(line, row)| (*line, row.is_ok())).collect();
    assert_eq!(
        (told, end),
        (vec![(2, true), (3, false), (5, false), (7, true), (8, false), (9, true)], None)
    );
    assert_eq!(rows[2].1, Err(vec!["/addressLine1".to_owned()]));
}

#[test]
fn a_line_ends_with_cr_lf_or_with_either_alone() {
    for end in ["\r\n", "\n", "\r"] {
        let body = [COLUMNS, VALUES, "", VALUES, VALUES].join(end);
        for buffer in [1, 4096] {
            let reader = BufReader::with_capacity(buffer, body.as_bytes());
            let told = rows(BatchFormat::Csv, reader, today()).map(|row| row.unwrap().0);
            assert_eq!(told.collect::<Vec<_>>(), [2, 4, 5], "{end:?}");
        }
    }
}

#[test]
fn what_is_not_utf_8_is_refused_by_itself() {
    let mut body = format!("{COLUMNS}\n{VALUES}\n{VALUES}\n").into_bytes();
    let at = body.windows(4).position(|window| window == b"Amy ").unwrap();
    body[at] = 0xE9;
    let (rows, end) = read(BatchFormat::Csv, &body);
    assert_eq!(rows[0].1, Err(vec![String::new()]));
    assert!(rows[1].1.is_ok() && end.is_none());
}

#[test]
fn a_header_is_refused_once_and_by_place_where_it_may_be_a_child() {
    for (header, sentence) in [
        ("given", "The column `reference` is missing."),
        ("reference,given,family,gender", "The column `dateOfBirth` is missing."),
        ("reference,given,family,dateOfBirth,gender,given", "The column `given` is given twice."),
        ("PUPIL-0042,Amy Rose,Testley", "Column 1 of the header is not known here."),
        (
            "reference,given,family,dateOfBirth,gender,ethnicity",
            "Column 6 of the header is not known here.",
        ),
        (
            "reference,given,family,dateOfBirth,gender,carer0Given",
            "Column 6 of the header is not known here.",
        ),
        (
            "reference,given,family,dateOfBirth,gender,carer11Given",
            "Column 6 of the header is not known here.",
        ),
        (
            "reference,given,family,dateOfBirth,gender,carer1Ethnicity",
            "Column 6 of the header is not known here.",
        ),
        (
            "reference,given,family,dateOfBirth,gender,carer",
            "Column 6 of the header is not known here.",
        ),
    ] {
        assert_eq!(refused(BatchFormat::Csv, &format!("{header}\n{VALUES}\n")), sentence);
    }
    let last = "reference,given,family,dateOfBirth,gender,carer10Given\n";
    assert_eq!(read(BatchFormat::Csv, last.as_bytes()), (vec![], None));
}

#[test]
fn a_value_over_the_bound_of_a_row_is_refused() {
    let long = "a".repeat(100_000);
    assert!(refused(BatchFormat::Csv, &with("given", &long)).contains("64 KiB"));
    let many = format!("{COLUMNS}\n{}\n", ",".repeat(200));
    assert_eq!(refused(BatchFormat::Csv, &many), "A row has over 128 values.");
    assert_eq!(refused(BatchFormat::Csv, ""), "The column `reference` is missing.");
}

#[test]
fn every_column_is_documented() {
    let page = include_str!("../../../../docs/feeds.md");
    let columns = NEEDED.iter().chain(ALONE.iter().map(|(column, _)| column));
    for column in columns.chain(&TOGETHER).chain(&NUMBERS) {
        assert!(page.contains(&format!("`{column}`")), "{column}");
    }
    for column in OF_A_CARER {
        assert!(page.contains(&format!("`carer1{column}`")), "carer1{column}");
    }
}
