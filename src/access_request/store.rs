//! Requests for access in the database.

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, types::Json};
use uuid::Uuid;

use super::{
    AccessRequest, AccessRequestIn, AccessRequestQuery, Decider, DeclineReason, RequestStatus,
    WAITS, name_key,
};
use crate::{
    access::{Caller, Role},
    ids::{AccessRequestId, AccountId},
    problem::{Kind, Problem},
    work::{Look, SignIn, Work},
};

/// Keeps a request to an organisation that there is, unless the same one waits already; the same statements whichever it is.
pub(super) async fn ask(
    work: &mut SignIn,
    new: &AccessRequestIn,
    asker: Option<AccountId>,
) -> Result<Option<AccessRequestId>, Problem> {
    let (now, (list, code)) = (work.now, new.organisation.parts());
    sqlx::query!(
        "update access_request set status = 'expired', ended_at = expires_at where status = 'pending' and expires_at <= $1",
        now,
    )
    .execute(work.db())
    .await?;
    let made = sqlx::query_scalar!(
        r#"
        insert into access_request (access_request_id, organisation_id, council_id, role, asker_id, name, name_key, email,
            office_hours, asked_at, expires_at)
        select $1, o.organisation_id, case when o.kind = 'nationalPartner' then null else o.authority_id end, $2, $3, $4, $5, $6, $7, $8, $9
        from organisation o
        where o.organisation_id = organisation_known_as($10, $11) and o.status <> 'closed'
        on conflict do nothing
        returning access_request_id as "id: AccessRequestId"
        "#,
        AccessRequestId::new().0,
        new.role.as_str(),
        asker.map(|id| id.0),
        new.name.as_str(),
        name_key(new.name.as_str()),
        new.email.as_str(),
        new.office_hours.as_str(),
        now,
        now + WAITS,
        list,
        code,
    );
    Ok(made.fetch_optional(work.db()).await?)
}

/// The council for which the caller decides; none where it is the national operator.
fn council(caller: &Caller) -> Option<Uuid> {
    (caller.role != Role::Operator).then_some(caller.organisation.0)
}

/// A page of the requests on which the caller decides, after one; one more than asked for where there is a next page.
pub(super) async fn list(
    look: &Look,
    query: &AccessRequestQuery,
    after: (DateTime<Utc>, Uuid),
    limit: i64,
) -> Result<Vec<AccessRequest>, Problem> {
    let rows = sqlx::query_scalar!(
        r#"select told as "told!: Json<AccessRequest>" from access_request_told_at($1)
           where (asked_at, access_request_id) > ($2, $3) and ($4::text is null or status = $4)
             and (council_id = $5 or ($5::uuid is null and council_id is null))
           order by asked_at, access_request_id limit $6"#,
        look.now,
        after.0,
        after.1,
        query.status.map(RequestStatus::as_str),
        council(&look.caller),
        limit,
    );
    Ok(rows.fetch_all(look.db()).await?.into_iter().map(|row| row.0).collect())
}

/// Opens a request on which the caller decides.
pub(super) async fn open(look: &Look, id: AccessRequestId) -> Result<AccessRequest, Problem> {
    read(look.db(), &look.caller, look.now, id).await
}

/// The request as the work has left it.
pub(super) async fn reread(work: &mut Work, id: AccessRequestId) -> Result<AccessRequest, Problem> {
    let (caller, now) = (work.caller.clone(), work.now);
    read(work.db(), &caller, now, id).await
}

async fn read(
    db: impl PgExecutor<'_>,
    caller: &Caller,
    now: DateTime<Utc>,
    id: AccessRequestId,
) -> Result<AccessRequest, Problem> {
    let row = sqlx::query_scalar!(
        r#"select told as "told!: Json<AccessRequest>" from access_request_told_at($1)
           where access_request_id = $2 and (council_id = $3 or ($3::uuid is null and council_id is null))"#,
        now,
        id.0,
        council(caller),
    );
    Ok(row.fetch_optional(db).await?.ok_or(Kind::NotFound)?.0)
}

/// Holds a request on which the caller decides until the work is done.
pub(super) async fn lock(work: &mut Work, id: AccessRequestId) -> Result<AccessRequest, Problem> {
    let council = council(&work.caller);
    sqlx::query!(
        "select access_request_id from access_request
         where access_request_id = $1 and (council_id = $2 or ($2::uuid is null and council_id is null))
         for update",
        id.0,
        council,
    )
    .fetch_optional(work.db())
    .await?
    .ok_or(Kind::NotFound)?;
    reread(work, id).await
}

/// The account that an approval made, held, where its person has not enrolled yet.
pub(super) async fn to_enrol(
    work: &mut Work,
    id: AccessRequestId,
) -> Result<Option<AccountId>, Problem> {
    let account = sqlx::query_scalar!(
        r#"select a.account_id as "id: AccountId"
           from access_request r
           join account a on a.account_id = r.account_id
           where r.access_request_id = $1 and a.status = 'invited'
           for update of a"#,
        id.0,
    );
    Ok(account.fetch_optional(work.db()).await?)
}

/// The caller, by all that a request might say of them.
pub(super) async fn decider(work: &mut Work) -> Result<Decider, Problem> {
    let caller = work.caller.subject.uuid();
    let row = sqlx::query!(
        r#"select a.user_name, a.name, r.email as "email?"
           from account a
           left join access_request r on r.account_id = a.account_id
           where a.account_id = $1"#,
        caller,
    )
    .fetch_optional(work.db())
    .await?
    .ok_or(Kind::Unauthenticated)?;
    Ok(Decider {
        account: AccountId(caller),
        user_name: row.user_name,
        name: row.name,
        email: row.email,
    })
}

/// Writes a decision down: the account that was made, or why none was.
pub(super) async fn decide(
    work: &mut Work,
    id: AccessRequestId,
    account: Option<AccountId>,
    reason: Option<DeclineReason>,
) -> Result<AccessRequest, Problem> {
    let (now, by) = (work.now, work.caller.subject.uuid());
    let status = if account.is_some() { RequestStatus::Approved } else { RequestStatus::Declined };
    sqlx::query!(
        "update access_request set status = $2, ended_at = $3, decided_by = $4, account_id = $5, reason = $6,
             version = version + 1
         where access_request_id = $1",
        id.0,
        status.as_str(),
        now,
        by,
        account.map(|id| id.0),
        reason.map(DeclineReason::as_str),
    )
    .execute(work.db())
    .await?;
    reread(work, id).await
}
