//! The limits of an organisation, and who may set them how.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use crate::{
    access::{Caller, Role},
    ids::OrganisationId,
    problem::{Kind, Problem},
};

/// How much anybody of an organisation may look for and open, as it holds; five times as much for whoever may look past a shield.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Searches within an hour.
    #[schema(minimum = 1, example = 60)]
    pub searches_an_hour: i32,
    /// Searches a day, in London.
    #[schema(minimum = 1, example = 300)]
    pub searches_a_day: i32,
    /// Searches in a row that found nobody, after which there is a pause.
    #[schema(minimum = 1, example = 20)]
    pub misses_in_a_row: i32,
    /// How long that pause is, in minutes; it is never multiplied.
    #[schema(minimum = 1, example = 10)]
    pub pause_minutes: i32,
    /// Different children opened a day.
    #[schema(minimum = 1, example = 200)]
    pub children_a_day: i32,
    /// Matches a day of each system; never multiplied either.
    #[schema(minimum = 1, example = 432_000)]
    pub matches_a_day: i32,
}

/// The limits that an organisation has of its own, each at most ten times what the index is shipped with; for what is left out,
/// what holds for every organisation holds.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, Validate,
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "searchesAnHour": 40, "childrenADay": 100 }))]
pub struct OwnLimits {
    /// Searches within an hour: 1 to 600.
    #[validate(range(min = 1, max = 600))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, minimum = 1, maximum = 600)]
    pub searches_an_hour: Option<i32>,
    /// Searches a day, in London: 1 to 3,000.
    #[validate(range(min = 1, max = 3000))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, minimum = 1, maximum = 3000)]
    pub searches_a_day: Option<i32>,
    /// Searches in a row that found nobody, after which there is a pause: 1 to 200.
    #[validate(range(min = 1, max = 200))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, minimum = 1, maximum = 200)]
    pub misses_in_a_row: Option<i32>,
    /// How long that pause is, in minutes: 1 to 1,440.
    #[validate(range(min = 1, max = 1440))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, minimum = 1, maximum = 1440)]
    pub pause_minutes: Option<i32>,
    /// Different children opened a day: 1 to 2,000.
    #[validate(range(min = 1, max = 2000))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, minimum = 1, maximum = 2000)]
    pub children_a_day: Option<i32>,
    /// Matches a day of each system: 1 to 4,320,000.
    #[validate(range(min = 1, max = 4_320_000))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, minimum = 1, maximum = 4_320_000)]
    pub matches_a_day: Option<i32>,
}

impl OwnLimits {
    /// What holds where an organisation has these of its own and `every` holds for all.
    #[must_use]
    pub fn within(self, every: Limits) -> Limits {
        Limits {
            searches_an_hour: self.searches_an_hour.unwrap_or(every.searches_an_hour),
            searches_a_day: self.searches_a_day.unwrap_or(every.searches_a_day),
            misses_in_a_row: self.misses_in_a_row.unwrap_or(every.misses_in_a_row),
            pause_minutes: self.pause_minutes.unwrap_or(every.pause_minutes),
            children_a_day: self.children_a_day.unwrap_or(every.children_a_day),
            matches_a_day: self.matches_a_day.unwrap_or(every.matches_a_day),
        }
    }
}

/// The budget of an organisation.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    /// Whose it is.
    pub organisation_id: OrganisationId,
    /// What it has of its own.
    pub own: OwnLimits,
    /// What holds for every organisation that has nothing of its own.
    pub every: Limits,
    /// What holds for this one.
    pub limits: Limits,
    /// The version of what it has of its own.
    pub version: i64,
}

impl Budget {
    /// The operator reaches the budget of every organisation, anybody else that of their own.
    pub fn is_reached_by(&self, caller: &Caller) -> Result<(), Problem> {
        if caller.role == Role::Operator || caller.organisation == self.organisation_id {
            return Ok(());
        }
        Err(Problem::new(Kind::Forbidden, "Only your own organisation's budget is yours to see."))
    }

    /// Everybody who reaches it may make it tighter; wider, the operator alone, so that whoever takes over an administrator's
    /// account cannot sweep the index after all.
    pub fn may_be_set_by(&self, caller: &Caller, own: OwnLimits) -> Result<(), Problem> {
        if caller.role == Role::Operator {
            return Ok(());
        }
        let (was, is) = (self.limits, own.within(self.every));
        let wider = [
            ("/searchesAnHour", is.searches_an_hour > was.searches_an_hour),
            ("/searchesADay", is.searches_a_day > was.searches_a_day),
            ("/missesInARow", is.misses_in_a_row > was.misses_in_a_row),
            ("/pauseMinutes", is.pause_minutes < was.pause_minutes),
            ("/childrenADay", is.children_a_day > was.children_a_day),
            ("/matchesADay", is.matches_a_day > was.matches_a_day),
        ];
        match wider.iter().find(|(_, wider)| *wider) {
            Some((limit, _)) => {
                Err(Problem::invalid(*limit, "is made wider by the national operator alone"))
            }
            None => Ok(()),
        }
    }
}
