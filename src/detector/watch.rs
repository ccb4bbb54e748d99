//! What is kept of everybody, and what each event adds to it and shows.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};

use super::{
    Detector, Finding, Rules,
    chance::{Habit, so_often},
    others::{Body, Looked},
    person::{Namesake, Person},
    seen::{Act, Facts, Search, Seen},
};
use crate::{
    access::Role,
    clock::day_in_london,
    ids::{AccountId, ChildId, EventId, OrganisationId},
    organisation::OrganisationKind,
};

/// How many of those who have a carer of a family name have one of that given name also: one in fifty, for each of two carers.
const WHOLE: f64 = 0.04;
/// No family name of a colleague counts for rarer than one in 2,000: among many there always is a rare one.
const RAREST: f64 = 0.0005;

/// Those of one role in one kind of body.
pub type Peers = (Role, OrganisationKind);

/// What is kept of everybody.
#[derive(Debug, Clone, Default)]
pub struct States {
    /// Of those who look.
    pub people: HashMap<AccountId, Person>,
    /// Of those of one role in one kind of body: how many strangers they open on a day.
    pub peers: HashMap<Peers, Habit>,
    /// Of organisations.
    pub bodies: HashMap<OrganisationId, Body>,
    /// Of children who were opened of late.
    pub children: HashMap<ChildId, Looked>,
}

/// An event that is looked at, with what is known.
struct Look<'a> {
    seen: &'a Seen,
    day: NaiveDate,
    facts: &'a Facts,
    rules: &'a Rules,
    found: Vec<Finding>,
}

impl Look<'_> {
    fn find(&mut self, detector: Detector, child: Option<ChildId>, events: Vec<EventId>) {
        self.found.push(Finding {
            detector,
            at: self.seen.at,
            day: self.day,
            account: self.seen.account,
            organisation: self.seen.organisation,
            looked_after_by: self.facts.auditor_of(self.seen),
            child,
            events: if events.is_empty() { vec![self.seen.event] } else { events },
            also: Vec::new(),
        });
    }
}

impl States {
    /// Takes in an event; tells what it shows.
    pub fn see(&mut self, seen: &Seen, facts: &Facts, rules: &Rules) -> Vec<Finding> {
        let Some(looker) = facts.lookers.get(&seen.account) else { return Vec::new() };
        let day = day_in_london(seen.at);
        let mut look = Look { seen, day, facts, rules, found: Vec::new() };
        let peers = (seen.role, looker.kind);
        let person = self.people.entry(seen.account).or_default();
        if let Some((over, strangers)) = person.turn_to(day) {
            self.peers.entry(peers).or_default().add(over, strangers);
            self.bodies.entry(seen.organisation).or_default().habit.add(over, strangers);
        }
        match &seen.act {
            Act::Opened(child) => self.opened(&mut look, *child, peers),
            Act::Searched(search, found) => self.searched(&mut look, search, found),
            Act::Overrode(child) => {
                if rules.of(Detector::Override).on {
                    look.find(Detector::Override, Some(*child), Vec::new());
                }
            }
        }
        look.found
    }

    fn opened(&mut self, look: &mut Look<'_>, child: ChildId, peers: Peers) {
        let (seen, facts, rules) = (look.seen, look.facts, look.rules);
        let known = facts.children.get(&child);
        let stranger = !facts.has_to_do_with(seen, child, look.day);
        let own = facts.lookers.get(&seen.account).and_then(|looker| looker.authority);
        let elsewhere = own.is_some() && known.is_some_and(|known| known.authority != own);
        let role = self.peers.entry(peers).or_default();
        let body = self.bodies.entry(seen.organisation).or_default();
        let person = self.people.entry(seen.account).or_default();
        let opening = person.open(child, elsewhere, stranger);
        if stranger {
            named(look, person, child);
            let measure = rules.of(Detector::OneChild);
            let within = opening.last - opening.on < measure.within();
            if measure.on && within && opening.days >= measure.least {
                look.find(Detector::OneChild, Some(child), Vec::new());
            }
            if person.bursts(role, &body.habit, rules.of(Detector::Burst)) {
                look.find(Detector::Burst, None, Vec::new());
            }
        }
        come_upon(look, &[child]);
        let by = (seen.organisation, seen.account, seen.event, seen.at);
        let measure = rules.of(Detector::ManyOrganisations);
        if let Some((mut who, events)) = self.children.entry(child).or_default().add(by, measure) {
            who.retain(|who| *who != seen.account);
            look.find(Detector::ManyOrganisations, Some(child), events);
            let answers = known.and_then(|known| known.authority);
            if let Some(found) = look.found.last_mut() {
                found.also = who;
                found.looked_after_by = answers.unwrap_or(found.looked_after_by);
            }
        }
    }

