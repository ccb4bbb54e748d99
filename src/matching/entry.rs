//! The entries by which the matcher finds children, made of what the other tables say.

use chrono::{Datelike, Months, NaiveDate};
use linkage::{Birth, Gender, Name, NameKind, Person, PersonName, Place, key::SCHEME};
use serde::Deserialize;
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    child::{
        self,
        birth::{DatePrecision, Gender as HeldGender},
    },
    ids::{ChildId, OrganisationId},
    problem::Problem,
    work::{Errands, Unit},
};

/// How long a school or a practice counts after it has ended.
const COUNTS: Months = Months::new(12);
/// The postcodes of no fixed abode, which say nothing of where a child lives.
const NOWHERE: &str = "ZZ99 ";

/// A name as it is held.
#[derive(Debug, Deserialize)]
struct HeldName {
    kind: child::name::NameKind,
    given: Vec<String>,
    family: String,
    superseded: bool,
}

/// A carer's name as it is held.
#[derive(Debug, Deserialize)]
struct HeldCarer {
    given: Vec<String>,
    family: String,
}

/// An address as it is held.
#[derive(Debug, Deserialize)]
struct HeldPlace {
    lines: Vec<String>,
    town: String,
    postcode: String,
    former: bool,
}

/// What is held of a child, as far as it is compared; what a shield hides is not read.
struct Held {
    child: ChildId,
    shielded: bool,
    archives_on: Option<NaiveDate>,
    born: NaiveDate,
    precision: DatePrecision,
    gender: HeldGender,
    names: Json<Vec<HeldName>>,
    carers: Json<Vec<HeldCarer>>,
    places: Json<Vec<HeldPlace>>,
    schools: Vec<Uuid>,
    practices: Vec<Uuid>,
    identifiers: Vec<String>,
    /// That the entry is stale, where it is.
    mark: Option<i64>,
}

/// Makes the entry of a child anew, as the work has left the record, and says what is compared of it; nothing where the record
/// is in use no more. The record is held until the work is done.
pub(crate) async fn refresh(
    work: &mut impl Unit,
    child: ChildId,
) -> Result<Option<Person>, Problem> {
    Ok(refresh_all(work, &[child]).await?.pop().map(|(_, person)| person))
}

/// The same for many, in two statements that read and one that writes.
pub(crate) async fn refresh_all(
    work: &mut impl Unit,
    children: &[ChildId],
) -> Result<Vec<(ChildId, Person)>, Problem> {
    let ids: Vec<_> = children.iter().map(|child| child.0).collect();
    // Held first: of two who write of one child, the later reads what the earlier wrote.
    sqlx::query!(
        "select child_id from child where child_id = any($1) order by child_id for no key update",
        &ids
    )
    .fetch_all(work.db())
    .await?;
    made(work, &ids).await
}

/// Makes the entries of records that nobody else writes, or that are held.
pub(crate) async fn made(
    work: &mut impl Unit,
    ids: &[Uuid],
) -> Result<Vec<(ChildId, Person)>, Problem> {
    let since = work.today().checked_sub_months(COUNTS);
    let held = sqlx::query_as!(
        Held,
        r#"
        select c.child_id as "child: ChildId", c.shielded, c.archives_on, c.date_of_birth as born,
               c.date_of_birth_precision as "precision: DatePrecision", c.gender as "gender: HeldGender",
               coalesce((
                   select json_agg(json_build_object('kind', n.kind, 'given', n.given, 'family', n.family,
                       'superseded', n.superseded_at is not null) order by n.superseded_at desc nulls first, n.kind, n.name_id)
                   from child_name n where n.child_id = c.child_id), '[]') as "names!: Json<Vec<HeldName>>",
               coalesce((
                   select json_agg(json_build_object('given', r.given, 'family', r.family) order by r.received_at, r.carer_id)
                   from carer r where r.child_id = c.child_id and r.superseded_at is null), '[]') as "carers!: Json<Vec<HeldCarer>>",
               coalesce((
                   select json_agg(json_build_object('lines', w.lines, 'town', w.town, 'postcode', w.postcode,
                       'former', w.superseded_at is not null or w.kind = 'lastKnown')
                       order by w.superseded_at desc nulls first, w.whereabouts_id)
                   from whereabouts w where w.child_id = c.child_id and w.lines is not null and not c.shielded), '[]')
                   as "places!: Json<Vec<HeldPlace>>",
               array(select distinct i.organisation_id from involvement i
                     where i.child_id = c.child_id and i.service_type in ('earlyYears', 'school', 'college')
                       and not i.sensitive and not c.shielded and (i.ended_on is null or i.ended_on >= $2)
                     order by 1) as "schools!",
               array(select distinct i.organisation_id from involvement i
                     where i.child_id = c.child_id and i.service_type = 'generalPractice'
                       and not i.sensitive and not c.shielded and (i.ended_on is null or i.ended_on >= $2)
                     order by 1) as "practices!",
               array(select distinct i.kind || ':' || i.value from child_identifier i
                     where i.child_id = c.child_id and i.superseded_at is null and not c.shielded
                     order by 1) as "identifiers!",
               s.mark as "mark?"
        from child c
        left join match_stale s on s.child_id = c.child_id
        where c.child_id = any($1) and c.status = 'active'
        order by c.child_id
        "#,
        ids,
        since,
    )
    .fetch_all(work.db())
    .await?;
    let people: Vec<_> = held.into_iter().map(Held::made).collect();
    save(work, &people).await?;
    Ok(people.into_iter().map(|made| (made.child, made.person)).collect())
}

