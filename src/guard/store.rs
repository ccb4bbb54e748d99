//! Shields as the database holds them: every record of a person is sealed before the shield stands, and opened after it fell.

use linkage::{Birth, Comparison, Field, Level, Matcher, Person, similarity::sound};
use sqlx::types::Json;
use uuid::Uuid;

use super::{LOADING, Written};
use crate::{
    access::Role,
    audit::Trail,
    carer::CarerContact,
    child::whereabouts::Whereabouts,
    ids::{CarerId, ChildId, OrganisationId, PersonId, ShieldRequestId},
    matching::{entry, retrieve},
    notice::{self, NoticeKind, Telling},
    problem::{Kind, Problem},
    seal::Sealed,
    work::{Unit, Work},
    working_day::add_working_days,
};

/// The ground of a shield that only the index gives.
const RESEMBLANCE: &str = "resemblance";
/// Within how many working days somebody looks at a record that was shielded because it resembles another.
const TO_BE_LOOKED_AT: u32 = 5;

/// Lets what was written stand, where it may: a record that resembles one of a shielded person is shielded before anybody sees
/// it, and so is what resembles a shielded record.
pub(crate) async fn guard(work: &mut impl Unit, written: Written) -> Result<Trail, Problem> {
    hold(work, &written.children).await?;
    for child in reached(work, &written.children).await? {
        reach(work, child).await?;
    }
    Ok(Trail::about(written.children))
}

/// Lets what a load has added stand, where it may: these children, whose entries it has just made. Only those whom a shield
/// reaches are held, since nobody is shielded while a load looks ([`LOADING`]).
pub(crate) async fn guard_loaded(
    work: &mut impl Unit,
    mut people: Vec<(ChildId, Person)>,
) -> Result<(), Problem> {
    let reached = reached_of(work, &mut people).await?;
    hold(work, &reached).await?;
    for child in reached {
        reach(work, child).await?;
    }
    Ok(())
}

/// Shields a record where it resembles a shielded one, and what resembles it where it is shielded.
async fn reach(work: &mut impl Unit, child: ChildId) -> Result<(), Problem> {
    let likely = likely(work, child).await?;
    let shielded = sqlx::query_scalar!("select shielded from child where child_id = $1", child.0)
        .fetch_one(work.db())
        .await?;
    if shielded {
        spread(work, child).await?;
    } else if let Some(resembled) = resembled(work, child, &likely).await? {
        suspect(work, child, resembled).await?;
        spread(work, child).await?;
    }
    Ok(())
}

/// Those of these children whom a shield reaches: who is shielded, and who may be the child of a shielded record. Their entries
/// are made anew for it.
async fn reached(work: &mut impl Unit, children: &[ChildId]) -> Result<Vec<ChildId>, Problem> {
    let mut people = entry::refresh_all(work, children).await?;
    hold_alike(work, people.iter().map(|(_, person)| person)).await?;
    let mut reached = reached_of(work, &mut people).await?;
    let known = sqlx::query_scalar!(
        r#"select child_id as "child!: ChildId" from child where child_id = any($1) and shielded
           union select resembling_shielded($1)"#,
        &children.iter().map(|child| child.0).collect::<Vec<_>>(),
    );
    reached.extend(known.fetch_all(work.db()).await?);
    reached.sort_unstable();
    reached.dedup();
    Ok(reached)
}

/// The same of those whose names and births are alike, wherever they are.
async fn reached_of(
    work: &mut impl Unit,
    people: &mut [(ChildId, Person)],
) -> Result<Vec<ChildId>, Problem> {
    for (_, person) in people.iter_mut() {
        person.places.clear();
    }
    let (today, in_force) = (work.today(), work.matcher());
    let asked: Vec<_> = people.iter().map(|(_, person)| person).collect();
    let mut reached = Vec::new();
    retrieve::each_shielded(work.db(), &asked, today, |n, found| {
        let (child, person) = &people[n];
        let compared = found.compared(&in_force.matcher, person)?;
        let alike = |(other, compared): &(ChildId, Comparison)| {
            other != child && is_alike(&in_force.matcher, compared)
        };
        reached.extend(compared.iter().any(alike).then_some(*child));
        Ok(())
    })
    .await?;
    Ok(reached)
}

