//! What every operation takes and gives, by its permission, its path and its method.

use std::collections::BTreeMap;

use serde_json::json;
use utoipa::openapi::{
    self, Content, RefOr, Required, Response, ResponseBuilder,
    path::{Operation, Parameter, ParameterBuilder, ParameterIn},
};

use super::headers::{
    FOR_A_TOKEN, WITH_A_TOKEN, any_text, compact, idempotency_key, if_match, location, mirrored,
    on_behalf_of, proof, reason, reference, request_id, seconds,
};
use crate::{
    access::{POLICIES, Policy, goes_on},
    budget::is_limited,
    problem::Kind,
};

/// Where a POST makes nothing that could be made twice.
const NOT_CREATING: [&str; 11] = [
    RECONCILIATIONS,
    "/v1/audit/events/search",
    "/v1/children/match",
    "/v1/archive/search",
    "/v1/archive/openings",
    "/v1/sessions",
    "/v1/sessions/external",
    "/v1/children/search",
    "/v1/access-requests",
    "/v1/enrolments",
    "/v1/enrolments/completion",
];

/// Where a shield is looked past, with a reference.
const RESTORATIONS: &str = "/v1/archive/restorations";
const OVERRIDE: &str = "/v1/children/{indexNumber}/override-grants";

/// Where batches are sent, which are no JSON.
const BATCHES: &str = "/v1/feeds/{feedId}/batches";

/// Where a list is sent, which is no JSON either.
const RECONCILIATIONS: &str = "/v1/feeds/{feedId}/reconciliations";

/// What is put and taken away whatever its version: a stop must not fail because something else has changed.
const UNCONDITIONAL: [&str; 2] = ["/v1/stop", "/v1/organisations/{organisationId}/suspension"];

pub(super) struct Operating<'a> {
    pub(super) path: &'a str,
    pub(super) method: &'static str,
    pub(super) operation: &'a mut Operation,
}

