//! The key over everything that is sealed is changed while the service runs, and nothing that is sealed is forgotten.

use std::{fs, path::PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, RandomizedNonceKey};
use base64::{Engine, engine::general_purpose::STANDARD};
use contactpoint::{
    audit::Trail,
    database::APPLICATION,
    keys::{Keys, Pepper, Sealer, sealing},
    reseal::{
        store::Column,
        task::{self, Done},
    },
    seal::Vault,
    session::seed_context,
    work::Errands,
};
use secrecy::{ExposeSecret, SecretBox};
use serde_json::json;
use sqlx::{AssertSqlSafe, Row};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::{harness::Index, parts::Place};

/// A folder of secrets that goes with the test.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        let dir =
            Self(std::env::temp_dir().join(format!("contactpoint-reseal-{}", Uuid::new_v4())));
        Keys::generate(&dir.0).unwrap();
        dir
    }

    fn sealer(&self) -> Sealer {
        Sealer::of(&self.0).unwrap()
    }

    /// Makes another key the one that seals.
    fn renew(&self) -> Sealer {
        let next = sealing::publish(&self.0).unwrap();
        sealing::activate(&self.0, next).unwrap();
        self.sealer()
    }

    /// A value as the versions before sealed it.
    fn direct(&self, plaintext: &[u8], context: &str) -> Vec<u8> {
        let key = fs::read_to_string(self.0.join("sealing/1.key")).unwrap();
        let key =
            RandomizedNonceKey::new(&AES_256_GCM, &STANDARD.decode(key.trim()).unwrap()).unwrap();
        let (head, mut body) = ([1, 0, 0, 0, 1], plaintext.to_vec());
        let place = Aad::from([&head, context.as_bytes()].concat());
        let nonce = key.seal_in_place_append_tag(place, &mut body).unwrap();
        [&head[..], nonce.as_ref(), &body].concat()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

async fn errands(index: &Index, sealer: Sealer) -> Errands {
    let options = (*index.db.connect_options()).clone().options([("role", APPLICATION)]);
    let vault = Vault::new(sealer, &Pepper::new(SecretBox::init_with(|| [1; 32])));
    Errands::begin(&options, &index.clock, "reseal").await.unwrap().with_vault(vault)
}

/// Everything that is sealed in the columns that are sealed anew.
async fn sealed(index: &Index) -> Vec<(&'static str, Vec<u8>)> {
    let mut all = Vec::new();
    for column in Column::ALL {
        let (table, name) = column.as_str().split_once('.').unwrap();
        let select = format!("select {name} from {table} where {name} is not null");
        let rows = sqlx::query(AssertSqlSafe(select)).fetch_all(&index.db).await.unwrap();
        all.extend(rows.iter().map(|row| (column.as_str(), row.get(0))));
    }
    all
}

#[actix_web::test]
async fn no_column_of_sealed_values_is_forgotten_when_the_key_is_changed() {
    let index = Index::start().await;
    let found: Vec<String> = sqlx::query_scalar(
        "select c.relname || '.' || a.attname from pg_attribute a join pg_class c on c.oid = a.attrelid
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not a.attisdropped
         and a.atttypid = 'bytea'::regtype and a.attname ~ '(sealed|seed|^sent$)' order by 1",
    )
    .fetch_all(&index.db)
    .await
    .unwrap();
    let mut known: Vec<_> = Column::ALL.iter().map(|column| column.as_str()).collect();
    known.sort_unstable();
    assert_eq!(found, known, "src/reseal/store.rs seals the values of every such column anew");
}

/// A value of every column under the first key, one of them as the versions before sealed, and many answers.
async fn arrange(place: &Place, dir: &Dir) {
    let (index, one) = (&place.index, dir.sealer());
    let child = index.child(place.council).await;
    let carer = index.carer(&child).await;
    let account = place.teacher.id;
    let seal = |context: &str| one.seal(b"canary", context).unwrap();
    let run = async |statement: &'static str, id: Uuid, value: Vec<u8>| {
        sqlx::query(statement).bind(id).bind(value).execute(&index.db).await.unwrap();
    };
    let direct = dir.direct(b"canary", &seed_context(account));
    run("update account set one_time_code_seed = $2 where account_id = $1", account, direct).await;
    let direct = dir.direct(b"canary", &seed_context(account));
    run(
        "insert into invitation (invitation_id, account_id, purpose, token_hash, seed, made_by, made_at, expires_at)
         values (gen_random_uuid(), $1, 'enrolment', sha256('x'), $2, $1, now(), now() + interval '1 day')",
        account,
        direct,
    )
    .await;
    run(
        "update whereabouts set sealed = $2, kind = null, lines = null, town = null, postcode = null, uprn = null
         where child_id = $1",
        child.id,
        seal("here"),
    )
    .await;
    let hide = "update carer set sealed = $2, phones = '{}', emails = '{}', address = null where carer_id = $1";
    run(hide, carer, seal("here")).await;
    run(
        "update carer set sealed = $2, received_at = now() where carer_id = $1",
        carer,
        seal("here"),
    )
    .await;
    run(
        "insert into sensitive_involvement (involvement_id, child_id, provider_key, owner_key, once_key, sealed, basis, started_on,
             confirmed_on, received_at, as_at)
         values ($1, $1, '', '', '', $2, 'consent', now(), now(), now(), now())",
        child.id,
        seal("here"),
    )
    .await;
    run(
        "insert into sensitive_history (child_id, involvement_id, sealed, confirmed_on, received_at, superseded_at)
         values ($1, $1, $2, now(), now(), now())",
        child.id,
        seal("here"),
    )
    .await;
    let asked = "insert into contact_request (contact_request_id, child_id, asked_by, asker_organisation, asked_at, stage, due_at, sealed)
         select gen_random_uuid(), child_id, $1, responsible_authority_id, now(), 'asked', now(), $2 from child limit 1";
    run(asked, account, seal("here")).await;
    let asked = "insert into information_request (information_request_id, child_id, asked_of, kind, capacity, status, asked_by, received_on,
             identity_proven_on, due_on, asked_at, asked_version, sealed)
         select gen_random_uuid(), child_id, child_id, 'complain', 'child', 'identityChecked', $1, now(), now(), now(), now(), 1, $2
         from child limit 1";
    run(asked, account, seal("here")).await;
    let batch = index.batch(index.feed(place.council).await).await;
    for sent in [
        "update feed_row set sent = $2 where batch_id = $1 and outcome is null",
        "insert into source_record (feed_id, reference, child_id, hash, sent, seen_at)
         select b.feed_id, 'PUPIL-1', c.child_id, '', $2, now() from feed_batch b, (select child_id from child limit 1) c
         where b.batch_id = $1",
        "insert into review_task (review_task_id, feed_id, batch_id, line, reference, hash, sent, authority_id, candidates, reasons,
             model_version, raised_at)
         select gen_random_uuid(), feed_id, batch_id, 1, 'PUPIL-2', '', $2, (select organisation_id from feed f where f.feed_id = b.feed_id),
             '{}', '{}', 'cold', now()
         from feed_batch b where batch_id = $1",
    ] {
        run(sent, batch, seal("here")).await;
    }
    for watched in [
        "insert into watch_state (kind, key, sealed, forgotten_on) values ('person', $1::uuid::text, $2, now())",
        "insert into alert (alert_id, detector, severity, organisation_id, raised_at, last_at, finding_key, about, sealed)
         select $1, 'sweep', 'grave', organisation_id, now(), now(), '', '{}', $2 from organisation limit 1",
    ] {
        run(watched, account, seal("here")).await;
    }
    // The months of the harness are under its own keys, and are made anew by whoever writes.
    sqlx::query("delete from audit_key").execute(&index.db).await.unwrap();
    run(
        "insert into audit_key (month, sealed) select '2020-01-01', $2 where $1 is not null",
        account,
        seal("here"),
    )
    .await;
    for n in 0..1200 {
        sqlx::query(
            "insert into idempotency (caller_id, key, operation, body_hash, sealed, created_at)
             values ($1, 'a key ' || $3, 'add_child', '', $2, now())",
        )
        .bind(account)
        .bind(seal("here"))
        .bind(n)
        .execute(&index.db)
        .await
        .unwrap();
    }
}