/// Shields the person of a child, with all records of that person and, until somebody has looked, those that resemble
/// them; says who it is.
pub(crate) async fn raise(work: &mut impl Unit, child: ChildId) -> Result<PersonId, Problem> {
    let person = person(work, child).await?;
    for record in shield(work, person).await? {
        hold(work, &[record]).await?;
        spread(work, record).await?;
    }
    Ok(person)
}

/// Seals every record of a person, then shields the person.
async fn shield(work: &mut impl Unit, person: PersonId) -> Result<Vec<ChildId>, Problem> {
    not_while_loading(work).await?;
    let records = records(work, person).await?;
    for &record in &records {
        sqlx::query!(
            "update child set visible_version = version where child_id = $1 and not shielded",
            record.0
        )
        .execute(work.db())
        .await?;
        seal_whereabouts(work, record).await?;
        seal_carers(work, record).await?;
        seal_history(work, record).await?;
    }
    sqlx::query!("update person set shielded = true where person_id = $1", person.0)
        .execute(work.db())
        .await?;
    entry::refresh_all(work, &records).await?;
    Ok(records)
}

/// A load looks for shielded children before it writes and after; so nobody is shielded meanwhile but by it.
async fn not_while_loading(work: &mut impl Unit) -> Result<(), Problem> {
    sqlx::query!("select pg_advisory_xact_lock($1)", LOADING).execute(work.db()).await?;
    Ok(())
}

/// Lets one at a time write what children of these names or identifiers are known by: of two that are written at once, one a
/// shield and the other a copy, the later sees the earlier.
async fn hold(work: &mut impl Unit, children: &[ChildId]) -> Result<(), Problem> {
    let locks = sqlx::query_scalar!(
        r#"
        select distinct hashtextextended(known, 1) as "lock!" from (
            select 'name|' || family_key || '|' || extract(year from date_of_birth) from child_name where child_id = any($1)
            union all
            select kind || '|' || value from child_identifier where child_id = any($1) and superseded_at is null
        ) as by (known)
        order by 1
        "#,
        &children.iter().map(|child| child.0).collect::<Vec<_>>()
    )
    .fetch_all(work.db())
    .await?;
    sqlx::query!("select pg_advisory_xact_lock(lock) from unnest($1::bigint[]) as lock", &locks)
        .execute(work.db())
        .await?;
    Ok(())
}

/// The records that may be of the same child by what a shield leaves visible: the name, in another spelling too, with the same
/// birth, as likely as is noted of any two. The entry of the child is made anew for it.
async fn likely(work: &mut impl Unit, child: ChildId) -> Result<Vec<Uuid>, Problem> {
    let Some(mut person) = entry::refresh(work, child).await? else { return Ok(Vec::new()) };
    person.places.clear();
    hold_alike(work, [&person]).await?;
    let (today, in_force) = (work.today(), work.matcher());
    let found = retrieve::candidates(work.db(), &person, today, false).await?.candidates();
    let compared = found.compared(&in_force.matcher, &person)?.into_iter();
    let alike = compared
        .filter(|(other, compared)| *other != child && is_alike(&in_force.matcher, compared));
    Ok(alike.map(|(other, _)| other.0).collect())
}

