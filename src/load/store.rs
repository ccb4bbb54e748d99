//! What is loaded, in the database: one statement a table, however many rows.

use chrono::NaiveDate;
use sqlx::types::Json;
use uuid::Uuid;

use super::{LoadChild, LoadInvolvement};
use crate::{
    array::array,
    carer::CarerIn,
    child::{
        address::{AddressLine, Uprn},
        identifier::Identifier,
        name::{Name, NamePart},
        whereabouts::Whereabouts,
    },
    clock::midnight_in_london,
    contact::{Email, Phone},
    guard::LOADING,
    ids::{ChildId, IndexNumber, InvolvementId, OrganisationId},
    involvement::{FlagSet, ServiceType},
    organisation::OrganisationIn,
    retention::Facts,
    work::Errands,
};

/// An organisation that is to be added.
#[derive(Debug)]
pub(super) struct NewOrganisation {
    pub(super) line: u64,
    pub(super) id: OrganisationId,
    pub(super) authority: Option<OrganisationId>,
    pub(super) said: OrganisationIn,
}

/// A child who is to be added, with whom its codes name.
#[derive(Debug)]
pub(super) struct NewChild {
    pub(super) line: u64,
    pub(super) id: ChildId,
    pub(super) authority: OrganisationId,
    pub(super) source: OrganisationId,
    pub(super) row: LoadChild,
    pub(super) involvements: Vec<(InvolvementId, OrganisationId)>,
}

impl NewChild {
    /// The day on which the record is archived.
    fn archives_on(&self, today: NaiveDate) -> NaiveDate {
        Facts::new(self.row.said.birth(), &self.row.said.whereabouts).end_from(today).day
    }

    fn names(&self) -> impl Iterator<Item = (&Self, &Name)> {
        self.row.said.names.iter().map(move |name| (self, name))
    }

    fn carers(&self) -> impl Iterator<Item = (&Self, &CarerIn)> {
        self.row.said.carers.iter().map(move |carer| (self, carer))
    }

    fn identifiers(&self) -> impl Iterator<Item = (&Self, Identifier)> {
        self.row.identifiers().into_iter().map(move |identifier| (self, identifier))
    }

    /// Where the child is and was, each with the day from which it no longer held.
    fn whereabouts(&self) -> impl Iterator<Item = (&Self, &Whereabouts, Option<NaiveDate>)> {
        let former = self.row.former_whereabouts.iter();
        let former = former.map(move |former| (self, &former.whereabouts, Some(former.until)));
        std::iter::once((self, &self.row.said.whereabouts, None)).chain(former)
    }

    fn involvements(
        &self,
    ) -> impl Iterator<Item = (&Self, InvolvementId, OrganisationId, &LoadInvolvement)> {
        let both = self.involvements.iter().zip(&self.row.involvements);
        both.map(move |((id, organisation), involvement)| (self, *id, *organisation, involvement))
    }

    fn flags(&self) -> impl Iterator<Item = (&Self, InvolvementId, &FlagSet)> {
        self.involvements().flat_map(|(child, id, _, involvement)| {
            involvement.flags.iter().map(move |set| (child, id, set))
        })
    }
}

/// An organisation of the index that one of the codes asked for names.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) code: String,
    pub(super) id: OrganisationId,
    pub(super) open: bool,
}

/// The organisations that have one of these codes, whichever list it is of.
pub(super) async fn known(work: &mut Errands, codes: &[String]) -> Result<Vec<Known>, sqlx::Error> {
    sqlx::query_as!(
        Known,
        r#"
        select code as "code!", organisation_id as "id!: OrganisationId", status <> 'closed' as "open!" from (
            select 'authority:' || authority_code as code, organisation_id, status from organisation where authority_code = any($1)
            union all
            select 'gss:' || gss_code, organisation_id, status from organisation where gss_code = any($1)
            union all
            select 'urn:' || urn, organisation_id, status from organisation where urn = any($1)
            union all
            select 'laestab:' || laestab, organisation_id, status from organisation where laestab = any($1)
            union all
            select 'ods:' || ods, organisation_id, status from organisation where ods = any($1)
            union all
            select 'reference:' || reference, organisation_id, status from organisation where reference = any($1)
        ) as known
        "#,
        codes,
    )
    .fetch_all(work.db())
    .await
}

