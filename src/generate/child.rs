//! A child in the rows of every table that tells of it.

use chrono::{Months, NaiveDate};
use linkage::{Name as Linked, NameKind as LinkedKind, Person, PersonName, Place, key::SCHEME};
use population::{Chance, Child, Home, Population};
use uuid::Uuid;

use super::{
    Numbered, Plan,
    copy::Rows,
    directory::Directory,
    identifiers::identifiers,
    services::{Setting, Work, between},
};
use crate::{
    array::array,
    child::{
        birth::{DateOfBirth, DatePrecision, Gender},
        name::{Name, NameKind, NamePart},
    },
    clock::midnight_in_london,
    ids::{IndexNumber, OrganisationId},
    matching,
    word::Refusal,
};

/// How long a school or a practice counts for the matcher after it has ended.
const COUNTS: Months = Months::new(12);

/// Children in the rows of the eight tables that tell of them, in the order in which these are filled.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) children: u64,
    pub(super) involvements: u64,
    pub(super) rows: [Vec<u8>; 8],
}

/// Makes the rows of children.
pub(super) fn block(
    plan: &Plan,
    population: &Population,
    directory: &Directory,
    children: &[Child],
) -> Result<Block, Refusal> {
    let mut writer =
        Writer { plan, population, directory, tables: Tables::default(), involvements: 0 };
    for child in children {
        writer.child(child)?;
    }
    let Tables {
        children: core,
        names,
        whereabouts,
        identifiers,
        carers,
        involvements,
        flags,
        entries,
    } = writer.tables;
    let rows = [core, names, whereabouts, identifiers, carers, involvements, flags, entries]
        .map(Rows::into_bytes);
    Ok(Block { children: children.len() as u64, involvements: writer.involvements, rows })
}

#[derive(Default)]
struct Tables {
    children: Rows,
    names: Rows,
    whereabouts: Rows,
    identifiers: Rows,
    carers: Rows,
    involvements: Rows,
    flags: Rows,
    entries: Rows,
}

struct Writer<'a> {
    plan: &'a Plan,
    population: &'a Population,
    directory: &'a Directory,
    tables: Tables,
    involvements: u64,
}

