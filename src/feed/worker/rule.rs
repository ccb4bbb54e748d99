//! What a row changes of a record: what its own organisation said before, and what is missing; never what another source said.

use chrono::{Days, NaiveDate};
use linkage::fold::fold;
use validator::Validate;

use super::{
    fault,
    held::{Held, Said},
};
use crate::{
    carer::{Carer, CarerChange, CarerIn},
    child::{
        ChildChange, ChildIn,
        birth::{DateOfBirth, Gender},
        identifier::{Identifier, IdentifierIn},
        name::{Name, NameKind, NamePart},
        whereabouts::Whereabouts,
    },
    feed::row::{FeedRow, RowInvolvement},
    http,
    ids::{CarerId, OrganisationId},
    involvement::{Involvement, InvolvementChange, InvolvementIn, ServiceType},
    problem::{Fault, Problem},
};

/// As many names as a record has.
const NAMES: usize = 20;
/// After how long the work with a child is confirmed anew.
const CONFIRMED_AGAIN: Days = Days::new(28);

/// What a row says, as of a child who is not here yet.
pub(crate) fn child_in(said: &FeedRow) -> ChildIn {
    ChildIn {
        names: said.names.clone(),
        date_of_birth: said.date_of_birth,
        date_of_birth_precision: said.date_of_birth_precision,
        date_of_birth_estimated: false,
        gender: said.gender,
        whereabouts: said.whereabouts.clone().unwrap_or(Whereabouts::NoneKnown {}),
        identifiers: said.identifiers.iter().map(IdentifierIn::from).collect(),
        carers: said.carers.clone(),
        responsible_authority: said.responsible_authority.clone(),
        without_service: Vec::new(),
        distinct_from: Vec::new(),
    }
}

/// The work of the feed's organisation, as the API takes it.
pub(crate) fn involvement_in(
    said: &RowInvolvement,
    service: ServiceType,
    as_at: NaiveDate,
) -> InvolvementIn {
    InvolvementIn {
        organisation_id: None,
        service_type: service,
        contact: said.contact.clone(),
        started_on: said.started_on,
        confirmed_on: said.ended_on.is_none().then_some(as_at.max(said.started_on)),
        ended_on: said.ended_on,
        consent: None,
        basis: None,
    }
}

/// The rules that a row keeps by itself.
pub(crate) fn check(
    said: &FeedRow,
    service: ServiceType,
    today: NaiveDate,
) -> Result<(), Vec<Fault>> {
    let child = child_in(said);
    if let Err(errors) = child.validate() {
        return Err(http::faults_of(&errors));
    }
    child.check(today).map_err(|problem| faults("", &problem))?;
    if let Some(work) = &said.involvement {
        let born = child.birth().earliest();
        let work = involvement_in(work, service, today);
        work.check(born, today).map_err(|problem| faults("/involvement", &problem))?;
    }
    Ok(())
}

fn faults(at: &str, problem: &Problem) -> Vec<Fault> {
    if problem.errors().is_empty() {
        return vec![fault(at, problem.detail())];
    }
    let inner = problem.errors().iter();
    inner.map(|inner| fault(format!("{at}{}", inner.pointer), inner.detail.as_str())).collect()
}

/// What a row of this organisation changes of the facts of a child.
pub(crate) fn change(held: &Held, said: &FeedRow, own: OrganisationId) -> Option<ChildChange> {
    let mut change = ChildChange {
        names: names(&held.names, &said.names, own),
        whereabouts: whereabouts(&held.whereabouts, said.whereabouts.as_ref(), own),
        identifiers: identifiers(&held.identifiers, &said.identifiers, own),
        ..ChildChange::default()
    };
    if held.source == own {
        let birth = DateOfBirth {
            date: said.date_of_birth,
            precision: said.date_of_birth_precision,
            estimated: held.core.birth.estimated,
        }
        .kept();
        if birth != held.core.birth {
            change.date_of_birth = Some(birth.date);
            change.date_of_birth_precision = Some(birth.precision);
            change.date_of_birth_estimated = Some(birth.estimated);
        }
        let gender = Some(said.gender).filter(|gender| *gender != Gender::NotSpecified);
        change.gender = gender.filter(|gender| *gender != held.core.gender);
    }
    let something = change.names_core()
        || change.names.is_some()
        || change.whereabouts.is_some()
        || change.identifiers.is_some();
    something.then_some(change)
}

/// A source's own names are those that it says now. Where another calls the child something else at present, what this one says is
/// a name by which the child is known besides.
fn names(held: &[Said<Name>], said: &[Name], own: OrganisationId) -> Option<Vec<Name>> {
    let mut names: Vec<_> =
        held.iter().filter(|name| name.source != own).map(|name| name.said.clone()).collect();
    let others = names.len();
    let called = names.iter().any(|name| name.kind == NameKind::Current);
    for name in said {
        let mut name = name.clone();
        if called && name.kind == NameKind::Current {
            name.kind = NameKind::KnownAs;
        }
        let known = names[..others].iter().any(|other| alike(other, &name));
        let needed = !called && name.kind == NameKind::Current;
        if (!known || needed) && !names.contains(&name) && names.len() < NAMES {
            names.push(name);
        }
    }
    let stands = names.len() == held.len() && held.iter().all(|name| names.contains(&name.said));
    let current = names.iter().filter(|name| name.kind == NameKind::Current).count();
    (!stands && current == 1).then_some(names)
}

fn alike(one: &Name, other: &Name) -> bool {
    one.family_key() == other.family_key() && whole(&one.given) == whole(&other.given)
}

