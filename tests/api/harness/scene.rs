//! Who is there when a test begins: organisations, people and systems, children and those who work with them.

use std::sync::atomic::{AtomicU64, Ordering};

use contactpoint::{
    access::{Role, abridged, scopes},
    database::APPLICATION,
    detector::task as detectors,
    feed::row::FeedRow,
    ids::{FeedId, IndexNumber, ReviewTaskId},
    matching::task as indexing,
    retention::task::{self, Summary},
    seal::{Place, Sealed},
    session::{
        seed_context,
        totp::{Seed, code_at},
    },
    token::Grant,
    work::Errands,
};
use linkage::fold::fold;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{ISSUER, Index, TODAY, directory::SCHOOL};

/// No two names, codes or numbers of a run are the same.
static MADE: AtomicU64 = AtomicU64::new(1);

/// An organisation, and the local authority in whose area it works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Organisation {
    pub(crate) id: Uuid,
    pub(crate) authority: Option<Uuid>,
}

/// Somebody with a session.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) id: Uuid,
    pub(crate) role: Role,
    pub(crate) organisation: Organisation,
    pub(crate) session: Uuid,
}

/// A child in the index.
#[derive(Debug, Clone)]
pub(crate) struct Child {
    pub(crate) id: Uuid,
    pub(crate) number: String,
    pub(crate) family: String,
}

/// Two authorities with a school each, a national partner, and in the first a caller of every role.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) authority: Organisation,
    pub(crate) school: Organisation,
    pub(crate) other_authority: Organisation,
    pub(crate) other_school: Organisation,
    pub(crate) national: Organisation,
    callers: Vec<Caller>,
}

impl Scene {
    /// The caller of this role.
    pub(crate) fn caller(&self, role: Role) -> &Caller {
        self.callers.iter().find(|caller| caller.role == role).unwrap()
    }

    /// Whom a caller of this role acts for here.
    fn organisation(&self, role: Role) -> Organisation {
        match role {
            Role::Steward | Role::ShieldApprover | Role::Auditor | Role::Subject => self.authority,
            Role::Operator | Role::ArchiveReviewer => self.national,
            _ => self.school,
        }
    }
}

impl Child {
    /// Its path, or one under it.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/v1/children/{}{rest}", self.number)
    }
}

/// A number that was not given before, and a word of letters that goes with it and is like no other.
pub(crate) fn fresh() -> (u64, String) {
    let n = MADE.fetch_add(1, Ordering::Relaxed);
    let scattered = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
    let letters = scattered.map(|byte| char::from(b'a' + byte % 26)).iter().collect();
    (n, letters)
}

impl Index {
    /// Sets the scene.
    pub(crate) async fn scene(&self) -> Scene {
        let [authority, other_authority] = [self.authority().await, self.authority().await];
        let school = self.school_of_the_directory(authority).await;
        let other_school = self.organisation("school", Some(other_authority)).await;
        let national = self.organisation("nationalPartner", None).await;
        // The authority of the examples, whose code no other has.
        sqlx::query("update organisation set authority_code = '888' where organisation_id = $1")
            .bind(other_authority.id)
            .execute(&self.db)
            .await
            .unwrap();
        let mut scene = Scene {
            authority,
            school,
            other_authority,
            other_school,
            national,
            callers: Vec::new(),
        };
        for &role in Role::ALL {
            let caller = self.caller(role, scene.organisation(role)).await;
            scene.callers.push(caller);
        }
        scene
    }

    /// An offer of another child's record by an authority to one that nobody is of.
    pub(crate) async fn transfer(&self, by: Organisation) -> Uuid {
        let (child, id) = (self.child(by).await, Uuid::new_v4());
        sqlx::query(
            "insert into organisation (organisation_id, kind, name, authority_code, authority_id, office_hours, duty, updated_at)
             values ($1, 'localAuthority', 'Example Elsewhere', '889', $1, '01632 960001', '01632 960002', $2)
             on conflict do nothing",
        )
        .bind(id)
        .bind(self.now())
        .execute(&self.db)
        .await
        .unwrap();
        sqlx::query(
            "insert into transfer (transfer_id, child_id, offered_by, offered_to, status, offered_at, changed_at)
             select $1, $2, $3, organisation_id, 'offered', $4, $4 from organisation where authority_code = '889'",
        )
        .bind(id)
        .bind(child.id)
        .bind(by.id)
        .bind(self.now())
        .execute(&self.db)
        .await
        .unwrap();
        id
    }

