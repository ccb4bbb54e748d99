//! The loading itself: rows are read on a thread of their own, and go in by the batch.

use std::{
    collections::{HashMap, HashSet},
    thread,
};

use chrono::NaiveDate;
use serde_json::json;
use tokio::sync::mpsc;

use super::{
    LoadChild, Row, fault,
    lines::Line,
    store::{self, NewChild, NewOrganisation},
};
use crate::{
    audit::Trail,
    guard::store::guard_loaded,
    ids::{ChildId, InvolvementId, OrganisationId},
    matching::entry,
    organisation::{Codes, OrganisationIn},
    problem::{Fault, Problem},
    purge,
    work::Errands,
};

/// As many rows as go in at once: an event names at most so many children.
const BATCH_ROWS: usize = 1_000;
/// As many bytes of rows as are held at once.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// What has been done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Organisations that went in.
    pub organisations: u64,
    /// Children who went in.
    pub children: u64,
    /// Involvements that went in.
    pub involvements: u64,
    /// Rows that did not.
    pub rejected: u64,
}

impl Summary {
    /// How many rows were read.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.organisations + self.children + self.rejected
    }
}

/// What is told while loading.
#[derive(Debug)]
pub enum News<'n> {
    /// A row does not go in.
    Rejected {
        /// The number of its line.
        line: u64,
        /// One of the reasons; never the value.
        fault: &'n Fault,
    },
    /// Another batch is done and lasting.
    Progress(&'n Summary),
}

