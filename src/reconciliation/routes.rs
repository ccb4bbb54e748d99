//! Reconciliation over HTTP.

use std::{collections::HashMap, future::Future, pin::Pin};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    post,
    web::{Bytes, Data, Path},
};
use linkage::{Outcome, Person, decide};
use serde_json::json;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{MOST_ROWS, Reconciled, ReconciledRow, Reconciliation, store};
use crate::{
    access::{Access, Permission, Reconcile},
    audit::Trail,
    child::{ChildIn, whereabouts::Whereabouts},
    feed::{self, BatchFormat, Feed, import, row::FeedRow},
    http::{body, declared_length, media_type},
    ids::{ChildId, FeedId},
    involvement::ServiceType,
    matching::{
        asked, entry,
        retrieve::{self, Found},
    },
    organisation::OrganisationKind,
    problem::{Fault, Kind, Problem},
    work::{Db, Look, Reply},
};

/// The largest list that is read, in bytes.
const MAX_LIST: usize = 8 * 1024 * 1024;

/// Adds this room's routes.
pub(crate) fn mount(api: &mut ServiceConfig) {
    api.service(reconcile);
}

/// A body of lines of JSON.
struct List(Bytes);

impl FromRequest for List {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let typed = media_type(request).is_some_and(|kind| kind == "application/x-ndjson");
        let (payload, declared) = (payload.take(), declared_length(request));
        Box::pin(async move {
            if !typed {
                return Err(Kind::UnsupportedMediaType.into());
            }
            body(payload, declared, MAX_LIST).await.map(Self)
        })
    }
}

/// Ask whether the index says what you hold
///
/// A list of up to 1,000 rows, each as in a batch, and of each whether the record of the child says the same. A row's child is the
/// one whom your feed's record of that reference is linked to; where there is no link, the one child who is confidently the same,
/// as `POST /v1/children/match` finds. What is told is about what you send, and nothing else: where the record says otherwise it
/// is pointed to, and not told what it says. Changes nothing, in trial too.
#[utoipa::path(
    tag = "feeds",
    security(("bearer" = [Reconcile::SCOPE])),
    params(("feedId" = FeedId, Path, description = "The feed.")),
    request_body(content((String = "application/x-ndjson"))),
    responses((status = 200, description = "What the index says of each row.", body = Reconciliation)),
)]
#[post("/feeds/{feedId}/reconciliations")]
async fn reconcile(
    access: Access<Reconcile>,
    feed: Path<FeedId>,
    list: List,
    db: Data<Db>,
) -> Reply<Reconciliation> {
    let look = access.look(&db).await?;
    let feed = feed::store::open(&look, look.caller.viewer(), *feed).await?;
    let rows = read(&look, &list)?;
    let (children, items) = compare(&look, &feed, rows).await?;
    let count = |outcome| items.iter().filter(|item| item.outcome == outcome).count();
    let counts = Reconciled::ALL.iter().map(|outcome| (outcome.to_string(), count(*outcome)));
    let counts: HashMap<_, _> = counts.collect();
    let trail = Trail::about(children);
    let details = json!({ "feed": feed.id, "counts": counts, "items": items });
    look.record(trail.with_sealed(details), Reconciliation { items }).await
}

/// A row with its line.
type Row = (i64, Result<FeedRow, Vec<Fault>>);

fn read(look: &Look, list: &List) -> Result<Vec<Row>, Problem> {
    let rows = import::rows(BatchFormat::Ndjson, &list.0[..], look.today()).take(MOST_ROWS + 1);
    let rows: Vec<_> = rows.collect::<Result<_, _>>().map_err(Problem::internal)?;
    if rows.len() > MOST_ROWS {
        return Err(Problem::invalid("", "must have at most 1000 rows"));
    }
    Ok(rows)
}

