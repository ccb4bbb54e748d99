use std::io::{self, BufRead, BufReader, Read};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

mod csv;
mod ctf;
mod ndjson;

fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 22).unwrap()
}

/// A row's number with what it says, or the pointers of its faults.
type Told = (i64, Result<Value, Vec<String>>);

/// What a body holds: each row's number with what it says or the pointers of its faults, and why it cannot be read on.
fn read(format: BatchFormat, body: &[u8]) -> (Vec<Told>, Option<String>) {
    let (mut read, mut end) = (Vec::new(), None);
    for row in rows(format, BufReader::with_capacity(7, body), today()) {
        match row {
            Ok((number, row)) => {
                let row = row.map(|row| serde_json::to_value(row).unwrap());
                let pointers = |faults: Vec<Fault>| {
                    let mut pointers: Vec<_> =
                        faults.into_iter().map(|fault| fault.pointer).collect();
                    pointers.dedup();
                    pointers
                };
                read.push((number, row.map_err(pointers)));
            }
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::InvalidData);
                assert!(end.is_none(), "something came after the end");
                end = Some(error.to_string());
            }
        }
    }
    (read, end)
}

fn one(format: BatchFormat, body: &str) -> Result<Value, Vec<String>> {
    let (mut rows, end) = read(format, body.as_bytes());
    assert_eq!((rows.len(), end), (1, None), "{body}");
    rows.remove(0).1
}

fn refused(format: BatchFormat, body: &str) -> String {
    let (rows, end) = read(format, body.as_bytes());
    assert!(rows.is_empty(), "{rows:?}");
    end.unwrap_or_else(|| panic!("was read: {body}"))
}

/// A child with all that a row can say.
fn whole() -> Value {
    json!({
        "reference": "PUPIL-0042",
        "names": [
            { "kind": "current", "given": ["Amy", "Rose"], "family": "Testley" },
            { "kind": "knownAs", "given": ["Amy", "Rose"], "family": "Trial" },
            { "kind": "former", "given": ["Amy"], "family": "Example" },
        ],
        "dateOfBirth": "2015-03-14",
        "dateOfBirthPrecision": "day",
        "gender": "female",
        "whereabouts": {
            "kind": "current",
            "address": {
                "lines": ["Flat 2", "12 Harbour Way"], "town": "Exampleton", "postcode": "PO1 3AX", "uprn": "100060023"
            },
        },
        "identifiers": [{ "kind": "upn", "value": "B801200005001" }, { "kind": "uln", "value": "9990000017" }],
        "carers": [{
            "name": { "given": ["Ann"], "family": "Testley" },
            "relationship": "mother",
            "parentalResponsibility": true,
            "phones": ["01632 960001"],
            "emails": ["ann@example.org"],
        }],
        "responsibleAuthority": "887",
        "involvement": {
            "contact": { "team": "Pastoral Team", "officeHours": "01632 960003" },
            "startedOn": "2020-09-01",
            "endedOn": "2026-07-21",
        },
    })
}

/// Gives out the same bytes without end, and counts how many were taken.
struct Endless {
    chunk: Vec<u8>,
    at: usize,
    given: usize,
}

impl Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let held = self.fill_buf()?;
        let bytes = held.len().min(into.len());
        into[..bytes].copy_from_slice(&held[..bytes]);
        self.consume(bytes);
        Ok(bytes)
    }
}

impl BufRead for Endless {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.given > 10 * 1024 * 1024 {
            return Err(io::Error::other("was read on and on"));
        }
        Ok(&self.chunk[self.at..])
    }

    fn consume(&mut self, bytes: usize) {
        self.given += bytes;
        self.at = (self.at + bytes) % self.chunk.len();
    }
}

#[test]
fn what_has_no_end_is_refused_at_its_bound() {
    let header = "reference,given,family,dateOfBirth,gender\n";
    for (format, beginning, on) in [
        (BatchFormat::Csv, header, "\"aaaa\n"),
        (BatchFormat::Csv, "", "aaaa,"),
        (BatchFormat::Ctf, "<CTfile><CTFpupilData><Pupil><Surname>", "aaaa "),
        (BatchFormat::Ctf, "<CTfile><CTFpupilData><Pupil><Surname ", "a=\"b\" "),
        (BatchFormat::Ctf, "<CTfile><CTFpupilData><", "aaaa"),
        (BatchFormat::Ctf, "<CTfile><!--", "aaaa"),
        (BatchFormat::Ctf, "<CTfile><![CDATA[", "aaaa"),
        (BatchFormat::Ctf, "<!DOCTYPE a [", "<!ENTITY a \"aaaa\">"),
        (BatchFormat::Ctf, "<CTfile><CTFpupilData><Ethnicity>", "<a>"),
        (BatchFormat::Ctf, "<CTfile>&", "a"),
        (BatchFormat::Ctf, "", " "),
    ] {
        // A quotation mark that is never closed.
        let chunk = on.strip_prefix('"').unwrap_or(on).as_bytes().to_vec();
        let beginning =
            if on.starts_with('"') { format!("{beginning}\"") } else { beginning.into() };
        let reader = beginning.as_bytes().chain(Endless { chunk, at: 0, given: 0 });
        let last = rows(format, reader, today()).last().unwrap();
        assert_eq!(last.unwrap_err().kind(), io::ErrorKind::InvalidData, "{beginning}{on}");
    }
}

#[test]
fn a_body_that_breaks_off_ends_with_the_readers_error() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    for format in BatchFormat::ALL {
        let last = rows(*format, BufReader::new(Broken), today()).last().unwrap();
        assert_eq!(last.unwrap_err().kind(), io::ErrorKind::ConnectionReset, "{format}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_reading_panic(body in proptest::collection::vec(any::<u8>(), 0..400)) {
        for format in BatchFormat::ALL {
            read(*format, &body);
        }
    }

    #[test]
    fn no_change_of_a_good_body_makes_reading_panic(at in 0..2000_usize, byte: u8, gone in 0..40_usize) {
        for (format, body) in [
            (BatchFormat::Ndjson, whole().to_string()),
            (BatchFormat::Csv, csv::whole_as_csv()),
            (BatchFormat::Ctf, ctf::file(ctf::PUPIL)),
        ] {
            let mut body = body.into_bytes();
            let at = at % body.len();
            body[at] = byte;
            body.drain(at..(at + gone).min(body.len()));
            read(format, &body);
        }
    }
}
