use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::{
    Detector, Finding, Rules,
    seen::{Act, Colleagues, Facts, Known, Looker, Named, Search, Seen},
    watch::States,
};
use crate::{
    access::Role,
    ids::{AccountId, ChildId, EventId, OrganisationId},
    organisation::OrganisationKind,
};

/// A school with one who looks, and a council.
struct Index {
    states: States,
    facts: Facts,
    rules: Rules,
    school: OrganisationId,
    council: OrganisationId,
    who: AccountId,
    now: DateTime<Utc>,
}

impl Index {
    fn new() -> Self {
        let (school, council, who) =
            (OrganisationId::new(), OrganisationId::new(), AccountId::new());
        let mut index = Self {
            states: States::default(),
            facts: Facts::default(),
            rules: Rules::default(),
            school,
            council,
            who,
            now: "2026-11-16T09:30:00Z".parse().unwrap(),
        };
        index.looker(who, "Jo Rarely");
        index
    }

    fn looker(&mut self, account: AccountId, name: &str) {
        let name = Named::of_line(name);
        let Colleagues(of) = self.facts.colleagues.entry(self.school).or_default();
        of.insert(name.clone(), account);
        let authority = Some(self.council);
        let looker = Looker { name, kind: OrganisationKind::School, authority };
        self.facts.lookers.insert(account, looker);
    }

    fn child(&mut self, family: &str, carer: &str) -> ChildId {
        let id = ChildId::new();
        let carers = vec![Named::of_line(carer)];
        let families = vec![Named::of_line(family).family];
        let known = Known { authority: Some(self.council), families, carers };
        self.facts.children.insert(id, known);
        id
    }

    fn does(&mut self, account: AccountId, act: Act) -> Vec<Finding> {
        let seen = Seen {
            event: EventId::new(),
            at: self.now,
            account,
            organisation: self.school,
            role: Role::Practitioner,
            act,
        };
        self.states.see(&seen, &self.facts, &self.rules)
    }

    fn opens(&mut self, child: ChildId) -> Vec<Detector> {
        let found = self.does(self.who, Act::Opened(child));
        found.iter().map(|finding| finding.detector).collect()
    }

    fn next_day(&mut self) {
        self.now += TimeDelta::days(1);
    }
}

#[test]
fn a_rare_name_counts_a_frequent_one_does_not_and_the_more_strangers_the_rarer_it_must_be() {
    let mut index = Index::new();
    index.facts.shares.insert("rarely".into(), 5e-5);
    let own = index.child("Rarely", "Ann Other");
    assert_eq!(index.opens(own), [Detector::OwnFamily]);
    index.facts.shares.insert("rarely".into(), 1e-2);
    index.next_day();
    let another = index.child("Rarely", "Ann Other");
    assert_eq!(index.opens(another), []);
    let mut index = Index::new();
    index.facts.shares.insert("rarely".into(), 5e-5);
    for n in 0..60 {
        if n % 10 == 0 {
            index.next_day();
        }
        let stranger = index.child("Else", "Ann Other");
        assert_eq!(index.opens(stranger), []);
    }
    let third = index.child("Rarely", "Ann Other");
    assert_eq!(index.opens(third), [], "who opens so many strangers meets the name by chance");
    index.next_day();
    assert_eq!(index.opens(third), [Detector::OwnFamily], "but not on another day again");
}

#[test]
fn a_child_with_whom_the_organisation_works_is_no_stranger() {
    let mut index = Index::new();
    index.facts.shares.insert("rarely".into(), 1e-6);
    let own = index.child("Rarely", "Jo Rarely");
    let day: NaiveDate = "2026-11-16".parse().unwrap();
    index.facts.involved.insert((index.school, own), day);
    assert_eq!(index.opens(own), []);
    index.now -= TimeDelta::days(1);
    let mut before = Index { states: States::default(), ..index };
    assert_eq!(before.opens(own), [Detector::OwnFamily], "it was one the day before");
}

#[test]
fn a_colleague_is_known_by_the_whole_name_and_not_oneself() {
    let mut index = Index::new();
    index.looker(AccountId::new(), "Kim Seldom");
    index.facts.shares.insert("seldom".into(), 1e-4);
    let theirs = index.child("Else", "Kim Seldom");
    assert_eq!(index.opens(theirs), [Detector::Colleague]);
    let other = index.child("Else", "Pat Seldom");
    assert_eq!(index.opens(other), []);
}

#[test]
fn a_search_that_is_repeated_less_exactly_counts_once_and_few_in_vain_are_nothing() {
    let mut index = Index::new();
    let empty = Search { empty: true, ..Search::default() };
    let again = Search { again: true, ..Search::default() };
    for _ in 0..40 {
        for search in [&empty, &again] {
            let found = index.does(index.who, Act::Searched(search.clone(), Vec::new()));
            assert_eq!(found, []);
        }
    }
    let other = AccountId::new();
    index.looker(other, "Pat Seldom");
    let mut found = 0;
    for n in 1..=20 {
        found = index.does(other, Act::Searched(empty.clone(), Vec::new())).len();
        assert_eq!(found, usize::from(n == 20), "{n}");
    }
    assert_eq!(found, 1);
}

#[test]
fn who_comes_back_on_six_days_to_one_stranger_is_found_and_two_visits_a_day_are_one() {
    let mut index = Index::new();
    let child = index.child("Else", "Ann Other");
    for day in 1..=6 {
        for _ in 0..2 {
            let found = index.opens(child);
            assert_eq!(found.contains(&Detector::OneChild), day == 6, "{day}");
        }
        index.next_day();
    }
}

#[test]
fn a_burst_is_beyond_what_is_usual_of_the_role_and_of_oneself() {
    let mut index = Index::new();
    let others: Vec<_> = (0..30).map(|_| AccountId::new()).collect();
    for (n, other) in others.iter().enumerate() {
        index.looker(*other, &format!("Pat Other{n}"));
    }
    for _ in 0..8 {
        for other in &others {
            let child = index.child("Else", "Ann Other");
            index.does(*other, Act::Opened(child));
        }
        let child = index.child("Else", "Ann Other");
        index.opens(child);
        index.next_day();
    }
    let mut found = Vec::new();
    for n in 1..=60 {
        let child = index.child("Else", "Ann Other");
        found = index.opens(child);
        assert_eq!(found.contains(&Detector::Burst), n == 60, "{n}");
    }
    assert_eq!(found, [Detector::Burst]);
}

#[test]
fn windows_are_kept_as_they_are() {
    let mut index = Index::new();
    let child = index.child("Else", "Ann Other");
    index.opens(child);
    let search = Search { family: Some("else".into()), ..Search::default() };
    index.does(index.who, Act::Searched(search, vec![child]));
    let person = &index.states.people[&index.who];
    let kept = serde_json::to_value(person).unwrap();
    let again: super::person::Person = serde_json::from_value(kept.clone()).unwrap();
    assert_eq!(serde_json::to_value(&again).unwrap(), kept);
}