async fn compare(
    look: &Look,
    feed: &Feed,
    rows: Vec<Row>,
) -> Result<(Vec<ChildId>, Vec<ReconciledRow>), Problem> {
    let body = store::body(look, feed).await?;
    let read = rows.iter().filter_map(|(_, row)| row.as_ref().ok());
    let references: Vec<_> = read.map(|row| row.reference.as_str().to_owned()).collect();
    let links = store::links(look, feed, &references).await?;
    let mut told = Vec::new();
    for (line, row) in rows {
        let row = row.map(|row| (links.get(&row.reference), row));
        let child = match &row {
            Ok((Some(link), _)) => Some(link.child),
            Ok((None, row)) => matched(look, feed, body, row).await?,
            Err(_) => None,
        };
        told.push((line, row, child));
    }
    let mut children: Vec<_> = told.iter().filter_map(|(_, _, child)| *child).collect();
    children.sort();
    children.dedup();
    let known = store::known(look, feed, &children).await?;
    let items = told.into_iter().map(|(line, row, child)| {
        let found = child.and_then(|child| known.get(&child));
        match row {
            Ok((link, row)) => judge(line, row, link, found, body),
            Err(errors) => rejected(line, errors),
        }
    });
    let items = items.collect();
    Ok((children, items))
}

fn rejected(line: i64, errors: Vec<Fault>) -> ReconciledRow {
    ReconciledRow {
        line,
        reference: None,
        outcome: Reconciled::Rejected,
        differs: Vec::new(),
        errors,
    }
}

fn judge(
    line: i64,
    row: FeedRow,
    linked: Option<&store::Link>,
    found: Option<&store::Found>,
    body: OrganisationKind,
) -> ReconciledRow {
    let said = linked.map_or(&row, |linked| &linked.said);
    let differs = found.map(|found| {
        if found.shielded {
            found.known.clone().veiled(said).differs(&row, body)
        } else {
            found.known.differs(&row, body)
        }
    });
    let outcome = match &differs {
        Some(differs) if differs.is_empty() => Reconciled::Same,
        Some(_) => Reconciled::Differs,
        None if linked.is_some() => Reconciled::Superseded,
        None => Reconciled::NotKnown,
    };
    let (reference, differs) = (Some(row.reference), differs.unwrap_or_default());
    ReconciledRow { line, reference, outcome, differs, errors: Vec::new() }
}

/// The one child who is confidently the one of a row. By what a shield hides no shielded child is found.
async fn matched(
    look: &Look,
    feed: &Feed,
    body: OrganisationKind,
    row: &FeedRow,
) -> Result<Option<ChildId>, Problem> {
    let asked = person(feed, body, row);
    let hidden =
        [asked.places.len(), asked.schools.len(), asked.practices.len(), asked.identifiers.len()];
    let behind_shield = hidden.iter().any(|held| *held > 0);
    let in_force = look.matcher();
    let found = retrieve::candidates(look.db(), &asked, look.today(), behind_shield).await?;
    let Found::Candidates(candidates) = found else { return Ok(None) };
    let compared = candidates.compared(&in_force.matcher, &asked)?;
    let decision = decide(&in_force.matcher.model, compared);
    Ok(decision.best.filter(|_| decision.outcome == Outcome::Match))
}

/// A row as a person to be found, with the school or practice that sends it and the numbers that it may search by.
fn person(feed: &Feed, body: OrganisationKind, row: &FeedRow) -> Person {
    let whereabouts = row.whereabouts.clone();
    let mut person = asked::person_of(&ChildIn {
        names: row.names.clone(),
        date_of_birth: row.date_of_birth,
        date_of_birth_precision: row.date_of_birth_precision,
        date_of_birth_estimated: false,
        gender: row.gender,
        whereabouts: whereabouts.unwrap_or(Whereabouts::NoneKnown {}),
        identifiers: Vec::new(),
        carers: row.carers.clone(),
        responsible_authority: None,
        without_service: Vec::new(),
        distinct_from: Vec::new(),
    });
    let own = entry::organisation(feed.organisation_id);
    match feed.service_type {
        ServiceType::School | ServiceType::College | ServiceType::EarlyYears => {
            person.schools.push(own);
        }
        ServiceType::GeneralPractice => person.practices.push(own),
        _ => {}
    }
    let read = row.identifiers.iter().filter(|identifier| body.may_read(identifier.kind()));
    person.identifiers = read.map(asked::identifier).collect();
    person
}