    /// Something that those of a role in an organisation are told.
    pub(crate) async fn notice(&self, role: Role, organisation: Organisation) -> Uuid {
        let id = Uuid::new_v4();
        sqlx::query(
            "insert into notice (notice_id, kind, organisation_id, role, about, told_at) values ($1, 'transferOffered', $2, $3, $4, $5)",
        )
        .bind(id)
        .bind(organisation.id)
        .bind(role.as_str())
        .bind(format!("/v1/transfers/{id}"))
        .bind(self.now())
        .execute(&self.db)
        .await
        .unwrap();
        id
    }

    /// A school whose people the directory knows.
    pub(crate) async fn school_of_the_directory(&self, authority: Organisation) -> Organisation {
        let school = self.organisation("school", Some(authority)).await;
        let known = "update organisation set urn = $2 where organisation_id = $1";
        sqlx::query(known).bind(school.id).bind(SCHOOL).execute(&self.db).await.unwrap();
        school
    }

    /// Links an identity of the directory to an account.
    pub(crate) async fn link(&self, account: Uuid, subject: &str) {
        let link =
            "update account set external_issuer = $2, external_subject = $3 where account_id = $1";
        let link = sqlx::query(link).bind(account).bind(ISSUER).bind(subject);
        link.execute(&self.db).await.unwrap();
    }

    /// A local authority.
    pub(crate) async fn authority(&self) -> Organisation {
        self.organisation("localAuthority", None).await
    }

    /// An organisation of this kind, in the area of `authority`.
    pub(crate) async fn organisation(
        &self,
        kind: &str,
        authority: Option<Organisation>,
    ) -> Organisation {
        let (n, letters) = fresh();
        let id = Uuid::new_v4();
        let code = (kind == "localAuthority").then(|| format!("{:03}", n % 888));
        let authority =
            if code.is_some() { Some(id) } else { authority.map(|authority| authority.id) };
        sqlx::query(
            "insert into organisation (organisation_id, kind, name, authority_code, authority_id, office_hours, duty, updated_at)
             values ($1, $2, $3, $4, $5, '01632 960001', '01632 960002', $6)",
        )
        .bind(id)
        .bind(kind)
        .bind(format!("Example {letters}"))
        .bind(code)
        .bind(authority)
        .bind(self.now())
        .execute(&self.db)
        .await
        .unwrap();
        Organisation { id, authority }
    }

    /// Somebody of this role who acts for an organisation: a system where the role is one, else a person.
    pub(crate) async fn caller(&self, role: Role, organisation: Organisation) -> Caller {
        if role.is_system() {
            self.client(role, organisation).await
        } else {
            self.account(role, organisation).await
        }
    }

