//! Sealed values in the database, by the key that they are under.

use sqlx::PgConnection;

use super::Held;
use crate::{keys::key_over, problem::Problem, work::Errands};

/// As many values as one transaction seals anew.
const BATCH: i64 = 500;

/// A value under another key, and where it stands.
#[derive(Debug)]
pub(super) struct Stale {
    pub(super) key: String,
    pub(super) sealed: Vec<u8>,
    /// The place that it was sealed for, where it may be one of the first version.
    pub(super) context: Option<String>,
}

macro_rules! columns {
    ($($name:ident $column:literal $first:literal $held:literal $stale:literal $save:literal)*) => {
        /// Where sealed values stand that are sealed anew.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each is told by its column")]
        pub enum Column { $($name),* }

        impl Column {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The table and the column.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $column),* }
            }

            /// What comes before the first.
            pub(super) fn first(self) -> &'static str {
                match self { $(Self::$name => $first),* }
            }

            /// What the values begin with, and how many do.
            async fn heads(self, db: &mut PgConnection) -> Result<Vec<(Vec<u8>, i64)>, sqlx::Error> {
                match self {
                    $(Self::$name => {
                        let rows = sqlx::query!($held).fetch_all(db).await?;
                        Ok(rows.into_iter().map(|row| (row.head, row.values)).collect())
                    })*
                }
            }

            /// The next values after `after` that begin otherwise.
            async fn next(
                self,
                db: &mut PgConnection,
                head: &[u8],
                after: &str,
            ) -> Result<Vec<Stale>, sqlx::Error> {
                match self {
                    $(Self::$name => sqlx::query_as!(Stale, $stale, head, after, BATCH).fetch_all(db).await,)*
                }
            }

            async fn put(
                self,
                db: &mut PgConnection,
                keys: &[String],
                sealed: &[Vec<u8>],
            ) -> Result<(), sqlx::Error> {
                match self {
                    $(Self::$name => { sqlx::query!($save, keys, sealed).execute(db).await?; })*
                }
                Ok(())
            }
        }
    };
}

