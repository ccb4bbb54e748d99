//! Every operation of the description, and how to ask for it.

use contactpoint::{
    access::{POLICIES, Policy, Role},
    ids::IndexNumber,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Answer, Body, Caller, Child, DOCUMENT, ISSUER, Index, Organisation,
    scene::{Scene, fresh},
};

/// One operation of the description.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) id: &'static str,
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) described: &'static Value,
}

/// What a request is about.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) child: Child,
    pub(crate) carer: Uuid,
    pub(crate) involvement: Uuid,
    pub(crate) organisation: Uuid,
    pub(crate) account: Uuid,
    pub(crate) invitation: Uuid,
    pub(crate) client: Uuid,
    pub(crate) access_request: Uuid,
    pub(crate) transfer: Uuid,
    pub(crate) notice: Uuid,
    pub(crate) consent: Uuid,
    pub(crate) contact_request: Uuid,
    pub(crate) shield_request: Uuid,
    pub(crate) identity_end: Uuid,
    pub(crate) investigation: Uuid,
    pub(crate) hold: Uuid,
    pub(crate) purge: Uuid,
    pub(crate) possible_duplicate: Uuid,
    pub(crate) review_task: Uuid,
    pub(crate) feed: Uuid,
    pub(crate) batch: Uuid,
    pub(crate) subscription: Uuid,
    pub(crate) delivery: Uuid,
    pub(crate) merge: Uuid,
    pub(crate) information_request: Uuid,
    pub(crate) withholding: Uuid,
    pub(crate) alert: Uuid,
    pub(crate) detector: &'static str,
}

/// A batch of one row.
pub(crate) const BATCH: &str = include_str!("../../../api-spec/examples/send_batch.request.ndjson");

impl Operation {
    /// All of them.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let items = DOCUMENT["paths"].as_object().unwrap().iter();
        items.flat_map(|(path, item)| {
            item.as_object().unwrap().iter().map(|(method, described)| Self {
                id: described["operationId"].as_str().unwrap_or_default(),
                method: method.to_uppercase().leak(),
                path,
                described,
            })
        })
    }

    /// The permission that it needs; open operations need none.
    pub(crate) fn policy(self) -> Option<&'static Policy> {
        let scope = self.described["security"][0]["bearer"][0].as_str()?;
        Some(POLICIES.iter().find(|policy| policy.scope == scope).expect("a scope of the table"))
    }

    /// A role that may ask for it, if it is not open.
    pub(crate) fn asked_by(self) -> Option<Role> {
        self.policy().map(|policy| {
            *policy
                .held_by
                .iter()
                .find(|role| **role == Role::Steward)
                .unwrap_or(&policy.held_by[0])
        })
    }

    /// The status of success.
    pub(crate) fn success(self) -> u16 {
        let statuses = self.described["responses"].as_object().unwrap().keys();
        statuses
            .map(|status| status.parse().unwrap())
            .find(|status| (200..300).contains(status))
            .unwrap()
    }

    /// The schema of its JSON body, where it has one.
    pub(crate) fn body(self) -> Option<&'static Value> {
        let reference =
            self.described["requestBody"]["content"]["application/json"]["schema"]["$ref"]
                .as_str()?;
        DOCUMENT.pointer(&reference[1..])
    }

    /// The example of its body, with names and codes that nobody has yet.
    pub(crate) fn example(self) -> Value {
        let mut example = self.body().map_or(Value::Null, |schema| schema["example"].clone());
        let (n, letters) = fresh();
        match self.id {
            "add_child" => {
                example["names"][0]["family"] = json!(format!("Exampley{letters}"));
                let born = chrono::NaiveDate::from_ymd_opt(2009, 1, 1).unwrap();
                example["dateOfBirth"] = json!(born + chrono::Days::new(n * 37 % 5000));
                example["whereabouts"] = json!({ "kind": "noneKnown" });
                for member in ["identifiers", "carers"] {
                    example.as_object_mut().unwrap().remove(member);
                }
            }
            "set_budget" => example = json!({}),
            "link_external_identity" => {
                example = json!({ "issuer": ISSUER, "subject": letters });
            }
            "add_account" | "decide_access_request" => {
                example["userName"] = json!(format!("new.{letters}"));
            }
            "add_feed" | "change_feed" => {
                example["name"] = json!(format!("Feed {letters}"));
            }
            "add_organisation" => {
                example["codes"] = json!({ "urn": format!("{:06}", n % 1_000_000) });
                example.as_object_mut().unwrap().remove("authority");
            }
            _ => {}
        }
        example
    }

    /// Its path for this target.
    pub(crate) fn path(self, target: &Target) -> String {
        self.path
            .replace("{indexNumber}", &target.child.number)
            .replace("{carerId}", &target.carer.to_string())
            .replace("{involvementId}", &target.involvement.to_string())
            .replace("{organisationId}", &target.organisation.to_string())
            .replace("{accountId}", &target.account.to_string())
            .replace("{invitationId}", &target.invitation.to_string())
            .replace("{clientId}", &target.client.to_string())
            .replace("{accessRequestId}", &target.access_request.to_string())
            .replace("{transferId}", &target.transfer.to_string())
            .replace("{noticeId}", &target.notice.to_string())
            .replace("{consentId}", &target.consent.to_string())
            .replace("{contactRequestId}", &target.contact_request.to_string())
            .replace("{shieldRequestId}", &target.shield_request.to_string())
            .replace("{identityEndId}", &target.identity_end.to_string())
            .replace("{investigationId}", &target.investigation.to_string())
            .replace("{holdId}", &target.hold.to_string())
            .replace("{purgeId}", &target.purge.to_string())
            .replace("{possibleDuplicateId}", &target.possible_duplicate.to_string())
            .replace("{reviewTaskId}", &target.review_task.to_string())
            .replace("{reference}", "PUPIL-7")
            .replace("{feedId}", &target.feed.to_string())
            .replace("{batchId}", &target.batch.to_string())
            .replace("{subscriptionId}", &target.subscription.to_string())
            .replace("{deliveryId}", &target.delivery.to_string())
            .replace("{mergeId}", &target.merge.to_string())
            .replace("{informationRequestId}", &target.information_request.to_string())
            .replace("{withholdingId}", &target.withholding.to_string())
            .replace("{alertId}", &target.alert.to_string())
            .replace("{detector}", target.detector)
            .replace("{flag}", "takingAction")
            .replace("{problem}", "not-found")
    }
}