/// The same as [`hold`] for those who are alike: of two that are born on one day and named alike, the later sees the earlier.
async fn hold_alike<'p>(
    work: &mut impl Unit,
    people: impl IntoIterator<Item = &'p Person>,
) -> Result<(), Problem> {
    let alike: Vec<_> = people.into_iter().flat_map(alike).collect();
    sqlx::query!(
        "select pg_advisory_xact_lock(lock)
         from (select distinct hashtextextended(alike, 2) as lock from unnest($1::text[]) as alike order by 1 offset 0) as by",
        &alike
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// How each name of a person sounds, with each day on which the person may be born.
fn alike(person: &Person) -> Vec<String> {
    let births = person.birth.into_iter().chain(person.birth.and_then(Birth::swapped));
    let days: Vec<_> = births.map(|birth| format!("{birth:?}")).collect();
    let names = person
        .names
        .iter()
        .flat_map(|known| [known.name.first(), known.name.whole_family()].map(sound));
    names.flat_map(|name| days.iter().map(move |day| format!("{name}|{day}"))).collect()
}

fn is_alike(matcher: &Matcher, compared: &Comparison) -> bool {
    let far = |field| {
        let level = compared.level(field);
        matches!(level, None | Some(Level::Different | Level::Distant | Level::Initial))
    };
    let born = matches!(
        compared.level(Field::DateOfBirth),
        Some(Level::Same | Level::Swapped | Level::WithinWhatIsKnown)
    );
    let named = !far(Field::GivenName) && !far(Field::FamilyName);
    born && named && compared.bits >= matcher.model.thresholds.noted
}

/// The shielded person whom a record resembles, unless that person is shielded for nothing but resembling this one.
async fn resembled(
    work: &mut impl Unit,
    child: ChildId,
    likely: &[Uuid],
) -> Result<Option<PersonId>, Problem> {
    let person = sqlx::query_scalar!(
        r#"
        select o.person_id as "person!: PersonId"
        from resembling_of($1, $3) o
        join child c on c.child_id = $1
        where o.shielded
          and (c.person_id is null
               or not exists (select from shield_request r join child x on x.child_id = r.child_id
                              where x.person_id = o.person_id and r.resembles = c.person_id)
               or exists (select from shield_request r join child x on x.child_id = r.child_id
                          where x.person_id = o.person_id and r.status = 'inForce' and r.ground <> $2))
        order by o.person_id limit 1
        "#,
        child.0,
        RESEMBLANCE,
        likely,
    )
    .fetch_optional(work.db())
    .await?;
    Ok(person)
}

/// Shields every record that resembles a shielded one, and those that resemble these.
async fn spread(work: &mut impl Unit, child: ChildId) -> Result<(), Problem> {
    let mut from = vec![child];
    while let Some(child) = from.pop() {
        let person = person(work, child).await?;
        let likely = likely(work, child).await?;
        let alike = sqlx::query_scalar!(
            r#"select child_id as "child!: ChildId" from resembling_of($1, $2) where not shielded order by child_id"#,
            child.0,
            &likely,
        )
        .fetch_all(work.db())
        .await?;
        for copy in alike {
            hold(work, &[copy]).await?;
            suspect(work, copy, person).await?;
            from.push(copy);
        }
    }
    Ok(())
}

/// Shields a record because it resembles one of a shielded person, and has somebody look at it.
async fn suspect(work: &mut impl Unit, child: ChildId, resembled: PersonId) -> Result<(), Problem> {
    let own = person(work, child).await?;
    shield(work, own).await?;
    let (request, now) = (ShieldRequestId::new(), work.now());
    let confirm_by = add_working_days(work.today(), TO_BE_LOOKED_AT);
    let authority = sqlx::query_scalar!(
        r#"insert into shield_request (shield_request_id, child_id, ground, resembles, status, asked_at, confirm_by)
           values ($1, $2, $3, $4, 'inForce', $5, $6)
           returning (select responsible_authority_id from child where child_id = $2) as "authority!: OrganisationId""#,
        request.0,
        child.0,
        RESEMBLANCE,
        resembled.0,
        now,
        confirm_by,
    )
    .fetch_one(work.db())
    .await?;
    let telling = Telling {
        kind: NoticeKind::ResemblesShielded,
        organisation: Some(authority),
        role: Role::ShieldApprover,
        about: format!("/v1/shield-requests/{request}"),
        due_on: Some(confirm_by),
    };
    Ok(notice::store::tell(work.db(), now, &telling).await?)
}

/// Takes the shield of a person away, with those of all records of that person.
pub(crate) async fn lower(work: &mut Work, person: PersonId) -> Result<(), Problem> {
    let records = records(work, person).await?;
    sqlx::query!("update person set shielded = false where person_id = $1", person.0)
        .execute(work.db())
        .await
        .map_err(|error| match error.as_database_error().and_then(|e| e.constraint()) {
            Some("child_identifier_one_child") => Problem::from(Kind::IdentifierHeld),
            _ => error.into(),
        })?;
    for record in records {
        open_whereabouts(work, record).await?;
        open_carers(work, record).await?;
        open_history(work, record).await?;
        entry::refresh(work, record).await?;
    }
    Ok(())
}

/// The person of a child, made where the child stood alone; held until the work is done, the person before the child.
pub(crate) async fn person(work: &mut impl Unit, child: ChildId) -> Result<PersonId, Problem> {
    let known = sqlx::query_scalar!(
        r#"select p.person_id as "person: PersonId"
           from person p join child c on c.person_id = p.person_id where c.child_id = $1 for update of p"#,
        child.0
    )
    .fetch_optional(work.db())
    .await?;
    if let Some(person) = known {
        return Ok(person);
    }
    let known = sqlx::query_scalar!(
        r#"select person_id as "person: PersonId" from child where child_id = $1 for update"#,
        child.0
    )
    .fetch_optional(work.db())
    .await?
    .ok_or(Kind::NotFound)?;
    if let Some(person) = known {
        return Ok(person);
    }
    let person = PersonId::new();
    sqlx::query!("insert into person (person_id) values ($1)", person.0).execute(work.db()).await?;
    sqlx::query!("update child set person_id = $2 where child_id = $1", child.0, person.0)
        .execute(work.db())
        .await?;
    Ok(person)
}

/// Every record of a person; person and records are held until the work is done.
async fn records(work: &mut impl Unit, person: PersonId) -> Result<Vec<ChildId>, Problem> {
    sqlx::query!("select person_id from person where person_id = $1 for update", person.0)
        .fetch_one(work.db())
        .await?;
    let records = sqlx::query_scalar!(
        r#"select child_id as "child: ChildId" from child where person_id = $1 order by child_id for update"#,
        person.0
    )
    .fetch_all(work.db())
    .await?;
    Ok(records)
}

async fn seal_whereabouts(work: &mut impl Unit, child: ChildId) -> Result<(), Problem> {
    let vault = work.vault()?;
    let plain = sqlx::query!(
        r#"
        select whereabouts_id as "id: Uuid",
               json_strip_nulls(json_build_object(
                   'kind', kind,
                   'address', case when lines is not null then
                       json_build_object('lines', lines, 'town', town, 'postcode', postcode, 'uprn', uprn) end,
                   'leftOn', left_on,
                   'return', return_expected)) as "said!: Json<Whereabouts>"
        from whereabouts where child_id = $1 and sealed is null
        "#,
        child.0
    )
    .fetch_all(work.db())
    .await?;
    for row in plain {
        let sealed = Sealed::seal(&row.said.0, &vault, &Whereabouts::place(row.id))?;
        sqlx::query!(
            "update whereabouts set sealed = $2, kind = null, lines = null, town = null, postcode = null, uprn = null,
                 left_on = null, return_expected = null
             where whereabouts_id = $1",
            row.id,
            sealed as _,
        )
        .execute(work.db())
        .await?;
    }
    Ok(())
}

async fn open_whereabouts(work: &mut Work, child: ChildId) -> Result<(), Problem> {
    let vault = work.vault();
    let sealed = sqlx::query!(
        r#"select whereabouts_id as id, sealed as "sealed!: Sealed<Whereabouts>"
           from whereabouts where child_id = $1 and sealed is not null"#,
        child.0
    )
    .fetch_all(work.db())
    .await?;
    for row in sealed {
        let said = row.sealed.open(&vault, &Whereabouts::place(row.id))?;
        let (address, left) = (said.address(), said.left_england());
        let lines = address
            .map(|a| a.lines.iter().map(|line| line.as_str().to_owned()).collect::<Vec<_>>());
        sqlx::query!(
            "update whereabouts set sealed = null, kind = $2, lines = $3, town = $4, postcode = $5, uprn = $6, left_on = $7,
                 return_expected = $8
             where whereabouts_id = $1",
            row.id,
            said.kind().as_str(),
            lines.as_deref(),
            address.map(|a| a.town.as_str()),
            address.map(|a| a.postcode.as_str()),
            address.and_then(|a| a.uprn.as_ref()).map(crate::child::address::Uprn::as_str),
            left.map(|(day, _)| day),
            left.map(|(_, expected)| expected.as_str()),
        )
        .execute(work.db())
        .await?;
    }
    Ok(())
}

async fn seal_carers(work: &mut impl Unit, child: ChildId) -> Result<(), Problem> {
    let vault = work.vault()?;
    let plain = sqlx::query!(
        r#"select carer_id as "id: CarerId",
                  json_strip_nulls(json_build_object('phones', phones, 'emails', emails, 'address', address)) as "said!: Json<CarerContact>"
           from carer where child_id = $1 and sealed is null"#,
        child.0
    )
    .fetch_all(work.db())
    .await?;
    for row in plain {
        let sealed = Sealed::seal(&row.said.0, &vault, &CarerContact::place(row.id))?;
        sqlx::query!(
            "update carer set sealed = $2, phones = '{}', emails = '{}', address = null, visible_version = version where carer_id = $1",
            row.id.0,
            sealed as _,
        )
        .execute(work.db())
        .await?;
    }
    Ok(())
}

async fn open_carers(work: &mut Work, child: ChildId) -> Result<(), Problem> {
    let vault = work.vault();
    let sealed = sqlx::query!(
        r#"select carer_id as "id: CarerId", sealed as "sealed!: Sealed<CarerContact>"
           from carer where child_id = $1 and sealed is not null"#,
        child.0
    )
    .fetch_all(work.db())
    .await?;
    for row in sealed {
        let said = row.sealed.open(&vault, &CarerContact::place(row.id))?;
        sqlx::query!(
            "update carer set sealed = null, phones = $2, emails = $3, address = $4 where carer_id = $1",
            row.id.0,
            &said.phone_numbers(),
            &said.email_addresses(),
            said.address.as_ref().map(Json) as _,
        )
        .execute(work.db())
        .await?;
    }
    Ok(())
}

async fn seal_history(work: &mut impl Unit, child: ChildId) -> Result<(), Problem> {
    let vault = work.vault()?;
    let plain = sqlx::query!(
        r#"select history_id as "history!", fact_id as "carer: CarerId",
                  jsonb_strip_nulls(jsonb_build_object(
                      'phones', was -> 'phones', 'emails', was -> 'emails', 'address', was -> 'address')) as "said!: Json<CarerContact>"
           from history where child_id = $1 and fact = 'carer' and sealed is null"#,
        child.0
    )
    .fetch_all(work.db())
    .await?;
    for row in plain {
        let sealed = Sealed::seal(&row.said.0, &vault, &CarerContact::place(row.carer))?;
        sqlx::query!("select seal_history($1, $2)", row.history, sealed as _)
            .execute(work.db())
            .await?;
    }
    Ok(())
}

async fn open_history(work: &mut Work, child: ChildId) -> Result<(), Problem> {
    let vault = work.vault();
    let sealed = sqlx::query!(
        r#"select history_id as "history!", fact_id as "carer: CarerId", sealed as "sealed!: Sealed<CarerContact>"
           from history where child_id = $1 and fact = 'carer' and sealed is not null"#,
        child.0
    )
    .fetch_all(work.db())
    .await?;
    for row in sealed {
        let said = row.sealed.open(&vault, &CarerContact::place(row.carer))?;
        sqlx::query!("select unseal_history($1, $2)", row.history, Json(&said) as _)
            .execute(work.db())
            .await?;
    }
    Ok(())
}
