//! What the own record says, and who has looked at it, in the database.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sqlx::{PgExecutor, types::Json};
use uuid::Uuid;

use super::{
    Acting, LOOKS, Looker, MyFact, MyLook, MyRecord, MyService, Saw, saw, words, words::Voice,
};
use crate::{
    access::Role,
    carer::{Carer, CarerContact},
    child::{
        ContestedFact, Disputed, Status,
        birth::{DatePrecision, Gender},
        identifier::Identifier,
        name::{Name, NamePart},
        provenance::Provenance,
        whereabouts::Whereabouts,
    },
    consent::GivenBy,
    ids::{CarerId, ChildId, IndexNumber, OrganisationId},
    involvement::{Involvement, Reachable, ServiceCategory, in_order},
    organisation::OrganisationKind,
    problem::{Kind, Problem},
    seal::{Sealed, Vault},
    sensitive::SealedInvolvement,
    subject::SubjectCapacity,
    work::{Look, Work},
};

/// The children for whom the caller acts today.
pub(super) async fn children(look: &Look) -> Result<Vec<Acting>, Problem> {
    acting_for(look.db(), look.caller.subject.uuid(), look.today(), None).await
}

/// The child whom a look is about: the one named, or the only one there is.
pub(crate) async fn acting(look: &Look, child: Option<&IndexNumber>) -> Result<Acting, Problem> {
    let found = acting_for(look.db(), look.caller.subject.uuid(), look.today(), child).await?;
    let detail = "child is required of somebody who acts for several children.";
    one(found, || Problem::new(Kind::InvalidQuery, detail))
}

/// The same for a change.
pub(crate) async fn acting_in(
    work: &mut Work,
    child: Option<&IndexNumber>,
) -> Result<Acting, Problem> {
    let (account, today) = (work.caller.subject.uuid(), work.today());
    let found = acting_for(work.db(), account, today, child).await?;
    let detail = "is required of somebody who acts for several children";
    one(found, || Problem::invalid("/child", detail))
}

/// Several are told apart by their numbers; of none, nothing is told.
fn one(found: Vec<Acting>, several: impl FnOnce() -> Problem) -> Result<Acting, Problem> {
    let own = found.iter().position(Acting::is_child);
    match (own, found.len()) {
        (None, 2..) => Err(several()),
        (own, _) => found.into_iter().nth(own.unwrap_or(0)).ok_or(Kind::NotFound.into()),
    }
}

async fn acting_for(
    db: impl PgExecutor<'_>,
    account: Uuid,
    today: chrono::NaiveDate,
    child: Option<&IndexNumber>,
) -> Result<Vec<Acting>, Problem> {
    let rows = sqlx::query_as!(
        Acting,
        r#"select a.child_id as "child!: ChildId", c.index_number as "number: IndexNumber", a.capacity as "capacity!: SubjectCapacity",
                  (c.shielded and a.capacity = 'carer') as "hidden!", $2 < anniversary(c.date_of_birth, 12) as "young!"
           from acting_for($1, $2) a
           join child c on c.child_id = a.child_id
           where $3::text is null or a.child_id = child_numbered($3)
           order by a.capacity desc, c.index_number"#,
        account,
        today,
        child.map(IndexNumber::as_str),
    );
    Ok(rows.fetch_all(db).await?)
}

/// Something said, with who said it.
#[derive(Deserialize)]
struct Said<T> {
    value: T,
    source: Provenance,
}

/// Where a child is, as the database has it: sealed under a shield.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    id: Uuid,
    value: Value,
    sealed: Option<Sealed<Whereabouts>>,
    source: Provenance,
}

/// A carer as the database has it: how to be reached is sealed under a shield.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cares {
    value: Carer,
    sealed: Option<Sealed<CarerContact>>,
}

