//! What the detectors see of an event, and what they know beside it.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use linkage::fold::{fold, tokens};
use serde::{Deserialize, Serialize};

use crate::{
    access::Role,
    ids::{AccountId, ChildId, EventId, OrganisationId},
    organisation::OrganisationKind,
};

/// What somebody did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// They opened the record of a child, or a part of it.
    Opened(ChildId),
    /// They searched, and were told of these children.
    Searched(Search, Vec<ChildId>),
    /// They looked past the shield of a child.
    Overrode(ChildId),
}

/// What somebody searched by; of what was said, what the detectors compare.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search {
    /// The family name, folded.
    pub family: Option<String>,
    /// The given names, folded.
    pub given: Option<String>,
    /// The date of birth.
    pub born: Option<NaiveDate>,
    /// The postcode.
    pub postcode: Option<String>,
    /// Whether it found nobody; too many are somebody.
    pub empty: bool,
    /// Whether it repeats, with less exactness, a search that found nobody.
    pub again: bool,
}

/// An event, as the detectors see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its number.
    pub event: EventId,
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub account: AccountId,
    /// Whom they acted for.
    pub organisation: OrganisationId,
    /// What they are to the index.
    pub role: Role,
    /// What they did.
    pub act: Act,
}

/// A person's name, folded: the first given name and the family name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Named {
    /// The first given name.
    pub given: String,
    /// The family name.
    pub family: String,
}

impl Named {
    /// Of a line such as that of an account: the first word, and the last.
    #[must_use]
    pub fn of_line(line: &str) -> Self {
        let words: Vec<_> = line.split_whitespace().collect();
        let given = words.first().filter(|_| words.len() > 1).map(|word| fold(word));
        let family = words.last().map(|word| fold(word)).unwrap_or_default();
        Self { given: given.unwrap_or_default(), family }
    }

    /// Of the parts of a name.
    #[must_use]
    pub fn of(given: &[String], family: &str) -> Self {
        let first = given.first().and_then(|given| tokens(given).into_iter().next());
        Self { given: first.unwrap_or_default(), family: fold(family) }
    }
}

/// What is known of somebody who looks.
#[derive(Debug, Clone)]
pub struct Looker {
    /// Their name.
    pub name: Named,
    /// The kind of body for which they act.
    pub kind: OrganisationKind,
    /// The authority in whose area that works.
    pub authority: Option<OrganisationId>,
}

/// What is known of a child.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The authority that answers for the record.
    pub authority: Option<OrganisationId>,
    /// The family names, folded.
    pub families: Vec<String>,
    /// The carers' names.
    pub carers: Vec<Named>,
}

/// Those who act for one organisation.
#[derive(Debug, Clone, Default)]
pub struct Colleagues(pub HashMap<Named, AccountId>);

/// What is known beside the events.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Those who look.
    pub lookers: HashMap<AccountId, Looker>,
    /// The children.
    pub children: HashMap<ChildId, Known>,
    /// Since which day an organisation is recorded as working with a child.
    pub involved: HashMap<(OrganisationId, ChildId), NaiveDate>,
    /// How large a share of the index bears a family name.
    pub shares: HashMap<String, f64>,
    /// The records that nobody has reason to look at.
    pub canaries: HashSet<ChildId>,
    /// Those who act for the organisations.
    pub colleagues: HashMap<OrganisationId, Colleagues>,
}

impl Facts {
    /// Whether an organisation was recorded as working with a child by the end of a day.
    #[must_use]
    pub fn works_with(&self, organisation: OrganisationId, child: ChildId, by: NaiveDate) -> bool {
        self.involved.get(&(organisation, child)).is_some_and(|since| *since <= by)
    }

    /// Whether somebody has to do with a child by the end of a day: their organisation works with the child, or they are a steward of
    /// the authority that answers for the record.
    #[must_use]
    pub fn has_to_do_with(&self, seen: &Seen, child: ChildId, by: NaiveDate) -> bool {
        let answers = || {
            let known = self.children.get(&child);
            known.is_some_and(|known| known.authority == Some(seen.organisation))
        };
        let keeps = matches!(seen.role, Role::Steward | Role::ShieldApprover);
        self.works_with(seen.organisation, child, by) || (keeps && answers())
    }

    /// How large a share of the index bears a family name; one of which nothing is known is borne by everybody.
    #[must_use]
    pub fn share(&self, family: &str) -> f64 {
        self.shares.get(family).copied().unwrap_or(1.0)
    }

    /// Whose auditor looks after how somebody uses the index: that of the authority in whose area they work, or their own.
    #[must_use]
    pub fn auditor_of(&self, seen: &Seen) -> OrganisationId {
        let authority = self.lookers.get(&seen.account).and_then(|looker| looker.authority);
        authority.unwrap_or(seen.organisation)
    }
}