/// A child with what is told of it.
struct Told<'a> {
    id: Uuid,
    child: &'a Child,
    source: Uuid,
    archives_on: NaiveDate,
    names: Vec<Name>,
    /// Where the child lived before, and until when.
    former: Option<(&'a Home, NaiveDate)>,
    services: Vec<Work>,
    identifiers: Vec<(&'static str, String)>,
}

impl Writer<'_> {
    fn child(&mut self, child: &Child) -> Result<(), Refusal> {
        let today = self.plan.today;
        let mut chance = self.plan.chance(child.number);
        let area = self.population.area(&child.home, self.directory.areas());
        let former = child.former_home.as_ref();
        let former = former.map(|home| (home, between(&mut chance, child.born, today)));
        let setting = Setting {
            population: self.population,
            directory: self.directory,
            child,
            today,
            moved_on: former.map(|(_, until)| until),
        };
        let services = setting.services(&mut chance);
        let birth =
            DateOfBirth { date: child.born, precision: DatePrecision::Day, estimated: false };
        let tomorrow = today.succ_opt().unwrap_or(today);
        let told = Told {
            id: self.plan.id(Numbered::Child, child.number),
            child,
            source: self.directory.authority(area),
            archives_on: birth.eighteenth_birthday().max(tomorrow),
            names: names(child)?,
            former,
            identifiers: identifiers(&mut chance, child, self.directory.code(area), &services),
            services,
        };
        self.core(&told);
        self.names(&told);
        self.whereabouts(&told);
        self.identifiers(&told);
        self.carers(&mut chance, &told);
        self.services(&told);
        self.entry(&told)
    }

    fn core(&mut self, told: &Told<'_>) {
        let spread = told.child.number.wrapping_mul(618_033_989).wrapping_add(self.plan.seed);
        let number = IndexNumber::from_ten_digits(1_000_000_000 + spread % 9_000_000_000);
        let rows = &mut self.tables.children;
        rows.plain(told.id).plain(number.as_str()).plain(told.child.born);
        rows.plain(if told.child.male { "male" } else { "female" });
        rows.plain(told.source).plain(told.archives_on);
        self.plan.said(rows, told.source, self.plan.today);
    }

    fn names(&mut self, told: &Told<'_>) {
        for name in &told.names {
            let rows = &mut self.tables.names;
            rows.plain(told.id).plain(name.kind.as_str());
            rows.text(&array(name.given.iter().map(NamePart::as_str))).text(name.family.as_str());
            rows.text(&array(name.given_keys().iter().map(String::as_str)))
                .text(&name.family_key());
            rows.plain(told.child.born);
            self.plan.said(rows, told.source, self.plan.today);
        }
    }

    fn whereabouts(&mut self, told: &Told<'_>) {
        let now = std::iter::once((&told.child.home, None));
        for (home, until) in now.chain(told.former.map(|(home, until)| (home, Some(until)))) {
            let address = home.address(until.is_some());
            let rows = &mut self.tables.whereabouts;
            rows.plain(told.id)
                .plain("current")
                .text(&array(address.lines.iter().map(String::as_str)));
            rows.text(&address.town).plain(&address.postcode);
            rows.some(until.map(|day| midnight_in_london(day).to_rfc3339()));
            self.plan.said(rows, told.source, until.unwrap_or(self.plan.today));
        }
    }

    fn identifiers(&mut self, told: &Told<'_>) {
        for (kind, value) in &told.identifiers {
            let rows = &mut self.tables.identifiers;
            rows.plain(told.id).plain(kind).plain(value);
            self.plan.said(rows, told.source, self.plan.today);
        }
    }

    fn carers(&mut self, chance: &mut Chance, told: &Told<'_>) {
        let relationships =
            if told.child.carers.len() == 1 { ["guardian", ""] } else { ["mother", "father"] };
        for (n, ((given, family), relationship)) in
            (0..).zip(told.child.carers.iter().zip(relationships))
        {
            let phone = format!("07700 900{:03}", chance.below(1000));
            let rows = &mut self.tables.carers;
            rows.plain(self.plan.id(Numbered::Carer, told.child.number * 4 + n)).plain(told.id);
            rows.text(&array([given.as_str()])).text(family).plain(relationship).plain("t");
            rows.text(&array([phone.as_str()]));
            self.plan.said(rows, told.source, self.plan.today);
        }
    }

    fn services(&mut self, told: &Told<'_>) {
        let today = self.plan.today;
        for (n, work) in (0..).zip(&told.services) {
            let id = self.plan.id(Numbered::Involvement, told.child.number * 16 + n);
            let contact = serde_json::to_string(&work.contact).unwrap_or_default();
            let rows = &mut self.tables.involvements;
            rows.plain(id)
                .plain(told.id)
                .plain(work.organisation)
                .plain(work.service)
                .text(&contact);
            rows.plain(work.started_on).some(work.ended_on);
            rows.plain(work.confirmed_on.or(work.ended_on).unwrap_or(today));
            self.plan.said(rows, work.organisation, work.confirmed_on.unwrap_or(today));
            self.involvements += 1;
            if let Some(since) = work.taking_action_since {
                let until = since.checked_add_months(Months::new(12)).unwrap_or(NaiveDate::MAX);
                let rows = &mut self.tables.flags;
                rows.plain(id).plain(told.id).plain("takingAction").plain(since).plain(until);
                rows.plain(self.plan.now.to_rfc3339()).end();
            }
        }
    }

    /// The entry that the service itself makes of the same facts.
    fn entry(&mut self, told: &Told<'_>) -> Result<(), Refusal> {
        let person = self.person(told);
        let packed =
            person.pack().map_err(|_| Refusal::because("A child is too large for the matcher."))?;
        let keys: Vec<_> = person.keys().iter().map(i64::to_string).collect();
        let rows = &mut self.tables.entries;
        rows.plain(told.id).plain("f").plain(told.archives_on).plain(SCHEME);
        rows.plain(format_args!("{{{}}}", keys.join(","))).bytes(&packed).end();
        Ok(())
    }

    fn person(&self, told: &Told<'_>) -> Person {
        let child = told.child;
        let since = self.plan.today.checked_sub_months(COUNTS);
        let those = |services: &[&str]| {
            let those = told.services.iter().filter(|work| services.contains(&work.service));
            let those = those.filter(|work| work.ended_on.is_none_or(|ended| Some(ended) >= since));
            let mut those: Vec<_> = those.map(|work| work.organisation).collect();
            those.sort_unstable();
            those.dedup();
            those.into_iter().map(|id| matching::entry::organisation(OrganisationId(id))).collect()
        };
        let place = |home: &Home, former| {
            let address = home.address(former);
            Place::of(&address.lines, &address.town, &address.postcode, former)
        };
        let mut identifiers: Vec<_> =
            told.identifiers.iter().map(|(kind, value)| format!("{kind}:{value}")).collect();
        identifiers.sort_unstable();
        Person {
            names: told.names.iter().map(linked).collect(),
            birth: Some(matching::entry::birth(child.born, DatePrecision::Day)),
            gender: matching::entry::gender(if child.male { Gender::Male } else { Gender::Female }),
            places: std::iter::once(place(&child.home, false))
                .chain(told.former.map(|(home, _)| place(home, true)))
                .collect(),
            carers: child
                .carers
                .iter()
                .map(|(given, family)| PersonName::of(std::slice::from_ref(given), family))
                .collect(),
            schools: those(&["earlyYears", "school", "college"]),
            practices: those(&["generalPractice"]),
            identifiers,
        }
    }
}

impl Plan {
    /// Ends a row with who said it, when it was received and as at which day.
    fn said(&self, rows: &mut Rows, source: Uuid, as_at: NaiveDate) {
        rows.plain(source).plain(self.now.to_rfc3339()).plain(as_at).end();
    }
}

fn names(child: &Child) -> Result<Vec<Name>, Refusal> {
    let given: Vec<NamePart> = std::iter::once(&child.given)
        .chain(&child.middle)
        .map(|given| given.parse())
        .collect::<Result<_, _>>()?;
    let now = Name {
        kind: NameKind::Current,
        given: given.clone().try_into()?,
        family: child.family.parse()?,
    };
    let former = child.former_family.as_ref().map(|family| {
        Ok::<_, Refusal>(Name { kind: NameKind::Former, family: family.parse()?, ..now.clone() })
    });
    let former = former.transpose()?;
    Ok(std::iter::once(now).chain(former).collect())
}

fn linked(name: &Name) -> Linked {
    let kind = if name.kind == NameKind::Former { LinkedKind::Former } else { LinkedKind::Current };
    let given: Vec<_> = name.given.iter().map(NamePart::as_str).collect();
    Linked { kind, name: PersonName::of(&given, name.family.as_str()) }
}