/// A record as the database has it.
struct Row {
    born: chrono::NaiveDate,
    precision: DatePrecision,
    guess: bool,
    gender: Gender,
    archived: bool,
    council: Reachable,
    source: Provenance,
    names: Vec<Said<Name>>,
    place: Option<Place>,
    identifiers: Vec<Said<Identifier>>,
    carers: Vec<Cares>,
    involvements: Vec<Involvement>,
    sensitive: Vec<SealedInvolvement>,
    disputed: Vec<Disputed>,
    /// Which carer the caller is.
    own: Option<CarerId>,
}

async fn row(look: &Look, acting: &Acting) -> Result<Row, Problem> {
    let row = sqlx::query!(
        r#"
        select c.date_of_birth, c.date_of_birth_precision as "precision: DatePrecision", c.date_of_birth_estimated as guess,
               c.gender as "gender: Gender", not in_use(c.status, c.archives_on, $2) as "archived!",
               reachable(c.responsible_authority_id) as "council!: Json<Reachable>",
               json_build_object('organisationId', c.source_organisation_id, 'receivedAt', c.received_at, 'asAt', c.as_at)
                   as "source!: Json<Provenance>",
               (select json_build_object(
                    'names', coalesce((
                        select json_agg(json_build_object(
                            'value', json_build_object('kind', n.kind, 'given', n.given, 'family', n.family),
                            'source', json_build_object('organisationId', n.source_organisation_id, 'receivedAt', n.received_at, 'asAt', n.as_at))
                            order by n.kind, n.received_at)
                        from child_name n where n.child_id = c.child_id and n.superseded_at is null), '[]'),
                    'identifiers', coalesce((
                        select json_agg(json_build_object(
                            'value', json_build_object('kind', i.kind, 'value', i.value),
                            'source', json_build_object('organisationId', i.source_organisation_id, 'receivedAt', i.received_at, 'asAt', i.as_at))
                            order by i.kind)
                        from child_identifier i where i.child_id = c.child_id and i.superseded_at is null), '[]'),
                    'place', (
                        select json_build_object('id', w.whereabouts_id, 'value', t.told,
                            'sealed', translate(encode(w.sealed, 'base64'), E'\n', ''),
                            'source', json_build_object('organisationId', w.source_organisation_id, 'receivedAt', w.received_at, 'asAt', w.as_at))
                        from whereabouts w
                        cross join lateral (select jsonb_strip_nulls(jsonb_build_object(
                            'kind', w.kind, 'leftOn', w.left_on, 'return', w.return_expected,
                            'address', case when w.lines is not null then jsonb_build_object(
                                'lines', w.lines, 'town', w.town, 'postcode', w.postcode, 'uprn', w.uprn) end)) as told) t
                        where w.child_id = c.child_id and w.superseded_at is null),
                    'carers', coalesce((
                        select json_agg(json_build_object('value', r.told, 'sealed', translate(encode(r.sealed, 'base64'), E'\n', ''))
                            order by r.received_at, r.carer_id)
                        from carer_told r where r.child_id = c.child_id and r.superseded_at is null), '[]'),
                    'involvements', coalesce((
                        select json_agg(i.told) from involvement_told_on($2) i where i.child_id = c.child_id), '[]'),
                    'sensitive', coalesce((
                        select json_agg(s.told) from sensitive_told s where s.child_id = c.child_id), '[]'),
                    'disputed', coalesce((
                        select json_agg(distinct jsonb_strip_nulls(jsonb_build_object('fact', d.fact, 'id', d.fact_id)))
                        from information_request d where d.child_id = c.child_id and d.status = 'forwarded' and d.fact is not null), '[]')
               )) as "lists!: Json<Value>",
               (select s.carer_id from subject s
                where s.child_id = c.child_id and s.account_id = $3 and s.ended_at is null) as "own: CarerId"
        from child c where c.child_id = $1
        "#,
        acting.child.0,
        look.today(),
        look.caller.subject.uuid(),
    )
    .fetch_one(look.db())
    .await?;
    let mut lists = row.lists.0;
    Ok(Row {
        born: row.date_of_birth,
        precision: row.precision,
        guess: row.guess,
        gender: row.gender,
        archived: row.archived,
        council: row.council.0,
        source: row.source.0,
        names: list(&mut lists, "names")?,
        place: list(&mut lists, "place")?,
        identifiers: list(&mut lists, "identifiers")?,
        carers: list(&mut lists, "carers")?,
        involvements: list(&mut lists, "involvements")?,
        sensitive: list(&mut lists, "sensitive")?,
        disputed: list(&mut lists, "disputed")?,
        own: row.own,
    })
}

