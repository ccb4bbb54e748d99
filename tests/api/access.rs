//! Every operation against every role and every child: who gets in, who does not, and that it is written down.

use contactpoint::access::{POLICIES, Role};

use serde_json::json;

use crate::harness::{Answer, Caller, Index, Operation, Target};

/// Whose child it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// For whom the caller's authority answers, and with whom the caller's organisation works.
    Own,
    /// For whom another authority answers, and with whom another organisation works.
    Other,
    /// Nobody's: the index does not hold it.
    Unknown,
}

use Whose::{Other, Own};

/// Accounts, clients and subscriptions are seen by the administrators of their own organisation alone; the operator sees those of national
/// partners.
const ACCOUNTS: &[&str] = &[
    "open_account",
    "change_account",
    "link_external_identity",
    "unlink_external_identity",
    "invite_to_account",
    "open_invitation",
    "approve_invitation",
    "open_client",
    "change_client",
    "renew_client_secret",
    "open_subscription",
    "change_subscription",
    "unsubscribe",
    "ping_subscription",
    "list_deliveries",
    "open_delivery",
    "replay_delivery",
];

/// Requests for access are seen by those who decide: here the operator, on one to a national partner.
const ACCESS_REQUESTS: &[&str] = &["open_access_request", "decide_access_request", "invite_again"];

/// Offers are seen by the stewards of both authorities.
const TRANSFERS: &[&str] =
    &["open_transfer", "answer_transfer", "dispute_transfer", "withdraw_transfer"];

/// A notice is for those of one role in one organisation: here the stewards of the authority.
const TOLD_OTHERWISE: &[Role] = &[
    Role::Practitioner,
    Role::PractitionerWithOverride,
    Role::ShieldApprover,
    Role::AccountAdministrator,
    Role::Operator,
    Role::Auditor,
    Role::ArchiveReviewer,
];

/// Requests for contact are seen by whoever asked, by those to whom they are forwarded, and by the steward who brokers.
const CONTACT: &[&str] = &[
    "open_contact_request",
    "forward_contact_request",
    "close_contact_request",
    "answer_contact_request",
];

/// Requests that children be shielded, and proposals that identities end, are seen by those who decide; here nobody asks who looks.
const SHIELD_REQUESTS: &[&str] = &[
    "open_shield_request",
    "decide_shield",
    "review_shield",
    "close_shield_request",
    "open_identity_end",
    "approve_identity_end",
];
const ASKERS: &[Role] =
    &[Role::Practitioner, Role::PractitionerWithOverride, Role::Steward, Role::Subject];

/// A subject sees the own record alone; here nobody is enrolled.
const ENROLS: &[&str] = &["list_subjects", "enrol_subject", "end_subject"];

/// Here nobody acts for a child.
const MY: &[&str] = &["read_my_record", "read_my_looks", "ask_information"];

/// Information requests are seen by the stewards and auditors of the authority that answers for the record, and by whoever asks; the
/// one of the example was asked on paper, and it is not proven by whom.
const RIGHTS: &[&str] = &[
    "open_information_request",
    "check_identity",
    "forward_information_request",
    "extend_information_request",
    "close_information_request",
    "withdraw_information_request",
    "change_withholding",
];

/// Records that may be of one child are seen by the authority that answers for one of them.
const PAIRS: &[&str] = &["open_possible_duplicate", "decide_possible_duplicate"];

/// Feeds and their batches are seen by the own organisation, by the stewards of its authority, and those of national partners by
/// the operator.
const FEEDS: &[&str] =
    &["open_feed", "change_feed", "set_feed_stage", "list_batches", "open_batch"];
const BATCHES: &[&str] = &["send_batch", "list_batch_rows", "reconcile"];

/// Rows of feeds are decided on by the authority that answers for whom they are like.
const REVIEWS: &[&str] = &["open_review_task", "decide_review_task"];
/// Merges are seen by the authorities that answer for one of the records; the records of the example are nobody's.
const MERGES: &[&str] = &["open_merge", "approve_merge", "refuse_merge", "reverse_merge"];

/// Investigations are seen by the authority that answers for the record, and alerts by that which looks after them.
const INVESTIGATIONS: &[&str] = &[
    "open_investigation",
    "decide_investigation",
    "read_evidence",
    "assign_investigation",
    "suspect_misuse",
    "open_alert",
    "investigate_alert",
];