impl Target {
    /// A child for whom `authority` answers and with whom `organisation` works, with a sensitive service too, to which a request
    /// for contact is forwarded; and a request for access to `asked`.
    pub(crate) async fn of(
        index: &Index,
        authority: Organisation,
        organisation: Organisation,
        asked: Organisation,
    ) -> Self {
        let child = index.child(authority).await;
        let carer = index.carer(&child).await;
        let involvement = index.involvement(&child, organisation, "school").await;
        let person = index.account(Role::Practitioner, organisation).await;
        let account = person.id;
        index.link(account, &account.to_string()).await;
        let shield_request = index.shield_request(&child, &person).await;
        let identity_end = index.identity_end(&child, &person).await;
        let investigation = index.investigation(&child, &person).await;
        let invitation = index.invitation(account).await;
        let client = index.client(Role::Feed, organisation).await.id;
        let access_request = index.access_request(asked).await;
        let transfer = index.transfer(authority).await;
        let notice = index.notice(Role::Steward, authority).await;
        let (hold, purge) = (index.hold(&child).await, index.purge().await);
        let possible_duplicate = index.possible_duplicate(&child, authority).await;
        let (subscription, delivery) = index.subscription(organisation, account).await;
        let merge = index.merge(&child, authority).await;
        let information_request = index.information_request(&child, account).await;
        let withholding = index.withholding(&child, account).await;
        let (alert, detector) = (index.alert(&child, &person, authority).await, "sweep");
        let (sensitive, consent) = index.sensitive(&child, organisation, "mentalHealth").await;
        let provider = (sensitive, organisation);
        let contact_request = index.contact_request(&child, account, provider).await;
        let feed = index.feed(organisation).await;
        let batch = index.batch(feed).await;
        let review_task = index.review_task(&child, feed, batch).await;
        let organisation = organisation.id;
        Self {
            child,
            carer,
            involvement,
            organisation,
            account,
            invitation,
            client,
            access_request,
            transfer,
            notice,
            consent,
            contact_request,
            shield_request,
            identity_end,
            investigation,
            hold,
            purge,
            possible_duplicate,
            review_task,
            feed,
            batch,
            subscription,
            delivery,
            merge,
            information_request,
            withholding,
            alert,
            detector,
        }
    }

    /// A child whom the index does not hold, and what does not exist either.
    pub(crate) fn unknown() -> Self {
        let number = IndexNumber::from_ten_digits(9_000_000_000 + fresh().0).as_str().to_owned();
        let [id, carer, involvement, organisation, account, invitation, client, access_request] =
            [(); 8].map(|()| Uuid::new_v4());
        let [transfer, notice, information_request, withholding, alert] =
            [(); 5].map(|()| Uuid::new_v4());
        let [shield_request, identity_end, investigation, hold, purge] =
            [(); 5].map(|()| Uuid::new_v4());
        let [feed, batch, review_task] = [(); 3].map(|()| Uuid::new_v4());
        let [consent, contact_request, possible_duplicate, subscription, delivery, merge] =
            [(); 6].map(|()| Uuid::new_v4());
        Self {
            child: Child { id, number, family: String::new() },
            carer,
            involvement,
            organisation,
            account,
            invitation,
            client,
            access_request,
            transfer,
            notice,
            consent,
            contact_request,
            shield_request,
            identity_end,
            investigation,
            hold,
            purge,
            possible_duplicate,
            review_task,
            feed,
            batch,
            subscription,
            delivery,
            merge,
            information_request,
            withholding,
            alert,
            detector: "curiosity",
        }
    }
}

impl Index {
    /// Asks for an operation, with version 1 where it changes something; `headers` replaces headers.
    pub(crate) async fn ask<'c>(
        &self,
        operation: Operation,
        caller: impl Into<Option<&'c Caller>>,
        target: &Target,
        body: impl Into<Body>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let changes = matches!(operation.method, "PUT" | "PATCH" | "DELETE");
        let version = [("If-Match", if changes { "\"1\"" } else { "" })];
        let overrides = operation.id == "override_shield";
        let reference = [("Access-Reference", if overrides { "CASE/2026-104" } else { "" })];
        let sends = ["send_batch", "reconcile"].contains(&operation.id);
        let (body, typed) = match body.into() {
            Body::None if sends => {
                (Body::from(BATCH), vec![("Content-Type", "application/x-ndjson")])
            }
            body => (body, Vec::new()),
        };
        let headers = [&version[..], &reference, &typed, headers].concat();
        self.request(caller, operation.method, &operation.path(target), body, &headers).await
    }

    /// A child of the scene's own authority and school; a request on which the scene's operator decides.
    pub(crate) async fn own(&self, scene: &Scene) -> Target {
        Target::of(self, scene.authority, scene.school, scene.national).await
    }

    /// A child of another authority and school.
    pub(crate) async fn other(&self, scene: &Scene) -> Target {
        let (authority, school) = (scene.other_authority, scene.other_school);
        Target::of(self, authority, school, school).await
    }
}