fn whole(given: &[NamePart]) -> String {
    given.iter().map(|part| fold(part.as_str())).collect()
}

fn whereabouts(
    held: &Said<Whereabouts>,
    said: Option<&Whereabouts>,
    own: OrganisationId,
) -> Option<Whereabouts> {
    let missing = held.said == Whereabouts::NoneKnown {};
    let said = said.filter(|said| **said != Whereabouts::NoneKnown {} || held.source == own);
    said.filter(|said| **said != held.said && (missing || held.source == own)).cloned()
}

/// A source's own number of a kind is the one that it says now; what it leaves out stays.
fn identifiers(
    held: &[Said<Identifier>],
    said: &[Identifier],
    own: OrganisationId,
) -> Option<Vec<IdentifierIn>> {
    let mut numbers: Vec<_> = held.iter().map(|one| one.said.clone()).collect();
    let mut changed = false;
    for new in said {
        match held.iter().position(|one| one.said.kind() == new.kind()) {
            Some(n) if held[n].source == own && held[n].said != *new => {
                numbers[n] = new.clone();
                changed = true;
            }
            Some(_) => {}
            None => {
                numbers.push(new.clone());
                changed = true;
            }
        }
    }
    changed.then(|| numbers.iter().map(IdentifierIn::from).collect())
}

/// What becomes of the carers of a child.
#[derive(Debug, Default)]
pub(crate) struct CarerSteps<'r> {
    pub(crate) new: Vec<&'r CarerIn>,
    pub(crate) changed: Vec<(CarerId, CarerChange)>,
    pub(crate) ended: Vec<CarerId>,
}

/// A source's own carers are those whom it says now, where it says any; those of whom another says the same stay the other's.
pub(crate) fn carers<'r>(
    held: &[&Carer],
    said: &'r [CarerIn],
    own: OrganisationId,
) -> CarerSteps<'r> {
    let mut steps = CarerSteps::default();
    if said.is_empty() {
        return steps;
    }
    let is_own =
        |carer: &Carer| carer.source.as_ref().is_some_and(|from| from.organisation_id == own);
    let named = |carer: &Carer, new: &CarerIn| {
        fold(carer.name.family.as_str()) == fold(new.name.family.as_str())
            && whole(&carer.name.given) == whole(&new.name.given)
    };
    let mut kept = Vec::new();
    for new in said {
        let alike = || held.iter().filter(|carer| named(carer, new) && !kept.contains(&carer.id));
        if let Some(carer) = alike().find(|carer| is_own(carer)) {
            let change = carer_change(carer, new);
            kept.push(carer.id);
            steps.changed.extend(change.map(|change| (carer.id, change)));
        } else if alike().next().is_none() {
            steps.new.push(new);
        }
    }
    let gone = held.iter().filter(|carer| is_own(carer) && !kept.contains(&carer.id));
    steps.ended = gone.map(|carer| carer.id).collect();
    steps
}

fn carer_change(carer: &Carer, new: &CarerIn) -> Option<CarerChange> {
    let change = CarerChange {
        name: Some(new.name.clone()).filter(|name| *name != carer.name),
        relationship: Some(new.relationship).filter(|told| *told != carer.relationship),
        parental_responsibility: Some(new.parental_responsibility)
            .filter(|told| *told != carer.parental_responsibility),
        phones: Some(new.phones.clone()).filter(|told| !told.is_empty() && *told != carer.phones),
        emails: Some(new.emails.clone()).filter(|told| !told.is_empty() && *told != carer.emails),
        address: new.address.clone().filter(|told| Some(told) != carer.address.as_ref()),
    };
    let something = change.name.is_some()
        || change.relationship.is_some()
        || change.parental_responsibility.is_some()
        || change.phones.is_some()
        || change.emails.is_some()
        || change.address.is_some();
    something.then_some(change)
}

/// What becomes of the work of the feed's organisation with a child.
#[derive(Debug)]
pub(crate) enum Work {
    /// It begins, or has been.
    New(Box<InvolvementIn>),
    /// The one at this place changes.
    Change(usize, Box<InvolvementChange>),
}

/// What a row says of the work of its organisation with a child: what goes on is confirmed, told anew or ended.
pub(crate) fn work(
    held: &[&Involvement],
    said: &RowInvolvement,
    service: ServiceType,
    as_at: NaiveDate,
) -> Option<Work> {
    let open = || held.iter().enumerate().filter(|(_, work)| work.ended_on.is_none());
    let team = open().find(|(_, work)| work.contact.team == said.contact.team);
    let Some((n, going)) = team.or_else(|| open().next()) else {
        let known = |work: &&&Involvement| {
            work.started_on == said.started_on
                && (work.ended_on == said.ended_on || said.ended_on.is_none())
        };
        let again = said.ended_on.is_some() && held.iter().any(|work| known(&work));
        return (!again).then(|| Work::New(Box::new(involvement_in(said, service, as_at))));
    };
    let contact = Some(said.contact.clone()).filter(|contact| *contact != going.contact);
    let confirmed_on = as_at.max(going.started_on);
    let due =
        going.unconfirmed_since.is_some() || going.confirmed_on + CONFIRMED_AGAIN <= confirmed_on;
    let ended_on = said.ended_on.map(|day| day.max(going.started_on));
    if contact.is_none() && !due && ended_on.is_none() {
        return None;
    }
    let confirmed_on = ended_on.is_none().then_some(confirmed_on.max(going.confirmed_on));
    Some(Work::Change(n, Box::new(InvolvementChange { contact, confirmed_on, ended_on })))
}