fn list<T: DeserializeOwned>(lists: &mut Value, name: &str) -> Result<T, Problem> {
    serde_json::from_value(lists[name].take()).map_err(Problem::internal)
}

/// The sensitive services of a child with who provides them, who must be asked for.
async fn opened(look: &Look, sealed: Vec<SealedInvolvement>) -> Result<Vec<Involvement>, Problem> {
    let vault = look.vault();
    let providers: Vec<OrganisationId> = sealed
        .iter()
        .map(|one| Ok(one.provider(vault)?.organisation_id))
        .collect::<Result<_, Problem>>()?;
    let known = sqlx::query!(
        r#"select o.organisation_id as "id: OrganisationId", reachable(o.organisation_id) as "told!: Json<Reachable>"
           from organisation o where o.organisation_id = any($1)"#,
        &providers.iter().map(|id| id.0).collect::<Vec<_>>(),
    )
    .fetch_all(look.db())
    .await?;
    let known: HashMap<_, _> = known.into_iter().map(|row| (row.id, row.told.0)).collect();
    let told = sealed.into_iter().zip(providers).filter_map(|(one, provider)| {
        known.get(&provider).map(|reachable| one.told(vault, reachable.clone()))
    });
    told.collect()
}

/// The own record in plain words.
pub(super) async fn record(look: &Look, acting: &Acting) -> Result<MyRecord, Problem> {
    let mut row = row(look, acting).await?;
    let sealed = std::mem::take(&mut row.sensitive);
    let told = sealed.into_iter().filter(|one| !acting.hidden && acting.is_told(one.is_by_carer()));
    let private = opened(look, told.collect()).await?;
    if acting.hidden {
        row.hide();
    }
    let sources = sources(look, &row, &private).await?;
    let told = Telling { voice: Voice(acting.capacity), acting, sources, vault: look.vault() };
    told.record(row, private)
}

impl Row {
    /// Leaves what a shield leaves to everybody, and what the caller has said of themselves.
    fn hide(&mut self) {
        self.place = None;
        self.identifiers.clear();
        self.involvements.clear();
        self.disputed.retain(|disputed| {
            !matches!(
                disputed.fact,
                ContestedFact::Whereabouts | ContestedFact::Identifier | ContestedFact::Involvement
            )
        });
        for carer in &mut self.carers {
            if Some(carer.value.id) != self.own {
                carer.sealed = None;
            }
        }
    }
}

/// The names of all who said something.
async fn sources(
    look: &Look,
    row: &Row,
    private: &[Involvement],
) -> Result<HashMap<OrganisationId, String>, Problem> {
    let said = row.names.iter().map(|said| &said.source);
    let said = said.chain(row.identifiers.iter().map(|said| &said.source));
    let said = said.chain(row.place.iter().map(|place| &place.source)).chain([&row.source]);
    let said = said.chain(row.carers.iter().filter_map(|carer| carer.value.source.as_ref()));
    let said = said.chain(row.involvements.iter().chain(private).map(|work| &work.source));
    let all: BTreeSet<_> = said.map(|source| source.organisation_id.0).collect();
    let rows = sqlx::query!(
        r#"select organisation_id as "id: OrganisationId", name from organisation where organisation_id = any($1)"#,
        &all.into_iter().collect::<Vec<_>>(),
    )
    .fetch_all(look.db())
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.name)).collect())
}

/// How a record is told.
struct Telling<'a> {
    voice: Voice,
    acting: &'a Acting,
    sources: HashMap<OrganisationId, String>,
    vault: &'a Vault,
}

