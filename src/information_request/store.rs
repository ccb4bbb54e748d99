//! Information requests in the database.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

use super::{
    ExtensionGround, Found, IdentityCheckIn, InformationRequest, InformationRequestKind,
    InformationRequestQuery, InformationRequestStatus, New, RefusalGround, Statement, clock,
};
use crate::{
    access::{Caller, Role},
    child::ContestedFact,
    ids::{ChildId, IndexNumber, InformationRequestId, OrganisationId},
    notice::NoticeKind,
    problem::{Kind, Problem},
    seal::{Sealed, Vault},
    subject::{ResponsibilityEvidence, SubjectCapacity},
    work::{Errands, Look, Work},
};

/// How long before its day stewards are reminded of a request, in days.
const REMINDED: i32 = 7;
/// How long before its day stewards are reminded of a withholding, in days.
const REVIEWED: i32 = 14;

/// Who reads.
struct Reader<'a> {
    caller: &'a Caller,
    vault: &'a Vault,
    today: NaiveDate,
}

/// A request as the database has it.
struct Row {
    id: InformationRequestId,
    child: ChildId,
    number: IndexNumber,
    authority: OrganisationId,
    kind: InformationRequestKind,
    capacity: SubjectCapacity,
    fact: Option<ContestedFact>,
    fact_id: Option<Uuid>,
    sealed: Option<Sealed<Statement>>,
    status: InformationRequestStatus,
    received_on: NaiveDate,
    identity_asked_on: Option<NaiveDate>,
    identity_proven_on: Option<NaiveDate>,
    due_on: NaiveDate,
    extension: Option<ExtensionGround>,
    refusal: Option<RefusalGround>,
    record_version: Option<i64>,
    asked_at: DateTime<Utc>,
    closed_at: Option<DateTime<Utc>>,
    version: i64,
    on_paper: bool,
    asked_version: i64,
    current_version: i64,
}

impl Row {
    /// Auditors read how it stands, not what somebody said.
    fn read(self, reader: &Reader<'_>) -> Result<Found, Problem> {
        let told = reader.caller.role != Role::Auditor;
        let place = InformationRequest::place(self.id);
        let statement =
            self.sealed.filter(|_| told).map(|sealed| sealed.open(reader.vault, &place));
        let request = InformationRequest {
            id: self.id,
            index_number: self.number,
            kind: self.kind,
            capacity: self.capacity,
            fact: self.fact,
            fact_id: self.fact_id,
            statement: statement.transpose()?,
            status: self.status,
            words: None,
            received_on: self.received_on,
            identity_asked_on: self.identity_asked_on,
            identity_proven_on: self.identity_proven_on,
            due_on: self.due_on,
            extension: self.extension,
            refusal: self.refusal,
            record_version: self.record_version,
            asked_at: self.asked_at,
            closed_at: self.closed_at,
            version: self.version,
        };
        Ok(Found {
            request,
            child: self.child,
            authority: self.authority,
            on_paper: self.on_paper,
            versions: (self.asked_version, self.current_version),
        })
    }
}

/// Keeps a request about a child.
pub(super) async fn insert(
    work: &mut Work,
    child: ChildId,
    new: New,
) -> Result<InformationRequestId, Problem> {
    let (id, now, by) = (InformationRequestId::new(), work.now, work.caller.subject.uuid());
    let (vault, status) = (work.vault(), new.status());
    let sealed = new.statement.as_ref();
    let sealed = sealed
        .map(|said| Sealed::seal(said, &vault, &InformationRequest::place(id)))
        .transpose()?;
    let asked_by = new.asked_by.map(|account| account.0);
    let proven = new.asked_by.map(|_| new.received_on);
    sqlx::query!(
        "insert into information_request (information_request_id, child_id, asked_of, kind, capacity, fact, fact_id, status, asked_by,
             entered_by, received_on, identity_proven_on, due_on, sealed, asked_at, asked_version)
         select $1, c.child_id, c.child_id, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
                case when c.shielded then c.visible_version else c.version end
         from child c where c.child_id = $2",
        id.0,
        child.0,
        new.kind.as_str(),
        new.capacity.as_str(),
        new.fact.map(ContestedFact::as_str),
        new.fact_id,
        status.as_str(),
        asked_by,
        asked_by.is_none().then_some(by),
        new.received_on,
        proven,
        clock::due_on(new.received_on, false),
        sealed as _,
        now,
    )
    .execute(work.db())
    .await?;
    Ok(id)
}