/// The archive reviewer states a reference.
const ARCHIVE: &[&str] = &["search_archive", "open_archived"];

/// The child of the example is not archived.
const ARCHIVED: &[&str] = &["open_archived", "restore_record"];

/// Holds on a record in use are a steward's.
const HOLDS: &[&str] = &["list_holds", "place_hold", "open_hold", "change_hold"];

/// Where a role that holds the permission is refused all the same: by what the caller's organisation is to the record.
/// A feed may not even see what others do.
const REFUSED: [(&[&str], Whose, &[Role], u16); 60] = [
    (MY, Own, Role::ALL, 404),
    (MY, Other, Role::ALL, 404),
    (MY, Whose::Unknown, Role::ALL, 404),
    (RIGHTS, Other, Role::ALL, 404),
    (RIGHTS, Own, &[Role::Subject], 404),
    (
        &["forward_information_request", "extend_information_request", "close_information_request"],
        Own,
        Role::ALL,
        409,
    ),
    (
        &["enter_information_request", "list_withholdings", "place_withholding"],
        Other,
        &[Role::Steward],
        403,
    ),
    (&["assign_investigation"], Own, Role::ALL, 422),
    (&["read_usage"], Other, Role::ALL, 403),
    (REVIEWS, Other, Role::ALL, 404),
    (&["list_sources", "unlink_source"], Other, &[Role::Steward], 403),
    (MERGES, Other, Role::ALL, 404),
    (&["propose_merge"], Own, Role::ALL, 422),
    (&["propose_merge"], Other, Role::ALL, 422),
    (&["propose_merge"], Whose::Unknown, Role::ALL, 422),
    (&["reverse_merge"], Own, Role::ALL, 409),
    (PAIRS, Other, Role::ALL, 404),
    (FEEDS, Own, &[Role::Operator], 404),
    (FEEDS, Other, Role::ALL, 404),
    (BATCHES, Other, Role::ALL, 404),
    (&["end_subject"], Own, &[Role::Steward], 404),
    (&["ask_for_shield"], Own, &[Role::Subject], 404),
    (&["ask_for_shield"], Other, &[Role::Subject], 404),
    (&["enrol_subject"], Own, &[Role::Steward], 422),
    (ENROLS, Other, &[Role::Steward], 403),
    (&["answer_transfer"], Own, &[Role::Steward], 403),
    (&["dispute_transfer"], Own, &[Role::Steward], 409),
    (&["offer_transfer"], Other, &[Role::Steward], 403),
    (TRANSFERS, Other, Role::ALL, 404),
    (&["see_notice"], Own, TOLD_OTHERWISE, 404),
    (&["see_notice"], Other, Role::ALL, 404),
    (ARCHIVE, Own, &[Role::ArchiveReviewer], 400),
    (ARCHIVE, Other, &[Role::ArchiveReviewer], 400),
    (ARCHIVE, Whose::Unknown, &[Role::ArchiveReviewer], 400),
    (ARCHIVED, Own, Role::ALL, 404),
    (ARCHIVED, Other, Role::ALL, 404),
    (ARCHIVED, Whose::Unknown, Role::ALL, 404),
    (HOLDS, Own, &[Role::ArchiveReviewer], 404),
    (HOLDS, Other, &[Role::ArchiveReviewer], 404),
    (HOLDS, Other, &[Role::Steward], 403),
    (&["override_shield"], Own, Role::ALL, 409),
    (&["override_shield"], Other, Role::ALL, 409),
    (
        &["lift_shield", "review_shield", "close_shield_request", "propose_identity_end"],
        Own,
        Role::ALL,
        409,
    ),
    (&["lift_shield", "read_shield", "propose_identity_end"], Other, Role::ALL, 403),
    (SHIELD_REQUESTS, Own, ASKERS, 404),
    (SHIELD_REQUESTS, Other, Role::ALL, 404),
    (INVESTIGATIONS, Other, Role::ALL, 404),
    (&["forward_contact_request"], Own, &[Role::Steward], 409),
    (CONTACT, Other, Role::ALL, 404),
    (&["withdraw_consent"], Other, Role::ALL, 404),
    (&["invite_again"], Own, &[Role::Operator], 409),
    (ACCESS_REQUESTS, Own, &[Role::AccountAdministrator], 404),
    (ACCESS_REQUESTS, Other, Role::ALL, 404),
    (
        &["suspend_organisation", "open_budget", "set_budget"],
        Other,
        &[Role::AccountAdministrator],
        403,
    ),
    (ACCOUNTS, Other, Role::ALL, 404),
    (ACCOUNTS, Own, &[Role::Operator], 404),
    (
        &[
            "correct_child",
            "read_history",
            "add_carer",
            "change_carer",
            "end_carer",
            "record_death",
            "consent_to_stay",
        ],
        Other,
        &[Role::Steward],
        403,
    ),
    (
        &["open_involvement", "change_involvement", "set_flag", "clear_flag"],
        Other,
        &[Role::Feed],
        404,
    ),
    (&["change_involvement", "set_flag", "clear_flag"], Other, Role::ALL, 403),
    (&["set_flag", "clear_flag"], Own, &[Role::Steward], 403),
];

