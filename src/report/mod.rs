//! What stewards look through: children without a school or a practice, involvements that nobody confirms, records that may be
//! of one child, and how good feeds are.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::Validate;

use crate::{
    child::{
        birth::{DatePrecision, Gender},
        name::{NamePart, PersonName},
    },
    duplicate::{DuplicateRecord, PossibleDuplicate},
    feed::FeedStage,
    ids::{ChildId, IndexNumber, InvolvementId, OrganisationId},
    involvement::ServiceType,
    problem::Problem,
};

pub mod routes;
mod store;

/// A child, as a report tells of one.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportedChild {
    /// The child's number here.
    pub index_number: IndexNumber,
    /// The current name.
    pub name: PersonName,
    /// The date of birth.
    #[schema(example = "2015-03-14")]
    pub date_of_birth: NaiveDate,
    /// How much of it is known.
    pub date_of_birth_precision: DatePrecision,
    /// The gender.
    pub gender: Gender,
    /// Whether the record says that there is none, rather than nothing.
    #[schema(example = false)]
    pub said_to_have_none: bool,
}

/// An involvement that nobody confirms.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnconfirmedInvolvement {
    /// Its number.
    pub id: InvolvementId,
    /// The number of the child.
    pub index_number: IndexNumber,
    /// The organisation that works with the child.
    pub organisation_id: OrganisationId,
    /// What it is called.
    #[schema(example = "Example Primary School")]
    pub organisation: String,
    /// What it does for the child.
    pub service_type: ServiceType,
    /// The day it began.
    #[schema(example = "2024-09-03")]
    pub started_on: NaiveDate,
    /// The day on which somebody confirmed it last.
    #[schema(example = "2025-07-18")]
    pub confirmed_on: NaiveDate,
    /// Since when nobody confirms it: the day on which the organisation's feed stopped sending the child, or that after 12 months
    /// without a confirmation.
    #[schema(example = "2026-07-19")]
    pub unconfirmed_since: NaiveDate,
}

/// How good a feed is: what became of its latest batch that is done.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FeedQuality {
    /// Its number.
    pub feed_id: Uuid,
    /// What it is called.
    #[schema(example = "Pupils of the council's schools")]
    pub name: String,
    /// The organisation whose feed it is.
    pub organisation_id: OrganisationId,
    /// What that is called.
    #[schema(example = "Example Primary School")]
    pub organisation: String,
    /// What the organisation does for the children whom it sends.
    pub service_type: ServiceType,
    /// Whether what it sends counts.
    pub stage: FeedStage,
    /// When its latest batch that is done was received, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub received_at: Option<DateTime<Utc>>,
    /// How many rows that had.
    #[schema(minimum = 0, example = 1200)]
    pub rows: i64,
    /// Rows of children of the index.
    #[schema(minimum = 0, example = 40)]
    pub linked: i64,
    /// Rows of children who were not in the index.
    #[schema(minimum = 0, example = 3)]
    pub created: i64,
    /// Rows that said what they said before.
    #[schema(minimum = 0, example = 1149)]
    pub unchanged: i64,
    /// Rows on which a steward decides.
    #[schema(minimum = 0, example = 6)]
    pub review: i64,
    /// Rows that could not be taken.
    #[schema(minimum = 0, example = 2)]
    pub rejected: i64,
    /// Children who were no longer sent.
    #[schema(minimum = 0, example = 9)]
    pub unconfirmed: i64,
    /// How many of a hundred rows were taken without a steward, rounded down.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, minimum = 0, maximum = 100, example = 99)]
    pub taken_percent: Option<i64>,
    /// Rows of all its batches on which a steward has yet to decide.
    #[schema(minimum = 0, example = 6)]
    pub open_reviews: i64,
}

/// How many of a hundred rows were taken.
fn percent(taken: i64, rows: i64) -> Option<i64> {
    (taken * 100).checked_div(rows)
}

macro_rules! pages {
    ($($(#[doc = $doc:literal])+ $name:ident of $item:ident;)*) => { $(
        $(#[doc = $doc])+
        #[derive(Debug, Serialize, ToSchema)]
        pub struct $name {
            /// What is told; there may be less than asked for, and nothing, on a page that is not the last.
            pub items: Vec<$item>,
            /// Where the next page begins; absent on the last.
            #[serde(skip_serializing_if = "Option::is_none")]
            #[schema(nullable = false, required = false)]
            pub next: Option<String>,
        }

        impl From<(Vec<$item>, Option<String>)> for $name {
            fn from((items, next): (Vec<$item>, Option<String>)) -> Self {
                Self { items, next }
            }
        }
    )* };
}

pages! {
    /// A page of children, by their numbers.
    ReportedChildren of ReportedChild;
    /// A page of involvements that nobody confirms, by the children's numbers.
    UnconfirmedInvolvements of UnconfirmedInvolvement;
    /// A page of pairs that nobody has decided on, the longest known first.
    ReportedDuplicates of PossibleDuplicate;
    /// A page of feeds.
    FeedQualities of FeedQuality;
}

/// Which part of a report is wanted.
#[derive(Debug, Clone, Deserialize, IntoParams, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReportQuery {
    /// How many at most: 1 to 100, 20 unless said. `text/csv` is told whole.
    #[validate(range(min = 1, max = 100))]
    #[param(nullable = false, minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u8>,
    /// The `next` of the page before.
    #[validate(length(min = 1, max = 400))]
    #[param(nullable = false, min_length = 1, max_length = 400, pattern = "^[A-Za-z0-9_-]+$")]
    pub after: Option<String>,
}

/// Part of a report: the children of whom it tells, what it tells, and where the next part begins.
pub(crate) struct Part<T> {
    children: Vec<ChildId>,
    items: Vec<T>,
    next: Option<String>,
}

/// What stands on a line of comma-separated values.
trait Row {
    /// The names of the columns.
    const COLUMNS: &[&str];

    fn cells(&self) -> Vec<String>;
}

impl Row for ReportedChild {
    const COLUMNS: &[&str] = &[
        "indexNumber",
        "given",
        "family",
        "dateOfBirth",
        "dateOfBirthPrecision",
        "gender",
        "saidToHaveNone",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.index_number.to_string(),
            given(&self.name),
            self.name.family.as_str().to_owned(),
            self.date_of_birth.to_string(),
            self.date_of_birth_precision.to_string(),
            self.gender.to_string(),
            self.said_to_have_none.to_string(),
        ]
    }
}