    fn searched(&mut self, look: &mut Look<'_>, search: &Search, found: &[ChildId]) {
        let (seen, facts, rules) = (look.seen, look.facts, look.rules);
        let person = self.people.entry(seen.account).or_default();
        person.search(seen.at, seen.event, search);
        let rule = rules.of(Detector::OwnFamily);
        let own = facts.lookers.get(&seen.account).map(|looker| &looker.name.family);
        if let Some(own) = own.filter(|own| search.family.as_ref() == Some(*own) && !own.is_empty())
        {
            let (_, searches) = person.in_a_year(rule.least);
            let works = found.iter().any(|child| facts.has_to_do_with(seen, *child, look.day));
            if rule.on && !works && so_often(1, searches * facts.share(own)) <= rule.limit {
                look.find(Detector::OwnFamily, None, Vec::new());
            }
        }
        if let Some(events) = person.sweeps(seen.at, rules.of(Detector::Sweep)) {
            look.find(Detector::Sweep, None, events);
        }
        if person.searches_in_vain(rules.of(Detector::EmptySearches)) {
            look.find(Detector::EmptySearches, None, Vec::new());
        }
        come_upon(look, found);
    }

    /// Takes in what became of the openings of somebody whose month is over; tells what that shows.
    pub fn settle(
        &mut self,
        (account, organisation): (AccountId, OrganisationId),
        now: DateTime<Utc>,
        facts: &Facts,
        rules: &Rules,
    ) -> Vec<Finding> {
        let today = day_in_london(now);
        let Some(person) = self.people.get_mut(&account) else { return Vec::new() };
        let body = self.bodies.entry(organisation).or_default();
        let mut until = None;
        for child in person.due(today) {
            let works_with = |by| facts.works_with(organisation, child, by);
            if let Some((day, followed)) = person.settle(child, works_with) {
                body.settle(day, followed);
                until = until.max(Some(day));
            }
        }
        let Some(until) = until else { return Vec::new() };
        let authority = facts.lookers.get(&account).and_then(|looker| looker.authority);
        let finding = |detector| Finding {
            detector,
            at: now,
            day: today,
            account,
            organisation,
            looked_after_by: authority.unwrap_or(organisation),
            child: None,
            events: Vec::new(),
            also: Vec::new(),
        };
        let elsewhere = person.looks_elsewhere(until, rules.of(Detector::OutOfArea));
        let for_nothing = body.opens_for_nothing(until, rules.of(Detector::Purpose));
        let found = [(elsewhere, Detector::OutOfArea), (for_nothing, Detector::Purpose)];
        found.into_iter().filter(|(is, _)| *is).map(|(_, detector)| finding(detector)).collect()
    }
}

/// Whether the child bears the name of whoever looks, or a carer theirs or that of a colleague, and that on more days than is likely by
/// chance: the rarer the name, the fewer strangers they open and the oftener it happens, the less.
fn named(look: &mut Look<'_>, person: &mut Person, child: ChildId) {
    let (facts, rules) = (look.facts, look.rules);
    let (Some(known), Some(looker)) =
        (facts.children.get(&child), facts.lookers.get(&look.seen.account))
    else {
        return;
    };
    let (own, rule) = (&looker.name, rules.of(Detector::OwnFamily));
    let (among, _) = person.in_a_year(rule.least);
    let mut likely: f64 = 1.0;
    if !own.family.is_empty() && known.families.contains(&own.family) {
        let by_chance = among * facts.share(&own.family);
        likely = likely.min(so_often(person.meets(Namesake::Family), by_chance));
    }
    if known.carers.contains(own) {
        let by_chance = among * facts.share(&own.family) * WHOLE;
        likely = likely.min(so_often(person.meets(Namesake::Oneself), by_chance));
    }
    if rule.on && likely <= rule.limit {
        look.find(Detector::OwnFamily, Some(child), Vec::new());
    }
    let rule = rules.of(Detector::Colleague);
    let Some(colleagues) = facts.colleagues.get(&look.seen.organisation) else { return };
    let met = known.carers.iter().filter(|carer| *carer != own).find(|carer| {
        colleagues.0.get(*carer).is_some_and(|colleague| *colleague != look.seen.account)
    });
    let Some(met) = met else { return };
    let (among, _) = person.in_a_year(rule.least);
    let many = f64::from(u32::try_from(colleagues.0.len()).unwrap_or(u32::MAX));
    let by_chance = among * many * facts.share(&met.family).max(RAREST) * WHOLE;
    let likely = so_often(person.meets(Namesake::Colleague), by_chance);
    if rule.on && likely <= rule.limit {
        look.find(Detector::Colleague, Some(child), Vec::new());
    }
}

fn come_upon(look: &mut Look<'_>, children: &[ChildId]) {
    let canary = children.iter().find(|child| look.facts.canaries.contains(child));
    if let Some(child) = canary.filter(|_| look.rules.of(Detector::Canary).on) {
        look.find(Detector::Canary, Some(*child), Vec::new());
    }
}