impl Operating<'_> {
    pub(super) fn complete(&mut self) {
        let policy = policy_of(self.operation);
        self.operation.security.get_or_insert_default();
        let mut kinds =
            vec![Kind::UriTooLong, Kind::HeaderTooLarge, Kind::Internal, Kind::Unavailable];
        kinds.push(Kind::RequestTimeout);
        if !goes_on(self.operation.operation_id.as_deref().unwrap_or_default())
            && self.path.starts_with("/v1/")
        {
            kinds.push(Kind::Stopped);
        }
        if let Some(policy) = policy {
            kinds.extend([Kind::Unauthenticated, Kind::DpopProofRefused]);
            kinds.extend([Kind::Forbidden, Kind::InvalidHeader]);
            self.take(proof(WITH_A_TOKEN, any_text()));
            if policy.fresh {
                kinds.push(Kind::StepUpRequired);
            }
            kinds.push(Kind::TooManyRequests);
            if is_limited(self.operation.operation_id.as_deref().unwrap_or_default()) {
                kinds.push(Kind::OverBudget);
            }
            if policy.about_a_child {
                kinds.push(Kind::ReasonRequired);
                self.take(reason());
                self.take(reference(self.path == OVERRIDE));
                if self.method == "get" || self.path == "/v1/children/search" {
                    self.take(on_behalf_of());
                }
            }
            let access =
                json!({ "scope": policy.scope, "roles": policy.held_by, "limit": policy.limit });
            let extensions = self.operation.extensions.get_or_insert_default();
            extensions.insert("x-access".to_owned(), access);
        }
        self.by_path(&mut kinds);
        if ["/oauth/token", "/v1/sessions", "/v1/sessions/external"].contains(&self.path) {
            self.take(proof(FOR_A_TOKEN, compact()));
        }
        self.take(request_id());
        self.leave_choices_open();
        self.bodies(&mut kinds);
        self.preconditions(&mut kinds);
        self.parameters(&mut kinds);
        self.told(kinds, policy);
    }

    fn parameters(&self, kinds: &mut Vec<Kind>) {
        if self.path.starts_with("/v1/children/{indexNumber}") {
            kinds.push(Kind::RecordMerged);
        }
        if self.path.contains('{') {
            kinds.push(Kind::NotFound);
        }
        if self.operation.parameters.iter().flatten().any(in_query) {
            kinds.push(Kind::InvalidQuery);
        }
    }

    fn by_path(&mut self, kinds: &mut Vec<Kind>) {
        match self.path {
            "/v1/accounts/{accountId}/invitations"
            | "/v1/accounts/{accountId}/external-identity" => kinds.push(Kind::AccountClosed),
            "/v1/clients/{clientId}/secrets" => {
                kinds.extend([Kind::ClientClosed, Kind::ClientHasKeys]);
            }
            "/v1/access-requests/{accessRequestId}/invitations" => {
                kinds.push(Kind::AccessRequestEnded);
            }
            "/v1/access-requests" if self.method == "post" => {
                kinds.extend([
                    Kind::Unauthenticated,
                    Kind::DpopProofRefused,
                    Kind::TooManyRequests,
                ]);
                self.take(proof(WITH_A_TOKEN, any_text()));
            }
            "/v1/children/{indexNumber}/transfers" => kinds.push(Kind::TransferOpen),
            "/v1/transfers/{transferId}/answer" | "/v1/transfers/{transferId}/withdrawal" => {
                kinds.push(Kind::TransferEnded);
            }
            "/v1/transfers/{transferId}/dispute" => {
                kinds.extend([Kind::TransferEnded, Kind::TransferOpen]);
            }
            "/v1/shield-requests/{shieldRequestId}/closure" => {
                kinds.push(Kind::ShieldRequestStatus);
            }
            "/v1/children/{indexNumber}/shield" if self.method == "delete" => {
                kinds.extend([Kind::NotShielded, Kind::ShieldRequested, Kind::IdentifierHeld]);
            }
            "/v1/merges/{mergeId}/approval" => {
                kinds.extend([Kind::MergeStatus, Kind::MergeCovered]);
                kinds.extend([Kind::SaidToBeOthers, Kind::IdentifierHeld]);
            }
            "/v1/merges/{mergeId}/refusal" => kinds.push(Kind::MergeStatus),
            "/v1/merges/{mergeId}/reversal" => {
                kinds.extend([Kind::MergeStatus, Kind::MergeCovered]);
            }
            "/v1/invitations/{invitationId}/approval" => kinds.push(Kind::InvitationEnded),
            "/v1/my/record" | "/v1/my/looks" | "/v1/my/requests" => kinds.push(Kind::NotFound),
            "/v1/information-requests/{informationRequestId}/forwarding"
            | "/v1/information-requests/{informationRequestId}/withdrawal" => {
                kinds.push(Kind::InformationRequestStatus);
            }
            "/v1/alerts/{alertId}/investigation" => kinds.push(Kind::AlertInvestigated),
            "/v1/investigations/{investigationId}/suspicion" => {
                kinds.extend([Kind::SuspectedAlready, Kind::InvestigationClosed]);
            }
            "/v1/changes" => kinds.push(Kind::ChangesForgotten),
            "/v1/subscriptions/{subscriptionId}/deliveries/{deliveryId}/replay" => {
                kinds.push(Kind::DeliveryNotReplayable);
            }
            "/v1/purges/{purgeId}/approval" => kinds.push(Kind::PurgeApproved),
            "/v1/involvements/{involvementId}/flags/{flag}" => kinds.push(Kind::SensitiveService),
            "/v1/contact-requests/{contactRequestId}/closure" => {
                kinds.push(Kind::ContactRequestEnded);
            }
            _ => {}
        }
    }

    fn bodies(&self, kinds: &mut Vec<Kind>) {
        if self.operation.request_body.is_none() {
            return;
        }
        kinds.extend([Kind::BodyTooLarge, Kind::UnsupportedMediaType]);
        if self.path.starts_with("/oauth") {
            kinds.extend([
                Kind::InvalidRequest,
                Kind::InvalidGrant,
                Kind::UnsupportedGrantType,
                Kind::InvalidClient,
            ]);
        } else if self.path == BATCHES {
            kinds.push(Kind::BatchUnreadable);
        } else if self.path == RECONCILIATIONS {
            kinds.push(Kind::InvalidValue);
        } else {
            kinds.extend([Kind::MalformedJson, Kind::UnknownProperty, Kind::InvalidValue]);
        }
        match self.path {
            "/v1/sessions" => {
                kinds.extend([Kind::SignInFailed, Kind::DpopProofRefused, Kind::TooManyRequests]);
            }
            "/v1/sessions/external" => kinds.extend([
                Kind::SignInFailed,
                Kind::SecondFactorRequired,
                Kind::DpopProofRefused,
                Kind::TooManyRequests,
            ]),
            "/v1/accounts/{accountId}/external-identity" => kinds.push(Kind::IdentityHeld),
            "/v1/children/search" => {
                kinds.extend([Kind::TooLittleToSearchBy, Kind::TooManyMatches]);
                kinds.push(Kind::ExactSearchFirst);
            }
            "/v1/children/match" => kinds.push(Kind::TooLittleToSearchBy),
            "/v1/possible-duplicates/{possibleDuplicateId}/decision" => {
                kinds.push(Kind::PossibleDuplicateDecided);
            }
            "/v1/merges" => kinds.extend([Kind::MergeProposed, Kind::SaidToBeOthers]),
            "/v1/children/{indexNumber}/subjects" => kinds.push(Kind::SubjectExists),
            "/v1/children/{indexNumber}/shield-requests" => kinds.push(Kind::StepUpRequired),
            "/v1/children" => {
                kinds.extend([Kind::PossibleDuplicate, Kind::IdentifierHeld]);
            }
            "/v1/children/{indexNumber}" => kinds.push(Kind::IdentifierHeld),
            "/v1/children/{indexNumber}/involvements" => {
                kinds.extend([
                    Kind::InvolvementExists,
                    Kind::ConsentRequired,
                    Kind::StepUpRequired,
                    Kind::Shielded,
                ]);
            }
            "/v1/involvements/{involvementId}" => {
                kinds.extend([Kind::InvolvementEnded, Kind::InvolvementExists]);
            }
            "/v1/involvements/{involvementId}/flags/{flag}" => {
                kinds.extend([Kind::InvolvementEnded, Kind::LeadProfessionalExists]);
                kinds.push(Kind::Shielded);
            }
            "/v1/consents/{consentId}/withdrawal" => kinds.push(Kind::ConsentWithdrawn),
            "/v1/contact-requests/{contactRequestId}/forwarding" => {
                kinds.extend([Kind::ContactRequestEnded, Kind::ContactRequestForwarded]);
            }
            "/v1/contact-requests/{contactRequestId}/answer" => {
                kinds.push(Kind::ContactRequestEnded);
            }
            "/v1/shield-requests/{shieldRequestId}/decision"
            | "/v1/shield-requests/{shieldRequestId}/review" => {
                kinds.push(Kind::ShieldRequestStatus);
            }
            "/v1/information-requests/{informationRequestId}/identity-check"
            | "/v1/information-requests/{informationRequestId}/extension"
            | "/v1/information-requests/{informationRequestId}/outcome" => {
                kinds.push(Kind::InformationRequestStatus);
            }
            "/v1/withholdings/{withholdingId}" => kinds.push(Kind::WithholdingEnded),
            OVERRIDE => kinds.extend([Kind::NotShielded, Kind::ReferenceRequired]),
            "/v1/children/{indexNumber}/identity-ends" => kinds.push(Kind::IdentityEndProposed),
            "/v1/investigations/{investigationId}/outcome"
            | "/v1/investigations/{investigationId}/assignment" => {
                kinds.push(Kind::InvestigationClosed);
            }
            "/v1/holds/{holdId}" => kinds.push(Kind::HoldEnded),
            "/v1/archive/search" => {
                kinds.extend([Kind::TooLittleToSearchBy, Kind::TooManyMatches]);
            }
            "/v1/archive/openings" => kinds.push(Kind::NotFound),
            RESTORATIONS => {
                kinds.extend([Kind::NotFound, Kind::StillArchived, Kind::IdentifierHeld]);
            }
            "/v1/organisations" => kinds.push(Kind::CodeHeld),
            "/v1/subscriptions" => kinds.push(Kind::TooManySubscriptions),
            "/v1/subscriptions/{subscriptionId}" => kinds.push(Kind::SubscriptionUnconfirmed),
            "/v1/accounts" => kinds.push(Kind::UserNameHeld),
            "/v1/accounts/{accountId}" => {
                kinds.extend([Kind::AccountClosed, Kind::MisuseSuspected]);
            }
            "/v1/clients/{clientId}" => kinds.push(Kind::ClientClosed),
            _ => self.bodies_of_callers(kinds),
        }
    }

    fn bodies_of_callers(&self, kinds: &mut Vec<Kind>) {
        match self.path {
            "/v1/feeds/{feedId}/stage" => kinds.push(Kind::FeedNotReady),
            "/v1/review-tasks/{reviewTaskId}/decision" => {
                kinds.extend([Kind::ReviewTaskDecided, Kind::RowNotTaken]);
            }
            "/v1/feeds" | "/v1/feeds/{feedId}" => kinds.push(Kind::FeedNameHeld),
            "/oauth/token" => {
                kinds.extend([Kind::InvalidScope, Kind::UnauthorizedClient]);
                kinds.extend([Kind::InvalidTarget, Kind::InvalidDpopProof]);
            }
            "/v1/access-requests/{accessRequestId}/decision" => {
                kinds.extend([Kind::AccessRequestEnded, Kind::UserNameHeld]);
            }
            "/v1/enrolments" | "/v1/enrolments/completion" => {
                kinds.extend([Kind::InvitationRefused, Kind::TooManyRequests]);
            }
            _ => {}
        }
    }

    fn preconditions(&mut self, kinds: &mut Vec<Kind>) {
        if !self.path.starts_with("/v1/") {
            return;
        }
        match self.method {
            "post" if !NOT_CREATING.contains(&self.path) => {
                self.take(idempotency_key());
                kinds.extend([
                    Kind::IdempotencyKeyRequired,
                    Kind::IdempotencyKeyReused,
                    Kind::RequestInProgress,
                ]);
                if self.path.starts_with("/v1/children")
                    || [
                        RESTORATIONS,
                        "/v1/merges",
                        "/v1/my/requests",
                        "/v1/alerts/{alertId}/investigation",
                    ]
                    .contains(&self.path)
                {
                    kinds.push(Kind::AnswerForgotten);
                }
            }
            "put" | "patch" | "delete" if !UNCONDITIONAL.contains(&self.path) => {
                self.take(if_match());
                kinds.extend([Kind::PreconditionRequired, Kind::PreconditionFailed]);
            }
            _ => {}
        }
    }

    fn take(&mut self, parameter: Parameter) {
        self.operation.parameters.get_or_insert_default().push(parameter.into());
    }

    /// The page fills in what is given as an example: what need not be sent, or must differ each time, is only told of.
    fn leave_choices_open(&mut self) {
        for parameter in self.operation.parameters.iter_mut().flatten() {
            let RefOr::T(told) = parameter else { continue };
            let example = serde_json::to_value(&*told).unwrap_or_default()["example"].take();
            if matches!(told.required, Required::True) || example.is_null() {
                continue;
            }
            let example = example.as_str().map_or_else(|| example.to_string(), str::to_owned);
            let described = told.description.clone().unwrap_or_default();
            let described = format!("{described} For example `{example}`.");
            let open = ParameterBuilder::from(told.clone()).example(None);
            *parameter = open.description(Some(described)).build().into();
        }
    }

    /// Puts every problem under its status, with an example of each.
    fn told(&mut self, kinds: Vec<Kind>, policy: Option<&Policy>) {
        let mut by_status: BTreeMap<u16, Vec<Kind>> = BTreeMap::new();
        for kind in kinds {
            by_status.entry(kind.status()).or_default().push(kind);
        }
        for response in self.operation.responses.responses.values_mut() {
            if let RefOr::T(response) = response {
                response.headers.insert("X-Request-Id".to_owned(), mirrored().into());
            }
        }
        for (status, mut kinds) in by_status {
            kinds.sort_by_key(|kind| kind.slug());
            kinds.dedup();
            self.operation
                .responses
                .responses
                .insert(status.to_string(), RefOr::T(response(&kinds, policy)));
        }
    }
}

