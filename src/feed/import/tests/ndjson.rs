use super::*;

fn with(pointer: &str, value: Value) -> String {
    let mut row = whole();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match row.pointer_mut(parent).unwrap() {
        Value::Object(members) => {
            members.insert(name.to_owned(), value);
        }
        other => other[name.parse::<usize>().unwrap()] = value,
    }
    row.to_string()
}

#[test]
fn a_row_says_what_it_says() {
    assert_eq!(one(BatchFormat::Ndjson, &whole().to_string()).unwrap(), whole());
    let least = json!({
        "reference": "1", "names": [{ "kind": "current", "given": ["Amy"], "family": "Testley" }],
        "dateOfBirth": "2015-03-14", "gender": "notSpecified",
    });
    let read = one(BatchFormat::Ndjson, &least.to_string()).unwrap();
    assert_eq!((&read["whereabouts"], &read["involvement"]), (&Value::Null, &Value::Null));
    let month = one(BatchFormat::Ndjson, &with("/dateOfBirthPrecision", json!("month"))).unwrap();
    assert_eq!(month["dateOfBirth"], "2015-03-01");
}

#[test]
fn rows_have_the_numbers_of_their_lines() {
    let row = whole();
    let body = format!("\u{FEFF}{row}\n\n \r\n{row}\r\n[]\n{row}");
    let (rows, end) = read(BatchFormat::Ndjson, body.as_bytes());
    let told: Vec<_> = rows.iter().map(|(line, row)| (*line, row.is_ok())).collect();
    assert_eq!((told, end), (vec![(1, true), (4, true), (5, false), (6, true)], None));
}

#[test]
fn what_is_wrong_is_pointed_at() {
    for (pointer, value) in [
        ("/note", json!("x")),
        ("/reference", json!("a b")),
        ("/reference", json!("")),
        ("/names", json!([])),
        ("/names/0/given", json!(["A", "B", "C", "D", "E", "F"])),
        ("/names/1/family", json!("Tr1al")),
        ("/dateOfBirth", json!("14/03/2015")),
        ("/dateOfBirth", json!("2027-01-01")),
        ("/dateOfBirth", json!("1990-01-01")),
        ("/dateOfBirthEstimated", json!(true)),
        ("/gender", json!("F")),
        ("/whereabouts/address/postcode", json!("Q1 1AA")),
        ("/whereabouts/address/county", json!("Kent")),
        ("/identifiers/0/value", json!("A801200005001")),
        ("/carers/0/phones/0", json!("mum")),
        ("/carers/0/phones", json!(vec!["01632 960001"; 6])),
        ("/carers/0/ethnicity", json!("x")),
        ("/responsibleAuthority", json!("88")),
        ("/responsibleAuthority", json!("88a")),
        ("/involvement/contact/officeHours", json!("1")),
        ("/involvement/startedOn", json!("2015-03-13")),
        ("/involvement/startedOn", json!("2026-11-23")),
        ("/involvement/startedOn", json!("+2020-9-1")),
        ("/involvement/endedOn", json!("2020-08-31")),
        ("/involvement/serviceType", json!("school")),
        ("/gender", Value::Null),
    ] {
        let row = with(pointer, value);
        assert_eq!(one(BatchFormat::Ndjson, &row), Err(vec![pointer.to_owned()]), "{row}");
    }
    let twice = whole().to_string().replacen("\"gender\"", "\"gender\":\"male\",\"gender\"", 1);
    assert_eq!(one(BatchFormat::Ndjson, &twice), Err(vec!["/gender".to_owned()]));
}

#[test]
fn a_row_over_its_bound_is_refused_and_the_next_is_read() {
    let long = with("/reference", json!("a".repeat(70_000)));
    let (rows, end) = read(BatchFormat::Ndjson, format!("{long}\n{}", whole()).as_bytes());
    assert_eq!(rows[0].1, Err(vec![String::new()]));
    assert!(rows[1].1.is_ok() && end.is_none());
}

#[test]
fn a_fault_never_repeats_the_value() {
    for (pointer, value) in [
        ("/names/0/family", "S3cret"),
        ("/reference", "S3cret ?"),
        ("/gender", "S3cret"),
        ("/dateOfBirth", "S3cret"),
        ("/responsibleAuthority", "S3cret"),
        ("/involvement/contact/officeHours", "S3cret"),
    ] {
        let body = with(pointer, json!(value));
        let row = rows(BatchFormat::Ndjson, body.as_bytes(), today()).next().unwrap().unwrap().1;
        assert!(!format!("{row:?}").contains("S3cret"), "{pointer}");
    }
}
