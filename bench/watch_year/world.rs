//! The organisations, the people, the households and who works with whom when the year begins.

use std::collections::HashMap;

use chrono::NaiveDate;
use contactpoint::{
    access::Role,
    detector::seen::{Act, Colleagues, Facts, Known, Looker, Named, Search, Seen},
    ids::{AccountId, ChildId, OrganisationId},
    organisation::OrganisationKind,
};
use linkage::fold::fold;

use crate::{
    Deed,
    chance::{Chance, Weighted},
};

const FAMILY: &str = include_str!("../../crates/population/data/family-names.csv");
const GIVEN: &str = include_str!("../../data/given-names-england-wales.csv");

/// Areas, and the children of each.
const AREAS: usize = 6;
const CHILDREN: usize = 40_000;
/// So many people in a thousand are parents of children of the area.
const PARENTS: f64 = 0.4;

/// How somebody works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    Teacher,
    Admissions,
    SocialWorker,
    Hub,
    OutOfHours,
    Steward,
    PracticeNurse,
    Emergency,
    CommunityNurse,
    Trader,
}

impl Work {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Teacher => "teacher",
            Self::Admissions => "admissions",
            Self::SocialWorker => "socialWorker",
            Self::Hub => "safeguardingHub",
            Self::OutOfHours => "outOfHoursTeam",
            Self::Steward => "steward",
            Self::PracticeNurse => "practiceNurse",
            Self::Emergency => "emergencyDepartment",
            Self::CommunityNurse => "communityNurse",
            Self::Trader => "trader",
        }
    }
}

pub(crate) struct Person {
    pub(crate) account: AccountId,
    pub(crate) organisation: OrganisationId,
    pub(crate) body: usize,
    pub(crate) role: Role,
    pub(crate) work: Work,
    pub(crate) name: Named,
}

pub(crate) struct Body {
    pub(crate) id: OrganisationId,
    pub(crate) kind: OrganisationKind,
    pub(crate) area: usize,
    /// The children with whom it works when the year begins, and since.
    pub(crate) caseload: Vec<usize>,
}

pub(crate) struct Child {
    pub(crate) id: ChildId,
    pub(crate) household: usize,
    pub(crate) given: String,
    pub(crate) family: String,
    pub(crate) born: NaiveDate,
}

pub(crate) struct World {
    pub(crate) people: Vec<Person>,
    pub(crate) bodies: Vec<Body>,
    pub(crate) children: Vec<Child>,
    /// The children of each household.
    pub(crate) households: Vec<Vec<usize>>,
    /// The household of somebody's own children.
    pub(crate) own: HashMap<usize, usize>,
    /// Of each area, where its children begin and end.
    pub(crate) areas: Vec<(usize, usize)>,
    pub(crate) facts: Facts,
    family: Weighted,
    given: Weighted,
    by_account: HashMap<AccountId, usize>,
}

type Fault = Box<dyn std::error::Error>;

fn weighted(csv: &str, name: usize, weight: usize) -> Weighted {
    let lines = csv.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
    Weighted::of(lines.filter_map(|cells| {
        Some(((*cells.get(name)?).to_owned(), cells.get(weight)?.parse().ok()?))
    }))
}

impl World {
    pub(crate) fn new(chance: &mut Chance) -> Result<Self, Fault> {
        let mut world = Self {
            people: Vec::new(),
            bodies: Vec::new(),
            children: Vec::new(),
            households: Vec::new(),
            own: HashMap::new(),
            areas: Vec::new(),
            facts: Facts::default(),
            family: weighted(FAMILY, 0, 1),
            given: weighted(GIVEN, 1, 2),
            by_account: HashMap::new(),
        };
        for area in 0..AREAS {
            world.area(area, chance)?;
        }
        let mut counts: HashMap<&str, u32> = HashMap::new();
        for child in &world.children {
            *counts.entry(child.family.as_str()).or_default() += 1;
        }
        let all = f64::from(u32::try_from(world.children.len())?);
        let shares =
            counts.iter().map(|(name, count)| ((*name).to_owned(), f64::from(*count) / all));
        world.facts.shares = shares.collect();
        Ok(world)
    }

