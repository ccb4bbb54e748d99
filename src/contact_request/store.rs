//! Requests to be put in touch in the database.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sqlx::{PgConnection, PgExecutor, types::Json};
use uuid::Uuid;

use super::{Brokered, ContactProvider, Kept, SHOWN, STEP, Side, Stage, WAITS};
use crate::{
    access::{Caller, Role},
    audit::Trail,
    clock::day_in_london,
    contact::Contact,
    ids::{ChildId, ContactRequestId, IndexNumber, InvolvementId, OrganisationId},
    involvement::{Involvement, Reachable},
    notice::NoticeKind,
    problem::{Kind, Problem},
    seal::{Sealed, Vault},
    sensitive::SealedInvolvement,
    work::{Errands, Look, Work},
};

/// By what a provider finds the requests of a day that are forwarded to it; no two days share one.
fn provider_key(vault: &Vault, organisation: OrganisationId, asked_on: NaiveDate) -> Vec<u8> {
    let day = asked_on.to_string();
    vault.blind(&[b"contact provider", organisation.0.as_bytes(), day.as_bytes()])
}

/// By what a provider finds one request that is forwarded to it.
fn owner_key(vault: &Vault, organisation: OrganisationId, id: ContactRequestId) -> Vec<u8> {
    vault.blind(&[b"contact owner", organisation.0.as_bytes(), id.0.as_bytes()])
}

/// What decides on which requests somebody sees: stewards those of their authority; others their own, and those forwarded
/// to their organisation.
pub(super) struct Eyes {
    authority: Option<Uuid>,
    account: Option<Uuid>,
    organisation: Option<OrganisationId>,
    vault: Vault,
    now: DateTime<Utc>,
}

impl Eyes {
    /// Those of a look: of everybody for whom it is, together.
    pub(super) fn of(look: &Look) -> Self {
        let (alone, together) = (look.requester.is_none(), look.within_one_organisation());
        let steward = look.viewers().any(|viewer| viewer.role == Role::Steward);
        let stewards = look.viewers().all(|viewer| viewer.role == Role::Steward);
        let eyes = Self::of_caller(&look.caller, look.vault().clone(), look.now);
        Self {
            authority: eyes.authority.filter(|_| stewards && together),
            account: eyes.account.filter(|_| alone),
            organisation: eyes.organisation.filter(|_| together && !steward),
            ..eyes
        }
    }

    /// Those of whoever works.
    fn of_work(work: &Work) -> Self {
        Self::of_caller(&work.caller, work.vault(), work.now)
    }

    fn of_caller(caller: &Caller, vault: Vault, now: DateTime<Utc>) -> Self {
        let steward = caller.role == Role::Steward;
        Self {
            authority: steward.then_some(caller.organisation.0),
            account: caller.account().map(|id| id.0).filter(|_| !steward),
            organisation: (!steward).then_some(caller.organisation),
            vault,
            now,
        }
    }

    /// The keys of the days of which requests are shown.
    fn day_keys(&self) -> Vec<Vec<u8>> {
        let Some(organisation) = self.organisation else { return Vec::new() };
        (0..=SHOWN.num_days() + 1)
            .map(|days| {
                let day = day_in_london(self.now - TimeDelta::days(days));
                provider_key(&self.vault, organisation, day)
            })
            .collect()
    }

    fn side(&self, asked_by: Uuid) -> Side {
        if self.authority.is_some() {
            Side::Steward
        } else if self.account == Some(asked_by) {
            Side::Asker
        } else {
            Side::Provider
        }
    }
}

/// A request as the database tells it.
struct Row {
    id: ContactRequestId,
    child: ChildId,
    number: IndexNumber,
    asked_by: Uuid,
    asked_at: DateTime<Utc>,
    stage: Stage,
    due_at: Option<DateTime<Utc>>,
    involvement: Option<InvolvementId>,
    sealed: Sealed<Brokered>,
    asker: Json<Reachable>,
    version: i64,
}

impl Row {
    fn read(self, eyes: &Eyes) -> Result<(ChildId, Kept), Problem> {
        let kept = Kept {
            id: self.id,
            number: self.number,
            side: eyes.side(self.asked_by),
            asked_at: self.asked_at,
            asker: self.asker.0,
            stage: self.stage.at(self.asked_at, eyes.now),
            due_at: self.due_at,
            involvement: self.involvement,
            brokered: self.sealed.open(&eyes.vault, &Brokered::place(self.id))?,
            version: self.version,
        };
        Ok((self.child, kept))
    }
}

/// Keeps a request of the caller.
pub(super) async fn insert(
    work: &mut Work,
    child: ChildId,
    contact: Contact,
) -> Result<ContactRequestId, Problem> {
    let id = ContactRequestId::new();
    let (vault, now, caller) = (work.vault(), work.now, work.caller.clone());
    let account = caller.account().ok_or(Kind::Forbidden)?;
    let brokered = Brokered { contact, provider: None, declined: Vec::new() };
    sqlx::query!(
        "insert into contact_request (contact_request_id, child_id, asked_by, asker_organisation, asked_at, stage, due_at, sealed)
         values ($1, $2, $3, $4, $5, 'asked', $6, $7)",
        id.0,
        child.0,
        account.0,
        caller.organisation.0,
        now,
        now + STEP,
        Sealed::seal(&brokered, &vault, &Brokered::place(id))? as _,
    )
    .execute(work.db())
    .await?;
    Ok(id)
}

