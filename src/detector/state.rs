//! What is kept of those who look, in the database: sealed, and forgotten.

use std::{collections::HashSet, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{NaiveDate, TimeDelta};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use sqlx::types::Uuid;

use super::{
    seen::{Act, Facts, Seen},
    watch::{Peers, States},
};
use crate::{
    access::Role,
    ids::{AccountId, ChildId, OrganisationId},
    organisation::OrganisationKind,
    problem::Problem,
    seal::{Place, Sealed, Vault},
    work::Errands,
};

/// For how many days after the last event something is kept.
const PERSON: i64 = 400;
const OTHERS: i64 = 100;
const CHILD: i64 = 2;

const PEOPLE: &str = "person";
const PEERS: &str = "peers";
const BODIES: &str = "body";
const CHILDREN: &str = "child";

fn place(kind: &str, key: &str) -> Place {
    Place::named("watch", Uuid::nil(), &format!("{kind}/{key}"))
}

/// By what a child is known again, who cannot be read of it.
fn blind(vault: &Vault, child: ChildId) -> String {
    URL_SAFE_NO_PAD.encode(vault.blind(&[b"watch", child.0.as_bytes()]))
}

fn peers_key((role, kind): Peers) -> String {
    format!("{role} {kind}")
}

fn peers(key: &str) -> Option<Peers> {
    let (role, kind) = key.split_once(' ')?;
    Some((Role::from_str(role).ok()?, OrganisationKind::from_str(kind).ok()?))
}

/// What is kept of these people, of their like, of their organisations and of the children whom they opened.
pub(super) async fn load(
    work: &mut Errands,
    seen: &[Seen],
    facts: &Facts,
) -> Result<States, Problem> {
    let vault = work.vault()?;
    let mut wanted = HashSet::new();
    let mut children = Vec::new();
    for seen in seen {
        wanted.insert((PEOPLE, seen.account.to_string()));
        wanted.insert((BODIES, seen.organisation.to_string()));
        if let Some(looker) = facts.lookers.get(&seen.account) {
            wanted.insert((PEERS, peers_key((seen.role, looker.kind))));
        }
        if let Act::Opened(child) = seen.act {
            let key = blind(&vault, child);
            children.push((key.clone(), child));
            wanted.insert((CHILDREN, key));
        }
    }
    let mut states = States::default();
    for (kind, key, sealed) in read(work, wanted).await? {
        let child = children.iter().find(|(blind, _)| *blind == key).map(|(_, child)| *child);
        put(&mut states, (&kind, &key, child), &sealed, &vault)?;
    }
    Ok(states)
}

fn put(
    states: &mut States,
    (kind, key, child): (&str, &str, Option<ChildId>),
    sealed: &Sealed<Value>,
    vault: &Vault,
) -> Result<(), Problem> {
    let value = sealed.open(vault, &place(kind, key))?;
    let id = Uuid::parse_str(key).unwrap_or_default();
    match kind {
        PEOPLE => drop(states.people.insert(AccountId(id), whole(value)?)),
        BODIES => drop(states.bodies.insert(OrganisationId(id), whole(value)?)),
        PEERS => {
            if let Some(peers) = peers(key) {
                states.peers.insert(peers, whole(value)?);
            }
        }
        _ => {
            if let Some(child) = child {
                states.children.insert(child, whole(value)?);
            }
        }
    }
    Ok(())
}

fn whole<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_json::from_value(value).map_err(|_| {
        Problem::internal(anyhow::anyhow!("what is kept of somebody has another form"))
    })
}

async fn read(
    work: &mut Errands,
    wanted: HashSet<(&str, String)>,
) -> Result<Vec<(String, String, Sealed<Value>)>, Problem> {
    let (kinds, keys): (Vec<_>, Vec<_>) =
        wanted.into_iter().map(|(kind, key)| (kind.to_owned(), key)).unzip();
    let rows = sqlx::query!(
        r#"select s.kind, s.key, s.sealed as "sealed: Sealed<Value>" from watch_state s
           join unnest($1::text[], $2::text[]) as w (kind, key) on w.kind = s.kind and w.key = s.key"#,
        &kinds,
        &keys,
    );
    let rows = rows.fetch_all(work.db()).await?;
    Ok(rows.into_iter().map(|row| (row.kind, row.key, row.sealed)).collect())
}