    /// A person who is signed in.
    pub(crate) async fn account(&self, role: Role, organisation: Organisation) -> Caller {
        let id = Uuid::new_v4();
        sqlx::query(
            "insert into account (account_id, user_name, name, organisation_id, role, credential, one_time_code_seed,
                 vetted_until, trained_until, agreement_signed_on, created_at)
             values ($1, $2, 'Example Person', $3, $4, 'none', '', '2100-01-01', '2100-01-01', '2020-01-01', $5)",
        )
        .bind(id)
        .bind(format!("person.{}", fresh().1))
        .bind(organisation.id)
        .bind(role.as_str())
        .bind(self.now())
        .execute(&self.db)
        .await
        .unwrap();
        self.signed_in("account_id", id, role, organisation).await
    }

    /// An invitation by some administrator to recover an account.
    pub(crate) async fn invitation(&self, account: Uuid) -> Uuid {
        let id = Uuid::new_v4();
        sqlx::query(
            "insert into invitation (invitation_id, account_id, purpose, token_hash, seed, made_by, made_at, expires_at)
             values ($1, $2, 'recovery', sha256(uuid_send($1)), '', gen_random_uuid(), $3, $3 + interval '1 day')",
        )
        .bind(id)
        .bind(account)
        .bind(self.now())
        .execute(&self.db)
        .await
        .unwrap();
        id
    }

    /// Somebody's request for access to an organisation, as a practitioner.
    pub(crate) async fn access_request(&self, organisation: Organisation) -> Uuid {
        let (id, letters) = (Uuid::new_v4(), fresh().1);
        sqlx::query(
            "insert into access_request (access_request_id, organisation_id, council_id, role, name, name_key, email,
                 office_hours, asked_at, expires_at)
             values ($1, $2, $7, 'practitioner', $3, $4, $5, '01632 960001', $6, $6 + interval '30 days')",
        )
        .bind(id)
        .bind(organisation.id)
        .bind(format!("Asker {letters}"))
        .bind(format!("asker {letters}"))
        .bind(format!("{letters}@example.org"))
        .bind(self.now())
        .bind(organisation.authority)
        .execute(&self.db)
        .await
        .unwrap();
        id
    }

    /// A subscription of an organisation at an address that answered, and a ping of it that is dead.
    pub(crate) async fn subscription(
        &self,
        organisation: Organisation,
        account: Uuid,
    ) -> (Uuid, Uuid) {
        let (subscription, delivery) = (Uuid::new_v4(), Uuid::new_v4());
        // An organisation has ten at most, and a test makes many targets.
        sqlx::query("delete from subscription where organisation_id = $1")
            .bind(organisation.id)
            .execute(&self.db)
            .await
            .unwrap();
        sqlx::query(
            "with made as (
                 insert into subscription (subscription_id, organisation_id, target, status, created_by, created_at, confirmed_at)
                 values ($1, $2, 'https://hooks.example.org/contactpoint', 'active', $3, $4, $4)
             )
             insert into delivery (delivery_id, subscription_id, status, made_at, attempts, next_at, tried_at, outcome)
             values ($5, $1, 'dead', $4, 1, $4, $4, '503')",
        )
        .bind(subscription)
        .bind(organisation.id)
        .bind(account)
        .bind(self.now())
        .bind(delivery)
        .execute(&self.db)
        .await
        .unwrap();
        (subscription, delivery)
    }

    /// Somebody's request that a child be shielded, which waits.
    pub(crate) async fn shield_request(&self, child: &Child, asker: &Caller) -> Uuid {
        let id = Uuid::new_v4();
        sqlx::query(
            "insert into shield_request (shield_request_id, child_id, ground, status, asked_by, asked_at)
             values ($1, $2, 'domesticAbuse', 'asked', $3, $4)",
        )
        .bind(id)
        .bind(child.id)
        .bind(asker.id)
        .bind(self.now())
        .execute(&self.db)
        .await
        .unwrap();
        id
    }

    /// Somebody's proposal that the identity of a child ends.
    pub(crate) async fn identity_end(&self, child: &Child, proposer: &Caller) -> Uuid {
        let id = Uuid::new_v4();
        sqlx::query(
            "insert into identity_end (identity_end_id, child_id, ground, proposed_by, proposed_at, expires_at)
             values ($1, $2, 'adoption', $3, $4, $4 + interval '7 days')",
        )
        .bind(id)
        .bind(child.id)
        .bind(proposer.id)
        .bind(self.now())
        .execute(&self.db)
        .await
        .unwrap();
        id
    }

    /// An investigation into somebody's look past a shield of a child, whose grant has ended.
    pub(crate) async fn investigation(&self, child: &Child, person: &Caller) -> Uuid {
        let id = Uuid::new_v4();
        sqlx::query(
            "with given as (
                 insert into override_grant (grant_id, child_id, account_id, session_id, reference, granted_at, expires_at)
                 values ($1, $2, $3, $4, 'CASE/2026-104', $6, $6)
             )
             insert into investigation (investigation_id, kind, child_id, grant_id, account_id, organisation_id, authority_id,
                 reference, opened_at)
             select $1, 'override', $2, $1, $3, $5, responsible_authority_id, 'CASE/2026-104', $6 from child where child_id = $2",
        )
        .bind(id)
        .bind(child.id)
        .bind(person.id)
        .bind(person.session)
        .bind(person.organisation.id)
        .bind(self.now())
        .execute(&self.db)
        .await
        .unwrap();
        id
    }

    /// An alert about somebody's looks at a child, which an organisation looks after.
    pub(crate) async fn alert(&self, child: &Child, person: &Caller, by: Organisation) -> Uuid {
        let (id, vault) = (Uuid::new_v4(), &Self::door().vault);
        let finding = json!({
            "detector": "ownFamily", "at": self.now(), "day": TODAY, "account": person.id, "organisation": person.organisation.id,
            "looked_after_by": by.id, "child": child.id, "events": [], "also": [],
        });
        sqlx::query(
            "insert into alert (alert_id, detector, severity, organisation_id, raised_at, last_at, finding_key, about, sealed)
             values ($1, 'ownFamily', 'serious', $2, $3, $3, uuid_send($1), $4, $5)",
        )
        .bind(id)
        .bind(by.id)
        .bind(self.now())
        .bind(vec![vault.blind(&[b"alert about", person.id.as_bytes()])])
        .bind(Sealed::seal(&finding, vault, &Place::of("alert", id)).unwrap())
        .execute(&self.db)
        .await
        .unwrap();
        id
    }

    /// Lets the detectors look through all that there is; how many alerts that raised.
    pub(crate) async fn watch(&self) -> usize {
        let mut raised = 0;
        loop {
            let mut work = self.errands(detectors::OPERATION).await;
            let done = detectors::run(&mut work).await.unwrap().expect("nobody else watches");
            raised += done.raised;
            // Transactions of the tests beside this one hold back what can be looked through, as those of others do.
            let waiting: bool = sqlx::query_scalar(
                "select exists (select from audit_event e, watch_cursor c
                                where (e.epoch, e.tx, e.event_id) > (c.epoch, c.tx, c.event_id) and e.operation <> 'watch')",
            )
            .fetch_one(&self.db)
            .await
            .unwrap();
            if !done.more && !waiting {
                return raised;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// A feed of an organisation, in trial.
    pub(crate) async fn feed(&self, organisation: Organisation) -> Uuid {
        let id = Uuid::new_v4();
        sqlx::query(
            "insert into feed (feed_id, organisation_id, name, service_type, created_at, created_by)
             values ($1, $2, $3, 'school', $4, $1)",
        )
        .bind(id)
        .bind(organisation.id)
        .bind(format!("Feed {}", fresh().1))
        .bind(self.now())
        .execute(&self.db)
        .await
        .unwrap();
        id
    }

    /// Links a feed's record to a child, of whom it says this.
    pub(crate) async fn link_record(&self, feed: Uuid, row: &Value, child: Uuid) {
        let row: FeedRow = serde_json::from_value(row.clone()).unwrap();
        let place = FeedRow::kept_at(FeedId(feed), &row.reference);
        sqlx::query(
            "insert into source_record (feed_id, reference, child_id, hash, sent, seen_at) values ($1, $2, $3, '', $4, $5)",
        )
        .bind(feed)
        .bind(row.reference.as_str())
        .bind(child)
        .bind(Sealed::seal(&row, &Self::door().vault, &place).unwrap())
        .bind(self.now())
        .execute(&self.db)
        .await
        .unwrap();
    }

    /// A batch of a feed whose rows are being worked on: the third of them waits.
    pub(crate) async fn batch(&self, feed: Uuid) -> Uuid {
        let id = Uuid::new_v4();
        sqlx::query(
            "insert into feed_batch (batch_id, feed_id, format, complete, trial, status, as_at, content_hash, bytes, rows, linked,
                 rejected, unreadable, sent_by, received_at, heard_at, begun_at)
             values ($1, $2, 'ndjson', false, true, 'processing', $3::timestamptz::date, sha256(uuid_send($1)), 700, 3, 1, 1, 1, $1,
                 $3, $3, $3)",
        )
        .bind(id)
        .bind(feed)
        .bind(self.now())
        .execute(&self.db)
        .await
        .unwrap();
        sqlx::query(
            r#"insert into feed_row (batch_id, line, reference, hash, outcome, faults, done_at)
             values ($1, 1, 'PUPIL-1', '', 'linked', null, $2),
                    ($1, 2, null, null, 'rejected', '[{"pointer": "/gender", "detail": "is required"}]', $2),
                    ($1, 3, 'PUPIL-3', '', null, null, null)"#,
        )
        .bind(id)
        .bind(self.now())
        .execute(&self.db)
        .await
        .unwrap();
        id
    }

    /// A row of a batch that may be of the child, on which the child's authority decides; and another record of the feed that is.
    pub(crate) async fn review_task(&self, child: &Child, feed: Uuid, batch: Uuid) -> Uuid {
        let (id, vault) = (Uuid::new_v4(), &Self::door().vault);
        let row = |reference: &str| -> FeedRow {
            let row = json!({ "reference": reference, "names": [{ "kind": "current", "given": ["Amy"], "family": child.family }],
                "dateOfBirth": "2015-03-14", "gender": "female" });
            serde_json::from_value(row).unwrap()
        };
        let (doubtful, linked) = (row("PUPIL-6"), row("PUPIL-7"));
        let kept = FeedRow::kept_at(FeedId(feed), &linked.reference);
        sqlx::query(
            "with linked as (
                 insert into source_record (feed_id, reference, child_id, hash, sent, batch_id, seen_at)
                 values ($2, 'PUPIL-7', $4, '', $6, $3, $7))
             insert into review_task (review_task_id, feed_id, batch_id, line, reference, hash, sent, authority_id, candidates, reasons,
                 model_version, raised_at)
             select $1, $2, $3, 9, 'PUPIL-6', '', $5, responsible_authority_id, array[child_id], '{tooLittle}', 'cold', $7
             from child where child_id = $4",
        )
        .bind(id)
        .bind(feed)
        .bind(batch)
        .bind(child.id)
        .bind(Sealed::seal(&doubtful, vault, &FeedRow::reviewed_at(ReviewTaskId(id))).unwrap())
        .bind(Sealed::seal(&linked, vault, &kept).unwrap())
        .bind(self.now())
        .execute(&self.db)
        .await
        .unwrap();
        id
    }

    /// A system that has a token.
    pub(crate) async fn client(&self, role: Role, organisation: Organisation) -> Caller {
        let id = Uuid::new_v4();
        sqlx::query(
            "insert into client (client_id, name, organisation_id, role, secret_hash, created_at)
             values ($1, 'Example System', $2, $3, sha256('none'), $4)",
        )
        .bind(id)
        .bind(organisation.id)
        .bind(role.as_str())
        .bind(self.now())
        .execute(&self.db)
        .await
        .unwrap();
        self.signed_in("client_id", id, role, organisation).await
    }

    async fn signed_in(
        &self,
        column: &str,
        id: Uuid,
        role: Role,
        organisation: Organisation,
    ) -> Caller {
        let session = Uuid::new_v4();
        let insert = format!(
            "insert into session (session_id, {column}, authenticated_at, expires_at) values ($1, $2, $3, '2100-01-01')"
        );
        sqlx::query(sqlx::AssertSqlSafe(insert))
            .bind(session)
            .bind(id)
            .bind(self.now())
            .execute(&self.db)
            .await
            .unwrap();
        Caller { id, role, organisation, session }
    }

    /// Gives a person what is needed to sign in, and tells it as the body of a sign-in now.
    pub(crate) async fn secrets(&self, person: &Caller) -> Value {
        let (door, seed) = (Self::door(), Seed::generate().unwrap());
        let [password, pin] = ["a password of this test", "407713"].map(SecretString::from);
        sqlx::query(
            "update account set credential = $2, one_time_code_seed = $3 where account_id = $1",
        )
        .bind(person.id)
        .bind(door.credential.hash(&password, &pin).unwrap())
        .bind(door.vault.seal(seed.expose(), &seed_context(person.id)).unwrap())
        .execute(&self.db)
        .await
        .unwrap();
        let name = sqlx::query_scalar("select user_name from account where account_id = $1")
            .bind(person.id);
        let name: String = name.fetch_one(&self.db).await.unwrap();
        let code = code_at(&seed, self.now()).unwrap();
        json!({ "userName": name, "password": password.expose_secret(), "pin": pin.expose_secret(), "oneTimeCode": code })
    }

    /// A token of the caller, as signing in now would give it.
    pub(crate) fn token(&self, caller: &Caller) -> String {
        self.bound_token(caller, None)
    }

    /// The same, bound to the key of this thumbprint.
    pub(crate) fn bound_token(&self, caller: &Caller, jkt: Option<&str>) -> String {
        let issuer = Self::verifier().issuer();
        let grant = Grant {
            sub: caller.id,
            client_id: "test".to_owned(),
            sid: caller.session,
            role: caller.role.as_str().to_owned(),
            scope: abridged(caller.role, &scopes(caller.role)),
            org: caller.organisation.id,
            la: caller.organisation.authority,
            acr: "2".to_owned(),
            amr: vec!["mfa".to_owned()],
            auth_time: self.now(),
            jkt: jkt.map(str::to_owned),
            actor: None,
            rps: None,
        };
        issuer.issue(&issuer.claims(grant, self.now())).unwrap()
    }

    /// A girl of eleven, for whose record `authority` is responsible, with a family name of her own.
    pub(crate) async fn child(&self, authority: Organisation) -> Child {
        let (n, letters) = fresh();
        let number = IndexNumber::from_ten_digits(4_000_000_000 + n).as_str().to_owned();
        let (id, family) = (Uuid::new_v4(), format!("Testley{letters}"));
        sqlx::query(
            "with born as (
                 insert into child (child_id, index_number, date_of_birth, gender, responsible_authority_id,
                     source_organisation_id, received_at, as_at)
                 values ($1, $2, '2015-03-14', 'female', $3, $3, $4, $5::date)
             ), placed as (
                 insert into whereabouts (child_id, kind, source_organisation_id, received_at, as_at)
                 values ($1, 'noneKnown', $3, $4, $5::date)
             )
             insert into child_name (child_id, kind, given, family, given_keys, family_key, date_of_birth,
                 source_organisation_id, received_at, as_at)
             values ($1, 'current', '{Amy}', $6, '{amy}', $7, '2015-03-14', $3, $4, $5::date)",
        )
        .bind(id)
        .bind(&number)
        .bind(authority.id)
        .bind(self.now())
        .bind(TODAY)
        .bind(&family)
        .bind(fold(&family))
        .execute(&self.db)
        .await
        .unwrap();
        Child { id, number, family }
    }

    /// A mother of the child.
    pub(crate) async fn carer(&self, child: &Child) -> Uuid {
        let id = Uuid::new_v4();
        sqlx::query(
            "insert into carer (carer_id, child_id, given, family, relationship, parental_responsibility,
                 source_organisation_id, received_at, as_at)
             select $1, $2, '{Ann}', $3, 'mother', true, source_organisation_id, $4, $5::date from child where child_id = $2",
        )
        .bind(id)
        .bind(child.id)
        .bind(&child.family)
        .bind(self.now())
        .bind(TODAY)
        .execute(&self.db)
        .await
        .unwrap();
        id
    }

    /// An organisation's work with the child, by its own word, begun in 2024.
    pub(crate) async fn involvement(
        &self,
        child: &Child,
        organisation: Organisation,
        service_type: &str,
    ) -> Uuid {
        let id = Uuid::new_v4();
        sqlx::query(
            r#"insert into involvement (involvement_id, child_id, organisation_id, service_type, contact,
                   started_on, confirmed_on, source_organisation_id, received_at, as_at)
               values ($1, $2, $3, $4, '{"team": "Example Team", "officeHours": "01632 960003"}',
                   '2024-09-02', '2024-09-02', $3, $5, $6::date)"#,
        )
        .bind(id)
        .bind(child.id)
        .bind(organisation.id)
        .bind(service_type)
        .bind(self.now())
        .bind(TODAY)
        .execute(&self.db)
        .await
        .unwrap();
        id
    }

    /// A hold on the child, for a year from now.
    pub(crate) async fn hold(&self, child: &Child) -> Uuid {
        let (id, by) = (Uuid::new_v4(), self.some_account().await);
        sqlx::query(
            "insert into legal_hold (hold_id, child_id, ground, held_from, held_until, said_on, placed_by, placed_at)
             values ($1, $2, 'litigation', $3::date, $3::date + 365, $3::date, $4, $5)",
        )
        .bind(id)
        .bind(child.id)
        .bind(contactpoint::clock::day_in_london(self.now()))
        .bind(by)
        .bind(self.now())
        .execute(&self.db)
        .await
        .unwrap();
        id
    }

    /// A pair of this child and another of the authority, who may be one.
    pub(crate) async fn possible_duplicate(&self, child: &Child, authority: Organisation) -> Uuid {
        let (other, id) = (self.child(authority).await, Uuid::new_v4());
        sqlx::query(
            "insert into possible_duplicate (possible_duplicate_id, child_id, other_id, model_version, found_at)
             values ($1, least($2, $3), greatest($2, $3), 'cold', $4)",
        )
        .bind(id)
        .bind(child.id)
        .bind(other.id)
        .bind(self.now())
        .execute(&self.db)
        .await
        .unwrap();
        id
    }

    /// A merge of this child and another of the authority, which somebody of it has proposed.
    pub(crate) async fn merge(&self, child: &Child, authority: Organisation) -> Uuid {
        let (other, id) = (self.child(authority).await, Uuid::new_v4());
        let by = self.account(Role::Steward, authority).await.id;
        sqlx::query(
            "insert into child_merge (merge_id, survivor_id, retired_id, ground, proposed_by, proposed_for, proposed_at)
             values ($1, $2, $3, 'recordedTwice', $4, $5, $6)",
        )
        .bind(id)
        .bind(child.id)
        .bind(other.id)
        .bind(by)
        .bind(authority.id)
        .bind(self.now())
        .execute(&self.db)
        .await
        .unwrap();
        id
    }

    /// What somebody has asked on paper about this child, a carer, and a steward has entered.
    pub(crate) async fn information_request(&self, child: &Child, entered_by: Uuid) -> Uuid {
        let id = Uuid::new_v4();
        sqlx::query(
            "insert into information_request (information_request_id, child_id, asked_of, kind, capacity, status, entered_by, received_on,
                 due_on, asked_at, asked_version)
             values ($1, $2, $2, 'see', 'carer', 'received', $3, '2026-11-16', '2026-12-16', $4, 1)",
        )
        .bind(id)
        .bind(child.id)
        .bind(entered_by)
        .bind(self.now())
        .execute(&self.db)
        .await
        .unwrap();
        id
    }

    /// A withholding of looks at this child.
    pub(crate) async fn withholding(&self, child: &Child, placed_by: Uuid) -> Uuid {
        let id = Uuid::new_v4();
        sqlx::query(
            "insert into withholding (withholding_id, child_id, asked_of, ground, placed_by, placed_at, review_on)
             values ($1, $2, $2, 'seriousHarm', $3, $4, '2027-02-16')",
        )
        .bind(id)
        .bind(child.id)
        .bind(placed_by)
        .bind(self.now())
        .execute(&self.db)
        .await
        .unwrap();
        id
    }

    /// Enrols a subject account for a child as a steward does, the own record or, as this carer, that of a child for whom they act.
    pub(crate) async fn enrol(
        &self,
        steward: &Caller,
        child: &Child,
        subject: &Caller,
        carer: Option<Uuid>,
        basis: Option<&str>,
    ) -> super::Answer {
        let mut said = json!({ "accountId": subject.id, "capacity": "child", "identity": "passport",
                               "checkedOn": contactpoint::clock::day_in_london(self.now()) });
        if let Some(carer) = carer {
            said["capacity"] = json!("carer");
            said["carerId"] = json!(carer);
            said["responsibility"] = json!("namedAtBirth");
        }
        if let Some(basis) = basis {
            said["basis"] = json!(basis);
        }
        self.post(steward, &child.path("/subjects"), said).await
    }

    /// A purge that somebody has proposed, of nothing.
    pub(crate) async fn purge(&self) -> Uuid {
        let (id, by) = (Uuid::new_v4(), self.some_account().await);
        sqlx::query(
            "insert into purge (purge_id, due_on, proposed_by, proposed_at, status) values ($1, $2, $3, $4, 'proposed')",
        )
        .bind(id)
        .bind(contactpoint::clock::day_in_london(self.now()))
        .bind(by)
        .bind(self.now())
        .execute(&self.db)
        .await
        .unwrap();
        id
    }

    /// A sensitive service of an organisation to the child, begun in 2024 with a consent; the involvement and the consent.
    pub(crate) async fn sensitive(
        &self,
        child: &Child,
        organisation: Organisation,
        service_type: &str,
    ) -> (Uuid, Uuid) {
        let (id, consent, door) = (Uuid::new_v4(), Uuid::new_v4(), Self::door());
        let own = organisation.id.as_bytes();
        let blind = |parts: &[&[u8]]| door.vault.blind(parts);
        let provider = json!({
            "organisationId": organisation.id, "serviceType": service_type, "sourceOrganisationId": organisation.id,
            "contact": { "team": "Example Team", "officeHours": "01632 960003" },
        });
        let place = Place::of("sensitive-involvement", id);
        sqlx::query(
            "with service as (
                 insert into sensitive_involvement (involvement_id, child_id, provider_key, owner_key, once_key, sealed, basis,
                     started_on, confirmed_on, received_at, as_at)
                 values ($1, $2, $3, $4, $5, $6, 'consent', '2024-09-02', '2024-09-02', $9, $10::date))
             insert into consent (consent_id, child_id, purpose, involvement_id, owner_key, given_by, capacity_basis, given_on, received_at)
             values ($7, $2, 'sensitiveService', $1, $8, 'child', 'gillickCompetent', '2024-09-02', $9)",
        )
        .bind(id)
        .bind(child.id)
        .bind(blind(&[b"sensitive provider", own, child.number.as_bytes()]))
        .bind(blind(&[b"sensitive owner", own, id.as_bytes()]))
        .bind(blind(&[b"sensitive once", own, child.number.as_bytes(), service_type.as_bytes(), b"Example Team"]))
        .bind(Sealed::seal(&provider, &door.vault, &place).unwrap())
        .bind(consent)
        .bind(blind(&[b"consent owner", own, consent.as_bytes()]))
        .bind(self.now())
        .bind(TODAY)
        .execute(&self.db)
        .await
        .unwrap();
        (id, consent)
    }

    /// A request of somebody to be put in touch, forwarded to a sensitive service of an organisation.
    pub(crate) async fn contact_request(
        &self,
        child: &Child,
        asked_by: Uuid,
        (involvement, provider): (Uuid, Organisation),
    ) -> Uuid {
        let (id, door, own) = (Uuid::new_v4(), Self::door(), provider.id.as_bytes());
        let contact = json!({ "team": "Asking Team", "officeHours": "01632 960004" });
        let offered = json!({ "team": "Example Team", "officeHours": "01632 960003" });
        let brokered = json!({ "contact": contact, "provider": offered, "declined": [] });
        let day = self.now().date_naive().to_string();
        sqlx::query(
            "insert into contact_request (contact_request_id, child_id, asked_by, asker_organisation, asked_at, stage, due_at,
                 involvement_id, provider_key, owner_key, sealed)
             select $1, $2, account_id, organisation_id, $4, 'forwarded', $4 + interval '48 hours', $5, $6, $7, $8
             from account where account_id = $3",
        )
        .bind(id)
        .bind(child.id)
        .bind(asked_by)
        .bind(self.now())
        .bind(involvement)
        .bind(door.vault.blind(&[b"contact provider", own, day.as_bytes()]))
        .bind(door.vault.blind(&[b"contact owner", own, id.as_bytes()]))
        .bind(Sealed::seal(&brokered, &door.vault, &Place::of("contact-request", id)).unwrap())
        .execute(&self.db)
        .await
        .unwrap();
        id
    }

    /// An account of nobody in the scene.
    async fn some_account(&self) -> Uuid {
        let organisation = self.organisation("nationalPartner", None).await;
        self.account(Role::Operator, organisation).await.id
    }

    /// Errands of the service now, with its keys.
    pub(crate) async fn errands(&self, operation: &'static str) -> Errands {
        let options = (*self.db.connect_options()).clone().options([("role", APPLICATION)]);
        let errands = Errands::begin(&options, &self.clock, operation).await.unwrap();
        errands.with_vault(Self::door().vault.clone())
    }

    /// Makes the entries that wait, by which the matcher finds children; says how many.
    pub(crate) async fn catch_up(&self) -> u64 {
        let mut work = self.errands("match_index").await;
        indexing::catch_up(&mut work, indexing::BATCH, |_| {}).await.unwrap()
    }

    /// What the passing of days brings about, until now.
    pub(crate) async fn retain(&self) -> Summary {
        let mut work = self.errands("retention_run").await;
        let today = work.today();
        task::run(&mut work, today, task::BATCH, |_| true).await.unwrap().expect("nobody else runs")
    }

    /// Moves the clock to this moment, or to nine in the morning of this day.
    pub(crate) fn live_until(&self, moment: &str) {
        let moment =
            if moment.contains('T') { moment.to_owned() } else { format!("{moment}T09:00:00Z") };
        self.clock.set(moment.parse().unwrap());
    }
}