#[actix_web::test]
async fn every_value_is_put_under_the_new_key_however_often_that_is_broken_off() {
    let (place, dir) = (Place::new().await, Dir::new());
    arrange(&place, &dir).await;
    let before = sealed(&place.index).await;
    for column in Column::ALL {
        assert!(before.iter().any(|(name, _)| *name == column.as_str()), "{}", column.as_str());
    }
    let old_values = i64::try_from(before.len()).unwrap();
    let history = place.index.rows().await["history"].clone();

    let new = dir.renew();
    let broken_off = Notify::new();
    let mut work = errands(&place.index, dir.sealer()).await;
    tokio::select! {
        biased;
        () = broken_off.notified() => {}
        done = task::reseal(&mut work, &new, |done| if done.values > 600 { broken_off.notify_one() }) => {
            panic!("it is broken off: {done:?}");
        }
    }
    drop(work);
    let heads = sealed(&place.index).await;
    let (done, left): (Vec<_>, Vec<_>) =
        heads.iter().partition(|(_, value)| value.starts_with(&new.head()));
    assert!(!done.is_empty() && !left.is_empty(), "{} and {}", done.len(), left.len());

    let mut work = errands(&place.index, dir.sealer()).await;
    let (values, _) = task::needed(&mut work, 1).await.unwrap();
    assert_eq!(values, left.len() as u64 - 1, "one account of the harness has no seed that opens");
    let damaged = 1;
    let done = Done { values: left.len() as u64 - damaged, damaged };
    let again = task::reseal(&mut work, &new, |_| {}).await.unwrap();
    assert_eq!(again, done, "what is done is not done again, and what cannot be opened is told of");
    let nothing = Done { values: 0, damaged };
    assert_eq!(task::reseal(&mut work, &new, |_| {}).await.unwrap(), nothing);
    assert_eq!(task::needed(&mut work, 1).await.unwrap(), (0, 0));

    sealing::retire(&dir.0, 1).unwrap();
    let only = dir.sealer();
    let after = sealed(&place.index).await;
    let written = 1;
    assert_eq!(
        i64::try_from(after.len()).unwrap(),
        old_values + written,
        "and the key of the month in which it was written down"
    );
    let mut others = Vec::new();
    for (column, value) in after.into_iter().filter(|(_, value)| value.starts_with(&only.head())) {
        let context = if column.ends_with("seed") {
            seed_context(place.teacher.id)
        } else {
            "here".to_owned()
        };
        match only.open(&value, &context) {
            Ok(opened) => assert_eq!(opened.expose_secret(), b"canary", "{column}"),
            Err(_) => others.push(column),
        }
    }
    assert_eq!(
        others,
        ["audit_key.sealed"],
        "the key of the month, which was made for its own place"
    );
    assert_eq!(place.index.rows().await["history"], history, "no fact was changed by it");
}

