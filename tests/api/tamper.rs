//! Whatever a superuser of the database changes in the audit is found by whoever verifies it, who has the published keys and what a
//! witness has; and a log that nobody changed is clean.

use std::{fs, path::PathBuf};

use audit_verify::{Keys, Report, Verifier, Witnessed, leaf};
use contactpoint::{
    access::Role,
    audit::{
        export::{Of, task::export},
        roots::{Signer, hex, task::Sealer, witness::Witness},
        task as months,
    },
    keys::SigningKeys,
};
use futures_util::future::join_all;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use crate::harness::{Child, Index, ROOTS, Scene};

/// An index with some events, a part of which is under roots.
struct Log {
    index: Index,
    scene: Scene,
    child: Child,
    witness: PathBuf,
}

impl Drop for Log {
    fn drop(&mut self) {
        fs::remove_file(&self.witness).ok();
    }
}

impl Log {
    /// Five looks under one root, five under another, and three under none: one of each five is refused.
    async fn new() -> Self {
        let log = Self::empty().await;
        for looks in [5, 5] {
            log.look(looks).await;
            log.seal().await;
        }
        log.look(3).await;
        log.run(
            "create view look as select e.*, row_number() over (order by tx, event_id) as k from audit_event e
             where operation = 'open_child'",
        )
        .await;
        log
    }

    async fn empty() -> Self {
        let index = Index::start().await;
        let scene = index.scene().await;
        let child = index.child(scene.authority).await;
        index.involvement(&child, scene.school, "school").await;
        let witness = std::env::temp_dir().join(format!("contactpoint-witness-{}", Uuid::new_v4()));
        Self { index, scene, child, witness }
    }

    async fn look(&self, looks: usize) {
        let caller = self.scene.caller(Role::Practitioner);
        for n in 0..looks {
            let unknown = "/v1/children/48271930566".to_owned();
            let path = if n == 1 { unknown } else { self.child.path("") };
            self.index.get(caller, &path).await;
        }
    }

    async fn run(&self, statements: &str) {
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(&self.index.db).await.unwrap();
    }

    fn sealer(&self) -> Sealer {
        let witness = Some(Witness::new(&self.witness));
        Sealer::new(ROOTS.clone(), Index::door().vault.clone(), self.index.clock.clone(), witness)
    }

    async fn connection(&self) -> PgConnection {
        PgConnection::connect_with(&self.index.db.connect_options()).await.unwrap()
    }

    /// Makes roots, as an instance that has made none before, until every event is under one.
    async fn seal(&self) {
        let mut connection = self.connection().await;
        let unsealed = "select exists (select from audit_event where tx::text::bigint >= coalesce(
                            (select max(tx_to) from audit_seal), (select since from audit_epoch)))";
        for _ in 0..400 {
            self.sealer().run(&mut connection, 4).await.unwrap();
            let left: bool = sqlx::query_scalar(unsealed).fetch_one(&self.index.db).await.unwrap();
            if !left {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("transactions of others never end");
    }

    /// What is found in an export, by the published keys and the witness.
    async fn verify(&self, of: Of) -> Report {
        let keys = Keys::read(&serde_json::to_string(&ROOTS.jwks()).unwrap()).unwrap();
        let witness = fs::read_to_string(&self.witness).unwrap_or_default();
        let mut verifier = Verifier::new(keys, Witnessed::read(&witness).unwrap());
        let mut work = self.index.errands("audit_export").await;
        export(&mut work, &of, |line| Ok(verifier.line(line)?)).await.unwrap();
        verifier.finish()
    }

    /// The lines of an export.
    async fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut work = self.index.errands("audit_export").await;
        export(&mut work, &Of::All, |line| {
            lines.push(line.to_owned());
            Ok(())
        })
        .await
        .unwrap();
        lines
    }

    /// Makes an event say otherwise, with the leaf that fits it.
    async fn forge(&self, k: i64) {
        let id = "select event_id from look where k = $1";
        let id: Uuid = sqlx::query_scalar(id).bind(k).fetch_one(&self.index.db).await.unwrap();
        let lines = self.lines().await;
        let line = lines.iter().find(|line| line.contains(&format!("\"id\" : \"{id}\""))).unwrap();
        let mut event: Value = serde_json::from_str(line).unwrap();
        assert_eq!(Value::from(hex(&leaf(line).unwrap())), event["event"]["leaf"]);
        event["event"]["role"] = "steward".into();
        let forged = "update audit_event set role = 'steward', leaf = $2 where event_id = $1";
        let leaf = leaf(&event.to_string()).unwrap();
        sqlx::query(forged).bind(id).bind(leaf).execute(&self.index.db).await.unwrap();
    }

    /// Looks and makes roots after what was done, and says what is found.
    async fn found(&self) -> Vec<String> {
        self.look(2).await;
        self.seal().await;
        self.verify(Of::All).await.findings
    }
}

