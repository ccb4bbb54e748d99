//! Comma-separated values (RFC 4180, UTF-8) with a header: one child a row, its parts side by side in columns.

use std::{
    collections::HashMap,
    io::{self, BufRead},
    str,
};

use chrono::NaiveDate;
use csv_core::ReadRecordResult;

use super::{Numbered, draft::Draft, unreadable};
use crate::{feed::row::FeedRow, http::MAX_BODY, load::fault, problem::Fault};

/// As many values as a row may have.
const MOST_VALUES: usize = 128;

/// The columns that a header must have.
pub(super) const NEEDED: [&str; 5] = ["reference", "given", "family", "dateOfBirth", "gender"];

/// The columns that a header may have besides, and where in a row each one stands.
pub(super) const ALONE: [(&str, &str); 15] = [
    ("reference", "/reference"),
    ("dateOfBirth", "/dateOfBirth"),
    ("dateOfBirthPrecision", "/dateOfBirthPrecision"),
    ("gender", "/gender"),
    ("responsibleAuthority", "/responsibleAuthority"),
    ("leftOn", "/whereabouts/leftOn"),
    ("return", "/whereabouts/return"),
    ("town", "/whereabouts/address/town"),
    ("postcode", "/whereabouts/address/postcode"),
    ("uprn", "/whereabouts/address/uprn"),
    ("contactPractitioner", "/involvement/contact/practitioner"),
    ("contactTeam", "/involvement/contact/team"),
    ("contactOfficeHours", "/involvement/contact/officeHours"),
    ("contactOutOfHours", "/involvement/contact/outOfHours"),
    ("contactEmail", "/involvement/contact/email"),
];

/// The columns that are put together with others.
pub(super) const TOGETHER: [&str; 14] = [
    "given",
    "family",
    "knownAsGiven",
    "knownAsFamily",
    "formerGiven",
    "formerFamily",
    "whereabouts",
    "addressLine1",
    "addressLine2",
    "addressLine3",
    "addressLine4",
    "addressLine5",
    "startedOn",
    "endedOn",
];

/// The columns of numbers that others gave the child.
pub(super) const NUMBERS: [&str; 5] =
    ["upn", "uln", "nhsNumber", "childReference", "nationalInsuranceNumber"];

/// The columns of a carer, each after `carer1` to `carer10`.
pub(super) const OF_A_CARER: [&str; 6] =
    ["Given", "Family", "Relationship", "ParentalResponsibility", "Phone", "Email"];

const MOST_CARERS: usize = 10;

/// The rows of comma-separated values.
pub(super) struct Csv<R> {
    reader: R,
    parser: csv_core::Reader,
    header: Option<Header>,
    record: Record,
    lines: Lines,
    today: NaiveDate,
}

/// The line on which the reader stands. A line ends as a row may: with CR LF, as RFC 4180 has it, or with either alone.
struct Lines {
    number: i64,
    after_cr: bool,
}

impl Lines {
    fn pass(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let ends = *byte == b'\r' || *byte == b'\n' && !self.after_cr;
            self.number += i64::from(ends);
            self.after_cr = *byte == b'\r';
        }
    }
}

/// Where each column stands.
struct Header {
    columns: HashMap<String, usize>,
    carers: usize,
}

/// The values of a row, side by side.
struct Record {
    text: Vec<u8>,
    ends: Vec<usize>,
    values: usize,
    line: i64,
}

impl Record {
    fn values(&self) -> impl Iterator<Item = &[u8]> {
        let begins = std::iter::once(&0).chain(&self.ends);
        begins.zip(&self.ends).take(self.values).map(|(from, to)| &self.text[*from..*to])
    }
}

impl<R: BufRead> Csv<R> {
    /// The rows that `reader` gives.
    pub(super) fn of(reader: R, today: NaiveDate) -> Self {
        let (text, ends) = (vec![0; MAX_BODY], vec![0; MOST_VALUES]);
        let record = Record { text, ends, values: 0, line: 1 };
        let lines = Lines { number: 1, after_cr: false };
        Self { reader, parser: csv_core::Reader::new(), header: None, record, lines, today }
    }

