//! Random merges, corrections between them and reversals: every record comes back as it was, whatever happened meanwhile.

use std::{collections::HashSet, env};

use contactpoint::access::Role;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Town, same};
use crate::{
    harness::{Caller, Child, Organisation},
    parts::address,
};

/// How many sequences one town lives through.
const IN_ONE_TOWN: u64 = 20;
/// How many records a sequence has.
const RECORDS: usize = 4;
/// The tables in which a correction of the survivor shows.
const CORRECTED: [&str; 3] = ["child", "whereabouts", "match_entry"];

/// A merge that stands, with what every record held before it.
struct Standing {
    path: String,
    before: Vec<Value>,
    corrected: HashSet<usize>,
    survivor: usize,
    retired: usize,
}

/// One sequence.
struct Sequence<'t> {
    town: &'t Town,
    surgery: Organisation,
    subject: &'t Caller,
    random: ChaCha20Rng,
    records: Vec<Child>,
    standing: Vec<Standing>,
    live: Vec<usize>,
}

impl Sequence<'_> {
    /// A moment later than all before.
    fn tick(&self) {
        self.town.index.clock.set(self.town.index.now() + chrono::TimeDelta::milliseconds(250));
    }

    async fn run(&self, statement: &'static str, child: &Child) {
        let by = self.town.one.id;
        let run = sqlx::query(statement)
            .bind(child.id)
            .bind(Uuid::new_v4())
            .bind(self.town.index.now())
            .bind(by);
        run.execute(&self.town.index.db).await.unwrap();
    }

    /// Gives a record facts of every kind, by chance.
    async fn facts(&mut self, child: &Child, n: usize) {
        let index = &self.town.index;
        if self.random.random_bool(0.6) {
            index.carer(child).await;
        }
        for (service, of) in [("school", self.town.school), ("generalPractice", self.surgery)] {
            if self.random.random_bool(0.6) {
                let involvement = index.involvement(child, of, service).await;
                for flag in ["leadProfessional", "takingAction", "informationToShare"] {
                    if self.random.random_bool(0.4) {
                        sqlx::query(
                            "insert into flag (involvement_id, child_id, flag, set_on, expires_on, received_at)
                             select $1, $2, $3, '2026-11-16', '2027-05-16', $4 where not exists (
                                 select from flag where child_id = $2 and flag = 'leadProfessional' and $3 = 'leadProfessional')",
                        )
                        .bind(involvement)
                        .bind(child.id)
                        .bind(flag)
                        .bind(index.now())
                        .execute(&index.db)
                        .await
                        .unwrap();
                    }
                }
            }
        }
        if self.random.random_bool(0.3) {
            index.sensitive(child, self.town.school, "mentalHealth").await;
        }
        if self.random.random_bool(0.3) {
            index.hold(child).await;
        }
        if self.random.random_bool(0.4) {
            sqlx::query(
                "insert into child_identifier (child_id, kind, value, source_organisation_id, received_at, as_at)
                 select child_id, 'upn', $2, responsible_authority_id, $3, '2026-11-16' from child where child_id = $1",
            )
            .bind(child.id)
            .bind(upn(&mut self.random))
            .bind(index.now())
            .execute(&index.db)
            .await
            .unwrap();
        }
        for statement in [
            "insert into child_name (name_id, child_id, kind, given, family, given_keys, family_key, date_of_birth, source_organisation_id,
                 recorded_by, received_at, as_at, superseded_at)
             select $2, child_id, 'former', '{Amy}', initcap(o.name), '{amy}', o.name, date_of_birth, responsible_authority_id, $4, $3, '2026-11-16',
                 case when $2::text > '8' then $3::timestamptz end
             from child, translate(left(md5(child_id::text), 9), '0123456789', 'ghijklmnop') o (name) where child_id = $1",
            "insert into subject (account_id, child_id, capacity, linked_by, linked_at)
             select account_id, $1, 'carer', $4, $3 from account where role = 'subject' and $2::uuid is not null",
            "insert into whereabouts (whereabouts_id, child_id, kind, source_organisation_id, recorded_by, received_at, as_at, superseded_at)
             select $2, child_id, 'noneKnown', responsible_authority_id, $4, $3, '2026-11-16', $3 from child where child_id = $1",
            "update child set gender = 'notSpecified', received_at = $3 where child_id = $1 and $2::uuid <> $4",
            "update carer set phones = '{01632960001}', received_at = $3 where child_id = $1 and $2::uuid <> $4",
            "update child set without_service = '{generalPractice}' where child_id = $1 and $2::uuid <> $4 and $3 is not null
                 and not exists (select from involvement where child_id = $1 and service_type = 'generalPractice')",
            "insert into source_record (feed_id, reference, child_id, hash, sent, seen_at)
             select feed_id, $2::text, $1, '', '', $3 from feed where $4::uuid is not null",
            "insert into consent (consent_id, child_id, purpose, ground, given_by, capacity_basis, given_on, until, recorded_by, received_at)
             values ($2, $1, 'stayToTwentyFive', 'careLeaver', 'youngPerson', 'over16', '2026-11-16', '2036-01-01', $4, $3)",
        ] {
            if self.random.random_bool(0.4) {
                self.run(statement, child).await;
            }
        }
        if self.random.random_bool(0.15) {
            index.shield(child).await;
        }
        assert_ne!(self.subject.id, self.town.one.id, "record {n}");
    }

    async fn snapshot(&self) -> Vec<Value> {
        let mut held = Vec::new();
        for child in &self.records {
            held.push(self.town.held(child).await);
        }
        held
    }

    async fn merge(&mut self) {
        if self.live.len() < 2 {
            return;
        }
        let survivor = self.live[self.random.random_range(0..self.live.len())];
        self.live.retain(|record| *record != survivor);
        let retired = self.live[self.random.random_range(0..self.live.len())];
        self.live.push(survivor);
        let before = self.snapshot().await;
        self.tick();
        let path = self.town.merge(&self.records[survivor], &self.records[retired]).await;
        self.live.retain(|record| *record != retired);
        self.standing.push(Standing { path, before, corrected: HashSet::new(), survivor, retired });
    }

    /// Corrects a record into which others were merged.
    async fn correct(&mut self) {
        let record = self.live[self.random.random_range(0..self.live.len())];
        self.tick();
        let change = match self.random.random_range(0..3) {
            0 => json!({ "gender": "male" }),
            1 => json!({ "whereabouts": { "kind": "current", "address": address("PO1 3AX") } }),
            _ => json!({ "whereabouts": { "kind": "noneKnown" } }),
        };
        let (path, steward) = (self.records[record].path(""), &self.town.one);
        let version = self.town.index.get(steward, &path).await.expect(200).version();
        self.town.index.patch(steward, &path, version, change).await.expect(200);
        for standing in &mut self.standing {
            standing.corrected.insert(record);
        }
    }

    async fn reverse(&mut self) {
        let Some(last) = self.standing.pop() else { return };
        self.tick();
        self.town.reverse(&last.path).await.expect(200);
        self.live.push(last.retired);
        let after = self.snapshot().await;
        for (n, (before, after)) in last.before.iter().zip(&after).enumerate() {
            if last.corrected.contains(&n) {
                same(&uncorrected(before), &uncorrected(after));
            } else {
                same(before, after);
            }
        }
        assert!(self.live.contains(&last.survivor));
    }

    async fn live_through(&mut self) {
        for _ in 0..self.random.random_range(2..8) {
            match self.random.random_range(0..5) {
                0 | 1 => self.merge().await,
                2 | 3 if !self.standing.is_empty() => self.correct().await,
                _ => self.reverse().await,
            }
        }
        while !self.standing.is_empty() {
            self.reverse().await;
        }
    }
}