/// A row is written once more, with these columns otherwise.
fn again(k: i64, otherwise: &str) -> String {
    format!(
        "create temporary table copy as select e.* from audit_event e join look using (event_id) where k = {k};
         update copy set {otherwise}; insert into audit_event select * from copy; drop table copy"
    )
}

fn of(k: i64, set: &str) -> String {
    format!(
        "update audit_event set {set} where event_id = (select event_id from look where k = {k})"
    )
}

macro_rules! tampers {
    ($($name:ident: $statements:expr => $found:literal)*) => { $(
        #[actix_web::test]
        async fn $name() {
            let log = Log::new().await;
            log.run(&$statements).await;
            let found = log.found().await;
            assert!(found.iter().any(|found| found.contains($found)), "{found:#?}");
        }
    )* };
}

tampers! {
    a_changed_outcome_is_found: of(3, "outcome = 'refused'") => "is not what was hashed"
    a_changed_child_is_found: of(3, "children = array[gen_random_uuid()]") => "is not what was hashed"
    a_child_who_was_taken_out_is_found: of(3, "children = '{}'") => "is not what was hashed"
    changed_details_are_found: of(2, "hidden = set_byte(hidden, 20, 255 - get_byte(hidden, 20))") => "is not what was hashed"
    details_of_another_event_are_found:
        of(2, "hidden = (select hidden from look where k = 7)") => "is not what was hashed"
    details_beside_are_found:
        format!("alter table audit_event drop constraint audit_event_is_evident; {}", of(3, r#"details = '{"a": 1}'"#))
        => "stands beside"
    a_changed_time_is_found: of(3, "at = at - interval '1 second'") => "is not what was hashed"
    an_event_that_was_moved_to_another_month_is_found: of(3, "at = at + interval '1 month'") => "is not what was hashed"
    a_changed_caller_is_found: of(3, "account_id = gen_random_uuid()") => "is not what was hashed"
    a_deleted_event_is_found:
        "delete from audit_event where event_id = (select event_id from look where k = 3)" => "the events are not those"
    a_deleted_event_under_no_root_is_found:
        "delete from audit_event where event_id = (select event_id from look where k = 12)" => "is missing"
    the_last_event_under_no_root_is_found_once_another_is_written:
        "delete from audit_event where event_id = (select event_id from look where k = 13)" => "is missing"
    a_changed_event_under_no_root_is_found: of(12, "role = 'steward'") => "is not what was hashed"
    a_forged_event_is_found_in_a_sealed_range:
        again(3, "event_id = gen_random_uuid(), serial = 999999") => "the events are not those"
    a_forged_event_under_no_root_is_found:
        again(12, "event_id = gen_random_uuid(), serial = serial + 1000, tx = pg_current_xact_id()") => "was changed before root"
    a_forged_event_from_before_the_first_root_is_found: again(3, "event_id = gen_random_uuid(), tx = '3'") => "are from before the first root"
    an_event_that_was_never_hashed_is_found:
        format!("alter table audit_event drop constraint audit_event_is_evident; {}",
                again(3, "event_id = gen_random_uuid(), leaf = null, mac = null, serial = null, settled = null"))
        => "was never hashed"
    an_event_that_is_there_twice_is_found: again(3, "event_id = event_id") => "there are two"
    events_that_changed_places_are_found:
        "update audit_event e set tx = o.tx from look l, look o where l.event_id = e.event_id and l.k in (3, 4) and o.k = 7 - l.k"
        => "the events are not those"
    an_event_in_another_transaction_is_found: of(12, "tx = (select tx from look where k = 3)") => "the events are not those"
    an_event_in_another_epoch_is_found: of(3, "epoch = 2") => "the events are not those"
    swapped_roots_are_found:
        "update audit_seal s set root = o.root from audit_seal o where (s.n, o.n) in ((1, 2), (2, 1))" => "its signature is not"
    roots_in_each_others_place_are_found:
        "alter table audit_seal drop constraint audit_seal_pkey; update audit_seal set n = 3 - n where n in (1, 2)" => "its signature is not"
    a_root_that_is_gone_is_found: "delete from audit_seal where n = 2" => "are missing"
    the_first_root_that_is_gone_is_found: "delete from audit_seal where n = 1" => "are missing"
    a_changed_key_is_found: "update audit_seal set kid = 'another' where n = 2" => "no published key another"
    a_changed_count_is_found: "update audit_seal set events = events + 1 where n = 2" => "its signature is not"
    a_changed_time_of_a_root_is_found: "update audit_seal set at = at + interval '1 second' where n = 2" => "its signature is not"
    a_changed_range_is_found: "update audit_seal set tx_from = tx_from + 1 where n = 2" => "its signature is not"
    a_doubt_that_was_taken_back_is_found:
        "update audit_seal set doubted = array[gen_random_uuid()] where n = 2" => "its signature is not"
    a_truncated_tail_is_found:
        "delete from audit_event where tx::text::bigint >= (select tx_from from audit_seal order by n desc limit 1);
         delete from audit_seal where n = (select max(n) from audit_seal)"
        => "the witness has another"
    an_emptied_audit_is_found: "delete from audit_event" => "the events are not those"
}

#[actix_web::test]
async fn what_nobody_changed_is_clean() {
    let log = Log::new().await;
    assert_eq!(log.found().await, [""; 0]);
    let report = log.verify(Of::All).await;
    assert!(report.roots > 3 && u64::try_from(report.last) == Ok(report.roots), "{report:?}");
    assert_eq!((report.unsealed, report.earlier), (2, 0), "the exports themselves");
    assert_eq!(
        log.verify(Of::Period(
            log.index.now(),
            chrono::DateTime::<chrono::Utc>::MAX_UTC - chrono::TimeDelta::days(1)
        ))
        .await
        .findings,
        [""; 0]
    );
}

#[actix_web::test]
async fn an_event_is_forged_in_vain_with_the_leaf_that_fits_it() {
    let log = Log::new().await;
    log.forge(3).await;
    let found = log.found().await;
    assert!(found.iter().any(|found| found.contains("the events are not those")), "{found:#?}");

    let log = Log::new().await;
    log.forge(12).await;
    let found = log.found().await;
    assert!(found.iter().any(|found| found.contains("was changed before root")), "{found:#?}");
}

#[actix_web::test]
async fn roots_that_are_made_anew_by_another_key_are_found() {
    let log = Log::new().await;
    let other = Signer::new(SigningKeys::ephemeral().unwrap());
    let mut connection = log.connection().await;
    log.run("delete from audit_seal").await;
    let vault = Index::door().vault.clone();
    let mut sealer = Sealer::new(other, vault, log.index.clock.clone(), None);
    sealer.run(&mut connection, 4).await.unwrap();
    let found = log.found().await;
    assert!(found.iter().any(|found| found.contains("there is no published key")), "{found:#?}");
    assert!(found.iter().any(|found| found.contains("the witness has another")), "{found:#?}");
}

#[actix_web::test]
async fn a_database_that_was_rolled_back_is_found_by_the_witness_and_not_served_from() {
    let log = Log::new().await;
    let mut connection = log.connection().await;
    Witness::new(&log.witness).check(&mut connection).await.unwrap();
    let back = "delete from audit_event where tx::text::bigint >= (select tx_to from audit_seal where n = 1);
                delete from audit_seal where n > 1";
    log.run(back).await;
    let refused = Witness::new(&log.witness).check(&mut connection).await.unwrap_err().to_string();
    assert!(refused.contains("rolled back"), "{refused}");
    let found = log.verify(Of::All).await.findings;
    assert!(
        found.iter().any(|found| found.contains("the witness has it, and it is not here")),
        "{found:#?}"
    );
}

#[actix_web::test]
async fn an_instance_makes_no_root_once_the_one_it_made_last_is_gone() {
    let log = Log::new().await;
    let mut connection = log.connection().await;
    let mut sealer = log.sealer();
    for _ in 0..100 {
        if sealer.run(&mut connection, 4).await.unwrap() > 0 {
            break;
        }
    }
    log.run("delete from audit_seal where n = (select max(n) from audit_seal)").await;
    let refused = sealer.run(&mut connection, 4).await.unwrap_err().to_string();
    assert!(refused.contains("has lost root"), "{refused}");
}

#[actix_web::test]
async fn the_events_of_one_child_are_verified_without_the_others() {
    let log = Log::new().await;
    log.seal().await;
    let of = Of::Child(contactpoint::ids::ChildId(log.child.id));
    let report = log.verify(of).await;
    assert_eq!(report.findings, [""; 0]);
    assert!(report.events >= 10, "{report:?}");
    log.run(&self::of(3, "reason = 'safeguarding-enquiry'")).await;
    assert!(log.verify(of).await.tampered > 0);
}

#[actix_web::test]
async fn a_log_that_many_write_at_once_while_roots_are_made_is_clean() {
    let log = Log::empty().await;
    let caller = log.scene.caller(Role::Practitioner);
    let body = || crate::parts::amy("Testley");
    let looks = (0..60).map(async |n| {
        if n % 3 == 0 {
            log.index.post(caller, "/v1/children", body()).await;
        } else {
            log.index.get(caller, &log.child.path("")).await;
        }
    });
    let roots = async {
        for _ in 0..20 {
            let mut connection = log.connection().await;
            log.sealer().run(&mut connection, 7).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    futures_util::future::join(join_all(looks), roots).await;
    log.seal().await;
    let report = log.verify(Of::All).await;
    assert_eq!(report.findings, [""; 0]);
    let void: i64 = sqlx::query_scalar("select count(*) from audit_event where voids <> '{}'")
        .fetch_one(&log.index.db)
        .await
        .unwrap();
    assert!(void >= 0 && report.warnings.len() <= 1, "{void}: {:?}", report.warnings);
}

#[actix_web::test]
async fn a_month_whose_key_is_destroyed_still_verifies_and_says_no_details() {
    let log = Log::new().await;
    log.seal().await;
    let auditor = log.index.caller(Role::Auditor, log.scene.school).await;
    let page = "/v1/audit/events?operation=open_child&limit=100";
    let details = async || {
        let events = log.index.get(&auditor, page).await.expect(200);
        let items = events.body["items"].as_array().unwrap().clone();
        items.iter().filter(|event| !event["details"].is_null()).count()
    };
    assert_eq!(details().await, 3);
    let mut work = log.index.errands("audit_forget").await;
    let kept = months::kept_from("2033-05-17".parse().unwrap(), months::YEARS);
    assert_eq!(kept, "2027-05-01".parse().unwrap());
    assert_eq!(months::forget(&mut work, "2026-11-01".parse().unwrap()).await.unwrap(), 0);
    assert!(months::forget(&mut work, kept).await.unwrap() > 0);
    assert_eq!(details().await, 0);
    assert_eq!(log.verify(Of::All).await.findings, [""; 0]);
    let acts = log.index.acts("audit_forget").await;
    assert!(
        acts.iter().any(|act| act["details"]["months"] == serde_json::json!(["2026-11-01"]))
            || acts.len() == 1
    );
}

#[actix_web::test]
async fn roots_are_read_after_the_last_that_one_has_with_the_keys_that_verify_them() {
    let log = Log::new().await;
    let auditor = log.index.caller(Role::Auditor, log.scene.school).await;
    let first = log.index.get(&auditor, "/v1/audit/roots?limit=2").await.expect(200);
    let items = first.body["items"].as_array().unwrap();
    assert_eq!((items.len(), &items[0]["n"], &items[1]["n"]), (2, &1.into(), &2.into()));
    assert_eq!(items[1]["previous"], items[0]["hash"]);
    assert!(Keys::read(&first.body.to_string()).is_ok());
    let witnessed = fs::read_to_string(&log.witness).unwrap();
    assert!(witnessed.contains(items[1]["hash"].as_str().unwrap()));
    let next = log.index.get(&auditor, "/v1/audit/roots?after=2").await.expect(200);
    assert_eq!(next.body["items"][0]["n"], 3);
    let none = log.index.get(&auditor, "/v1/audit/roots?after=100000").await.expect(200);
    assert_eq!(none.body["items"], Value::Array(Vec::new()));
    log.index.get(&auditor, "/v1/audit/roots?after=-1").await.refused(400, "invalid-query");
    let teacher = log.scene.caller(Role::Practitioner);
    log.index.get(teacher, "/v1/audit/roots").await.refused(403, "forbidden");
}