#[actix_web::test]
async fn every_operation_answers_exactly_the_roles_and_records_of_the_table() {
    let index = Index::start().await;
    let scene = index.scene().await;
    for operation in Operation::all().filter(|operation| operation.policy().is_some()) {
        for &role in Role::ALL {
            let caller = scene.caller(role);
            for whose in [Own, Other, Whose::Unknown] {
                let target = match whose {
                    Own => index.own(&scene).await,
                    Other => index.other(&scene).await,
                    Whose::Unknown => Target::unknown(),
                };
                let answer = index.ask(operation, caller, &target, operation.example(), &[]).await;
                let at = format!("{} as {role} of {whose:?}", operation.id);
                assert_eq!(
                    answer.status,
                    expected(operation, role, whose),
                    "{at}: {:#}",
                    answer.body
                );
                written_down(&index, operation, Some(caller), &target, &answer).await;
                explained(operation, &answer);
                if ["suspend_organisation", "stop_everything"].contains(&operation.id) {
                    let_all_go_on(&index).await;
                }
            }
        }
    }
}

/// A 403 says which policy refused and what it permits; nothing else does.
fn explained(operation: Operation, answer: &Answer) {
    let policy = operation.policy().unwrap();
    let told = &answer.body["policy"];
    if answer.status != 403 {
        return assert!(told.is_null(), "{}: {:#}", operation.id, answer.body);
    }
    let expected = json!({
        "scope": policy.scope, "permits": policy.permits, "roles": policy.held_by, "limit": policy.limit,
        "needsReason": policy.about_a_child, "needsFreshSignIn": policy.fresh,
    });
    assert_eq!(*told, expected, "{}", operation.id);
}

/// Lets those go on whose organisation was suspended, and everybody who was stopped.
async fn let_all_go_on(index: &Index) {
    for lift in [
        "update organisation set status = 'accredited', version = 1 where status = 'suspended'",
        "delete from stop",
    ] {
        sqlx::query(lift).execute(&index.db).await.unwrap();
    }
}

#[actix_web::test]
async fn the_policy_of_a_refusal_is_the_line_of_the_table_and_an_open_operation_has_none() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let by = scene.caller(Role::Auditor);
    let refused = index.get(by, "/v1/accounts").await.refused(403, "forbidden");
    let table = index.get(by, "/v1/policies").await.expect(200);
    let lines = table.body["items"].as_array().unwrap();
    assert_eq!(lines.iter().filter(|line| **line == refused.body["policy"]).count(), 1);
    let body = json!({ "invitation": "x".repeat(43) });
    let answer = index.request(None, "POST", "/v1/enrolments", body, &[]).await;
    assert!(answer.refused(403, "invitation-refused").body.get("policy").is_none());
}

#[actix_web::test]
async fn nobody_gets_in_without_a_token_of_ours() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let target = index.own(&scene).await;
    let good = index.token(scene.caller(Role::Steward));
    let unsigned = format!("{}.{}", good.rsplit_once('.').unwrap().0, "A".repeat(86));
    let before = index.rows().await;
    for operation in Operation::all().filter(|operation| operation.policy().is_some()) {
        let tokens =
            ["", "Bearer nonsense", "Basic bm9ib2R5Om5vdGhpbmc=", &format!("Bearer {unsigned}")];
        for authorization in tokens {
            let headers = [("Authorization", authorization)];
            let answer = index.ask(operation, None, &target, operation.example(), &headers).await;
            let answer = answer.refused(401, "unauthenticated");
            assert_eq!(answer.header("WWW-Authenticate"), "Bearer");
            written_down(&index, operation, None, &target, &answer).await;
        }
    }
    assert_eq!(index.rows().await, before, "nothing was stored");
}