/// Loads rows: good ones go in, bad ones are told of. The children's facts come from `source`, or from the authority
/// responsible for each; what is done before an error is lasting.
pub async fn load(
    work: &mut Errands,
    source: Option<OrganisationId>,
    rows: impl Iterator<Item = std::io::Result<Line>> + Send + 'static,
    mut tell: impl FnMut(News<'_>),
) -> Result<Summary, Problem> {
    let today = work.today();
    let (batches, mut read) = mpsc::channel(2);
    let reading = thread::spawn(move || read_all(rows, today, &batches));
    let mut loading = Loading { source, directory: HashMap::new(), summary: Summary::default() };
    while let Some(batch) = read.recv().await {
        loading.take(work, batch, &mut tell).await?;
        tell(News::Progress(&loading.summary));
    }
    let read =
        reading.join().map_err(|_| Problem::internal(anyhow::anyhow!("the reading stopped")))?;
    read.map_err(Problem::internal)?;
    Ok(loading.summary)
}

/// Rows as they were read, each with the number of its line.
type Batch = Vec<(u64, Result<Row, Vec<Fault>>)>;

/// Why rows do not go in, each with the number of its line.
type Rejected = Vec<(u64, Vec<Fault>)>;

fn read_all(
    rows: impl Iterator<Item = std::io::Result<Line>>,
    today: NaiveDate,
    batches: &mpsc::Sender<Batch>,
) -> std::io::Result<()> {
    let (mut batch, mut bytes) = (Batch::new(), 0);
    for row in rows {
        let Line { number, text } = row?;
        batch.push((number, Row::read(&text, today)));
        bytes += text.len();
        if batch.len() == BATCH_ROWS || bytes >= BATCH_BYTES {
            bytes = 0;
            if batches.blocking_send(std::mem::take(&mut batch)).is_err() {
                return Ok(());
            }
        }
    }
    if !batch.is_empty() {
        let _ = batches.blocking_send(batch);
    }
    Ok(())
}

struct Loading {
    source: Option<OrganisationId>,
    /// The organisations that rows have named so far, by their codes.
    directory: HashMap<String, OrganisationId>,
    summary: Summary,
}

impl Loading {
    async fn take(
        &mut self,
        work: &mut Errands,
        batch: Batch,
        tell: &mut impl FnMut(News<'_>),
    ) -> Result<(), Problem> {
        let (mut organisations, mut children, mut rejected) =
            (Vec::new(), Vec::new(), Rejected::new());
        for (line, row) in batch {
            match row {
                Ok(Row::Organisation(said)) => organisations.push((line, *said)),
                Ok(Row::Child(row)) => children.push((line, *row)),
                Err(faults) => rejected.push((line, faults)),
            }
        }
        let organisations = self.organisations(work, organisations, &mut rejected).await?;
        let children = self.children(work, children, &mut rejected).await?;
        let involvements = children.iter().map(|child| child.involvements.len()).sum();
        record(work, organisations.len(), &children, involvements).await?;

        rejected.sort_by_key(|(line, _)| *line);
        for (line, faults) in &rejected {
            for fault in faults {
                tell(News::Rejected { line: *line, fault });
            }
        }
        self.summary.organisations += count(organisations.len());
        self.summary.children += count(children.len());
        self.summary.involvements += count(involvements);
        self.summary.rejected += count(rejected.len());
        Ok(())
    }

    async fn organisations(
        &mut self,
        work: &mut Errands,
        rows: Vec<(u64, OrganisationIn)>,
        rejected: &mut Rejected,
    ) -> Result<Vec<NewOrganisation>, Problem> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let asked = rows.iter().flat_map(|(_, said)| {
            let codes = codes(&said.codes).map(|(_, code)| code.to_owned());
            codes.chain(said.authority.clone())
        });
        let known = store::known(work, &asked.collect::<Vec<_>>()).await?;
        let mut held: HashSet<_> = known.iter().map(|known| known.code.clone()).collect();
        self.learn(known);

        let mut free = Vec::new();
        for (line, said) in rows {
            let taken =
                codes(&said.codes).find(|(list, code)| held.contains(&format!("{list}:{code}")));
            if let Some((list, _)) = taken {
                let pointer = format!("/organisation/codes/{list}");
                rejected.push((line, vec![fault(pointer, "belongs to another organisation")]));
            } else {
                held.extend(codes(&said.codes).map(|(list, code)| format!("{list}:{code}")));
                free.push((line, OrganisationId::new(), said));
            }
        }
        let own =
            free.iter().filter_map(|(_, id, said)| Some((said.codes.authority.clone()?, *id)));
        let own: HashMap<_, _> = own.collect();
        let mut new = Vec::new();
        for (line, id, said) in free {
            let code = said.codes.authority.as_ref().or(said.authority.as_ref());
            let authority = code.map(|code| {
                own.get(code).or_else(|| self.directory.get(&format!("authority:{code}")))
            });
            match authority {
                Some(None) => rejected.push((
                    line,
                    vec![fault("/organisation/authority", "is no local authority of the index")],
                )),
                found => new.push(NewOrganisation {
                    line,
                    id,
                    authority: found.flatten().copied(),
                    said,
                }),
            }
        }
        let put = put(work, new, store::insert_organisations).await?;
        rejected.extend(
            put.refused.into_iter().map(|(new, why)| (new.line, vec![fault("/organisation", why)])),
        );
        for new in &put.kept {
            let codes =
                codes(&new.said.codes).map(|(list, code)| (format!("{list}:{code}"), new.id));
            self.directory.extend(codes);
        }
        Ok(put.kept)
    }

    async fn children(
        &mut self,
        work: &mut Errands,
        rows: Vec<(u64, LoadChild)>,
        rejected: &mut Rejected,
    ) -> Result<Vec<NewChild>, Problem> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        self.look_up(work, &rows).await?;
        let mut new = Vec::new();
        for (line, row) in rows {
            match self.resolve(line, row) {
                Ok(child) => new.push(child),
                Err(faults) => rejected.push((line, faults)),
            }
        }
        let shields = store::hold_shields(work).await?;
        if shields {
            // What has to be shielded is sealed.
            work.vault()?;
        }
        let mut known = alike_in(&new);
        known.extend(store::here_already(work, &new).await?);
        known.extend(purged(work, &new).await?);
        let (known, new): (Vec<_>, Vec<_>) =
            new.into_iter().enumerate().partition(|(n, _)| known.contains(n));
        let here = |child: NewChild| (child.line, vec![fault("/child", "may be here already")]);
        rejected.extend(known.into_iter().map(|(_, child)| here(child)));

        let new = new.into_iter().map(|(_, child)| child).collect();
        let put = put(work, new, store::insert_children).await?;
        rejected.extend(
            put.refused.into_iter().map(|(child, why)| (child.line, vec![fault("/child", why)])),
        );
        let kept: Vec<_> = put.kept.iter().map(|child| child.id.0).collect();
        let made = entry::made(work, &kept).await?;
        if shields {
            guard_loaded(work, made).await?;
        }
        Ok(put.kept)
    }

    /// Learns the codes that rows name and that no row before has named.
    async fn look_up(
        &mut self,
        work: &mut Errands,
        rows: &[(u64, LoadChild)],
    ) -> Result<(), Problem> {
        let mut unknown = HashSet::new();
        for (_, row) in rows {
            if !self.directory.contains_key(&format!("authority:{}", row.authority)) {
                unknown.insert(row.authority.clone());
            }
            let codes = row.involvements.iter().map(|involvement| &involvement.organisation);
            let codes = codes.filter(|code| !self.directory.contains_key(*code));
            unknown.extend(codes.filter_map(|code| Some(code.split_once(':')?.1.to_owned())));
        }
        if !unknown.is_empty() {
            let known = store::known(work, &unknown.into_iter().collect::<Vec<_>>()).await?;
            self.learn(known);
        }
        Ok(())
    }

    fn learn(&mut self, known: Vec<store::Known>) {
        self.directory.extend(
            known.into_iter().filter(|known| known.open).map(|known| (known.code, known.id)),
        );
    }

    /// The child with whom the row's codes name, and every involvement once.
    fn resolve(&self, line: u64, row: LoadChild) -> Result<NewChild, Vec<Fault>> {
        let mut faults = Vec::new();
        let authority = self.directory.get(&format!("authority:{}", row.authority)).copied();
        if authority.is_none() {
            faults.push(fault(
                "/child/responsibleAuthority",
                "must be the 3-digit code of a local authority of the index",
            ));
        }
        let (mut involvements, mut current) = (Vec::new(), HashSet::new());
        for (n, involvement) in row.involvements.iter().enumerate() {
            let at = format!("/child/involvements/{n}");
            let Some(organisation) = self.directory.get(&involvement.organisation) else {
                faults.push(fault(format!("{at}/organisation"), "is no organisation of the index"));
                continue;
            };
            let said = &involvement.said;
            if said.ended_on.is_none()
                && !current.insert((organisation, said.service_type.code(), &said.contact.team))
            {
                faults.push(fault(at, "is given twice"));
            }
            involvements.push((InvolvementId::new(), *organisation));
        }
        match authority {
            Some(authority) if faults.is_empty() => {
                let source = self.source.unwrap_or(authority);
                Ok(NewChild { line, id: ChildId::new(), authority, source, row, involvements })
            }
            _ => Err(faults),
        }
    }
}