/// Whether a carer or an involvement that is said to be wrong stands on a record, where it may be named.
pub(super) async fn has_fact(
    work: &mut Work,
    child: ChildId,
    fact: Option<ContestedFact>,
    id: Option<Uuid>,
    hidden: bool,
) -> Result<bool, Problem> {
    let found = sqlx::query_scalar!(
        r#"select case $2::text
               when 'carer' then exists (select from carer r where r.child_id = $1 and r.carer_id = $3 and r.superseded_at is null)
               when 'involvement' then not $4 and exists (
                   select from involvement i where i.child_id = $1 and i.involvement_id = $3)
               else true end as "found!""#,
        child.0,
        fact.map(ContestedFact::as_str),
        id,
        hidden,
    );
    Ok(found.fetch_one(work.db()).await?)
}

/// The record and the authority that answers for it.
pub(super) async fn authority(work: &mut Work, child: ChildId) -> Result<OrganisationId, Problem> {
    let found = sqlx::query_scalar!(
        r#"select responsible_authority_id as "authority: OrganisationId" from child where child_id = $1 for update"#,
        child.0,
    );
    Ok(found.fetch_one(work.db()).await?)
}

/// Finds a record, in use or archived, of which the caller's authority answers; another's is seen, and nothing can be done to it.
pub(super) async fn find(work: &mut Work, number: &IndexNumber) -> Result<ChildId, Problem> {
    let row = sqlx::query!(
        r#"select child_id as "child: ChildId", responsible_authority_id as "authority: OrganisationId"
           from child where index_number = $1 and status in ('active', 'archived') for update"#,
        number.as_str(),
    )
    .fetch_optional(work.db())
    .await?
    .ok_or(Kind::NotFound)?;
    crate::child::history_may_be_read_by(work.caller.viewer(), row.authority)?;
    Ok(row.child)
}

/// A page of the requests that the caller sees, the oldest first; one more than asked for where there is a next page.
pub(super) async fn list(
    look: &Look,
    query: &InformationRequestQuery,
    after: (DateTime<Utc>, Uuid),
    limit: i64,
) -> Result<Vec<Found>, Problem> {
    let reader = Reader { caller: &look.caller, vault: look.vault(), today: look.today() };
    let rows = sqlx::query_as!(
        Row,
        r#"
        select information_request_id as "id!: InformationRequestId", child_id as "child!: ChildId", index_number as "number!: IndexNumber",
               responsible_authority_id as "authority!: OrganisationId", kind as "kind!: InformationRequestKind",
               capacity as "capacity!: SubjectCapacity", fact as "fact: ContestedFact", fact_id, sealed as "sealed: Sealed<Statement>",
               status as "status!: InformationRequestStatus", received_on as "received_on!", identity_asked_on, identity_proven_on,
               due_on as "due_on!", extension as "extension: ExtensionGround", refusal as "refusal: RefusalGround", record_version,
               asked_at as "asked_at!", closed_at, version as "version!", asked_by is null as "on_paper!",
               asked_version as "asked_version!", current_version as "current_version!"
        from information_request_read r
        where (asked_at, information_request_id) > ($1, $2) and ($3::text is null or status = $3)
          and may_read_request($4, $5, $6, $7, r.responsible_authority_id, r.asked_by, r.child_id)
        order by asked_at, information_request_id
        limit $8
        "#,
        after.0,
        after.1,
        query.status.map(InformationRequestStatus::as_str),
        look.caller.role.as_str(),
        look.caller.organisation.0,
        look.caller.subject.uuid(),
        look.today(),
        limit,
    )
    .fetch_all(look.db())
    .await?;
    rows.into_iter().map(|row| row.read(&reader)).collect()
}