    /// A council, seven schools, a practice and a trust with their people; the households, some of them their own; who works with whom.
    fn area(&mut self, area: usize, chance: &mut Chance) -> Result<(), Fault> {
        use OrganisationKind::{GpPractice, HealthTrust, LocalAuthority, School};
        let council = OrganisationId::new();
        let first = self.people.len();
        let body = self.body(council, LocalAuthority, area);
        for (work, many) in
            [(Work::SocialWorker, 60), (Work::Hub, 8), (Work::OutOfHours, 7), (Work::Steward, 5)]
        {
            self.staff(body, council, work, many, chance);
        }
        for n in 0..7 {
            let body = self.body(OrganisationId::new(), School, area);
            self.staff(body, council, Work::Teacher, if n == 0 { 12 } else { 6 }, chance);
            self.staff(body, council, Work::Admissions, if n == 0 { 3 } else { 1 }, chance);
        }
        let body = self.body(OrganisationId::new(), GpPractice, area);
        self.staff(body, council, Work::PracticeNurse, 12, chance);
        let body = self.body(OrganisationId::new(), HealthTrust, area);
        self.staff(body, council, Work::Emergency, 22, chance);
        self.staff(body, council, Work::CommunityNurse, 29, chance);

        let begins = self.children.len();
        for parent in first..self.people.len() {
            if chance.is(PARENTS) {
                let household = self.household(council, Some(parent), chance)?;
                self.own.insert(parent, household);
            }
        }
        while self.children.len() < begins + CHILDREN {
            self.household(council, None, chance)?;
        }
        self.areas.push((begins, self.children.len()));
        let before = NaiveDate::from_ymd_opt(2025, 9, 1).ok_or("no day")?;
        for body in 0..self.bodies.len() {
            if self.bodies[body].area != area {
                continue;
            }
            let many = match self.bodies[body].kind {
                LocalAuthority => 3_000,
                School => 300 + chance.below(900),
                GpPractice => 2_500,
                _ => 1_500,
            };
            for _ in 0..many {
                let child = self.anybody(area, chance);
                self.begin_work(body, child, before);
            }
        }
        Ok(())
    }

    fn body(&mut self, id: OrganisationId, kind: OrganisationKind, area: usize) -> usize {
        self.bodies.push(Body { id, kind, area, caseload: Vec::new() });
        self.bodies.len() - 1
    }

    fn staff(
        &mut self,
        body: usize,
        council: OrganisationId,
        work: Work,
        many: usize,
        chance: &mut Chance,
    ) {
        for _ in 0..many {
            self.hire(body, Some(council), work, chance);
        }
    }

    fn hire(
        &mut self,
        body: usize,
        authority: Option<OrganisationId>,
        work: Work,
        chance: &mut Chance,
    ) -> usize {
        let account = AccountId::new();
        let Body { id: organisation, kind, .. } = self.bodies[body];
        let given = self.given.draw(chance).to_owned();
        let name = Named::of(&[given], self.family.draw(chance));
        let role = if work == Work::Steward { Role::Steward } else { Role::Practitioner };
        let Colleagues(of) = self.facts.colleagues.entry(organisation).or_default();
        of.insert(name.clone(), account);
        self.facts.lookers.insert(account, Looker { name: name.clone(), kind, authority });
        self.by_account.insert(account, self.people.len());
        self.people.push(Person { account, organisation, body, role, work, name });
        self.people.len() - 1
    }

    /// A firm that has access and works with no child.
    pub(crate) fn firm(&mut self, area: usize, chance: &mut Chance) -> usize {
        let council = self.bodies.iter().find(|body| body.area == area).map(|body| body.id);
        let body = self.body(OrganisationId::new(), OrganisationKind::Charity, area);
        self.hire(body, council, Work::Trader, chance)
    }