/// A page of the requests that whoever looks may see, after one, with their children.
pub(super) async fn list(
    look: &Look,
    after: (DateTime<Utc>, Uuid),
    limit: i64,
) -> Result<Vec<(ChildId, Kept)>, Problem> {
    let eyes = Eyes::of(look);
    let rows = sqlx::query_as!(
        Row,
        r#"select contact_request_id as "id!: ContactRequestId", child_id as "child!: ChildId", index_number as "number!: IndexNumber",
                  asked_by as "asked_by!", asked_at as "asked_at!", stage as "stage!: Stage", due_at,
                  involvement_id as "involvement: InvolvementId", sealed as "sealed!: Sealed<Brokered>",
                  asker as "asker!: Json<Reachable>", version as "version!"
           from contact_request_read
           where (responsible_authority_id = $1 or asked_by = $2 or provider_key = any($3))
             and in_use(status, archives_on, $4) and asked_at > $5 and (asked_at, contact_request_id) > ($6, $7)
           order by asked_at, contact_request_id limit $8"#,
        eyes.authority,
        eyes.account,
        &eyes.day_keys(),
        look.today(),
        look.now - SHOWN,
        after.0,
        after.1,
        limit,
    )
    .fetch_all(look.db())
    .await?;
    rows.into_iter().map(|row| row.read(&eyes)).collect()
}

/// Opens a request that whoever looks may see.
pub(super) async fn open(look: &Look, id: ContactRequestId) -> Result<(ChildId, Kept), Problem> {
    read(look.db(), &Eyes::of(look), id, look.today()).await
}

/// The request as the work has left it.
pub(super) async fn reread(work: &mut Work, id: ContactRequestId) -> Result<Kept, Problem> {
    let (eyes, today) = (Eyes::of_work(work), work.today());
    Ok(read(work.db(), &eyes, id, today).await?.1)
}

/// Finds a request on which the caller takes a step, and holds it until the work is done.
pub(super) async fn lock(
    work: &mut Work,
    id: ContactRequestId,
    side: Side,
) -> Result<(ChildId, Kept), Problem> {
    sqlx::query!(
        "select contact_request_id from contact_request where contact_request_id = $1 for update",
        id.0
    )
    .fetch_optional(work.db())
    .await?;
    let (mut eyes, today) = (Eyes::of_work(work), work.today());
    if side == Side::Provider {
        eyes.account = None;
    }
    read(work.db(), &eyes, id, today).await
}

async fn read(
    db: impl PgExecutor<'_>,
    eyes: &Eyes,
    id: ContactRequestId,
    today: NaiveDate,
) -> Result<(ChildId, Kept), Problem> {
    let own = eyes.organisation.map(|own| owner_key(&eyes.vault, own, id));
    let row = sqlx::query_as!(
        Row,
        r#"select contact_request_id as "id!: ContactRequestId", child_id as "child!: ChildId", index_number as "number!: IndexNumber",
                  asked_by as "asked_by!", asked_at as "asked_at!", stage as "stage!: Stage", due_at,
                  involvement_id as "involvement: InvolvementId", sealed as "sealed!: Sealed<Brokered>",
                  asker as "asker!: Json<Reachable>", version as "version!"
           from contact_request_read
           where contact_request_id = $1 and (responsible_authority_id = $2 or asked_by = $3 or owner_key = $4)
             and in_use(status, archives_on, $5) and asked_at > $6"#,
        id.0,
        eyes.authority,
        eyes.account,
        own,
        today,
        eyes.now - SHOWN,
    )
    .fetch_optional(db)
    .await?
    .ok_or(Kind::NotFound)?;
    row.read(eyes)
}

/// Writes what a step has made of a request; `provider` is whose it is now, where it is forwarded.
pub(super) async fn save(
    work: &mut Work,
    kept: &Kept,
    provider: Option<OrganisationId>,
) -> Result<(), Problem> {
    let (vault, asked_on) = (work.vault(), day_in_london(kept.asked_at));
    sqlx::query!(
        "update contact_request set stage = $2, due_at = $3, involvement_id = $4, provider_key = $5, owner_key = $6, sealed = $7,
             version = $8
         where contact_request_id = $1",
        kept.id.0,
        kept.stage.as_str(),
        kept.due_at,
        kept.involvement.map(|id| id.0),
        provider.map(|provider| provider_key(&vault, provider, asked_on)),
        provider.map(|provider| owner_key(&vault, provider, kept.id)),
        Sealed::seal(&kept.brokered, &vault, &Brokered::place(kept.id))? as _,
        kept.version,
    )
    .execute(work.db())
    .await?;
    Ok(())
}