/// The codes of an organisation, each with the list that it is of.
fn codes(codes: &Codes) -> impl Iterator<Item = (&'static str, &str)> {
    let Codes { authority, gss, urn, laestab, ods, reference } = codes;
    let all = [
        ("authority", authority),
        ("gss", gss),
        ("urn", urn),
        ("laestab", laestab),
        ("ods", ods),
        ("reference", reference),
    ];
    all.into_iter().filter_map(|(list, code)| Some((list, code.as_deref()?)))
}

/// Which of the children, by their places, have been purged.
async fn purged(work: &mut Errands, children: &[NewChild]) -> Result<Vec<usize>, Problem> {
    if !purge::store::any(work.db()).await? {
        return Ok(Vec::new());
    }
    let vault = work.vault()?;
    let mut places: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
    for (n, child) in children.iter().enumerate() {
        let (said, numbers) = (&child.row.said, child.row.identifiers());
        for hash in purge::hashes(&vault, said.birth().date, &said.names, &numbers) {
            places.entry(hash).or_default().push(n);
        }
    }
    let hashes: Vec<_> = places.keys().cloned().collect();
    let known = purge::store::known(work.db(), &hashes).await?;
    Ok(known.iter().filter_map(|hash| places.get(hash)).flatten().copied().collect())
}

/// Which of the children, by their places, are like one before them.
fn alike_in(children: &[NewChild]) -> HashSet<usize> {
    let (mut names, mut identifiers, mut alike) = (HashSet::new(), HashSet::new(), HashSet::new());
    for (n, child) in children.iter().enumerate() {
        let born = child.row.said.date_of_birth;
        let keys = child.row.present_names().flat_map(|name| {
            let family = name.family_key();
            name.given_keys().into_iter().map(move |given| (given, family.clone(), born))
        });
        let keys: HashSet<_> = keys.collect();
        let numbers = child.row.identifiers();
        let found = keys.iter().any(|key| names.contains(key))
            || numbers.iter().any(|number| identifiers.contains(number));
        if found {
            alike.insert(n);
        } else {
            names.extend(keys);
            identifiers.extend(numbers);
        }
    }
    alike
}

/// Writes down what went in, and makes it lasting.
async fn record(
    work: &mut Errands,
    organisations: usize,
    children: &[NewChild],
    involvements: usize,
) -> Result<(), Problem> {
    if organisations == 0 && children.is_empty() {
        return Ok(());
    }
    let details = json!({ "organisations": organisations, "children": children.len(), "involvements": involvements });
    work.record(Trail::about(children.iter().map(|child| child.id).collect()).with(details)).await
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// What went in, and what the database refused, with the reason.
struct Put<T> {
    kept: Vec<T>,
    refused: Vec<(T, String)>,
}

/// Puts all in at once, or one by one where the database refuses any of them.
async fn put<T>(
    work: &mut Errands,
    new: Vec<T>,
    insert: impl AsyncFn(&mut Errands, &[T]) -> Result<(), sqlx::Error>,
) -> Result<Put<T>, Problem> {
    let mut put = Put { kept: Vec::new(), refused: Vec::new() };
    if new.is_empty() {
        return Ok(put);
    }
    if attempt(work, &new, &insert).await?.is_none() {
        put.kept = new;
        return Ok(put);
    }
    for one in new {
        match attempt(work, std::slice::from_ref(&one), &insert).await? {
            None => put.kept.push(one),
            Some(why) => put.refused.push((one, why)),
        }
    }
    Ok(put)
}

/// Puts all in or nothing, and says why the database refuses.
async fn attempt<T>(
    work: &mut Errands,
    new: &[T],
    insert: &impl AsyncFn(&mut Errands, &[T]) -> Result<(), sqlx::Error>,
) -> Result<Option<String>, Problem> {
    store::savepoint(work).await?;
    let Err(error) = insert(work, new).await else {
        store::release(work).await?;
        return Ok(None);
    };
    let Some(why) = refusal(&error) else { return Err(error.into()) };
    store::undo(work).await?;
    Ok(Some(why))
}

/// What the database says of values that it refuses, without the values; nothing where the values are not at fault.
fn refusal(error: &sqlx::Error) -> Option<String> {
    let error = error.as_database_error()?;
    let code = error.code()?;
    let of_values = code.starts_with("22") || code.starts_with("23");
    of_values
        .then(|| format!("is refused by the database ({})", error.constraint().unwrap_or(&code)))
}