impl Row for UnconfirmedInvolvement {
    const COLUMNS: &[&str] = &[
        "id",
        "indexNumber",
        "organisationId",
        "organisation",
        "serviceType",
        "startedOn",
        "confirmedOn",
        "unconfirmedSince",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.index_number.to_string(),
            self.organisation_id.to_string(),
            self.organisation.clone(),
            self.service_type.code().to_owned(),
            self.started_on.to_string(),
            self.confirmed_on.to_string(),
            self.unconfirmed_since.to_string(),
        ]
    }
}

impl Row for PossibleDuplicate {
    const COLUMNS: &[&str] = &[
        "id",
        "foundAt",
        "indexNumber",
        "given",
        "family",
        "dateOfBirth",
        "gender",
        "otherIndexNumber",
        "otherGiven",
        "otherFamily",
        "otherDateOfBirth",
        "otherGender",
    ];

    fn cells(&self) -> Vec<String> {
        let of = |record: &DuplicateRecord| {
            [
                record.index_number.to_string(),
                given(&record.name),
                record.name.family.as_str().to_owned(),
                record.date_of_birth.to_string(),
                record.gender.to_string(),
            ]
        };
        let pair = [self.id.to_string(), moment(self.found_at)].into_iter();
        pair.chain(self.records.iter().flat_map(of)).collect()
    }
}

impl Row for FeedQuality {
    const COLUMNS: &[&str] = &[
        "feedId",
        "name",
        "organisationId",
        "organisation",
        "serviceType",
        "stage",
        "receivedAt",
        "rows",
        "linked",
        "created",
        "unchanged",
        "review",
        "rejected",
        "unconfirmed",
        "takenPercent",
        "openReviews",
    ];

    fn cells(&self) -> Vec<String> {
        let mut cells = vec![
            self.feed_id.to_string(),
            self.name.clone(),
            self.organisation_id.to_string(),
            self.organisation.clone(),
            self.service_type.code().to_owned(),
            self.stage.to_string(),
            self.received_at.map(moment).unwrap_or_default(),
        ];
        let counts = [self.rows, self.linked, self.created, self.unchanged, self.review];
        cells.extend(
            counts.into_iter().chain([self.rejected, self.unconfirmed]).map(|n| n.to_string()),
        );
        cells.push(self.taken_percent.map(|n| n.to_string()).unwrap_or_default());
        cells.push(self.open_reviews.to_string());
        cells
    }
}

fn given(name: &PersonName) -> String {
    name.given.iter().map(NamePart::as_str).collect::<Vec<_>>().join(" ")
}

fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// A cell that no program takes for a formula: what could begin one is put behind an apostrophe.
pub(crate) fn harmless(cell: String) -> String {
    let first = cell.trim_start_matches([' ', '\u{a0}']).chars().next();
    match first {
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠') => {
            format!("'{cell}")
        }
        _ => cell,
    }
}

/// The items as lines of comma-separated values (RFC 4180), the first part with the names of the columns.
fn csv<T: Row>(items: &[T], first: bool) -> Result<Vec<u8>, Problem> {
    let mut lines =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    if first {
        lines.write_record(T::COLUMNS).map_err(Problem::internal)?;
    }
    for item in items {
        let cells = item.cells().into_iter().map(harmless);
        lines.write_record(cells).map_err(Problem::internal)?;
    }
    lines.into_inner().map_err(|error| Problem::internal(error.into_error()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_begins_a_formula_and_no_other_is_changed() {
        for cell in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1"] {
            assert_eq!(harmless(cell.to_owned()), format!("'{cell}"));
        }
        for cell in ["", "Amy", "O'Test", "2015-03-14", "a=b", "12"] {
            assert_eq!(harmless(cell.to_owned()), cell);
        }
    }

    #[test]
    fn quotes_commas_and_lines_stay_in_their_cell() {
        struct Said(&'static str);
        impl Row for Said {
            const COLUMNS: &[&str] = &["said", "again"];

            fn cells(&self) -> Vec<String> {
                vec![self.0.to_owned(), self.0.to_owned()]
            }
        }
        let told = csv(&[Said("a,\"b\"\nc"), Said("=d")], true).unwrap();
        let told = String::from_utf8(told).unwrap();
        assert_eq!(told, "said,again\r\n\"a,\"\"b\"\"\nc\",\"a,\"\"b\"\"\nc\"\r\n'=d,'=d\r\n");
        assert_eq!(csv::<Said>(&[], false).unwrap(), b"");
    }

    #[test]
    fn of_no_rows_there_is_no_share() {
        assert_eq!((percent(0, 0), percent(199, 200), percent(3, 3)), (None, Some(99), Some(100)));
    }
}