/// Opens a request that the caller sees.
pub(super) async fn open(look: &Look, id: InformationRequestId) -> Result<Found, Problem> {
    let reader = Reader { caller: &look.caller, vault: look.vault(), today: look.today() };
    read(look.db(), &reader, id).await
}

/// Finds a request that the caller sees, and holds it until the work is done.
pub(super) async fn lock(work: &mut Work, id: InformationRequestId) -> Result<Found, Problem> {
    sqlx::query!(
        "select information_request_id from information_request where information_request_id = $1 for update",
        id.0
    )
    .fetch_optional(work.db())
    .await?;
    reread(work, id).await
}

/// The request as the work has left it.
pub(super) async fn reread(work: &mut Work, id: InformationRequestId) -> Result<Found, Problem> {
    let (caller, vault, today) = (work.caller.clone(), work.vault(), work.today());
    read(work.db(), &Reader { caller: &caller, vault: &vault, today }, id).await
}

async fn read(
    db: impl PgExecutor<'_>,
    reader: &Reader<'_>,
    id: InformationRequestId,
) -> Result<Found, Problem> {
    let row = sqlx::query_as!(
        Row,
        r#"
        select information_request_id as "id!: InformationRequestId", child_id as "child!: ChildId", index_number as "number!: IndexNumber",
               responsible_authority_id as "authority!: OrganisationId", kind as "kind!: InformationRequestKind",
               capacity as "capacity!: SubjectCapacity", fact as "fact: ContestedFact", fact_id, sealed as "sealed: Sealed<Statement>",
               status as "status!: InformationRequestStatus", received_on as "received_on!", identity_asked_on, identity_proven_on,
               due_on as "due_on!", extension as "extension: ExtensionGround", refusal as "refusal: RefusalGround", record_version,
               asked_at as "asked_at!", closed_at, version as "version!", asked_by is null as "on_paper!",
               asked_version as "asked_version!", current_version as "current_version!"
        from information_request_read r
        where information_request_id = $1 and may_read_request($2, $3, $4, $5, r.responsible_authority_id, r.asked_by, r.child_id)
        "#,
        id.0,
        reader.caller.role.as_str(),
        reader.caller.organisation.0,
        reader.caller.subject.uuid(),
        reader.today,
    )
    .fetch_optional(db)
    .await?
    .ok_or(Kind::NotFound)?;
    row.read(reader)
}

