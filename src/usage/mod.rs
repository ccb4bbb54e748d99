//! How much each person of an organisation has used the index, and for what: counted by the day, told by the week.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc, Weekday};
use chrono_tz::Europe::London;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::{Validate, ValidationError};

use crate::{
    detector::{
        person::Person,
        seen::{Act, Facts, Seen},
    },
    ids::{AccountId, OrganisationId},
    report::harmless,
};

pub mod routes;
pub(crate) mod store;

/// How much one person has used the index.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Count {
    /// How often they searched.
    #[schema(minimum = 0, example = 41)]
    pub searches: i32,
    /// How often that found nobody.
    #[schema(minimum = 0, example = 3)]
    pub empty_searches: i32,
    /// How many children they opened, each once a day.
    #[schema(minimum = 0, example = 27)]
    pub children: i32,
    /// For how many of these another authority answers than that of the own area.
    #[schema(minimum = 0, example = 2)]
    pub out_of_area: i32,
    /// How often they searched or opened before 7, after 20, or on a Saturday or Sunday.
    #[schema(minimum = 0, example = 0)]
    pub out_of_hours: i32,
    /// How many of the children opened bear their own family name.
    #[schema(minimum = 0, example = 0)]
    pub own_name: i32,
    /// How often they were refused because they had looked as often as they may.
    #[schema(minimum = 0, example = 0)]
    pub refused: i32,
    /// How often they looked past a shield.
    #[schema(minimum = 0, example = 0)]
    pub overrides: i32,
    /// How often they stated each reason.
    #[schema(example = json!({ "direct-service": 66, "transfer": 2 }))]
    pub reasons: BTreeMap<String, i32>,
}

impl Count {
    /// What an event adds, of somebody of whom this was kept before.
    pub(crate) fn of(
        at: DateTime<Utc>,
        reason: Option<&str>,
        refused: bool,
        seen: Option<&Seen>,
        person: Option<&Person>,
        facts: &Facts,
    ) -> Self {
        let mut one = Self { refused: i32::from(refused), ..Self::default() };
        let Some(seen) = seen else { return one };
        one.reasons.extend(reason.map(|reason| (reason.to_owned(), 1)));
        one.out_of_hours = i32::from(out_of_hours(at));
        match &seen.act {
            Act::Searched(search, _) => {
                one.searches = 1;
                one.empty_searches = i32::from(search.empty);
            }
            Act::Overrode(_) => one.overrides = 1,
            Act::Opened(child) => {
                let day = crate::clock::day_in_london(at);
                if person.is_some_and(|person| person.has_opened(*child, day)) {
                    return one;
                }
                one.children = 1;
                let (looker, known) = (facts.lookers.get(&seen.account), facts.children.get(child));
                if let (Some(looker), Some(known)) = (looker, known) {
                    let elsewhere =
                        looker.authority.is_some() && looker.authority != known.authority;
                    one.out_of_area = i32::from(elsewhere);
                    one.own_name = i32::from(known.families.contains(&looker.name.family));
                }
            }
        }
        one
    }

    fn join(&mut self, other: Self) {
        self.searches += other.searches;
        self.empty_searches += other.empty_searches;
        self.children += other.children;
        self.out_of_area += other.out_of_area;
        self.out_of_hours += other.out_of_hours;
        self.own_name += other.own_name;
        self.refused += other.refused;
        self.overrides += other.overrides;
        for (reason, times) in other.reasons {
            *self.reasons.entry(reason).or_default() += times;
        }
    }
}

fn out_of_hours(at: DateTime<Utc>) -> bool {
    let here = at.with_timezone(&London);
    matches!(here.weekday(), Weekday::Sat | Weekday::Sun) || !(7..20).contains(&here.hour())
}

/// What several events add, by day and person.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts(pub(crate) HashMap<(NaiveDate, AccountId), (OrganisationId, Count)>);

impl Counts {
    /// Adds one.
    pub(crate) fn add(
        &mut self,
        day: NaiveDate,
        account: AccountId,
        organisation: OrganisationId,
        one: Count,
    ) {
        let (_, sum) = self.0.entry((day, account)).or_insert((organisation, Count::default()));
        sum.join(one);
    }
}

/// How much one person has used the index in a week.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PersonUsage {
    /// The account.
    pub account_id: AccountId,
    /// The person's name.
    #[schema(example = "Example Practitioner")]
    pub name: String,
    /// How much.
    pub counts: Count,
}

/// How an organisation's people have used the index in a week.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// The organisation.
    pub organisation_id: OrganisationId,
    /// The Monday on which the week began, in London.
    #[schema(example = "2026-11-09")]
    pub week: NaiveDate,
    /// Each person who used it, whoever opened most children first.
    pub items: Vec<PersonUsage>,
}

/// Of which week.
#[derive(Debug, Clone, Deserialize, IntoParams, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UsageQuery {
    /// The Monday on which it began; the last that is over unless said.
    #[validate(custom(function = begins_a_week))]
    #[param(nullable = false, example = "2026-11-09")]
    pub week: Option<NaiveDate>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "this is how the validator hands it on")]
fn begins_a_week(day: &NaiveDate) -> Result<(), ValidationError> {
    if day.weekday() == Weekday::Mon {
        return Ok(());
    }
    Err(ValidationError::new("form").with_message("must be a Monday".into()))
}

/// The lines of comma-separated values, with a header.
pub(crate) fn csv(items: &[PersonUsage]) -> Result<Vec<u8>, csv::Error> {
    let mut lines =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    lines.write_record([
        "accountId",
        "name",
        "searches",
        "emptySearches",
        "children",
        "outOfArea",
        "outOfHours",
        "ownName",
        "refused",
        "overrides",
    ])?;
    for PersonUsage { account_id, name, counts } in items {
        let name = harmless(name.clone());
        let numbers = [
            counts.searches,
            counts.empty_searches,
            counts.children,
            counts.out_of_area,
            counts.out_of_hours,
            counts.own_name,
            counts.refused,
            counts.overrides,
        ];
        let cells = [account_id.to_string(), name].into_iter();
        lines.write_record(cells.chain(numbers.map(|number| number.to_string())))?;
    }
    lines.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}