/// Has nobody shielded until the children are added, but by the load itself; tells whether anybody is. Where nobody is, other
/// loads may go on beside it.
pub(super) async fn hold_shields(work: &mut Errands) -> Result<bool, sqlx::Error> {
    if !anybody_shielded(work).await? {
        sqlx::query!("select pg_advisory_xact_lock_shared($1)", LOADING).execute(work.db()).await?;
        if !anybody_shielded(work).await? {
            return Ok(false);
        }
    }
    sqlx::query!("select pg_advisory_xact_lock($1)", LOADING).execute(work.db()).await?;
    Ok(true)
}

async fn anybody_shielded(work: &mut Errands) -> Result<bool, sqlx::Error> {
    let found =
        sqlx::query_scalar!(r#"select exists (select from child where shielded) as "anybody!""#);
    found.fetch_one(work.db()).await
}

/// Which of the children, by their places, a search by name and birth would find, or resemble one who is shielded, or whose
/// identifier another child holds.
pub(super) async fn here_already(
    work: &mut Errands,
    children: &[NewChild],
) -> Result<Vec<usize>, sqlx::Error> {
    let place = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let each = || children.iter().enumerate();
    let names: Vec<_> = each()
        .flat_map(|(n, child)| {
            child.row.present_names().map(move |name| (n, child.row.said.birth().date, name))
        })
        .collect();
    let every: Vec<_> = each()
        .flat_map(|(n, child)| child.names().map(move |(child, name)| (n, child, name)))
        .collect();
    let today = work.today();
    let identifiers: Vec<_> = each()
        .flat_map(|(n, child)| child.identifiers().map(move |(_, identifier)| (n, identifier)))
        .collect();
    let found = sqlx::query_scalar!(
        r#"
        select wanted.n as "n!"
        from unnest($1::int[], $2::text[], $3::text[], $4::date[]) as wanted (n, given_keys, family_key, date_of_birth)
        join child_name held on held.family_key = wanted.family_key and held.date_of_birth = wanted.date_of_birth
            and held.given_keys && wanted.given_keys::text[]
        join child c on c.child_id = held.child_id
        where in_use(c.status, c.archives_on, $8)
        union
        select wanted.n
        from unnest($9::int[], $10::text[], $11::text[], $12::date[], $13::text[])
            as wanted (n, given_keys, family_key, date_of_birth, precision)
        join child_name held on held.family_key = wanted.family_key and held.given_keys && wanted.given_keys::text[]
        join child c on c.child_id = held.child_id
        where c.shielded
          and births_agree(c.date_of_birth, c.date_of_birth_precision, wanted.date_of_birth, wanted.precision)
        union
        select wanted.n
        from unnest($5::int[], $6::text[], $7::text[]) as wanted (n, kind, value)
        join child_identifier held on held.kind = wanted.kind and held.value = wanted.value
        where held.superseded_at is null
        "#,
        &names.iter().map(|(n, ..)| place(*n)).collect::<Vec<_>>(),
        &names.iter().map(|(.., name)| array(name.given_keys().iter().map(String::as_str))).collect::<Vec<_>>(),
        &names.iter().map(|(.., name)| name.family_key()).collect::<Vec<_>>(),
        &names.iter().map(|(_, born, _)| *born).collect::<Vec<_>>(),
        &identifiers.iter().map(|(n, _)| place(*n)).collect::<Vec<_>>(),
        &identifiers.iter().map(|(_, identifier)| identifier.kind().as_str()).collect::<Vec<_>>() as _,
        &identifiers.iter().map(|(_, identifier)| identifier.value()).collect::<Vec<_>>() as _,
        today,
        &every.iter().map(|(n, ..)| place(*n)).collect::<Vec<_>>(),
        &every.iter().map(|(.., name)| array(name.given_keys().iter().map(String::as_str))).collect::<Vec<_>>(),
        &every.iter().map(|(.., name)| name.family_key()).collect::<Vec<_>>(),
        &every.iter().map(|(_, child, _)| child.row.said.birth().date).collect::<Vec<_>>(),
        &every.iter().map(|(_, child, _)| child.row.said.date_of_birth_precision.as_str()).collect::<Vec<_>>() as _,
    )
    .fetch_all(work.db())
    .await?;
    Ok(found.into_iter().filter_map(|n| usize::try_from(n).ok()).collect())
}

/// Adds organisations.
pub(super) async fn insert_organisations(
    work: &mut Errands,
    new: &[NewOrganisation],
) -> Result<(), sqlx::Error> {
    let now = work.now;
    let text = |of: fn(&OrganisationIn) -> Option<&str>| {
        new.iter().map(move |new| of(&new.said)).collect::<Vec<_>>()
    };
    sqlx::query!(
        "insert into organisation (organisation_id, kind, name, authority_code, gss_code, urn, laestab, ods, reference,
             authority_id, office_hours, duty, email, opened_on, accredited_from, accredited_until, privacy_officer, updated_at)
         select new.*, $18
         from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
             $9::text[], $10::uuid[], $11::text[], $12::text[], $13::text[], $14::date[],
             $15::date[], $16::date[], $17::jsonb[]) as new",
        &new.iter().map(|new| new.id.0).collect::<Vec<_>>(),
        &text(|said| Some(said.kind.as_str())) as _,
        &text(|said| Some(&said.name)) as _,
        &text(|said| said.codes.authority.as_deref()) as _,
        &text(|said| said.codes.gss.as_deref()) as _,
        &text(|said| said.codes.urn.as_deref()) as _,
        &text(|said| said.codes.laestab.as_deref()) as _,
        &text(|said| said.codes.ods.as_deref()) as _,
        &text(|said| said.codes.reference.as_deref()) as _,
        &new.iter().map(|new| new.authority.map(|id| id.0)).collect::<Vec<_>>() as _,
        &text(|said| Some(said.office_hours.as_str())) as _,
        &text(|said| Some(said.duty.as_str())) as _,
        &text(|said| said.email.as_ref().map(Email::as_str)) as _,
        &new.iter().map(|new| new.said.opened_on).collect::<Vec<_>>() as _,
        &new.iter().map(|new| new.said.accredited_from).collect::<Vec<_>>() as _,
        &new.iter().map(|new| new.said.accredited_until).collect::<Vec<_>>() as _,
        &new.iter().map(|new| new.said.privacy_officer.as_ref().map(Json)).collect::<Vec<_>>() as _,
        now,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// Adds children, each with everything that its row brings.
pub(super) async fn insert_children(
    work: &mut Errands,
    new: &[NewChild],
) -> Result<(), sqlx::Error> {
    insert_cores(work, new).await?;
    insert_names(work, new).await?;
    insert_whereabouts(work, new).await?;
    insert_identifiers(work, new).await?;
    insert_carers(work, new).await?;
    insert_involvements(work, new).await?;
    insert_flags(work, new).await
}

async fn insert_cores(work: &mut Errands, new: &[NewChild]) -> Result<(), sqlx::Error> {
    let (now, today) = (work.now, work.today());
    let mut random = rand::rng();
    let numbers: Vec<_> =
        new.iter().map(|_| String::from(IndexNumber::random(&mut random))).collect();
    let services = |services: &[ServiceType]| array(services.iter().map(|service| service.code()));
    sqlx::query!(
        "insert into child (child_id, index_number, date_of_birth, date_of_birth_precision, date_of_birth_estimated, gender,
             without_service, responsible_authority_id, source_organisation_id, archives_on, received_at, as_at)
         select child_id, index_number, date_of_birth, date_of_birth_precision, date_of_birth_estimated, gender,
             without_service::text[], responsible_authority_id, source_organisation_id, archives_on, $11, $12
         from unnest($1::uuid[], $2::text[], $3::date[], $4::text[], $5::boolean[], $6::text[], $7::text[], $8::uuid[], $9::uuid[],
                 $10::date[])
             as new (child_id, index_number, date_of_birth, date_of_birth_precision, date_of_birth_estimated, gender,
                 without_service, responsible_authority_id, source_organisation_id, archives_on)",
        &new.iter().map(|new| new.id.0).collect::<Vec<_>>(),
        &numbers,
        &new.iter().map(|new| new.row.said.birth().date).collect::<Vec<_>>(),
        &new.iter().map(|new| new.row.said.date_of_birth_precision.as_str()).collect::<Vec<_>>() as _,
        &new.iter().map(|new| new.row.said.date_of_birth_estimated).collect::<Vec<_>>(),
        &new.iter().map(|new| new.row.said.gender.as_str()).collect::<Vec<_>>() as _,
        &new.iter().map(|new| services(&new.row.said.without_service)).collect::<Vec<_>>(),
        &new.iter().map(|new| new.authority.0).collect::<Vec<_>>(),
        &new.iter().map(|new| new.source.0).collect::<Vec<_>>(),
        &new.iter().map(|new| new.archives_on(today)).collect::<Vec<_>>(),
        now,
        today,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

async fn insert_names(work: &mut Errands, new: &[NewChild]) -> Result<(), sqlx::Error> {
    let (now, today) = (work.now, work.today());
    let names: Vec<_> = new.iter().flat_map(NewChild::names).collect();
    sqlx::query!(
        "insert into child_name (child_id, kind, given, family, given_keys, family_key, date_of_birth,
             source_organisation_id, received_at, as_at)
         select child_id, kind, given::text[], family, given_keys::text[], family_key, date_of_birth,
             source_organisation_id, $9, $10
         from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::date[], $8::uuid[])
             as new (child_id, kind, given, family, given_keys, family_key, date_of_birth, source_organisation_id)",
        &names.iter().map(|(child, _)| child.id.0).collect::<Vec<_>>(),
        &names.iter().map(|(_, name)| name.kind.as_str()).collect::<Vec<_>>() as _,
        &names.iter().map(|(_, name)| array(name.given.iter().map(NamePart::as_str))).collect::<Vec<_>>(),
        &names.iter().map(|(_, name)| name.family.as_str()).collect::<Vec<_>>() as _,
        &names.iter().map(|(_, name)| array(name.given_keys().iter().map(String::as_str))).collect::<Vec<_>>(),
        &names.iter().map(|(_, name)| name.family_key()).collect::<Vec<_>>(),
        &names.iter().map(|(child, _)| child.row.said.birth().date).collect::<Vec<_>>(),
        &sources(names.iter().map(|(child, _)| *child)),
        now,
        today,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

fn sources<'c>(children: impl Iterator<Item = &'c NewChild>) -> Vec<Uuid> {
    children.map(|child| child.source.0).collect()
}

async fn insert_whereabouts(work: &mut Errands, new: &[NewChild]) -> Result<(), sqlx::Error> {
    let (now, today) = (work.now, work.today());
    let places: Vec<_> = new.iter().flat_map(NewChild::whereabouts).collect();
    let addresses = || places.iter().map(|(_, whereabouts, _)| whereabouts.address());
    let left = || places.iter().map(|(_, whereabouts, _)| whereabouts.left_england());
    sqlx::query!(
        "insert into whereabouts (child_id, kind, lines, town, postcode, uprn, left_on, return_expected,
             source_organisation_id, as_at, superseded_at, received_at)
         select child_id, kind, lines::text[], town, postcode, uprn, left_on, return_expected,
             source_organisation_id, as_at, superseded_at, $12
         from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::date[], $8::text[], $9::uuid[],
                 $10::date[], $11::timestamptz[])
             as new (child_id, kind, lines, town, postcode, uprn, left_on, return_expected, source_organisation_id, as_at,
                 superseded_at)",
        &places.iter().map(|(child, ..)| child.id.0).collect::<Vec<_>>(),
        &places.iter().map(|(_, whereabouts, _)| whereabouts.kind().as_str()).collect::<Vec<_>>() as _,
        &addresses().map(|at| at.map(|at| array(at.lines.iter().map(AddressLine::as_str)))).collect::<Vec<_>>() as _,
        &addresses().map(|at| at.map(|at| at.town.as_str())).collect::<Vec<_>>() as _,
        &addresses().map(|at| at.map(|at| at.postcode.as_str())).collect::<Vec<_>>() as _,
        &addresses().map(|at| at.and_then(|at| at.uprn.as_ref()).map(Uprn::as_str)).collect::<Vec<_>>() as _,
        &left().map(|left| left.map(|(day, _)| day)).collect::<Vec<_>>() as _,
        &left().map(|left| left.map(|(_, returning)| returning.as_str())).collect::<Vec<_>>() as _,
        &sources(places.iter().map(|(child, ..)| *child)),
        &places.iter().map(|(.., until)| until.unwrap_or(today)).collect::<Vec<_>>(),
        &places.iter().map(|(.., until)| until.map(midnight_in_london)).collect::<Vec<_>>() as _,
        now,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

async fn insert_identifiers(work: &mut Errands, new: &[NewChild]) -> Result<(), sqlx::Error> {
    let (now, today) = (work.now, work.today());
    let identifiers: Vec<_> = new.iter().flat_map(NewChild::identifiers).collect();
    sqlx::query!(
        "insert into child_identifier (child_id, kind, value, source_organisation_id, received_at, as_at)
         select new.*, $5, $6 from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[]) as new",
        &identifiers.iter().map(|(child, _)| child.id.0).collect::<Vec<_>>(),
        &identifiers.iter().map(|(_, identifier)| identifier.kind().as_str()).collect::<Vec<_>>() as _,
        &identifiers.iter().map(|(_, identifier)| identifier.value()).collect::<Vec<_>>() as _,
        &sources(identifiers.iter().map(|(child, _)| *child)),
        now,
        today,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

async fn insert_carers(work: &mut Errands, new: &[NewChild]) -> Result<(), sqlx::Error> {
    let (now, today) = (work.now, work.today());
    let carers: Vec<_> = new.iter().flat_map(NewChild::carers).collect();
    let address = |carer: &CarerIn| {
        carer.address.as_ref().map(|address| serde_json::to_value(address).unwrap_or_default())
    };
    sqlx::query!(
        "insert into carer (carer_id, child_id, given, family, relationship, parental_responsibility, phones, emails, address,
             source_organisation_id, received_at, as_at)
         select gen_random_uuid(), child_id, given::text[], family, relationship, parental_responsibility, phones::text[],
             emails::text[], address, source_organisation_id, $10, $11
         from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::text[], $7::text[], $8::jsonb[], $9::uuid[])
             as new (child_id, given, family, relationship, parental_responsibility, phones, emails, address,
                 source_organisation_id)",
        &carers.iter().map(|(child, _)| child.id.0).collect::<Vec<_>>(),
        &carers.iter().map(|(_, carer)| array(carer.name.given.iter().map(NamePart::as_str))).collect::<Vec<_>>(),
        &carers.iter().map(|(_, carer)| carer.name.family.as_str()).collect::<Vec<_>>() as _,
        &carers.iter().map(|(_, carer)| carer.relationship.as_str()).collect::<Vec<_>>() as _,
        &carers.iter().map(|(_, carer)| carer.parental_responsibility).collect::<Vec<_>>(),
        &carers.iter().map(|(_, carer)| array(carer.phones.iter().map(Phone::as_str))).collect::<Vec<_>>(),
        &carers.iter().map(|(_, carer)| array(carer.emails.iter().map(Email::as_str))).collect::<Vec<_>>(),
        &carers.iter().map(|(_, carer)| address(carer)).collect::<Vec<_>>() as _,
        &sources(carers.iter().map(|(child, _)| *child)),
        now,
        today,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

async fn insert_involvements(work: &mut Errands, new: &[NewChild]) -> Result<(), sqlx::Error> {
    let (now, today) = (work.now, work.today());
    let all: Vec<_> = new.iter().flat_map(NewChild::involvements).collect();
    let said = || all.iter().map(|(.., involvement)| &involvement.said);
    sqlx::query!(
        "insert into involvement (involvement_id, child_id, organisation_id, source_organisation_id, service_type, contact,
             started_on, ended_on, confirmed_on, as_at, received_at)
         select involvement_id, child_id, organisation_id, organisation_id, service_type, contact,
             started_on, ended_on, confirmed_on, as_at, $10
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::jsonb[], $6::date[], $7::date[], $8::date[], $9::date[])
             as new (involvement_id, child_id, organisation_id, service_type, contact, started_on, ended_on, confirmed_on, as_at)",
        &all.iter().map(|(_, id, ..)| id.0).collect::<Vec<_>>(),
        &all.iter().map(|(child, ..)| child.id.0).collect::<Vec<_>>(),
        &all.iter().map(|(_, _, organisation, _)| organisation.0).collect::<Vec<_>>(),
        &said().map(|said| said.service_type.code()).collect::<Vec<_>>() as _,
        &said().map(|said| serde_json::to_value(&said.contact).unwrap_or_default()).collect::<Vec<_>>(),
        &said().map(|said| said.started_on).collect::<Vec<_>>(),
        &said().map(|said| said.ended_on).collect::<Vec<_>>() as _,
        &said().map(|said| said.confirmed_on.or(said.ended_on).unwrap_or(today)).collect::<Vec<_>>(),
        &said().map(|said| said.confirmed_on.unwrap_or(today)).collect::<Vec<_>>(),
        now,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

async fn insert_flags(work: &mut Errands, new: &[NewChild]) -> Result<(), sqlx::Error> {
    let now = work.now;
    let flags: Vec<_> = new.iter().flat_map(NewChild::flags).collect();
    sqlx::query!(
        "insert into flag (involvement_id, child_id, flag, set_on, expires_on, received_at)
         select new.*, $6 from unnest($1::uuid[], $2::uuid[], $3::text[], $4::date[], $5::date[]) as new",
        &flags.iter().map(|(_, id, _)| id.0).collect::<Vec<_>>(),
        &flags.iter().map(|(child, ..)| child.id.0).collect::<Vec<_>>(),
        &flags.iter().map(|(.., set)| set.flag.as_str()).collect::<Vec<_>>() as _,
        &flags.iter().map(|(.., set)| set.set_on).collect::<Vec<_>>(),
        &flags.iter().map(|(.., set)| set.expires_on).collect::<Vec<_>>(),
        now,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// Begins what may be undone without the rest of the transaction.
pub(super) async fn savepoint(work: &mut Errands) -> Result<(), sqlx::Error> {
    sqlx::query!("savepoint loading").execute(work.db()).await?;
    Ok(())
}

/// Keeps what was done since the savepoint.
pub(super) async fn release(work: &mut Errands) -> Result<(), sqlx::Error> {
    sqlx::query!("release savepoint loading").execute(work.db()).await?;
    Ok(())
}

/// Undoes what was done since the savepoint.
pub(super) async fn undo(work: &mut Errands) -> Result<(), sqlx::Error> {
    sqlx::query!("rollback to savepoint loading").execute(work.db()).await?;
    release(work).await
}