/// Writes down how a request stands now.
pub(super) async fn save(work: &mut Work, found: &mut Found) -> Result<(), Problem> {
    let request = &mut found.request;
    request.version += 1;
    let vault = work.vault();
    let place = InformationRequest::place(request.id);
    let sealed = request.statement.as_ref().map(|said| Sealed::seal(said, &vault, &place));
    sqlx::query!(
        "update information_request set status = $2, identity_asked_on = $3, identity_proven_on = $4, due_on = $5, extension = $6,
             refusal = $7, record_version = $8, sealed = $9, closed_at = $10, version = $11
         where information_request_id = $1",
        request.id.0,
        request.status.as_str(),
        request.identity_asked_on,
        request.identity_proven_on,
        request.due_on,
        request.extension.map(ExtensionGround::as_str),
        request.refusal.map(RefusalGround::as_str),
        request.record_version,
        sealed.transpose()? as _,
        request.closed_at,
        request.version,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// Writes down by what it was proven who asks.
pub(super) async fn prove(
    work: &mut Work,
    id: InformationRequestId,
    check: IdentityCheckIn,
) -> Result<(), Problem> {
    sqlx::query!(
        "update information_request set identity_evidence = $2, responsibility_evidence = $3 where information_request_id = $1",
        id.0,
        check.identity.as_str(),
        check.responsibility.map(ResponsibilityEvidence::as_str),
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// Which organisation said what is disputed, where it still stands on the record.
pub(super) async fn source(
    work: &mut Work,
    child: ChildId,
    fact: ContestedFact,
    id: Option<Uuid>,
) -> Result<Option<OrganisationId>, Problem> {
    let found = sqlx::query_scalar!(
        r#"select case $2::text
               when 'name' then (
                   select n.source_organisation_id from child_name n
                   where n.child_id = c.child_id and n.kind = 'current' and n.superseded_at is null)
               when 'whereabouts' then (
                   select w.source_organisation_id from whereabouts w where w.child_id = c.child_id and w.superseded_at is null)
               when 'identifier' then (
                   select i.source_organisation_id from child_identifier i
                   where i.child_id = c.child_id and i.superseded_at is null order by i.received_at desc, i.identifier_id limit 1)
               when 'carer' then (
                   select r.source_organisation_id from carer r
                   where r.child_id = c.child_id and r.carer_id = $3 and r.superseded_at is null)
               when 'involvement' then (
                   select i.source_organisation_id from involvement i where i.child_id = c.child_id and i.involvement_id = $3)
               else c.source_organisation_id end as "source: OrganisationId"
           from child c where c.child_id = $1"#,
        child.0,
        fact.as_str(),
        id,
    );
    Ok(found.fetch_one(work.db()).await?)
}

/// Tells stewards of requests that are due, and stewards, auditors and account administrators of those that are overdue; and stewards
/// of looks that are told again soon. Says of how many it was not told before.
pub(crate) async fn remind(work: &mut Errands, today: NaiveDate) -> Result<u64, Problem> {
    let told = tell_of_due(work, today).await?;
    if told > 0 {
        let trail = crate::audit::Trail::default();
        work.record(trail.with(serde_json::json!({ "rightsReminders": told }))).await?;
    }
    Ok(told)
}

/// The same, before it is written down and lasts.
pub(crate) async fn tell_of_due(work: &mut Errands, today: NaiveDate) -> Result<u64, Problem> {
    let now = work.now;
    let told = sqlx::query!(
        r#"
        insert into notice (notice_id, kind, organisation_id, role, about, due_on, told_at)
        select gen_random_uuid(), due.kind, c.responsible_authority_id, due.role,
               '/v1/information-requests/' || r.information_request_id, r.due_on, $1::timestamptz
        from information_request r
        join child c on c.child_id = r.child_id
        cross join lateral (values
            ($4::text, $6::text, r.due_on >= $2::date),
            ($5::text, $6::text, r.due_on < $2::date),
            ($5::text, $7::text, r.due_on < $2::date),
            ($5::text, $8::text, r.due_on < $2::date)) as due (kind, role, is_due)
        where r.closed_at is null and r.due_on <= $2::date + $3::int and due.is_due and c.status in ('active', 'archived')
        union all
        select gen_random_uuid(), $9::text, c.responsible_authority_id, $6::text,
               '/v1/children/' || c.index_number || '/withholdings', w.review_on, $1::timestamptz
        from withholding w
        join child c on c.child_id = w.child_id
        where w.ended_at is null and w.review_on between $2::date and $2::date + $10::int and c.status in ('active', 'archived')
        on conflict do nothing
        "#,
        now,
        today,
        REMINDED,
        NoticeKind::InformationRequestDue.as_str(),
        NoticeKind::InformationRequestOverdue.as_str(),
        Role::Steward.as_str(),
        Role::Auditor.as_str(),
        Role::AccountAdministrator.as_str(),
        NoticeKind::WithholdingReviewDue.as_str(),
        REVIEWED,
    )
    .execute(work.db())
    .await?
    .rows_affected();
    Ok(told)
}
