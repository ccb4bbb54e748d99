//! Rows as JSON, one on a line: the form into which every other is brought, so that one reader checks them all.

use std::io::BufRead;

use chrono::NaiveDate;
use serde::Deserialize;
use validator::{Validate, ValidationErrors};

use super::Numbered;
use crate::{
    carer::CarerIn,
    child::{
        ChildIn,
        birth::{DatePrecision, Gender},
        identifier::IdentifierIn,
        name::Name,
        whereabouts::Whereabouts,
    },
    feed::row::{FeedRow, RowInvolvement, SourceReference},
    http,
    involvement::{InvolvementIn, ServiceType},
    load::{
        fault, faults,
        lines::{Line, Lines},
    },
    problem::Fault,
};

const BYTE_ORDER_MARK: &[u8] = "\u{FEFF}".as_bytes();

/// The rows of NDJSON.
#[derive(Debug)]
pub(super) struct Ndjson<R> {
    lines: Lines<R>,
    today: NaiveDate,
}

impl<R: BufRead> Ndjson<R> {
    /// The rows that `reader` gives.
    pub(super) fn of(reader: R, today: NaiveDate) -> Self {
        Self { lines: Lines::of(reader), today }
    }
}

impl<R: BufRead> Iterator for Ndjson<R> {
    type Item = Numbered;

    fn next(&mut self) -> Option<Numbered> {
        loop {
            let Line { number, text } = match self.lines.next()? {
                Ok(line) => line,
                Err(error) => return Some(Err(error)),
            };
            let marked = text.strip_prefix(BYTE_ORDER_MARK).filter(|_| number == 1);
            let text = marked.unwrap_or(&text);
            if !text.trim_ascii().is_empty() {
                let number = i64::try_from(number).unwrap_or(i64::MAX);
                return Some(Ok((number, read(text, self.today))));
            }
        }
    }
}

/// Reads a row, and checks every rule of a record that needs nothing else.
pub(super) fn read(text: &[u8], today: NaiveDate) -> Result<FeedRow, Vec<Fault>> {
    if text.len() > http::MAX_BODY {
        return Err(vec![fault("", "is over 64 KiB")]);
    }
    let told: Told = http::parse(text).map_err(|problem| faults("", &problem))?;
    let wrong = told.faults(today);
    if wrong.is_empty() { Ok(told.into()) } else { Err(wrong) }
}

/// A row, as the rules of a new child judge it.
#[derive(Deserialize)]
#[serde(from = "Said")]
struct Told {
    reference: SourceReference,
    child: ChildIn,
    whereabouts: Option<Whereabouts>,
    involvement: Option<RowInvolvement>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Said {
    reference: SourceReference,
    names: Vec<Name>,
    #[serde(deserialize_with = "crate::word::day")]
    date_of_birth: NaiveDate,
    #[serde(default)]
    date_of_birth_precision: DatePrecision,
    gender: Gender,
    #[serde(default)]
    whereabouts: Option<Whereabouts>,
    #[serde(default)]
    identifiers: Vec<IdentifierIn>,
    #[serde(default)]
    carers: Vec<CarerIn>,
    #[serde(default)]
    responsible_authority: Option<String>,
    #[serde(default)]
    involvement: Option<RowInvolvement>,
}

impl From<Said> for Told {
    fn from(said: Said) -> Self {
        let child = ChildIn {
            names: said.names,
            date_of_birth: said.date_of_birth,
            date_of_birth_precision: said.date_of_birth_precision,
            date_of_birth_estimated: false,
            gender: said.gender,
            whereabouts: said.whereabouts.clone().unwrap_or(Whereabouts::NoneKnown {}),
            identifiers: said.identifiers,
            carers: said.carers,
            responsible_authority: said.responsible_authority,
            without_service: Vec::new(),
            distinct_from: Vec::new(),
        };
        let Said { reference, whereabouts, involvement, .. } = said;
        Self { reference, child, whereabouts, involvement }
    }
}

impl Validate for Told {
    fn validate(&self) -> Result<(), ValidationErrors> {
        self.child.validate()
    }
}

impl Told {
    fn faults(&self, today: NaiveDate) -> Vec<Fault> {
        if let Err(problem) = self.child.check(today) {
            return faults("", &problem);
        }
        let mut found = Vec::new();
        let code = self.child.responsible_authority.as_deref();
        if code.is_some_and(|code| code.len() != 3 || !code.bytes().all(|c| c.is_ascii_digit())) {
            found.push(fault("/responsibleAuthority", "must be the 3 digits of a local authority"));
        }
        if let Some(work) = &self.involvement {
            let judged = judged(work).check(self.child.birth().earliest(), today);
            found.extend(judged.err().iter().flat_map(|problem| faults("/involvement", problem)));
        }
        found
    }
}

/// The same work, as the rules of an involvement judge it; of what service it is, the feed says.
fn judged(work: &RowInvolvement) -> InvolvementIn {
    InvolvementIn {
        organisation_id: None,
        service_type: ServiceType::School,
        contact: work.contact.clone(),
        started_on: work.started_on,
        confirmed_on: None,
        ended_on: work.ended_on,
        consent: None,
        basis: None,
    }
}

impl From<Told> for FeedRow {
    fn from(told: Told) -> Self {
        let Told { reference, child, whereabouts, involvement } = told;
        Self {
            reference,
            date_of_birth: child.birth().date,
            date_of_birth_precision: child.date_of_birth_precision,
            gender: child.gender,
            whereabouts,
            identifiers: child.identifiers.iter().filter_map(|one| one.check().ok()).collect(),
            names: child.names,
            carers: child.carers,
            responsible_authority: child.responsible_authority,
            involvement,
        }
    }
}