    /// Reads the next record; says whether there is one.
    fn advance(&mut self) -> io::Result<bool> {
        self.skip_empty_lines()?;
        self.record.line = self.lines.number;
        let (mut written, mut ended) = (0, 0);
        loop {
            let Some(held) = more(&mut self.reader)? else { continue };
            let Record { text, ends, .. } = &mut self.record;
            let (result, read, wrote, closed) =
                self.parser.read_record(held, &mut text[written..], &mut ends[ended..]);
            self.lines.pass(&held[..read]);
            self.reader.consume(read);
            written += wrote;
            ended += closed;
            self.record.values = ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => {
                    return Err(unreadable(
                        "A row is over 64 KiB: look for a quotation mark that is not closed.",
                    ));
                }
                ReadRecordResult::OutputEndsFull => {
                    return Err(unreadable("A row has over 128 values."));
                }
                ReadRecordResult::Record => return Ok(true),
                ReadRecordResult::End => return Ok(false),
            }
        }
    }

    fn skip_empty_lines(&mut self) -> io::Result<()> {
        loop {
            let Some(held) = more(&mut self.reader)? else { continue };
            let empty = held.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            let ends = empty < held.len() || held.is_empty();
            self.lines.pass(&held[..empty]);
            self.reader.consume(empty);
            if ends {
                return Ok(());
            }
        }
    }
}

/// What is held of what is to be read; nothing where it was interrupted.
fn more(reader: &mut impl BufRead) -> io::Result<Option<&[u8]>> {
    match reader.fill_buf() {
        Ok(held) => Ok(Some(held)),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
        Err(error) => Err(error),
    }
}

impl<R: BufRead> Iterator for Csv<R> {
    type Item = Numbered;

    fn next(&mut self) -> Option<Numbered> {
        if self.header.is_none() {
            match self.advance().and_then(|_| Header::of(&self.record)) {
                Ok(header) => self.header = Some(header),
                Err(error) => return Some(Err(error)),
            }
        }
        match self.advance() {
            Err(error) => return Some(Err(error)),
            Ok(false) => return None,
            Ok(true) => {}
        }
        let header = self.header.as_ref()?;
        Some(Ok((self.record.line, header.row(&self.record, self.today))))
    }
}

impl Header {
    /// A column that is not known is told by its place alone: where the header is forgotten, it is a child's.
    fn of(record: &Record) -> io::Result<Self> {
        let (mut columns, mut carers) = (HashMap::new(), 0);
        for (n, name) in record.values().enumerate() {
            let name = str::from_utf8(name).unwrap_or_default().trim_matches(' ');
            let carer = carer(name);
            if carer.is_none() && !is_known(name) {
                let place = n + 1;
                return Err(unreadable(format!("Column {place} of the header is not known here.")));
            }
            if columns.insert(name.to_owned(), n).is_some() {
                return Err(unreadable(format!("The column `{name}` is given twice.")));
            }
            carers = carers.max(carer.unwrap_or_default());
        }
        match NEEDED.iter().find(|name| !columns.contains_key(**name)) {
            Some(name) => Err(unreadable(format!("The column `{name}` is missing."))),
            None => Ok(Self { columns, carers }),
        }
    }

    fn row(&self, record: &Record, today: NaiveDate) -> Result<FeedRow, Vec<Fault>> {
        if record.values != self.columns.len() {
            return Err(vec![fault("", "must have as many values as the header has columns")]);
        }
        let Some(values) = record.values().map(|value| str::from_utf8(value).ok()).collect() else {
            return Err(vec![fault("", "must be UTF-8")]);
        };
        Values { header: self, values }.row().row(today)
    }
}

fn is_known(name: &str) -> bool {
    ALONE.iter().any(|(column, _)| *column == name)
        || TOGETHER.contains(&name)
        || NUMBERS.contains(&name)
}

/// Of how manieth carer a column is.
fn carer(name: &str) -> Option<usize> {
    let rest = name.strip_prefix("carer")?;
    let digits = rest.find(|c: char| !c.is_ascii_digit())?;
    let (number, of) = rest.split_at(digits);
    let fits = OF_A_CARER.contains(&of) && !number.starts_with('0');
    number.parse().ok().filter(|n| fits && (1..=MOST_CARERS).contains(n))
}

/// The values of a record by their columns.
struct Values<'r> {
    header: &'r Header,
    values: Vec<&'r str>,
}