/// Those whose openings of a month ago are to be settled, so many at most, with whom they act for and what is kept of both.
pub(super) async fn due(
    work: &mut Errands,
    today: NaiveDate,
    most: i64,
) -> Result<(States, Vec<(AccountId, OrganisationId)>), Problem> {
    let vault = work.vault()?;
    let rows = sqlx::query!(
        r#"select key, sealed as "sealed: Sealed<Value>", organisation_id as "organisation!: OrganisationId" from watch_state
           where kind = 'person' and due_on <= $1 and organisation_id is not null order by due_on limit $2"#,
        today,
        most,
    );
    let (mut states, mut people, mut wanted) = (States::default(), Vec::new(), HashSet::new());
    for row in rows.fetch_all(work.db()).await? {
        put(&mut states, (PEOPLE, &row.key, None), &row.sealed, &vault)?;
        let account = AccountId(Uuid::parse_str(&row.key).unwrap_or_default());
        people.push((account, row.organisation));
        wanted.insert((BODIES, row.organisation.to_string()));
    }
    for (kind, key, sealed) in read(work, wanted).await? {
        put(&mut states, (&kind, &key, None), &sealed, &vault)?;
    }
    Ok((states, people))
}

/// What is kept, as rows.
#[derive(Default)]
struct Rows {
    kinds: Vec<String>,
    keys: Vec<String>,
    sealed: Vec<Sealed<Value>>,
    organisations: Vec<Option<Uuid>>,
    due: Vec<Option<NaiveDate>>,
    forgotten: Vec<NaiveDate>,
}

impl Rows {
    fn add(
        &mut self,
        (kind, key): (&str, String),
        value: &impl Serialize,
        (organisation, due): (Option<OrganisationId>, Option<NaiveDate>),
        forgotten: NaiveDate,
        vault: &Vault,
    ) -> Result<(), Problem> {
        let value = serde_json::to_value(value).map_err(Problem::internal)?;
        self.sealed.push(Sealed::seal(&value, vault, &place(kind, &key))?);
        self.kinds.push(kind.to_owned());
        self.keys.push(key);
        self.organisations.push(organisation.map(|id| id.0));
        self.due.push(due);
        self.forgotten.push(forgotten);
        Ok(())
    }
}

/// Keeps all of it; `whom` says for whom people act.
pub(super) async fn save(
    work: &mut Errands,
    states: &States,
    whom: impl Fn(AccountId) -> Option<OrganisationId>,
) -> Result<(), Problem> {
    let (vault, today) = (work.vault()?, work.today());
    let until = |days| today + TimeDelta::days(days);
    let mut rows = Rows::default();
    for (account, person) in &states.people {
        let more = (whom(*account), person.due_on());
        rows.add((PEOPLE, account.to_string()), person, more, until(PERSON), &vault)?;
    }
    for (peers, habit) in &states.peers {
        rows.add((PEERS, peers_key(*peers)), habit, (None, None), until(OTHERS), &vault)?;
    }
    for (organisation, body) in &states.bodies {
        let key = organisation.to_string();
        rows.add((BODIES, key), body, (None, None), until(OTHERS), &vault)?;
    }
    for (child, looked) in &states.children {
        rows.add((CHILDREN, blind(&vault, *child)), looked, (None, None), until(CHILD), &vault)?;
    }
    sqlx::query!(
        "insert into watch_state as s (kind, key, sealed, organisation_id, due_on, forgotten_on)
         select * from unnest($1::text[], $2::text[], $3::bytea[], $4::uuid[], $5::date[], $6::date[])
         on conflict (kind, key) do update set sealed = excluded.sealed, due_on = excluded.due_on,
             organisation_id = coalesce(excluded.organisation_id, s.organisation_id), forgotten_on = excluded.forgotten_on",
        &rows.kinds,
        &rows.keys,
        &rows.sealed as _,
        &rows.organisations as _,
        &rows.due as _,
        &rows.forgotten,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// Forgets what is over.
pub(super) async fn forget(work: &mut Errands) -> Result<(), Problem> {
    let today = work.today();
    sqlx::query!("delete from watch_state where forgotten_on < $1", today)
        .execute(work.db())
        .await?;
    Ok(())
}
