//! An example of each operation's request and of its answer, as the demo gives them.

use utoipa::openapi::{Content, OpenApi, RefOr, path::Operation};

macro_rules! file {
    ($id:literal $part:literal) => {
        include_str!(concat!("../api-spec/examples/", $id, ".", $part, ".json"))
    };
}

macro_rules! examples {
    ($($id:literal $(asks $request:literal)?;)*) => {
        /// Each operation's id, the example of its request where it has a body, and that of its answer.
        const EXAMPLES: &[(&str, Option<&str>, &str)] =
            &[$(($id, examples!(@request $id $($request)?), file!($id "answer"))),*];
    };
    (@request $id:literal $request:literal) => { Some(file!($id $request)) };
    (@request $id:literal) => { None };
}

examples! {
    "create_session" asks "request";
    "create_external_session" asks "request";
    "issue_token" asks "request";
    "revoke_token" asks "request";
    "read_keys";
    "read_metadata";
    "search_children" asks "request";
    "match_child" asks "request";
    "add_child" asks "request";
    "list_possible_duplicates";
    "open_possible_duplicate";
    "decide_possible_duplicate" asks "request";
    "propose_merge" asks "request";
    "list_merges";
    "open_merge";
    "approve_merge";
    "refuse_merge";
    "reverse_merge" asks "request";
    "open_child";
    "correct_child" asks "request";
    "read_history";
    "list_carers";
    "add_carer" asks "request";
    "change_carer" asks "request";
    "end_carer";
    "list_involvements";
    "add_involvement" asks "request";
    "open_involvement";
    "change_involvement" asks "request";
    "list_flags";
    "set_flag" asks "request";
    "clear_flag";
    "list_subjects";
    "enrol_subject" asks "request";
    "end_subject";
    "list_my_children";
    "read_my_record";
    "read_my_looks";
    "ask_information" asks "request";
    "enter_information_request" asks "request";
    "list_information_requests";
    "open_information_request";
    "check_identity" asks "request";
    "forward_information_request";
    "extend_information_request" asks "request";
    "close_information_request" asks "request";
    "withdraw_information_request";
    "list_withholdings";
    "place_withholding" asks "request";
    "change_withholding" asks "request";
    "list_consents";
    "withdraw_consent" asks "request";
    "ask_for_contact" asks "request";
    "list_contact_requests";
    "open_contact_request";
    "forward_contact_request" asks "request";
    "close_contact_request";
    "answer_contact_request" asks "request";
    "ask_for_shield" asks "request";
    "list_shield_requests";
    "open_shield_request";
    "read_shield";
    "decide_shield" asks "request";
    "review_shield" asks "request";
    "close_shield_request";
    "lift_shield";
    "override_shield" asks "request";
    "propose_identity_end" asks "request";
    "open_identity_end";
    "approve_identity_end";
    "list_investigations";
    "open_investigation";
    "decide_investigation" asks "request";
    "read_evidence";
    "assign_investigation" asks "request";
    "suspect_misuse" asks "request";
    "list_alerts";
    "open_alert";
    "investigate_alert";
    "list_detectors";
    "set_detector" asks "request";
    "record_death" asks "request";
    "consent_to_stay" asks "request";
    "read_forecast";
    "list_holds";
    "place_hold" asks "request";
    "open_hold";
    "change_hold" asks "request";
    "search_archive" asks "request";
    "open_archived" asks "request";
    "restore_record" asks "request";
    "list_purges";
    "propose_purge";
    "open_purge";
    "approve_purge";
    "list_organisations";
    "add_organisation" asks "request";
    "open_organisation";
    "change_organisation" asks "request";
    "suspend_organisation";
    "lift_suspension";
    "open_budget";
    "set_budget" asks "request";
    "ask_for_access" asks "request";
    "list_access_requests";
    "open_access_request";
    "decide_access_request" asks "request";
    "invite_again";
    "list_accounts";
    "add_account" asks "request";
    "open_account";
    "change_account" asks "request";
    "link_external_identity" asks "request";
    "unlink_external_identity";
    "invite_to_account";
    "open_invitation";
    "approve_invitation";
    "begin_enrolment" asks "request";
    "complete_enrolment" asks "request";
    "list_clients";
    "register_client" asks "request";
    "open_client";
    "change_client" asks "request";
    "renew_client_secret";
    "list_feeds";
    "add_feed" asks "request";
    "open_feed";
    "change_feed" asks "request";
    "set_feed_stage" asks "request";
    "list_review_tasks";
    "open_review_task";
    "decide_review_task" asks "request";
    "list_sources";
    "unlink_source";
    "send_batch";
    "list_batches";
    "open_batch";
    "list_batch_rows";
    "reconcile";
    "offer_transfer" asks "request";
    "list_transfers";
    "open_transfer";
    "answer_transfer" asks "request";
    "dispute_transfer" asks "request";
    "withdraw_transfer";
    "list_changes";
    "list_subscriptions";
    "subscribe" asks "request";
    "open_subscription";
    "change_subscription" asks "request";
    "unsubscribe";
    "ping_subscription";
    "list_deliveries";
    "open_delivery";
    "replay_delivery";
    "list_notices";
    "see_notice";
    "list_audit_events";
    "search_audit_events" asks "request";
    "list_own_events";
    "read_usage";
    "read_audit_roots";
    "report_without_school";
    "report_without_practice";
    "report_unconfirmed_involvements";
    "report_possible_duplicates";
    "report_feed_quality";
    "read_stop";
    "stop_everything";
    "lift_stop";
    "list_policies";
    "list_service_types";
    "list_codes";
    "is_live";
    "is_ready";
    "list_problems";
    "read_problem";
}

