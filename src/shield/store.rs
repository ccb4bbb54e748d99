//! Shields and the requests for them in the database.

use chrono::{DateTime, Days, NaiveDate, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use super::{
    Decided, Ends, ShieldRequest, ShieldRequestIn, ShieldRequestQuery, ShieldRequestStatus,
    Standing,
};
use crate::{
    access::Role,
    audit::Trail,
    ids::{AccountId, ChildId, IndexNumber, OrganisationId, PersonId, ShieldRequestId},
    notice::NoticeKind,
    problem::{Kind, Problem},
    work::{Errands, Look, Work},
};

/// How many days before a review people are reminded of it.
const REMINDED: Days = Days::new(14);

/// Finds the shield of a child whom the caller may see.
pub(super) async fn find(look: &Look, number: &IndexNumber) -> Result<Standing, Problem> {
    sqlx::query_as!(
        Standing,
        r#"select c.child_id as "child: ChildId", c.person_id as "person: PersonId",
                  c.responsible_authority_id as "authority: OrganisationId", c.shielded,
                  coalesce(p.version, 1) as "version!"
           from child c
           left join person p on p.person_id = c.person_id
           where c.index_number = $1 and in_use(c.status, c.archives_on, $2)"#,
        number.as_str(),
        look.today(),
    )
    .fetch_optional(look.db())
    .await?
    .ok_or_else(|| Kind::NotFound.into())
}

/// Finds a child whom the caller may see, a subject the own record alone, and holds every record of the same person until the
/// work is done.
pub(crate) async fn hold(work: &mut Work, number: &IndexNumber) -> Result<Standing, Problem> {
    let (today, by) = (work.today(), work.caller.subject.uuid());
    let subject = work.caller.role == Role::Subject;
    let child = sqlx::query_scalar!(
        r#"select c.child_id as "child: ChildId" from child c
           where c.index_number = $1 and in_use(c.status, c.archives_on, $2)
             and (not $3 or exists (select from subject s
                                    where s.child_id = c.child_id and s.account_id = $4 and s.ended_at is null))"#,
        number.as_str(),
        today,
        subject,
        by,
    )
    .fetch_optional(work.db())
    .await?
    .ok_or(Kind::NotFound)?;
    hold_child(work, child).await
}

/// Holds every record of a child's person, and of those whom the child resembles, until the work is done: the persons first, then
/// the records, each in their order.
async fn hold_child(work: &mut Work, child: ChildId) -> Result<Standing, Problem> {
    let today = work.today();
    let persons = sqlx::query_scalar!(
        "select person_id from person
         where person_id = (select person_id from child where child_id = $1)
            or person_id in (select resembles from shield_request where child_id = $1)
         order by person_id for update",
        child.0
    )
    .fetch_all(work.db())
    .await?;
    sqlx::query!(
        "select child_id from child where child_id = $1 or person_id = any($2) order by child_id for update",
        child.0,
        &persons,
    )
    .fetch_all(work.db())
    .await?;
    sqlx::query_as!(
        Standing,
        r#"select c.child_id as "child: ChildId", c.person_id as "person: PersonId",
                  c.responsible_authority_id as "authority: OrganisationId", c.shielded,
                  coalesce(p.version, 1) as "version!"
           from child c
           left join person p on p.person_id = c.person_id
           where c.child_id = $1 and in_use(c.status, c.archives_on, $2)"#,
        child.0,
        today,
    )
    .fetch_optional(work.db())
    .await?
    .ok_or_else(|| Kind::NotFound.into())
}

/// Counts on what happens to the shield of a child.
pub(super) async fn count_on(work: &mut Work, child: ChildId) -> Result<(), Problem> {
    sqlx::query!(
        "update person set version = version + 1 where person_id = (select person_id from child where child_id = $1)",
        child.0
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// Keeps a request.
pub(super) async fn insert(
    work: &mut Work,
    child: ChildId,
    new: &ShieldRequestIn,
    confirm_by: Option<NaiveDate>,
) -> Result<ShieldRequestId, Problem> {
    let (id, by, now) = (ShieldRequestId::new(), work.caller.subject.uuid(), work.now);
    let status = match confirm_by {
        Some(_) => ShieldRequestStatus::InForce,
        None => ShieldRequestStatus::Asked,
    };
    sqlx::query!(
        "insert into shield_request (shield_request_id, child_id, ground, emergency, status, asked_by, asked_at, confirm_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        id.0,
        child.0,
        new.ground.as_str(),
        new.emergency,
        status.as_str(),
        by,
        now,
        confirm_by,
    )
    .execute(work.db())
    .await?;
    Ok(id)
}

/// Whose requests are seen by those who look: those on which they decide, and the caller's own.
struct Seen {
    authority: Option<OrganisationId>,
    asker: Option<AccountId>,
}

impl Seen {
    fn by(look: &Look) -> Self {
        let own = look.caller.organisation;
        let decide = look
            .viewers()
            .all(|viewer| viewer.role == Role::ShieldApprover && viewer.organisation == own);
        Self {
            authority: decide.then_some(own),
            asker: look.caller.account().filter(|_| look.requester.is_none()),
        }
    }

    fn tell(&self, authority: OrganisationId, request: ShieldRequest) -> ShieldRequest {
        if self.authority == Some(authority) { request } else { request.for_the_asker() }
    }
}

/// A page of the requests that the caller sees, after one; one more than asked for where there is a next page.
pub(super) async fn list(
    look: &Look,
    query: &ShieldRequestQuery,
    after: (DateTime<Utc>, Uuid),
    limit: i64,
) -> Result<Vec<(ChildId, ShieldRequest)>, Problem> {
    let seen = Seen::by(look);
    let rows = sqlx::query!(
        r#"select child_id as "child!: ChildId", responsible_authority_id as "authority!: OrganisationId",
                  told as "told!: Json<ShieldRequest>"
           from shield_request_told_on($6)
           where (asked_at, shield_request_id) > ($1, $2) and ($3::text is null or status = $3)
             and (responsible_authority_id = $4 or asked_by = $5) and in_use(child_status, archives_on, $6)
           order by asked_at, shield_request_id limit $7"#,
        after.0,
        after.1,
        query.status.map(ShieldRequestStatus::as_str),
        seen.authority.map(|id| id.0),
        seen.asker.map(|id| id.0),
        look.today(),
        limit,
    )
    .fetch_all(look.db())
    .await?;
    Ok(rows.into_iter().map(|row| (row.child, seen.tell(row.authority, row.told.0))).collect())
}

/// Opens a request that the caller sees.
pub(super) async fn open(
    look: &Look,
    id: ShieldRequestId,
) -> Result<(ChildId, ShieldRequest), Problem> {
    let seen = Seen::by(look);
    let row = sqlx::query!(
        r#"select child_id as "child!: ChildId", responsible_authority_id as "authority!: OrganisationId",
                  told as "told!: Json<ShieldRequest>"
           from shield_request_told_on($4)
           where shield_request_id = $1 and (responsible_authority_id = $2 or asked_by = $3)
             and in_use(child_status, archives_on, $4)"#,
        id.0,
        seen.authority.map(|id| id.0),
        seen.asker.map(|id| id.0),
        look.today(),
    )
    .fetch_optional(look.db())
    .await?
    .ok_or(Kind::NotFound)?;
    Ok((row.child, seen.tell(row.authority, row.told.0)))
}

/// The requests on the records of a shield's person for which its authority answers, the oldest first.
pub(super) async fn of(look: &Look, standing: &Standing) -> Result<Vec<ShieldRequest>, Problem> {
    let rows = sqlx::query_scalar!(
        r#"select told as "told!: Json<ShieldRequest>" from shield_request_told_on($3)
           where person_id = $1 and responsible_authority_id = $2 and in_use(child_status, archives_on, $3)
           order by asked_at, shield_request_id"#,
        standing.person.map(|id| id.0),
        standing.authority.0,
        look.today(),
    )
    .fetch_all(look.db())
    .await?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// The same, as the work has left them, with the version of the shield.
pub(super) async fn reread_all(
    work: &mut Work,
    standing: &Standing,
) -> Result<(i64, Vec<ShieldRequest>), Problem> {
    let (person, today) = (standing.person.map(|id| id.0), work.today());
    let requests = sqlx::query_scalar!(
        r#"select told as "told!: Json<ShieldRequest>" from shield_request_told_on($3)
           where person_id = $1 and responsible_authority_id = $2 and in_use(child_status, archives_on, $3)
           order by asked_at, shield_request_id"#,
        person,
        standing.authority.0,
        today,
    )
    .fetch_all(work.db())
    .await?;
    let version = sqlx::query_scalar!("select version from person where person_id = $1", person)
        .fetch_one(work.db())
        .await?;
    Ok((version, requests.into_iter().map(|row| row.0).collect()))
}

/// Holds a request on which the caller decides, with every record of the person, until the work is done.
pub(super) async fn lock(
    work: &mut Work,
    id: ShieldRequestId,
) -> Result<(Standing, ShieldRequest), Problem> {
    let (own, today) = (work.caller.organisation, work.today());
    let child = sqlx::query_scalar!(
        r#"select child_id as "child!: ChildId" from shield_request_told_on($3)
           where shield_request_id = $1 and responsible_authority_id = $2 and in_use(child_status, archives_on, $3)"#,
        id.0,
        own.0,
        today,
    )
    .fetch_optional(work.db())
    .await?
    .ok_or(Kind::NotFound)?;
    let standing = hold_child(work, child).await?;
    if standing.authority != own {
        return Err(Kind::NotFound.into());
    }
    let request = reread(work, id).await?;
    Ok((standing, request))
}

/// The request as the work has left it.
pub(super) async fn reread(work: &mut Work, id: ShieldRequestId) -> Result<ShieldRequest, Problem> {
    let today = work.today();
    let told = sqlx::query_scalar!(
        r#"select told as "told!: Json<ShieldRequest>" from shield_request_told_on($2) where shield_request_id = $1"#,
        id.0,
        today,
    )
    .fetch_one(work.db())
    .await?;
    Ok(told.0)
}

/// Writes a decision down.
pub(super) async fn decide(
    work: &mut Work,
    id: ShieldRequestId,
    decided: Decided,
) -> Result<(), Problem> {
    let (by, now) = (work.caller.subject.uuid(), work.now);
    let closed = decided.status == ShieldRequestStatus::Closed;
    sqlx::query!(
        "update shield_request set status = $2, decided_by = $3, decided_at = $4, review_on = $5, confirm_by = null,
             closed_by = $6, closed_at = $7, version = version + 1
         where shield_request_id = $1",
        id.0,
        decided.status.as_str(),
        by,
        now,
        decided.review_on,
        closed.then_some(by),
        closed.then_some(now),
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// Writes down when a request is to be reviewed next.
pub(super) async fn review(
    work: &mut Work,
    id: ShieldRequestId,
    day: NaiveDate,
) -> Result<(), Problem> {
    sqlx::query!(
        "update shield_request set review_on = $2, version = version + 1 where shield_request_id = $1",
        id.0,
        day,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// Writes down that the ground of a request no longer holds.
pub(super) async fn close(work: &mut Work, id: ShieldRequestId) -> Result<(), Problem> {
    let (by, now) = (work.caller.subject.uuid(), work.now);
    sqlx::query!(
        "update shield_request set status = 'closed', closed_by = $2, closed_at = $3, version = version + 1
         where shield_request_id = $1",
        id.0,
        by,
        now,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// The person whom a record resembles, and one of that person's records.
pub(super) async fn resembled(
    work: &mut Work,
    id: ShieldRequestId,
) -> Result<(PersonId, Option<ChildId>), Problem> {
    let row = sqlx::query!(
        r#"select r.resembles as "person!: PersonId",
                  (select c.child_id from child c where c.person_id = r.resembles order by c.child_id limit 1) as "record: ChildId"
           from shield_request r where r.shield_request_id = $1"#,
        id.0
    )
    .fetch_one(work.db())
    .await?;
    Ok((row.person, row.record))
}

/// Makes the records of one person those of another, with what was said of the first.
pub(super) async fn join(work: &mut Work, one: PersonId, into: PersonId) -> Result<(), Problem> {
    sqlx::query!("update child set person_id = $2 where person_id = $1", one.0, into.0)
        .execute(work.db())
        .await?;
    sqlx::query!("update shield_request set resembles = $2 where resembles = $1", one.0, into.0)
        .execute(work.db())
        .await?;
    sqlx::query!(
        "insert into distinct_persons (one, other, said_by, said_at)
         select least(d.third, $2), greatest(d.third, $2), d.said_by, d.said_at
         from (select case when one = $1 then other else one end as third, said_by, said_at
               from distinct_persons where one = $1 or other = $1) d
         where d.third <> $2
         on conflict do nothing",
        one.0,
        into.0,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// Writes down that two persons are not the same.
pub(super) async fn tell_apart(
    work: &mut Work,
    one: PersonId,
    other: PersonId,
) -> Result<(), Problem> {
    let (by, now) = (work.caller.subject.uuid(), work.now);
    sqlx::query!(
        "insert into distinct_persons (one, other, said_by, said_at)
         select least($1::uuid, $2::uuid), greatest($1::uuid, $2::uuid), $3, $4 where $1 <> $2
         on conflict do nothing",
        one.0,
        other.0,
        by,
        now,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// What stands in the way of lifting the shield of a person. An identity that has ended stays shielded, and so does whoever
/// turned out to be its child.
pub(super) async fn ends(work: &mut Work, person: PersonId) -> Result<Ends, Problem> {
    let row = sqlx::query!(
        r#"select count(*) filter (where r.status in ('asked', 'inForce') or c.status = 'retired') as "standing!",
                  coalesce(array_agg(r.asked_by) filter (where r.asked_by is not null), '{}') as "askers!: Vec<AccountId>",
                  (array_agg(coalesce(r.closed_by, r.decided_by) order by coalesce(r.closed_at, r.decided_at) desc)
                      filter (where r.status in ('declined', 'closed')))[1] as "ended_by: AccountId"
           from child c
           left join shield_request r on r.child_id = c.child_id
           where c.person_id = $1"#,
        person.0
    )
    .fetch_one(work.db())
    .await?;
    Ok(Ends { standing: row.standing, askers: row.askers, ended_by: row.ended_by })
}

/// Tells of emergency shields that were not confirmed in time, and of reviews that are due or have lapsed; says of how many it
/// was not told before. It takes no shield away.
pub async fn remind(work: &mut Errands, today: NaiveDate) -> Result<u64, Problem> {
    let told = tell_of_due(work, today).await?;
    if told > 0 {
        let trail = Trail::default().with(serde_json::json!({ "shieldReminders": told }));
        work.record(trail).await?;
    }
    Ok(told)
}

/// The same, before it is written down and lasts.
pub(crate) async fn tell_of_due(work: &mut Errands, today: NaiveDate) -> Result<u64, Problem> {
    let now = work.now;
    let told = sqlx::query!(
        r#"
        insert into notice (notice_id, kind, organisation_id, role, about, due_on, told_at)
        select gen_random_uuid(), due.kind, reader.organisation_id, reader.role,
               '/v1/shield-requests/' || r.shield_request_id, due.day, $1
        from shield_request r
        join child c on c.child_id = r.child_id
        cross join lateral (values
            ($4::text, r.confirm_by, true, r.confirm_by < $2::date),
            ($5::text, r.review_on, false, r.review_on between $2::date and $3::date),
            ($6::text, r.review_on, true, r.review_on < $2::date)) as due (kind, day, escalates, is_due)
        cross join lateral (
            select c.responsible_authority_id, $7::text
            union all
            select null, $8::text where due.escalates) as reader (organisation_id, role)
        where r.status = 'inForce' and due.is_due and in_use(c.status, c.archives_on, $2::date)
        on conflict do nothing
        "#,
        now,
        today,
        today.checked_add_days(REMINDED).unwrap_or(today),
        NoticeKind::EmergencyShieldUnconfirmed.as_str(),
        NoticeKind::ShieldReviewDue.as_str(),
        NoticeKind::ShieldReviewLapsed.as_str(),
        Role::ShieldApprover.as_str(),
        Role::Operator.as_str(),
    )
    .execute(work.db())
    .await?
    .rows_affected();
    Ok(told)
}

/// Tells the shield approvers of the authority that answers for a child now of the requests on which somebody is to decide.
pub(crate) async fn hand_over(work: &mut Work, child: ChildId) -> Result<(), Problem> {
    let now = work.now;
    sqlx::query!(
        "insert into notice (notice_id, kind, organisation_id, role, about, due_on, told_at)
         select gen_random_uuid(),
                case when r.status = 'asked' then $2::text when r.resembles is null then $3::text else $4::text end,
                c.responsible_authority_id, $5::text, '/v1/shield-requests/' || r.shield_request_id, r.confirm_by, $6
         from shield_request r
         join child c on c.child_id = r.child_id
         where r.child_id = $1 and (r.status = 'asked' or r.status = 'inForce' and r.confirm_by is not null)
         on conflict do nothing",
        child.0,
        NoticeKind::ShieldAsked.as_str(),
        NoticeKind::EmergencyShield.as_str(),
        NoticeKind::ResemblesShielded.as_str(),
        Role::ShieldApprover.as_str(),
        now,
    )
    .execute(work.db())
    .await?;
    Ok(())
}