#[actix_web::test]
async fn a_key_is_needed_for_the_months_of_the_audit_until_they_are_put_under_another() {
    let (index, dir) = (Index::start().await, Dir::new());
    let day = index.now().date_naive();
    let of = async |sealer| {
        let work = errands(&index, sealer).await;
        work.ledger().unwrap().prepare(day).await.unwrap();
        work
    };
    let mut work = of(dir.sealer()).await;
    assert_eq!(task::needed(&mut work, 1).await.unwrap(), (4, 0));
    let new = dir.renew();
    let done = task::reseal(&mut of(dir.sealer()).await, &new, |_| {}).await.unwrap();
    assert_eq!(done, Done { values: 4, damaged: 0 });
    assert_eq!(task::needed(&mut work, 1).await.unwrap(), (0, 0));
    sealing::retire(&dir.0, 1).unwrap();
    of(dir.sealer()).await.record(Trail::default().with(json!({ "note": 1 }))).await.unwrap();
}

#[actix_web::test]
async fn history_takes_no_other_value_than_its_own_under_another_key() {
    let (place, dir) = (Place::new().await, Dir::new());
    arrange(&place, &dir).await;
    let other = dir.sealer().seal(b"forged", "here").unwrap();
    let mut connection = place.index.db.acquire().await.unwrap();
    let kept = "select sealed from history where sealed is not null";
    let before: Vec<u8> = sqlx::query_scalar(kept).fetch_one(&mut *connection).await.unwrap();
    sqlx::query("select reseal_history(history_id, $1) from history")
        .bind(other)
        .execute(&mut *connection)
        .await
        .unwrap();
    let after: Vec<u8> = sqlx::query_scalar(kept).fetch_one(&mut *connection).await.unwrap();
    assert_eq!(after, before);
}
