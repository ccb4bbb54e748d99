"""What the service may refuse although the description admits it: rules that JSON Schema cannot say, and nothing else."""

import re

import schemathesis

KEY = "idempotency-key-reused"
VERSION = "precondition-failed"
CHECK_DIGIT = r"look for a digit mistyped|NHS number is|National Insurance number is"
BIRTH = r"date of birth (lies in the future|is more than 25 years ago)|child's birth or after today"
AUTHORITY = r"3-digit code of a local authority"
PERIOD = r"^must not be before accreditedFrom$"
DAY = r"^must not be before .* or after today$"

# Each operation's problems, those of values with what may be said of them.
MAY = {
    "search_children": {"too-many-matches": "", "invalid-value": f"{CHECK_DIGIT}|at least 2 letters|is only for"},
    "reconcile": {"invalid-value": "at most 1000 rows"},
    "match_child": {"too-little-to-search-by": "", "invalid-value": f"{CHECK_DIGIT}|^must have given names"},
    "list_changes": {"invalid-query": r"^after must be the `next`", "changes-forgotten": ""},
    "subscribe": {KEY: "", "invalid-value": "^must "},
    "change_subscription": {VERSION: "", "invalid-value": "^must |with a new `target`"},
    "unsubscribe": {VERSION: ""},
    "ping_subscription": {KEY: ""},
    "list_deliveries": {"invalid-query": r"^after must be the `next`"},
    "replay_delivery": {VERSION: ""},
    "report_without_school": {"invalid-query": r"^after must be the `next`"},
    "report_without_practice": {"invalid-query": r"^after must be the `next`"},
    "report_unconfirmed_involvements": {"invalid-query": r"^after must be the `next`"},
    "report_possible_duplicates": {"invalid-query": r"^after must be the `next`"},
    "report_feed_quality": {"invalid-query": r"^after must be the `next`"},
    "list_possible_duplicates": {"invalid-query": r"^after must be the `next`"},
    "list_review_tasks": {"invalid-query": r"^after must be the `next`"},
    "decide_review_task": {VERSION: "", "invalid-value": f"{CHECK_DIGIT}|does not fit the decision|is required to link|is only for `link`|is no child of the index"},
    "unlink_source": {VERSION: ""},
    "set_feed_stage": {VERSION: ""},
    "decide_possible_duplicate": {VERSION: "", "invalid-value": "does not fit the decision"},
    "list_merges": {"invalid-query": r"^after must be the `next`"},
    "propose_merge": {KEY: "", "invalid-value": f"{CHECK_DIGIT}|index number of a record in use|another record than the survivor|of these two records$"},
    "approve_merge": {VERSION: ""},
    "refuse_merge": {VERSION: ""},
    "reverse_merge": {VERSION: ""},
    "add_child": {KEY: "", "invalid-value": f"{CHECK_DIGIT}|{BIRTH}|{AUTHORITY}"},
    "correct_child": {VERSION: "", "invalid-value": f"{CHECK_DIGIT}|{BIRTH}"},
    "add_carer": {KEY: ""},
    "change_carer": {VERSION: ""},
    "end_carer": {VERSION: ""},
    "add_involvement": {KEY: "", "consent-required": "", "invalid-value":
                        f"{DAY}|{BIRTH}|no organisation of the index|beside a consent|sensitive services alone|does not fit who has given it"},
    "enrol_subject": {KEY: "", "invalid-value": "no account of a subject|required of a carer|for carers alone|of 18 or over|once the child is 12|under 12|at this age|within the last 3 months|with parental responsibility"},
    "list_my_children": {},
    "read_my_record": {"invalid-query": "child is required"},
    "read_my_looks": {"invalid-query": r"^after must be the `next`|child is required"},
    "ask_information": {KEY: "", "invalid-value": f"{CHECK_DIGIT}|for `correct` alone|of nothing else|required to correct|stands on the record|acts for several"},
    "enter_information_request": {KEY: "", "invalid-value": "for `correct` alone|of nothing else|required to correct|stands on the record|not be after today"},
    "list_information_requests": {"invalid-query": r"^after must be the `next`"},
    "check_identity": {VERSION: "", "invalid-value": "required of a carer|for carers alone|after it was proven|not be after today"},
    "forward_information_request": {VERSION: ""},
    "extend_information_request": {VERSION: ""},
    "close_information_request": {VERSION: "", "invalid-value": "required to refuse|does not fit what is asked|since it was asked|a correction alone|required of this correction"},
    "withdraw_information_request": {VERSION: ""},
    "place_withholding": {KEY: ""},
    "change_withholding": {VERSION: ""},
    "end_subject": {VERSION: ""},
    "withdraw_consent": {VERSION: "", "invalid-value": DAY},
    "ask_for_contact": {KEY: ""},
    "list_contact_requests": {"invalid-query": r"^after must be the `next`"},
    "forward_contact_request": {VERSION: "", "invalid-value": "is no involvement with which contact"},
    "close_contact_request": {VERSION: ""},
    "answer_contact_request": {VERSION: "", "invalid-value": "is told only by whoever accepts"},
    "change_involvement": {VERSION: "", "invalid-value": DAY},
    "set_flag": {VERSION: "", "invalid-value": "after today and at most 24 months"},
    "clear_flag": {VERSION: ""},
    "ask_for_shield": {KEY: ""},
    "list_shield_requests": {"invalid-query": r"^after must be the `next`"},
    "decide_shield": {VERSION: "", "invalid-value": "does not answer a request on this ground|at most 6 months from today"},
    "review_shield": {VERSION: "", "invalid-value": "at most 6 months from today"},
    "close_shield_request": {VERSION: ""},
    "lift_shield": {VERSION: ""},
    "override_shield": {KEY: ""},
    "propose_identity_end": {KEY: ""},
    "approve_identity_end": {VERSION: ""},
    "list_investigations": {"invalid-query": r"^after must be the `next`"},
    "decide_investigation": {VERSION: ""},
    "list_alerts": {"invalid-query": r"^after must be the `next`"},
    "investigate_alert": {KEY: ""},
    "assign_investigation": {VERSION: "", "invalid-value": "another auditor of your own organisation"},
    "suspect_misuse": {VERSION: "", "invalid-value": "^must be true$"},
    "set_detector": {VERSION: ""},
    "search_audit_events": {"invalid-value": f"{CHECK_DIGIT}|must be the `next`"},
    "list_own_events": {"invalid-query": r"^after must be the `next`"},
    "read_usage": {"invalid-query": "must be a Monday"},
    "record_death": {VERSION: "", "invalid-value": r"^must not be before .* or after"},
    "consent_to_stay": {KEY: "", "invalid-value": r"^must not be before .* or after"},
    "read_forecast": {"invalid-query": r"^after must be the `next`"},
    "place_hold": {KEY: "", "invalid-value": r"today or over a year from today|after the first day and at most 2 years"},
    "change_hold": {VERSION: "", "invalid-value": r"^must not be before today or over 2 years"},
    "search_archive": {"too-many-matches": "", "too-little-to-search-by": "", "invalid-header": "Access-Reference is required",
                       "invalid-value": "at least 2 letters|required of the archive reviewer|at most 5"},
    "open_archived": {"invalid-header": "Access-Reference is required", "invalid-value": f"{CHECK_DIGIT}|required of the archive reviewer"},
    "restore_record": {KEY: "", "invalid-value": rf"{CHECK_DIGIT}|must have one of|{DAY}|{BIRTH}|^must not be before .* or after"},
    "propose_purge": {KEY: ""},
    "approve_purge": {VERSION: ""},
    "add_organisation": {KEY: "", "invalid-value": f"is no local authority of the index|is required of a local authority|{PERIOD}"},
    "change_organisation": {VERSION: "", "invalid-value": f"{DAY}|{PERIOD}"},
    "create_session": {"invalid-value": "a user name is"},
    "add_account": {KEY: "", "invalid-value": "a user name is|is a role of systems|by the national operator alone|must not be in the future|whose accounts you make"},
    "change_account": {VERSION: "", "invalid-value": "must not be in the future|is what an account begins with|when the person has enrolled"},
    "invite_to_account": {KEY: ""},
    "decide_access_request": {VERSION: "", "invalid-value": "a user name is|must be the role that was asked for|must not be in the future"},
    "list_access_requests": {"invalid-query": r"^after must be the `next`"},
    "approve_invitation": {VERSION: ""},
    "invite_again": {KEY: ""},
    "link_external_identity": {VERSION: "", "invalid-value": "is not an issuer of the account's organisation"},
    "unlink_external_identity": {VERSION: ""},
    "complete_enrolment": {"invalid-value": "authenticator shows|characters|easy to guess|digit|date"},
    "register_client": {KEY: "", "malformed-json": "NUL|nested", "invalid-value": r"^must |^cannot be read|whose clients you register"},
    "change_client": {VERSION: "", "malformed-json": "NUL|nested", "invalid-value": r"^must |^cannot be read|is only for|is required, or|is not a scope"},
    "renew_client_secret": {KEY: ""},
    "list_clients": {"invalid-query": r"^after must be the `next`"},
    "list_accounts": {"invalid-query": r"^after must be the `next`"},
    "list_organisations": {"invalid-query": r"^after must be the `next`"},
    "set_budget": {VERSION: "", "invalid-value": "wider by the national operator alone"},
    "list_feeds": {"invalid-query": r"^after must be the `next`"},
    "add_feed": {KEY: "", "invalid-value": "whose feeds you add"},
    "change_feed": {VERSION: ""},
    "list_batches": {"invalid-query": r"^after must be the `next`"},
    "list_batch_rows": {"invalid-query": r"^after must be the `next`"},
    "offer_transfer": {KEY: "", "invalid-value": "3-digit code of another local authority"},
    "answer_transfer": {VERSION: "", "invalid-value": "is required to decline|is given only to decline"},
    "dispute_transfer": {VERSION: ""},
    "withdraw_transfer": {VERSION: ""},
    "list_transfers": {"invalid-query": r"^after must be the `next`"},
    "list_notices": {"invalid-query": r"^after must be the `next`"},
    "see_notice": {VERSION: ""},
    "list_audit_events": {"invalid-query": r"^after must be the `next`"},
}


@schemathesis.serializer("application/x-ndjson")
def lines(ctx, value):
    """What is sent as lines of JSON is a text already."""
    return {"data": value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")}


@schemathesis.check
def refused_for_a_reason_the_schema_cannot_say(ctx, response, case):
    admitted = case.meta is not None and case.meta.generation.mode.is_positive
    if not admitted or response.status_code not in (400, 412, 422) or case.path.startswith("/oauth/"):
        return
    told = response.json()
    operation = case.operation.definition.raw["operationId"]
    problem = told["type"].removeprefix("/problems/")
    reasons = MAY.get(operation, {})
    said = [fault["detail"] for fault in told.get("errors", [])] or [told["detail"]]
    unsaid = [text for text in said if not re.search(reasons.get(problem, "(?!)"), text)]
    assert not unsaid, f"{operation} is refused with {problem}, which its schema does not say: {unsaid}"