impl Telling<'_> {
    fn record(&self, row: Row, private: Vec<Involvement>) -> Result<MyRecord, Problem> {
        let acting = self.acting;
        let status = if row.archived { Status::Archived } else { Status::Active };
        let council = (!acting.hidden).then(|| row.council.clone());
        let disputed = row.disputed.clone();
        let mut work = row.involvements.clone();
        work.extend(private);
        in_order(&mut work);
        let services = work.into_iter().map(|work| self.service(work, &disputed)).collect();
        Ok(MyRecord {
            index_number: acting.number.clone(),
            capacity: acting.capacity,
            status,
            words: self.voice.about(row.archived, acting.hidden),
            facts: self.facts(row)?,
            services,
            council,
        })
    }

    fn facts(&self, row: Row) -> Result<Vec<MyFact>, Problem> {
        let (voice, disputed) = (self.voice, &row.disputed);
        let mut facts = Vec::new();
        for Said { value, source } in &row.names {
            let given: Vec<_> = value.given.iter().map(NamePart::as_str).collect();
            let name = format!("{} {}", given.join(" "), value.family.as_str());
            let words = voice.name(value.kind, &name);
            facts.push(self.fact(
                (ContestedFact::Name, None),
                words,
                value,
                Some(source),
                disputed,
            )?);
        }
        let birth = json!({ "dateOfBirth": row.born, "dateOfBirthPrecision": row.precision, "dateOfBirthEstimated": row.guess });
        let words = voice.birth(row.born, row.precision, row.guess);
        let core = Some(&row.source);
        facts.push(self.fact((ContestedFact::DateOfBirth, None), words, &birth, core, disputed)?);
        let gender = json!({ "gender": row.gender });
        let words = voice.gender(row.gender);
        facts.push(self.fact((ContestedFact::Gender, None), words, &gender, core, disputed)?);
        if let Some(place) = &row.place {
            let at: Whereabouts = match &place.sealed {
                Some(sealed) => sealed.open(self.vault, &Whereabouts::place(place.id))?,
                None => serde_json::from_value(place.value.clone()).map_err(Problem::internal)?,
            };
            let (words, source) = (voice.whereabouts(&at), Some(&place.source));
            facts.push(self.fact(
                (ContestedFact::Whereabouts, None),
                words,
                &at,
                source,
                disputed,
            )?);
        }
        for Said { value, source } in &row.identifiers {
            let words = voice.identifier(value.kind(), value.value());
            facts.push(self.fact(
                (ContestedFact::Identifier, None),
                words,
                value,
                Some(source),
                disputed,
            )?);
        }
        for Cares { value, sealed } in row.carers {
            let (id, source) = (value.id, value.source.clone());
            let carer = match sealed {
                Some(sealed) => value.reached(sealed.open(self.vault, &CarerContact::place(id))?),
                None => value,
            };
            let carer = Carer { source: None, ..carer };
            let (about, words) = ((ContestedFact::Carer, Some(id.0)), voice.carer(&carer));
            facts.push(self.fact(about, words, &carer, source.as_ref(), disputed)?);
        }
        Ok(facts)
    }

    fn fact(
        &self,
        (fact, id): (ContestedFact, Option<Uuid>),
        words: String,
        value: &impl Serialize,
        source: Option<&Provenance>,
        disputed: &[Disputed],
    ) -> Result<MyFact, Problem> {
        let source = source.filter(|_| !self.acting.hidden);
        let named =
            source.and_then(|source| Some((self.sources.get(&source.organisation_id)?, source)));
        Ok(MyFact {
            fact,
            id,
            words,
            who: named.map(|(name, source)| words::told(name, source.as_at)),
            value: serde_json::to_value(value).map_err(Problem::internal)?,
            source: source.cloned(),
            disputed: disputed.contains(&Disputed { fact, id }),
        })
    }

    fn service(&self, work: Involvement, disputed: &[Disputed]) -> MyService {
        let by_carer =
            work.consent.as_ref().is_some_and(|consent| consent.given_by == GivenBy::Carer);
        let private = work.service_type.category() == ServiceCategory::Sensitive
            && !(self.acting.young && by_carer);
        let fact = Disputed { fact: ContestedFact::Involvement, id: Some(work.id.0) };
        let voice = self.voice;
        let mut words = vec![
            voice.service(work.service_type).to_owned(),
            voice.works(&work.organisation.name, work.started_on, work.ended_on),
            words::reach(&work.contact),
        ];
        words.extend(work.flags.iter().map(|set| voice.flag(set.flag)));
        words.extend(private.then(|| voice.private().to_owned()));
        MyService {
            id: work.id.0,
            service_type: work.service_type,
            organisation: work.organisation,
            words,
            contact: work.contact,
            started_on: work.started_on,
            ended_on: work.ended_on,
            flags: work.flags.into_iter().map(|set| set.flag).collect(),
            private,
            source: work.source,
            disputed: disputed.contains(&fact),
        }
    }
}

