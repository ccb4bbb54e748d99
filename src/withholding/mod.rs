//! Looks that a child, or a carer, is told later, because the law lets them be withheld for a while.

use chrono::{DateTime, Months, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use crate::{
    code::codes,
    ids::WithholdingId,
    problem::{Kind, Problem},
};

pub mod routes;
pub(crate) mod store;

/// How long looks are withheld before somebody must say again that they are.
const REVIEWED: Months = Months::new(3);

codes! {
    /// Why looks are told later.
    WithholdingGround {
        /// To tell them would be likely to cause serious harm to the health of somebody (Data Protection Act 2018, schedule 3).
        SeriousHarm = "seriousHarm",
        /// To tell them would be likely to prejudice the prevention or detection of a crime (Data Protection Act 2018, schedule 2, paragraph 2).
        Crime = "crime",
    }
}

/// Why looks are to be told later.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "ground": "seriousHarm" }))]
pub struct WithholdingIn {
    /// Why.
    pub ground: WithholdingGround,
}

/// Whether looks are still told later.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "continues": false }))]
pub struct WithholdingChange {
    /// Whether the ground still holds, for 3 months from today; otherwise the looks are told from now on.
    pub continues: bool,
}

/// Why looks at a child are told later: those of enquiries into the child's safety and those past a shield, from 28 days before it was
/// placed.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Withholding {
    /// Its number.
    pub id: WithholdingId,
    /// Why.
    pub ground: WithholdingGround,
    /// When it was placed.
    pub placed_at: DateTime<Utc>,
    /// The last day on which it holds, unless somebody says before that the ground still holds.
    pub review_on: NaiveDate,
    /// When somebody said that the ground no longer holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub ended_at: Option<DateTime<Utc>>,
    /// Its version, which is its `ETag`.
    #[schema(example = 1)]
    pub version: i64,
}

impl Withholding {
    /// Says that the ground still holds, or holds no more.
    pub fn change(
        &mut self,
        change: WithholdingChange,
        now: DateTime<Utc>,
        today: NaiveDate,
    ) -> Result<(), Problem> {
        if self.ended_at.is_some() || self.review_on < today {
            return Err(Kind::WithholdingEnded.into());
        }
        if change.continues {
            self.review_on = review_on(today);
        } else {
            self.ended_at = Some(now);
        }
        self.version += 1;
        Ok(())
    }
}

/// The last day of a withholding that is placed, or confirmed, on a day.
#[must_use]
pub fn review_on(today: NaiveDate) -> NaiveDate {
    today.checked_add_months(REVIEWED).unwrap_or(NaiveDate::MAX)
}

/// The withholdings of a record.
#[derive(Debug, Serialize, ToSchema)]
pub struct Withholdings {
    /// Those in force and those that were, the latest first.
    pub items: Vec<Withholding>,
}
