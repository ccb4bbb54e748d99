//! What is kept of those beside the one who looks: of a role, an organisation, and whoever looks at one child.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Threshold, chance::Habit};
use crate::ids::{AccountId, EventId, OrganisationId};

/// What is kept of an organisation.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Body {
    /// How many children its people open on a day with whom it does not work.
    pub habit: Habit,
    /// Of the children opened first on a day, a month ago and more: how many, and with how many it has worked since.
    pub settled: BTreeMap<NaiveDate, (u32, u32)>,
}

/// As many days of what is settled as are kept.
pub(super) const KEPT: TimeDelta = TimeDelta::days(70);

impl Body {
    /// Notes what became of an opening.
    pub(super) fn settle(&mut self, day: NaiveDate, followed: bool) {
        let (all, of_them) = self.settled.entry(day).or_default();
        *all += 1;
        *of_them += u32::from(followed);
    }

    /// Whether it has opened many and worked with hardly any, of those opened within the days up to one of which it is known.
    pub(super) fn opens_for_nothing(&mut self, until: NaiveDate, rule: Threshold) -> bool {
        self.settled.retain(|day, _| *day + KEPT > until);
        let from = until - TimeDelta::days(rule.days());
        let within = self.settled.range(from..=until);
        let (all, followed) = within.fold((0, 0), |sum, (_, day)| (sum.0 + day.0, sum.1 + day.1));
        rule.on && all >= rule.least && f64::from(followed) < rule.limit * f64::from(all)
    }
}

/// Somebody who opened a child.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct By {
    organisation: OrganisationId,
    account: AccountId,
    event: EventId,
    at: DateTime<Utc>,
}

/// Who opened a child of late.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Looked(Vec<By>);

/// Longer is not kept who opened a child.
pub(super) const OF_LATE: TimeDelta = TimeDelta::minutes(60);

impl Looked {
    /// Notes that somebody opened the child; says who has, where they are of too many organisations.
    pub(super) fn add(
        &mut self,
        by: (OrganisationId, AccountId, EventId, DateTime<Utc>),
        rule: Threshold,
    ) -> Option<(Vec<AccountId>, Vec<EventId>)> {
        let (organisation, account, event, at) = by;
        let since = at - rule.within().min(OF_LATE);
        self.0.retain(|by| by.at >= since && (by.account != account || by.at > at));
        self.0.push(By { organisation, account, event, at });
        let organisations: BTreeSet<_> = self.0.iter().map(|by| by.organisation).collect();
        let many = u32::try_from(organisations.len()).is_ok_and(|many| many >= rule.least);
        (rule.on && many).then(|| self.0.iter().map(|by| (by.account, by.event)).unzip())
    }
}