/// The organisations of which a carer is not told that they work with the child.
async fn untold(look: &Look, acting: &Acting) -> Result<Vec<Uuid>, Problem> {
    let sealed = sqlx::query_scalar!(
        r#"select s.told as "told!: Json<SealedInvolvement>" from sensitive_told s where s.child_id = $1"#,
        acting.child.0,
    )
    .fetch_all(look.db())
    .await?;
    let untold = sealed.into_iter().filter(|one| !acting.is_told(one.0.is_by_carer()));
    untold.map(|one| Ok(one.0.provider(look.vault())?.organisation_id.0)).collect()
}

/// A look with its place among all.
pub(super) struct Told {
    pub(super) look: MyLook,
    pub(super) id: Uuid,
}

/// A page of the looks at a child that are told today, the latest first; one more than asked for where there is a next page.
pub(super) async fn looks(
    look: &Look,
    acting: &Acting,
    before: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<Vec<Told>, Problem> {
    let (before_at, before_id) = before.unwrap_or((DateTime::<Utc>::MAX_UTC, Uuid::max()));
    let before_at = before_at.min(look.now + chrono::Duration::days(1));
    let untold = untold(look, acting).await?;
    let operations: Vec<_> = LOOKS.iter().map(|(operation, _)| (*operation).to_owned()).collect();
    let rows = sqlx::query!(
        r#"
        with record as materialized (
            select array(select m.child_id from child m where m.child_id = $1 or m.merged_into = $1) as ids)
        select e.event_id, e.at, e.operation, e.role as "role!: Role", e.reason, o.name, o.kind as "kind: OrganisationKind"
        from record r
        join audit_event e on e.children && r.ids
        join organisation o on o.organisation_id = e.organisation_id
        where e.outcome = 'answered' and e.operation = any($2) and (e.at, e.event_id) < ($3, $4)
          and e.account_id is distinct from $5 and (e.role <> 'subject' or $6)
          and not e.organisation_id = any($7) and not $8
          and not ((e.reason is not distinct from 'safeguarding-enquiry' or e.operation = 'override_shield'
                    or exists (select from override_grant g
                               where g.child_id = any(r.ids) and g.account_id = e.account_id
                                 and e.at >= g.granted_at and e.at < g.expires_at))
                   and is_withheld(r.ids, e.at, $9, $10))
        order by e.at desc, e.event_id desc
        limit $11
        "#,
        acting.child.0,
        &operations,
        before_at,
        before_id,
        look.caller.subject.uuid(),
        acting.is_child(),
        &untold,
        acting.hidden,
        look.now,
        look.today(),
        limit,
    )
    .fetch_all(look.db())
    .await?;
    let voice = Voice(acting.capacity);
    let told = rows.into_iter().map(|row| {
        let saw: Saw = saw(&row.operation);
        let words = voice.look(row.role, saw, row.reason.as_deref());
        let organisation = Looker { name: row.name, kind: row.kind };
        let look =
            MyLook { at: row.at, organisation, role: row.role, reason: row.reason, saw, words };
        Told { look, id: row.event_id }
    });
    Ok(told.collect())
}
