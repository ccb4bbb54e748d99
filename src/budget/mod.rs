//! How much anybody may look for and open, so that nobody sweeps the index (security rules E-3 and E-4): what each request spends, and
//! what is told to those who have spent all. It is counted where the look is written down (`scribe`).

use chrono::{DateTime, Utc};

use crate::{
    access::{Caller, Role},
    code::codes,
    digest::sha256,
    ids::ChildId,
    problem::{Kind, Problem},
};

pub mod limits;
pub(crate) mod routes;
mod store;

/// As many times the limits hold for those on emergency duty: practitioners with the right to look past a shield.
const ON_EMERGENCY_DUTY: i32 = 5;
/// How long to wait, in seconds, where it is not known until when.
const A_MINUTE: i64 = 60;

/// Looks for children, by people.
const SEARCHES: [&str; 2] = ["search_children", "search_archive"];
/// Looks for the one child, by systems.
const MATCH: &str = "match_child";
/// Looks at one child.
const OPENINGS: [&str; 13] = [
    "open_child",
    "open_archived",
    "open_involvement",
    "read_history",
    "read_shield",
    "list_carers",
    "list_consents",
    "list_flags",
    "list_holds",
    "list_involvements",
    "list_sources",
    "list_subjects",
    "list_withholdings",
];

/// Whether an operation spends something of a budget.
pub(crate) fn is_limited(operation: &str) -> bool {
    operation == "add_child"
        || operation == MATCH
        || SEARCHES.contains(&operation)
        || OPENINGS.contains(&operation)
}

/// Whether an operation tells of one child.
pub(crate) fn is_opening(operation: &str) -> bool {
    OPENINGS.contains(&operation)
}

/// Whether an operation looks for children, by people.
pub(crate) fn is_search(operation: &str) -> bool {
    SEARCHES.contains(&operation)
}

/// What a request spends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charge {
    /// A search, and whether it told of anybody.
    Search { hit: bool },
    /// A match by a system.
    Match,
    /// The opening of a child, as what this caller and this child are known again by.
    Opening(i64),
}

impl Charge {
    /// What a request spends that ended with this problem, or none, and tells of these children. A search is one whether it
    /// finds nobody, somebody or too many; so is an attempt to add a child who may be here already. What told nothing of
    /// anybody spends nothing: nobody prolongs a wait by knocking.
    pub(crate) fn of(
        caller: &Caller,
        operation: &str,
        problem: Option<&str>,
        children: &[ChildId],
    ) -> Option<Self> {
        let person = caller.account().is_some();
        let many = Kind::TooManyMatches.slug();
        match problem {
            None if SEARCHES.contains(&operation) => {
                Some(Self::Search { hit: !children.is_empty() })
            }
            Some(problem) if SEARCHES.contains(&operation) => {
                (problem == many).then_some(Self::Search { hit: true })
            }
            Some(problem) if operation == "add_child" && person => {
                let met = problem == Kind::PossibleDuplicate.slug();
                met.then_some(Self::Search { hit: true })
            }
            None if operation == MATCH => Some(Self::Match),
            None if OPENINGS.contains(&operation) && person => {
                children.first().map(|child| Self::Opening(known_by(caller, *child)))
            }
            _ => None,
        }
    }

    /// Its name in the database.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Search { .. } => "search",
            Self::Match => "match",
            Self::Opening(_) => "opening",
        }
    }
}

/// Neither caller nor child can be read of it.
fn known_by(caller: &Caller, child: ChildId) -> i64 {
    let hash = sha256(&[caller.subject.uuid().as_bytes(), child.0.as_bytes().as_slice()].concat());
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    i64::from_be_bytes(first)
}

/// How many times the limits hold for a caller.
pub(crate) fn factor(caller: &Caller) -> i32 {
    if caller.role == Role::PractitionerWithOverride { ON_EMERGENCY_DUTY } else { 1 }
}