    fn household(
        &mut self,
        council: OrganisationId,
        parent: Option<usize>,
        chance: &mut Chance,
    ) -> Result<usize, Fault> {
        let of_parent = parent.map(|parent| self.people[parent].name.clone());
        let drawn = fold(self.family.draw(chance));
        let family = of_parent.as_ref().map_or(drawn, |name| name.family.clone());
        let mut carers = Vec::new();
        for n in 0..2 {
            let given = self.given.draw(chance).to_owned();
            let other =
                if chance.is(0.25) { fold(self.family.draw(chance)) } else { family.clone() };
            let named = Named::of(&[given], &other);
            match &of_parent {
                Some(name) if n == 0 => carers.push(name.clone()),
                _ if n == 0 || chance.is(0.7) => carers.push(named),
                _ => {}
            }
        }
        let household = self.households.len();
        let mut of_it = Vec::new();
        for _ in 0..1 + usize::from(chance.is(0.55)) + usize::from(chance.is(0.2)) {
            let id = ChildId::new();
            let age = u64::try_from(chance.below(6_500))?;
            let born =
                NaiveDate::from_ymd_opt(2025, 12, 1).ok_or("no day")? - chrono::Days::new(age);
            let given = fold(self.given.draw(chance));
            let known = Known {
                authority: Some(council),
                families: vec![family.clone()],
                carers: carers.clone(),
            };
            self.facts.children.insert(id, known);
            of_it.push(self.children.len());
            let family = family.clone();
            self.children.push(Child { id, household, given, family, born });
        }
        self.households.push(of_it);
        Ok(household)
    }

    /// A fictitious record of an area, which nobody has reason to look at.
    pub(crate) fn canary(&mut self, area: usize, chance: &mut Chance) -> Result<usize, Fault> {
        let council = self.bodies.iter().find(|body| body.area == area);
        let council = council.map(|body| body.id).ok_or("no council")?;
        let household = self.household(council, None, chance)?;
        let children = self.households[household].clone();
        self.facts.canaries.extend(children.iter().map(|child| self.children[*child].id));
        Ok(children[0])
    }

    /// Whether an organisation works with a child, ever.
    pub(crate) fn has_to_do_with(&self, who: usize, child: usize) -> bool {
        let key = (self.people[who].organisation, self.children[child].id);
        self.facts.involved.contains_key(&key)
    }

    /// A child of an area, whoever.
    pub(crate) fn anybody(&self, area: usize, chance: &mut Chance) -> usize {
        let (begins, ends) = self.areas[area];
        begins + chance.below(ends - begins)
    }

    /// An organisation begins to work with a child on a day.
    pub(crate) fn begin_work(&mut self, body: usize, child: usize, on: NaiveDate) {
        let key = (self.bodies[body].id, self.children[child].id);
        let since = self.facts.involved.entry(key).or_insert(on);
        *since = on.min(*since);
        self.bodies[body].caseload.push(child);
    }

    pub(crate) fn organisation_of(&self, account: AccountId) -> OrganisationId {
        self.people[self.by_account[&account]].organisation
    }

    /// What the detectors see of a deed.
    pub(crate) fn seen(&self, deed: Deed) -> Seen {
        let person = &self.people[deed.who];
        Seen {
            event: crate::event(),
            at: deed.at,
            account: person.account,
            organisation: person.organisation,
            role: person.role,
            act: deed.act,
        }
    }

    /// A search by names and date of birth, as it is for this child.
    pub(crate) fn search_for(&self, child: usize) -> Search {
        let child = &self.children[child];
        Search {
            family: Some(child.family.clone()),
            given: Some(child.given.clone()),
            born: Some(child.born),
            ..Search::default()
        }
    }

    /// The act of opening a child.
    pub(crate) fn opening(&self, child: usize) -> Act {
        Act::Opened(self.children[child].id)
    }
}