/// What an entry is made of.
struct Made {
    child: ChildId,
    shielded: bool,
    archives_on: Option<NaiveDate>,
    person: Person,
    mark: Option<i64>,
}

async fn save(work: &mut impl Unit, made: &[Made]) -> Result<(), Problem> {
    let keys = made.iter().map(|made| {
        let keys: Vec<_> = made.person.keys().iter().map(i64::to_string).collect();
        format!("{{{}}}", keys.join(","))
    });
    let packed = made.iter().map(|made| made.person.pack()).collect::<Result<Vec<_>, _>>();
    sqlx::query!(
        "with fresh as (
             delete from match_stale s using unnest($1::uuid[], $7::bigint[]) as made (child_id, mark)
             where s.child_id = made.child_id and s.mark = made.mark)
         insert into match_entry (child_id, shielded, archives_on, scheme, keys, packed)
         select child_id, shielded, archives_on, $6, keys::bigint[], packed
         from unnest($1::uuid[], $2::boolean[], $3::date[], $4::text[], $5::bytea[])
             as made (child_id, shielded, archives_on, keys, packed)
         on conflict (child_id) do update
             set archives_on = excluded.archives_on, scheme = excluded.scheme, keys = excluded.keys, packed = excluded.packed
             where (match_entry.archives_on, match_entry.scheme, match_entry.keys, match_entry.packed)
                 is distinct from (excluded.archives_on, excluded.scheme, excluded.keys, excluded.packed)",
        &made.iter().map(|made| made.child.0).collect::<Vec<_>>(),
        &made.iter().map(|made| made.shielded).collect::<Vec<_>>(),
        &made.iter().map(|made| made.archives_on).collect::<Vec<_>>() as _,
        &keys.collect::<Vec<_>>(),
        &packed.map_err(Problem::internal)?,
        SCHEME,
        &made.iter().map(|made| made.mark).collect::<Vec<_>>() as _,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// Has entries that an older version of the service made be made anew, or every entry; says how many wait.
pub(super) async fn ask_anew(work: &mut Errands, all: bool) -> Result<i64, Problem> {
    sqlx::query!(
        "insert into match_stale (child_id) select child_id from match_entry where scheme < $1 or $2 on conflict do nothing",
        SCHEME,
        all,
    )
    .execute(work.db())
    .await?;
    let waiting = sqlx::query_scalar!(r#"select count(*) as "waiting!" from match_stale"#);
    Ok(waiting.fetch_one(work.db()).await?)
}

/// Holds the next records after one whose entry is to be made; those that others hold are left to these.
pub(super) async fn next_stale(
    work: &mut Errands,
    after: Uuid,
    batch: i64,
) -> Result<Vec<Uuid>, Problem> {
    let next = sqlx::query_scalar!(
        "select c.child_id from match_stale s join child c on c.child_id = s.child_id
         where s.child_id > $1 order by s.child_id limit $2 for no key update of c skip locked",
        after,
        batch,
    );
    Ok(next.fetch_all(work.db()).await?)
}

impl Held {
    fn made(self) -> Made {
        let names = self.names.0.iter().map(HeldName::name).collect();
        let carers = self.carers.0.iter();
        let places = self.places.0.iter().map(HeldPlace::place).collect();
        let number = |id: &Uuid| organisation(OrganisationId(*id));
        let person = Person {
            names,
            birth: Some(birth(self.born, self.precision)),
            gender: gender(self.gender),
            places,
            carers: carers.map(|carer| PersonName::of(&carer.given, &carer.family)).collect(),
            schools: self.schools.iter().map(number).collect(),
            practices: self.practices.iter().map(number).collect(),
            identifiers: self.identifiers,
        };
        Made {
            child: self.child,
            shielded: self.shielded,
            archives_on: self.archives_on,
            person,
            mark: self.mark,
        }
    }
}

impl HeldName {
    fn name(&self) -> Name {
        let kind = match self.kind {
            _ if self.superseded => NameKind::Former,
            child::name::NameKind::Current => NameKind::Current,
            child::name::NameKind::KnownAs => NameKind::KnownAs,
            child::name::NameKind::Former => NameKind::Former,
        };
        Name { kind, name: PersonName::of(&self.given, &self.family) }
    }
}

impl HeldPlace {
    fn place(&self) -> Place {
        let postcode = if self.postcode.starts_with(NOWHERE) { "" } else { &self.postcode };
        Place::of(&self.lines, &self.town, postcode, self.former)
    }
}

/// A date of birth as it is compared.
#[must_use]
pub(crate) fn birth(born: NaiveDate, precision: DatePrecision) -> Birth {
    let part = |part: u32| u8::try_from(part).ok();
    Birth {
        year: i16::try_from(born.year()).unwrap_or(i16::MAX),
        month: part(born.month()).filter(|_| precision != DatePrecision::Year),
        day: part(born.day()).filter(|_| precision == DatePrecision::Day),
    }
}

/// A gender as it is compared; one that is not specified is not.
#[must_use]
pub(crate) fn gender(gender: HeldGender) -> Option<Gender> {
    match gender {
        HeldGender::Female => Some(Gender::Female),
        HeldGender::Male => Some(Gender::Male),
        HeldGender::NotSpecified => None,
    }
}

/// The number that stands for an organisation where it is compared.
#[must_use]
pub(crate) fn organisation(id: OrganisationId) -> u64 {
    id.0.as_u64_pair().0
}