columns! {
    Seeds "account.one_time_code_seed" "00000000-0000-0000-0000-000000000000"
        r#"select sealed_head(one_time_code_seed) as "head!", count(*) as "values!" from account
           where one_time_code_seed is not null group by 1"#
        r#"select account_id::text as "key!", one_time_code_seed as "sealed!",
                  'account/' || account_id || '/one-time-code-seed' as context
           from account where one_time_code_seed is not null and sealed_head(one_time_code_seed) <> $1
           and account_id > $2::text::uuid order by account_id limit $3 for update"#
        "update account set one_time_code_seed = n.sealed from unnest($1::text[], $2::bytea[]) as n (key, sealed)
         where account_id = n.key::uuid"
    Invitations "invitation.seed" "00000000-0000-0000-0000-000000000000"
        r#"select sealed_head(seed) as "head!", count(*) as "values!" from invitation group by 1"#
        r#"select invitation_id::text as "key!", seed as "sealed!", 'account/' || account_id || '/one-time-code-seed' as context
           from invitation where sealed_head(seed) <> $1
           and invitation_id > $2::text::uuid order by invitation_id limit $3 for update"#
        "update invitation set seed = n.sealed from unnest($1::text[], $2::bytea[]) as n (key, sealed)
         where invitation_id = n.key::uuid"
    Whereabouts "whereabouts.sealed" "00000000-0000-0000-0000-000000000000"
        r#"select sealed_head(sealed) as "head!", count(*) as "values!" from whereabouts where sealed is not null group by 1"#
        r#"select whereabouts_id::text as "key!", sealed as "sealed!", null as context
           from whereabouts where sealed is not null and sealed_head(sealed) <> $1
           and whereabouts_id > $2::text::uuid order by whereabouts_id limit $3 for update"#
        "update whereabouts set sealed = n.sealed from unnest($1::text[], $2::bytea[]) as n (key, sealed)
         where whereabouts_id = n.key::uuid"
    Carers "carer.sealed" "00000000-0000-0000-0000-000000000000"
        r#"select sealed_head(sealed) as "head!", count(*) as "values!" from carer where sealed is not null group by 1"#
        r#"select carer_id::text as "key!", sealed as "sealed!", null as context
           from carer where sealed is not null and sealed_head(sealed) <> $1
           and carer_id > $2::text::uuid order by carer_id limit $3 for update"#
        "update carer set sealed = n.sealed from unnest($1::text[], $2::bytea[]) as n (key, sealed)
         where carer_id = n.key::uuid"
    History "history.sealed" "0"
        r#"select sealed_head(sealed) as "head!", count(*) as "values!" from history where sealed is not null group by 1"#
        r#"select history_id::text as "key!", sealed as "sealed!", null as context
           from history where sealed is not null and sealed_head(sealed) <> $1
           and history_id > $2::text::bigint order by history_id limit $3"#
        "select reseal_history(n.key::bigint, n.sealed) from unnest($1::text[], $2::bytea[]) as n (key, sealed)"
    SensitiveInvolvements "sensitive_involvement.sealed" "00000000-0000-0000-0000-000000000000"
        r#"select sealed_head(sealed) as "head!", count(*) as "values!" from sensitive_involvement group by 1"#
        r#"select involvement_id::text as "key!", sealed as "sealed!", null as context
           from sensitive_involvement where sealed_head(sealed) <> $1
           and involvement_id > $2::text::uuid order by involvement_id limit $3 for update"#
        "update sensitive_involvement set sealed = n.sealed from unnest($1::text[], $2::bytea[]) as n (key, sealed)
         where involvement_id = n.key::uuid"
    SensitiveHistory "sensitive_history.sealed" "0"
        r#"select sealed_head(sealed) as "head!", count(*) as "values!" from sensitive_history group by 1"#
        r#"select history_id::text as "key!", sealed as "sealed!", null as context
           from sensitive_history where sealed_head(sealed) <> $1
           and history_id > $2::text::bigint order by history_id limit $3 for update"#
        "update sensitive_history set sealed = n.sealed from unnest($1::text[], $2::bytea[]) as n (key, sealed)
         where history_id = n.key::bigint"
    ContactRequests "contact_request.sealed" "00000000-0000-0000-0000-000000000000"
        r#"select sealed_head(sealed) as "head!", count(*) as "values!" from contact_request group by 1"#
        r#"select contact_request_id::text as "key!", sealed as "sealed!", null as context
           from contact_request where sealed_head(sealed) <> $1
           and contact_request_id > $2::text::uuid order by contact_request_id limit $3 for update"#
        "update contact_request set sealed = n.sealed from unnest($1::text[], $2::bytea[]) as n (key, sealed)
         where contact_request_id = n.key::uuid"
    InformationRequests "information_request.sealed" "00000000-0000-0000-0000-000000000000"
        r#"select sealed_head(sealed) as "head!", count(*) as "values!" from information_request where sealed is not null group by 1"#
        r#"select information_request_id::text as "key!", sealed as "sealed!", null as context
           from information_request where sealed is not null and sealed_head(sealed) <> $1
           and information_request_id > $2::text::uuid order by information_request_id limit $3 for update"#
        "update information_request set sealed = n.sealed from unnest($1::text[], $2::bytea[]) as n (key, sealed)
         where information_request_id = n.key::uuid"
    FeedRows "feed_row.sent" "00000000-0000-0000-0000-000000000000 0"
        r#"select sealed_head(sent) as "head!", count(*) as "values!" from feed_row where sent is not null group by 1"#
        r#"select batch_id || ' ' || line as "key!", sent as "sealed!", null as context
           from feed_row where sent is not null and sealed_head(sent) <> $1
           and (batch_id, line) > (split_part($2, ' ', 1)::uuid, split_part($2, ' ', 2)::bigint)
           order by batch_id, line limit $3 for update"#
        "update feed_row set sent = n.sealed from unnest($1::text[], $2::bytea[]) as n (key, sealed)
         where batch_id = split_part(n.key, ' ', 1)::uuid and line = split_part(n.key, ' ', 2)::bigint"
    SourceRecords "source_record.sent" "00000000-0000-0000-0000-000000000000 "
        r#"select sealed_head(sent) as "head!", count(*) as "values!" from source_record group by 1"#
        r#"select feed_id || ' ' || reference as "key!", sent as "sealed!", null as context
           from source_record where sealed_head(sent) <> $1
           and (feed_id, reference) > (split_part($2, ' ', 1)::uuid, split_part($2, ' ', 2))
           order by feed_id, reference limit $3 for update"#
        "update source_record set sent = n.sealed from unnest($1::text[], $2::bytea[]) as n (key, sealed)
         where feed_id = split_part(n.key, ' ', 1)::uuid and reference = split_part(n.key, ' ', 2)"
    ReviewTasks "review_task.sent" "00000000-0000-0000-0000-000000000000"
        r#"select sealed_head(sent) as "head!", count(*) as "values!" from review_task group by 1"#
        r#"select review_task_id::text as "key!", sent as "sealed!", null as context
           from review_task where sealed_head(sent) <> $1
           and review_task_id > $2::text::uuid order by review_task_id limit $3 for update"#
        "update review_task set sent = n.sealed from unnest($1::text[], $2::bytea[]) as n (key, sealed)
         where review_task_id = n.key::uuid"
    Alerts "alert.sealed" "00000000-0000-0000-0000-000000000000"
        r#"select sealed_head(sealed) as "head!", count(*) as "values!" from alert group by 1"#
        r#"select alert_id::text as "key!", sealed as "sealed!", null as context
           from alert where sealed_head(sealed) <> $1
           and alert_id > $2::text::uuid order by alert_id limit $3 for update"#
        "update alert set sealed = n.sealed from unnest($1::text[], $2::bytea[]) as n (key, sealed)
         where alert_id = n.key::uuid"
    Watched "watch_state.sealed" ""
        r#"select sealed_head(sealed) as "head!", count(*) as "values!" from watch_state group by 1"#
        r#"select kind || '/' || key as "key!", sealed as "sealed!", null as context
           from watch_state where sealed_head(sealed) <> $1
           and kind || '/' || key > $2 order by 1 limit $3 for update"#
        "update watch_state set sealed = n.sealed from unnest($1::text[], $2::bytea[]) as n (key, sealed)
         where kind || '/' || watch_state.key = n.key"
    AuditKeys "audit_key.sealed" "0001-01-01"
        r#"select sealed_head(sealed) as "head!", count(*) as "values!" from audit_key group by 1"#
        r#"select month::text as "key!", sealed as "sealed!", null as context
           from audit_key where sealed_head(sealed) <> $1 and month > $2::text::date order by month limit $3 for update"#
        "update audit_key set sealed = n.sealed from unnest($1::text[], $2::bytea[]) as n (key, sealed)
         where month = n.key::date"
    Answers "idempotency.sealed" ""
        r#"select sealed_head(sealed) as "head!", count(*) as "values!" from idempotency where sealed is not null group by 1"#
        r#"select caller_id || ' ' || key as "key!", sealed as "sealed!", null as context
           from idempotency where sealed is not null and sealed_head(sealed) <> $1
           and caller_id || ' ' || key > $2 order by 1 limit $3 for update"#
        "update idempotency set sealed = n.sealed from unnest($1::text[], $2::bytea[]) as n (key, sealed)
         where caller_id = split_part(n.key, ' ', 1)::uuid and idempotency.key = substr(n.key, 38)"
}