/// What a feed sends, in each of its forms.
const FORMS: [(&str, &str); 3] = [
    ("application/x-ndjson", include_str!("../api-spec/examples/send_batch.request.ndjson")),
    ("text/csv", include_str!("../api-spec/examples/send_batch.request.csv")),
    ("application/xml", include_str!("../api-spec/examples/send_batch.request.xml")),
];

/// Puts them into the description.
pub(crate) fn add(api: &mut OpenApi) {
    for item in api.paths.paths.values_mut() {
        let methods =
            [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for operation in methods.into_iter().flatten() {
            let id = operation.operation_id.clone().unwrap_or_default();
            if let Some((_, request, answer)) = EXAMPLES.iter().find(|(of, ..)| *of == id) {
                show(operation, *request, answer);
            }
            if ["send_batch", "reconcile"].contains(&id.as_str()) {
                show_forms(operation);
            }
        }
    }
}

fn show_forms(operation: &mut Operation) {
    let Some(RefOr::T(body)) = &mut operation.request_body else { return };
    for (form, batch) in FORMS {
        if let Some(RefOr::T(content)) = body.content.get_mut(form) {
            content.example = Some(batch.into());
        }
    }
}

fn show(operation: &mut Operation, request: Option<&str>, answer: &str) {
    if let (Some(RefOr::T(body)), Some(request)) = (&mut operation.request_body, request) {
        put(body.content.iter_mut(), request);
    }
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status.starts_with('2')
        {
            put(response.content.iter_mut(), answer);
            if let Some(RefOr::T(line)) = response.content.get_mut("application/x-ndjson") {
                line.example = line.example.take().map(|page| page["items"][0].clone());
            }
        }
    }
}

fn put<'a>(contents: impl Iterator<Item = (&'a String, &'a mut RefOr<Content>)>, example: &str) {
    for (_, content) in contents.filter(|(kind, _)| *kind != "text/csv") {
        if let RefOr::T(content) = content {
            content.example = serde_json::from_str(example).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::app;

    fn fault(document: &Value, media: &Value) -> Vec<String> {
        let mut schema = media["schema"].clone();
        schema["components"] = document["components"].clone();
        let options = jsonschema::draft202012::options().should_validate_formats(true);
        let validator = options.build(&schema).unwrap();
        let errors = validator.iter_errors(&media["example"]);
        errors.map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    #[test]
    fn every_operation_has_examples_that_its_schemas_admit() {
        let document: Value = serde_json::from_str(&app::document()).unwrap();
        let items = document["paths"].as_object().unwrap().values();
        let operations = items.flat_map(|item| item.as_object().unwrap().values());
        let mut shown = 0_usize;
        for operation in operations.filter(|operation| operation["operationId"].is_string()) {
            let responses = operation["responses"].as_object().unwrap().iter();
            let answers = responses.filter(|(status, _)| status.starts_with('2'));
            let bodies = answers.map(|(_, response)| response).chain([&operation["requestBody"]]);
            for media in bodies
                .filter_map(|body| body["content"].as_object())
                .flat_map(|content| {
                    content
                        .iter()
                        .filter(|(kind, media)| *kind != "text/csv" || !media["example"].is_null())
                })
                .map(|(_, media)| media)
            {
                let (example, of) = (&media["example"], &operation["operationId"]);
                assert!(example.is_object() || example.is_string(), "{of} has no example");
                assert_eq!(
                    fault(&document, media),
                    Vec::<String>::new(),
                    "{}",
                    operation["operationId"]
                );
                shown += 1;
            }
        }
        let (lines, lists) = (2, 1);
        assert_eq!(
            shown,
            EXAMPLES
                .iter()
                .map(|(_, request, _)| 1 + usize::from(request.is_some()))
                .sum::<usize>()
                + FORMS.len()
                + lists
                + lines
        );
    }
}