impl<'r> Values<'r> {
    /// What stands in a column; nothing where there is none of that name.
    fn of(&self, column: &str) -> &'r str {
        let place = self.header.columns.get(column);
        place.and_then(|n| self.values.get(*n)).map_or("", |value| value.trim_matches(' '))
    }

    fn any(&self, columns: &[&str]) -> bool {
        columns.iter().any(|column| !self.of(column).is_empty())
    }

    fn row(&self) -> Draft {
        let mut draft = Draft::default();
        for (column, pointer) in ALONE {
            self.put(&mut draft, pointer, column);
        }
        self.names(&mut draft);
        self.whereabouts(&mut draft);
        let numbers = NUMBERS.into_iter().filter(|number| !self.of(number).is_empty());
        for (n, kind) in numbers.enumerate() {
            draft.put(&format!("/identifiers/{n}/kind"), &field(kind), kind);
            draft.put(&format!("/identifiers/{n}/value"), &field(kind), self.of(kind));
        }
        let carers = (1..=self.header.carers).filter(|n| {
            OF_A_CARER.iter().any(|column| !self.of(&format!("carer{n}{column}")).is_empty())
        });
        for (place, n) in carers.enumerate() {
            self.carer(&mut draft, place, n);
        }
        self.put(&mut draft, "/involvement/startedOn", "startedOn");
        self.put(&mut draft, "/involvement/endedOn", "endedOn");
        draft
    }

    fn put(&self, draft: &mut Draft, pointer: &str, column: &str) {
        draft.put_text(pointer, &field(column), self.of(column));
    }

    fn names(&self, draft: &mut Draft) {
        draft.put("/names/0/kind", "/given", "current");
        draft.put_given("/names/0/given", "/given", self.of("given"));
        self.put(draft, "/names/0/family", "family");
        let mut n = 1;
        for (kind, given, family) in [
            ("knownAs", "knownAsGiven", "knownAsFamily"),
            ("former", "formerGiven", "formerFamily"),
        ] {
            if !self.any(&[given, family]) {
                continue;
            }
            let or =
                |column: &'static str, current| if self.any(&[column]) { column } else { current };
            let (given, family) = (or(given, "given"), or(family, "family"));
            draft.put(&format!("/names/{n}/kind"), &field(given), kind);
            draft.put_given(&format!("/names/{n}/given"), &field(given), self.of(given));
            self.put(draft, &format!("/names/{n}/family"), family);
            n += 1;
        }
    }

    /// Where the child is: `current` where an address is given and nothing else is said.
    fn whereabouts(&self, draft: &mut Draft) {
        let lines: Vec<_> =
            TOGETHER.iter().filter(|column| column.starts_with("addressLine")).collect();
        let address =
            self.any(&["town", "postcode", "uprn"]) || lines.iter().any(|line| self.any(&[**line]));
        match self.of("whereabouts") {
            "" if address => draft.put("/whereabouts/kind", "/whereabouts", "current"),
            kind => draft.put_text("/whereabouts/kind", "/whereabouts", kind),
        }
        let said = lines.iter().filter(|line| self.any(&[**line]));
        for (n, line) in said.enumerate() {
            self.put(draft, &format!("/whereabouts/address/lines/{n}"), line);
        }
        draft.came_from("/whereabouts/address/lines", "/addressLine1");
    }

    fn carer(&self, draft: &mut Draft, place: usize, n: usize) {
        let column = |name: &str| format!("carer{n}{name}");
        let at = |member: &str| format!("/carers/{place}/{member}");
        draft.put_given(&at("name/given"), &field(&column("Given")), self.of(&column("Given")));
        self.put(draft, &at("name/family"), &column("Family"));
        self.put(draft, &at("relationship"), &column("Relationship"));
        self.put(draft, &at("phones/0"), &column("Phone"));
        self.put(draft, &at("emails/0"), &column("Email"));
        let responsible = column("ParentalResponsibility");
        match self.of(&responsible).to_ascii_lowercase().as_str() {
            "" => draft.came_from(&at("parentalResponsibility"), &field(&responsible)),
            "true" => draft.put(&at("parentalResponsibility"), &field(&responsible), true),
            "false" => draft.put(&at("parentalResponsibility"), &field(&responsible), false),
            _ => draft.refuse(&field(&responsible), "must be `true` or `false`"),
        }
    }
}

/// How a column is pointed at.
fn field(column: &str) -> String {
    format!("/{column}")
}
