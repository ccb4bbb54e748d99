//! How long a record is kept: when it is archived, who opens it then, and when it may be purged.

use chrono::{Datelike, Days, NaiveDate};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use crate::{
    child::{birth::DateOfBirth, whereabouts::Whereabouts},
    code::codes,
    ids::{ConsentId, IndexNumber},
    problem::Problem,
};

pub mod routes;
pub(crate) mod store;
pub mod task;

/// The same day of a later year; 1 March for 29 February in a year that has none.
#[must_use]
pub fn anniversary(day: NaiveDate, years: i32) -> NaiveDate {
    let year = day.year().saturating_add(years);
    NaiveDate::from_ymd_opt(year, day.month(), day.day())
        .or_else(|| NaiveDate::from_ymd_opt(year, 3, 1))
        .unwrap_or(NaiveDate::MAX)
}

codes! {
    /// Why a record is archived.
    EndGround {
        /// The 18th birthday.
        EighteenthBirthday = "eighteenthBirthday",
        /// The end of the consent to stay after the 18th birthday.
        StayEnds = "stayEnds",
        /// A year has passed since the death.
        Death = "death",
        /// More than three years have passed since the child left England.
        LeftEngland = "leftEngland",
    }
}

/// A consent to stay in the index after the 18th birthday, as far as it decides on the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stay {
    /// The day at whose beginning it ends; the 25th birthday unless said.
    #[serde(default)]
    pub until: Option<NaiveDate>,
    /// The day on which it was withdrawn.
    #[serde(default)]
    pub withdrawn_on: Option<NaiveDate>,
}

/// What decides on when a record is archived.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The birth, with how much of it is known.
    pub birth: DateOfBirth,
    /// The day of death.
    pub died_on: Option<NaiveDate>,
    /// The day on which the child left England, where that is where the child is.
    pub left_on: Option<NaiveDate>,
    /// Every consent to stay that was given.
    pub stays: Vec<Stay>,
}

/// When and why a record is archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// The day at whose beginning in Europe/London it is archived.
    pub day: NaiveDate,
    /// Why.
    pub ground: EndGround,
}

impl Facts {
    /// The facts of a record that is new: nobody has died, nobody has consented.
    #[must_use]
    pub fn new(birth: DateOfBirth, whereabouts: &Whereabouts) -> Self {
        let left_on = whereabouts.left_england().map(|(day, _)| day);
        Self { birth, died_on: None, left_on, stays: Vec::new() }
    }

    /// When and why the record is archived: by the first that comes of age, death and absence. Where not all of the birth is
    /// known, the child comes of age on the latest day that it may be.
    #[must_use]
    pub fn end(&self) -> End {
        let of_age = self.of_age();
        let death = self.died_on.map(|day| (anniversary(day, 1), EndGround::Death));
        let absence =
            self.left_on.map(|day| (anniversary(day, 3) + Days::new(1), EndGround::LeftEngland));
        let first =
            [Some(of_age), death, absence].into_iter().flatten().min_by_key(|(day, _)| *day);
        let (day, ground) = first.unwrap_or(of_age);
        End { day, ground }
    }

    /// The same for what is said today: a record whose time was over already is archived at the next midnight, so that
    /// nothing disappears under those who work with it.
    #[must_use]
    pub fn end_from(&self, today: NaiveDate) -> End {
        let End { day, ground } = self.end();
        End { day: day.max(today + Days::new(1)), ground }
    }

    fn of_age(&self) -> (NaiveDate, EndGround) {
        let (eighteen, twenty_five) =
            (self.birth.eighteenth_birthday(), self.birth.twenty_fifth_birthday());
        let ends = self.stays.iter().map(|stay| {
            let until = stay.until.unwrap_or(twenty_five).min(twenty_five);
            stay.withdrawn_on.map_or(until, |day| until.min(day + Days::new(1)))
        });
        match ends.max() {
            Some(end) if end > eighteen => (end, EndGround::StayEnds),
            _ => (eighteen, EndGround::EighteenthBirthday),
        }
    }
}

codes! {
    /// How long a record has been archived.
    Phase {
        /// The first year: stewards of the responsible authority open it.
        FirstYear = "firstYear",
        /// The second to the sixth year: the archive reviewer opens it, on a ground and with a reference.
        Review = "review",
        /// Over six years: nobody opens it, and it is to be purged.
        Over = "over",
    }
}

impl Phase {
    /// The phase, on a day, of a record archived since `since`.
    #[must_use]
    pub fn on(since: NaiveDate, day: NaiveDate) -> Self {
        if day < anniversary(since, 1) {
            Self::FirstYear
        } else if day < anniversary(since, 6) {
            Self::Review
        } else {
            Self::Over
        }
    }
}

/// A time under a legal hold: from a day, until the beginning of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Held {
    /// The first day.
    pub from: NaiveDate,
    /// The day at whose beginning it ends.
    pub until: NaiveDate,
}

impl Held {
    /// Whether it is in force on a day.
    #[must_use]
    pub fn on(&self, day: NaiveDate) -> bool {
        (self.from..self.until).contains(&day)
    }
}

/// The day from which a record archived since `since` may be purged: six years after, not counting the days under a hold. No
/// record is purged while a hold is in force.
#[must_use]
pub fn purge_due_on(since: NaiveDate, holds: &[Held]) -> NaiveDate {
    let mut holds = holds.to_vec();
    holds.sort_by_key(|hold| (hold.from, hold.until));
    let (mut due, mut counted) = (anniversary(since, 6), since);
    for hold in holds {
        counted = counted.max(hold.from);
        if counted >= due {
            break;
        }
        if hold.until > counted {
            due += hold.until - counted;
            counted = hold.until;
        }
    }
    due
}