#[actix_web::test]
async fn nobody_learns_of_a_child_without_a_reason() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let target = index.own(&scene).await;
    let before = index.rows().await;
    for operation in
        Operation::all().filter(|o| o.policy().is_some_and(|policy| policy.about_a_child))
    {
        let caller = scene.caller(operation.asked_by().unwrap());
        for (reason, problem) in [("", "reason-required"), ("curiosity", "invalid-header")] {
            let headers = [("Access-Reason", reason)];
            let answer = index.ask(operation, caller, &target, operation.example(), &headers).await;
            let answer = answer.refused(400, problem);
            written_down(&index, operation, Some(caller), &target, &answer).await;
        }
    }
    assert_eq!(index.rows().await, before, "nothing was stored");
}

#[actix_web::test]
async fn whoever_was_stopped_gets_no_further_answer() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let target = index.own(&scene).await;
    let end = "update session set ended_at = now()";
    sqlx::query(end).execute(&index.db).await.unwrap();
    let before = index.rows().await;
    for operation in Operation::all().filter(|operation| operation.policy().is_some()) {
        let caller = scene.caller(operation.asked_by().unwrap());
        let answer = index.ask(operation, caller, &target, operation.example(), &[]).await;
        let answer = answer.refused(401, "unauthenticated");
        written_down(&index, operation, Some(caller), &target, &answer).await;
    }
    assert_eq!(index.rows().await, before, "nothing was stored");
}

#[test]
fn the_roles_hold_these_permissions() {
    let rows = POLICIES.iter().map(|policy| {
        let held = Role::ALL.iter().filter(|role| policy.held_by.contains(role));
        let held: Vec<_> = held.map(|role| role.as_str()).collect();
        let reason = if policy.about_a_child { "with a reason" } else { "without a reason" };
        let reason = if policy.fresh { "after a fresh sign-in" } else { reason };
        format!("{} ({reason}): {}\n  {}", policy.scope, policy.limit, held.join(", "))
    });
    insta::assert_snapshot!(rows.collect::<Vec<_>>().join("\n"));
}

fn expected(operation: Operation, role: Role, whose: Whose) -> u16 {
    if !operation.policy().unwrap().held_by.contains(&role) {
        return 403;
    }
    if whose == Whose::Unknown && operation.path.contains('{') {
        return 404;
    }
    let refused = REFUSED.iter().find(|(operations, of, roles, _)| {
        operations.contains(&operation.id) && *of == whose && roles.contains(&role)
    });
    refused.map_or(operation.success(), |(.., status)| *status)
}

/// Exactly one event says who asked for what, about whom, and how it ended.
async fn written_down(
    index: &Index,
    operation: Operation,
    caller: Option<&Caller>,
    target: &Target,
    answer: &Answer,
) {
    let (at, event) = (operation.id, index.event(answer).await);
    assert_eq!(event["operation"], operation.id);
    assert_eq!(event["status"], answer.status, "{at}");
    assert_eq!(event["outcome"], if answer.status < 400 { "answered" } else { "refused" }, "{at}");
    assert_eq!(event["problem"].as_str().unwrap_or_default(), answer.problem(), "{at}");
    assert_eq!(event["role"].as_str(), caller.map(|caller| caller.role.as_str()), "{at}");
    let who = event["account_id"].as_str().or(event["client_id"].as_str());
    assert_eq!(who, caller.map(|caller| caller.id.to_string()).as_deref(), "{at}");
    let organisation = caller.map(|caller| caller.organisation.id.to_string());
    assert_eq!(event["organisation_id"].as_str(), organisation.as_deref(), "{at}");
    let about_one =
        operation.path.contains("{indexNumber}") || operation.path.contains("{involvementId}");
    if about_one && answer.status < 400 {
        assert_eq!(event["children"], serde_json::json!([target.child.id]), "{at}");
        assert_eq!(event["reason"], "direct-service", "{at}");
    }
}