/// What the values of all columns are under.
pub(crate) async fn held(work: &mut Errands) -> Result<Vec<Held>, Problem> {
    let mut held: Vec<Held> = Vec::new();
    for column in Column::ALL {
        for (head, values) in column.heads(work.db()).await? {
            let (key, enveloped) = (key_over(&head).unwrap_or_default(), head.first() == Some(&2));
            let values = u64::try_from(values).unwrap_or_default();
            match held.iter_mut().find(|held| (held.key, held.enveloped) == (key, enveloped)) {
                Some(known) => known.values += values,
                None => held.push(Held { key, values, enveloped }),
            }
        }
    }
    Ok(held)
}

/// The next values of a column that do not begin with `head`.
pub(super) async fn stale(
    work: &mut Errands,
    column: Column,
    head: &[u8],
    after: &str,
) -> Result<Vec<Stale>, Problem> {
    Ok(column.next(work.db(), head, after).await?)
}

/// Puts values back under their other key.
pub(super) async fn save(
    work: &mut Errands,
    column: Column,
    keys: &[String],
    sealed: &[Vec<u8>],
) -> Result<(), Problem> {
    Ok(column.put(work.db(), keys, sealed).await?)
}

/// How many events of the audit are under a key themselves, as events were before each month had a key; nobody can rewrite them.
pub(crate) async fn events(work: &mut Errands, key: u32) -> Result<i64, Problem> {
    let counted = sqlx::query_scalar!(
        r#"select count(*) as "count!" from audit_event
           where details ? 'sealed' and substring(decode(left(details ->> 'sealed', 8), 'base64') from 2 for 4) = $1"#,
        &key.to_be_bytes()[..],
    );
    Ok(counted.fetch_one(work.db()).await?)
}

/// Makes sure that nobody else changes the keys meanwhile.
pub(crate) async fn alone(work: &mut Errands) -> Result<bool, Problem> {
    let alone = sqlx::query_scalar!(r#"select pg_try_advisory_lock(7261052) as "alone!""#);
    Ok(alone.fetch_one(work.db()).await?)
}