/// Those with whom contact about a child can be brokered: sensitive services, and under a shield all others too.
pub(super) async fn providers(
    db: &mut PgConnection,
    vault: &Vault,
    child: ChildId,
    today: NaiveDate,
    declined: &[InvolvementId],
) -> Result<Vec<ContactProvider>, Problem> {
    let plain = sqlx::query_scalar!(
        r#"select i.told as "told!: Json<Involvement>"
           from involvement_told_on($2) i
           join child c on c.child_id = i.child_id
           where i.child_id = $1 and c.shielded and i.ended_on is null
           order by i.started_on desc, i.involvement_id"#,
        child.0,
        today,
    )
    .fetch_all(&mut *db)
    .await?;
    let sealed = sqlx::query_scalar!(
        r#"select told as "told!: Json<SealedInvolvement>" from sensitive_told
           where child_id = $1 and ended_on is null order by started_on desc, involvement_id"#,
        child.0,
    )
    .fetch_all(&mut *db)
    .await?;
    let mut found: Vec<_> = plain.into_iter().map(|row| of_involvement(row.0)).collect();
    for row in sealed {
        let provider = row.0.provider(vault)?;
        let organisation = sqlx::query_scalar!(
            r#"select reachable($1) as "told!: Json<Reachable>""#,
            provider.organisation_id.0
        )
        .fetch_one(&mut *db)
        .await?;
        found.push(ContactProvider {
            involvement_id: row.0.id(),
            organisation: organisation.0,
            service_type: provider.service_type,
            contact: provider.contact,
            declined: false,
        });
    }
    for provider in &mut found {
        provider.declined = declined.contains(&provider.involvement_id);
    }
    Ok(found)
}

fn of_involvement(told: Involvement) -> ContactProvider {
    ContactProvider {
        involvement_id: told.id,
        organisation: told.organisation,
        service_type: told.service_type,
        contact: told.contact,
        declined: false,
    }
}

/// The same for one who looks.
pub(super) async fn providers_seen(
    look: &Look,
    child: ChildId,
    declined: &[InvolvementId],
) -> Result<Vec<ContactProvider>, Problem> {
    let mut db = look.db().acquire().await?;
    providers(&mut db, look.vault(), child, look.today(), declined).await
}

/// Holds an involvement as it is until the work is done, so that it is not withdrawn while a request is forwarded to it.
pub(super) async fn keep_provider(work: &mut Work, id: InvolvementId) -> Result<(), Problem> {
    sqlx::query!(
        "select involvement_id from sensitive_involvement where involvement_id = $1 for share",
        id.0
    )
    .fetch_optional(work.db())
    .await?;
    Ok(())
}

/// Ends what was forwarded to an involvement that is told to nobody any more: nobody answers it, and nobody is told its
/// contact again.
pub(crate) async fn lose_provider(work: &mut Work, id: InvolvementId) -> Result<(), Problem> {
    let vault = work.vault();
    let rows = sqlx::query!(
        r#"select contact_request_id as "id: ContactRequestId", sealed as "sealed: Sealed<Brokered>"
           from contact_request where involvement_id = $1 order by contact_request_id for update"#,
        id.0
    )
    .fetch_all(work.db())
    .await?;
    for row in rows {
        let place = Brokered::place(row.id);
        let brokered = Brokered { provider: None, ..row.sealed.open(&vault, &place)? };
        sqlx::query!(
            "update contact_request set stage = 'closed', due_at = null, involvement_id = null, provider_key = null,
                 owner_key = null, sealed = $2, version = version + 1
             where contact_request_id = $1",
            row.id.0,
            Sealed::seal(&brokered, &vault, &place)? as _,
        )
        .execute(work.db())
        .await?;
    }
    Ok(())
}

/// Tells stewards of requests on which nobody has taken the next step in time, once for each step; how many it told of.
pub(crate) async fn remind(work: &mut Errands, now: DateTime<Utc>) -> Result<u64, Problem> {
    let told = tell_of_overdue(work, now).await?;
    if told > 0 {
        let details = serde_json::json!({ "contactRequestsOverdue": told });
        work.record(Trail::default().with(details)).await?;
    }
    Ok(told)
}

/// The same, before it is written down and lasts.
pub(crate) async fn tell_of_overdue(
    work: &mut Errands,
    now: DateTime<Utc>,
) -> Result<u64, Problem> {
    let told = sqlx::query!(
        "insert into notice (notice_id, kind, organisation_id, role, about, due_on, told_at)
         select gen_random_uuid(), $1, responsible_authority_id, $2, '/v1/contact-requests/' || contact_request_id,
                (due_at at time zone 'Europe/London')::date, $3
         from contact_request_read
         where due_at <= $3 and asked_at > $4 and in_use(status, archives_on, $5)
         on conflict do nothing",
        NoticeKind::ContactOverdue.as_str(),
        Role::Steward.as_str(),
        now,
        now - WAITS,
        day_in_london(now),
    )
    .execute(work.db())
    .await?
    .rows_affected();
    Ok(told)
}