/// Some pupil's number.
fn upn(random: &mut ChaCha20Rng) -> String {
    let body = format!("801{:09}", random.random_range(0..1_000_000_000));
    let sum: usize =
        body.bytes().zip(2..).map(|(digit, weight)| usize::from(digit - b'0') * weight).sum();
    format!("{}{body}", char::from(b"ABCDEFGHJKLMNPQRTUVWXYZ"[sum % 23]))
}

/// What a correction of a record leaves as it was.
fn uncorrected(held: &Value) -> Value {
    let rows = held.as_array().unwrap().iter().filter(|row| {
        let of_the_child = row[0] == "history" && row[1]["fact"] == "child";
        !of_the_child && !CORRECTED.contains(&row[0].as_str().unwrap())
    });
    rows.cloned().collect()
}

#[actix_web::test]
async fn after_any_merges_and_corrections_every_record_comes_back_as_it_was() {
    let number =
        |name: &str, otherwise| env::var(name).map_or(otherwise, |text| text.parse().unwrap());
    let (sequences, first): (u64, u64) = (number("MERGE_SEQUENCES", 12), number("MERGE_SEED", 1));
    let mut town = None;
    for n in 0..sequences {
        if n % IN_ONE_TOWN == 0 || town.is_none() {
            let new = Town::new().await;
            let surgery = new.index.organisation("gpPractice", Some(new.council)).await;
            let subject = new.index.account(Role::Subject, new.council).await;
            sqlx::query("insert into feed (feed_id, organisation_id, name, service_type, created_at, created_by) values ($1, $2, 'MIS', 'school', now(), $1)")
                .bind(Uuid::new_v4())
                .bind(new.school.id)
                .execute(&new.index.db)
                .await
                .unwrap();
            town = Some((new, surgery, subject));
        }
        let (town, surgery, subject) = town.as_ref().unwrap();
        eprintln!("sequence with MERGE_SEED={}", first + n);
        let random = ChaCha20Rng::seed_from_u64(first + n);
        let (records, standing, live) = (Vec::new(), Vec::new(), (0..RECORDS).collect());
        let mut sequence =
            Sequence { town, surgery: *surgery, subject, random, records, standing, live };
        for n in 0..RECORDS {
            let child = town.child().await;
            sequence.facts(&child, n).await;
            sequence.records.push(child);
        }
        town.index.retain().await;
        sequence.live_through().await;
    }
}