/// When a child died.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "diedOn": "2025-11-03" }))]
pub struct DeathIn {
    /// The day of death: not before the birth, not after today. Absent where a death was recorded in error.
    #[serde(default, deserialize_with = "crate::word::some_day")]
    #[schema(nullable = false)]
    pub died_on: Option<NaiveDate>,
}

impl DeathIn {
    /// The rules that need today and the child's birth.
    pub fn check(&self, birth: &DateOfBirth, today: NaiveDate) -> Result<(), Problem> {
        within("/diedOn", self.died_on, birth.earliest(), today)
    }
}

fn within(
    pointer: &str,
    day: Option<NaiveDate>,
    first: NaiveDate,
    last: NaiveDate,
) -> Result<(), Problem> {
    match day {
        Some(day) if !(first..=last).contains(&day) => {
            Err(Problem::invalid(pointer, format!("must not be before {first} or after {last}")))
        }
        _ => Ok(()),
    }
}

/// When a record is archived, as it stands now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retention {
    /// The child's number here.
    pub index_number: IndexNumber,
    /// The day of death, where one is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub died_on: Option<NaiveDate>,
    /// The day at whose beginning in Europe/London the record is archived, if nothing changes; absent under a shield.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub archives_on: Option<NaiveDate>,
}

codes! {
    /// Why a young person may stay in the index after the 18th birthday.
    StayGround {
        /// The young person is leaving care.
        CareLeaver = "careLeaver",
        /// The young person has a learning difficulty.
        LearningDifficulty = "learningDifficulty",
    }
}

codes! {
    /// Who consents that a young person stays in the index.
    StayGivenBy {
        /// The young person.
        YoungPerson = "youngPerson",
        /// A deputy whom the Court of Protection appointed.
        CourtAppointedDeputy = "courtAppointedDeputy",
    }
}

codes! {
    /// On what basis somebody is able to consent that a young person stays.
    StayBasis {
        /// The young person is 16 or over and has capacity (Mental Capacity Act 2005).
        OverSixteen = "over16",
        /// A court has appointed whoever consents.
        CourtAppointed = "courtAppointed",
    }
}

/// A consent to stay in the index after the 18th birthday.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "ground": "careLeaver", "givenBy": "youngPerson", "capacityBasis": "over16", "givenOn": "2026-11-02"
}))]
pub struct StayConsentIn {
    /// Why the young person may stay.
    pub ground: StayGround,
    /// Who consents.
    pub given_by: StayGivenBy,
    /// On what basis they are able to.
    pub capacity_basis: StayBasis,
    /// The day on which the consent was given: not after today, and not over 25 years after the birth.
    #[serde(deserialize_with = "crate::word::day")]
    pub given_on: NaiveDate,
    /// The day at whose beginning the consent ends: after the 18th birthday, at most the 25th, which it is unless said.
    #[serde(default, deserialize_with = "crate::word::some_day")]
    #[schema(nullable = false)]
    pub until: Option<NaiveDate>,
}

impl StayConsentIn {
    /// The rules that need today and the child's birth.
    pub fn check(&self, birth: &DateOfBirth, today: NaiveDate) -> Result<(), Problem> {
        let last = birth.twenty_fifth_birthday();
        within("/givenOn", Some(self.given_on), birth.earliest(), today.min(last))?;
        within("/until", self.until, birth.eighteenth_birthday() + Days::new(1), last)
    }
}

/// A consent to stay that was given.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StayConsent {
    /// Its number.
    pub id: ConsentId,
    /// Why the young person may stay.
    pub ground: StayGround,
    /// Who consented.
    pub given_by: StayGivenBy,
    /// On what basis.
    pub capacity_basis: StayBasis,
    /// The day on which it was given.
    pub given_on: NaiveDate,
    /// The day at whose beginning it ends, unless it is withdrawn before.
    pub until: NaiveDate,
    /// The day at whose beginning in Europe/London the record is archived, if nothing changes; absent under a shield.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub archives_on: Option<NaiveDate>,
    /// Its version, which is its `ETag`.
    #[schema(example = 1)]
    pub version: i64,
}

/// Which days are wanted.
#[derive(Debug, Clone, Deserialize, IntoParams, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ForecastQuery {
    /// How many days from tomorrow on: 1 to 90, 7 unless said.
    #[validate(range(min = 1, max = 90))]
    #[param(nullable = false, minimum = 1, maximum = 90, example = 7)]
    pub days: Option<u8>,
    /// The `next` of the page before.
    #[validate(length(min = 1, max = 400))]
    #[param(nullable = false, min_length = 1, max_length = 400, pattern = "^[A-Za-z0-9_-]+$")]
    pub after: Option<String>,
}

/// What is archived next.
#[derive(Debug, Serialize, ToSchema)]
pub struct Forecast {
    /// How many records are archived on each day on which any is.
    pub days: Vec<ForecastDay>,
    /// To a steward: the records, the next first, 100 at most.
    pub items: Vec<ForecastLine>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub next: Option<String>,
}

/// How many records are archived on a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ForecastDay {
    /// The day at whose beginning in Europe/London it happens.
    pub day: NaiveDate,
    /// How many records.
    #[schema(example = 12)]
    pub records: i64,
}

/// A record that is archived soon.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ForecastLine {
    /// The child's number here.
    pub index_number: IndexNumber,
    /// The day at whose beginning in Europe/London it is archived.
    pub archives_on: NaiveDate,
    /// Why; absent under a shield.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub ground: Option<EndGround>,
}

#[cfg(test)]
mod tests;