codes! {
    /// A limit that is reached.
    Exceeded {
        /// You have searched as often within an hour as you may.
        SearchesAnHour = "searchesAnHour",
        /// You have searched as often today as you may.
        SearchesADay = "searchesADay",
        /// Your searches found nobody as often in a row as they may.
        Misses = "misses",
        /// You have opened the records of as many children today as you may.
        ChildrenADay = "childrenADay",
        /// Those of your organisation have searched as often today as they may together.
        SearchesTogether = "searchesTogether",
        /// Those of your organisation have opened the records of as many children today as they may together.
        ChildrenTogether = "childrenTogether",
        /// This system has matched as often today as it may.
        MatchesADay = "matchesADay",
    }
}

impl Exceeded {
    /// The refusal of a request that began at `now`.
    pub(crate) fn problem(self, until: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Problem {
        let millis = until.map_or(A_MINUTE * 1000, |until| (until - now).num_milliseconds());
        let seconds = u32::try_from((millis + 999).div_euclid(1000)).unwrap_or(0).max(1);
        Problem::new(Kind::OverBudget, self.meaning()).retry_after(seconds)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use uuid::Uuid;

    use super::*;
    use crate::{
        access::Subject,
        ids::{AccountId, ClientId, OrganisationId, SessionId},
    };

    fn caller(subject: Subject, role: Role) -> Caller {
        Caller {
            subject,
            actor: None,
            organisation: OrganisationId::new(),
            authority: None,
            role,
            session: SessionId::new(),
            token: Uuid::nil(),
            authenticated_at: DateTime::UNIX_EPOCH,
            proof: None,
        }
    }

    #[test]
    fn what_tells_of_nobody_spends_nothing_and_a_search_is_one_whatever_it_finds() {
        let person = caller(Subject::Account(AccountId::new()), Role::Practitioner);
        let system = caller(Subject::Client(ClientId::new()), Role::Feed);
        let child = [ChildId::new()];
        let hit = |hit| Some(Charge::Search { hit });
        for (who, operation, problem, children, charge) in [
            (&person, "search_children", None, &[][..], hit(false)),
            (&person, "search_children", None, &child[..], hit(true)),
            (&person, "search_children", Some("too-many-matches"), &[], hit(true)),
            (&person, "search_archive", None, &[], hit(false)),
            (&person, "add_child", Some("possible-duplicate"), &child, hit(true)),
            (&person, "add_child", None, &child, None),
            (&person, "search_children", Some("too-little-to-search-by"), &[], None),
            (&person, "search_children", Some("over-budget"), &child, None),
            (&person, "open_child", Some("not-found"), &[], None),
            (&person, "open_child", Some("over-budget"), &child, None),
            (&person, "correct_child", None, &child, None),
            (&system, "match_child", None, &[], Some(Charge::Match)),
            (&system, "match_child", Some("over-budget"), &child, None),
            (&system, "open_involvement", None, &child, None),
        ] {
            assert_eq!(Charge::of(who, operation, problem, children), charge, "{operation}");
        }
    }

    #[test]
    fn a_child_is_known_again_by_the_same_caller_alone() {
        let [one, other] = [(); 2].map(|()| ChildId::new());
        let [me, you] = [(); 2]
            .map(|()| caller(Subject::Account(AccountId::new()), Role::PractitionerWithOverride));
        let open = |who, child| Charge::of(who, "open_child", None, &[child]);
        assert_eq!(open(&me, one), Charge::of(&me, "list_flags", None, &[one]));
        assert_ne!(open(&me, one), open(&me, other));
        assert_ne!(open(&me, one), open(&you, one));
        assert_eq!(factor(&me), 5);
    }

    #[test]
    fn a_part_of_a_second_is_waited_for_whole() {
        let now = DateTime::UNIX_EPOCH;
        for (millis, told) in [(-5, "1"), (1, "1"), (1000, "1"), (1001, "2")] {
            let problem =
                Exceeded::Misses.problem(Some(now + TimeDelta::milliseconds(millis)), now);
            let header = problem.told(None).headers().get("retry-after").cloned();
            assert_eq!(header.unwrap(), told);
        }
    }
}