/// The permission that an operation needs; an open one needs none.
pub(crate) fn policy_of(operation: &Operation) -> Option<&'static Policy> {
    let security = serde_json::to_value(operation.security.as_ref()?).ok()?;
    let scope = security[0]["bearer"][0].as_str()?;
    POLICIES.iter().find(|policy| policy.scope == scope)
}

fn in_query(parameter: &RefOr<Parameter>) -> bool {
    matches!(parameter, RefOr::T(parameter) if matches!(parameter.parameter_in, ParameterIn::Query))
}

fn response(kinds: &[Kind], policy: Option<&Policy>) -> Response {
    let said = kinds.iter().map(|kind| format!("`{}`: {}", kind.slug(), kind.meaning()));
    let mut response = ResponseBuilder::new().description(said.collect::<Vec<_>>().join("\n\n"));
    let oauth = kinds.iter().any(|kind| kind.is_oauth());
    let plain = kinds.iter().find(|kind| !kind.is_oauth());
    if let Some(kind) = plain {
        response = response
            .content("application/problem+json", content("Problem", example(*kind, policy)));
    }
    if oauth {
        let kind = kinds.iter().find(|kind| kind.is_oauth()).map_or("", |kind| kind.slug());
        let example = json!({ "error": kind, "error_description": "What was wrong, in words." });
        response = response.content("application/json", content("OAuthError", example));
    }
    if kinds.iter().any(|kind| matches!(kind.status(), 429 | 503)) {
        response = response.header("Retry-After", seconds());
    }
    if kinds.contains(&Kind::RecordMerged) {
        response = response.header("Location", location());
    }
    response.header("X-Request-Id", mirrored()).build()
}

fn content(schema: &str, example: serde_json::Value) -> Content {
    let mut content = Content::new(Some(openapi::Ref::from_schema_name(schema)));
    content.example = Some(example);
    content
}

fn example(kind: Kind, policy: Option<&Policy>) -> serde_json::Value {
    let mut example = json!({ "type": kind.uri(), "title": kind.title(), "status": kind.status(), "detail": kind.meaning() });
    if matches!(kind, Kind::InvalidValue | Kind::MalformedJson | Kind::UnknownProperty) {
        example["errors"] =
            json!([{ "pointer": "/dateOfBirth", "detail": "must not be in the future" }]);
    }
    if let Some(policy) = policy.filter(|_| kind.status() == 403) {
        example["policy"] = json!(policy);
    }
    example
}
