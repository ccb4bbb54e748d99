//! What the API description says beside what each route says of itself.

use std::collections::BTreeMap;

use serde_json::json;
use utoipa::{
    Modify, OpenApi, PartialSchema,
    openapi::{
        self, Content, RefOr, Required, Response, ResponseBuilder,
        header::Header,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn},
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_swagger_ui::Config;

use crate::{
    access::{POLICIES, Policy, Reason, goes_on},
    budget::is_limited,
    problem::{Fault, Kind, OAuthError, ProblemBody},
};

/// The description, before the routes are added.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "ContactPoint",
        description = include_str!("../api-spec/introduction.md"),
        contact(name = "ContactPoint maintainers"),
        license(name = "MIT", identifier = "MIT"),
    ),
    tags(
        (name = "signing in", description = "Tokens for people and for systems."),
        (name = "children", description = "Find the one right child; open, add and correct a record."),
        (name = "possible duplicates", description = "Records that may be of one child, and what stewards decide of them."),
        (name = "merges", description = "Two records of one child made one by two stewards, and two again."),
        (name = "carers", description = "Parents, and others with care of a child."),
        (name = "involvements", description = "Who is working with a child, and how to reach them."),
        (name = "flags", description = "What those who work with a child indicate to one another."),
        (name = "subjects", description = "Children, and carers who act for them: whose record an account is about."),
        (name = "my record", description = "The own record of a child in plain words, and who has looked at it."),
        (name = "information requests", description = "What children and carers ask: to see the record, to have it put right, or to complain."),
        (name = "withholdings", description = "Looks that children and carers are told later, and why."),
        (name = "consents", description = "Consents to sensitive services, and their withdrawal."),
        (name = "contact requests", description = "Ask to be put in touch with services of which nobody is told, and broker it."),
        (name = "shields", description = "What hides a child from everyone who need not know: asked for, decided, looked past, lifted."),
        (name = "identities", description = "How an identity ends."),
        (name = "alerts", description = "What detectors found in how the index is used, by reference alone, and from which measure on."),
        (name = "investigations", description = "What is looked into because of how the index was used."),
        (name = "retention", description = "When records end: deaths, consents to stay, legal holds, purges."),
        (name = "archive", description = "Records that are not in use any more, and their way back."),
        (name = "organisations", description = "Who works with children, and how to reach them."),
        (name = "accounts", description = "Who may sign in: made, invited, enrolled, suspended and closed."),
        (name = "clients", description = "Systems that may call, for themselves or with a person."),
        (name = "access requests", description = "Who asks to have an account, and who decides."),
        (name = "feeds", description = "What other systems send, and what became of it."),
        (name = "review", description = "What stewards decide about what feeds send: of whom it is, and that it is not of a child."),
        (name = "transfers", description = "Which authority answers for a record, and handing it over."),
        (name = "changes", description = "What has changed of the children with whom an organisation works, by a cursor."),
        (name = "subscriptions", description = "Changes sent to an address as signed events."),
        (name = "reports", description = "What stewards look through to keep records accurate."),
        (name = "notices", description = "What people are told to do or to know."),
        (name = "audit", description = "How the index has been used."),
        (name = "policies", description = "Who may do what, and the code lists."),
        (name = "running", description = "Health, and the catalogue of problems."),
    ),
    components(schemas(ProblemBody<'_>, Fault, OAuthError<'_>, Reason)),
    modifiers(&Security),
)]
pub(crate) struct Description;

struct Security;

impl Modify for Security {
    fn modify(&self, api: &mut openapi::OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("at+jwt")
            .description(Some("The `accessToken` of `POST /v1/sessions`, or the `access_token` of `POST /oauth/token`."))
            .build();
        let components = api.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        api.servers = Some(vec![openapi::Server::new("/")]);
    }
}

/// How the documentation page is shown: offline, with what was entered kept.
pub(crate) fn page() -> Config<'static> {
    Config::from("/openapi.json")
        .use_base_layout()
        .deep_linking(true)
        .default_models_expand_depth(0)
        .try_it_out_enabled(true)
        .persist_authorization(true)
        .display_request_duration(true)
        .doc_expansion("list")
}

/// What a reader looks for first; a path before those whose parameter it would match too.
const FIRST: [&str; 5] = [
    "/v1/sessions",
    "/oauth/token",
    "/v1/children/search",
    "/v1/children/match",
    "/v1/children/{indexNumber}",
];

/// Adds to every operation the headers that it takes, the problems that it can give and who may call it.
pub(crate) fn complete(api: &mut openapi::OpenApi) {
    let first = |path: &str| FIRST.iter().position(|first| *first == path).unwrap_or(usize::MAX);
    api.paths.paths.sort_by(|a, _, b, _| first(a).cmp(&first(b)));
    for (path, item) in &mut api.paths.paths {
        let methods =
            [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for (n, slot) in methods.into_iter().enumerate() {
            if let Some(operation) = slot {
                let method = ["get", "post", "put", "patch", "delete"][n];
                Operating { path, method, operation }.complete();
            }
        }
    }
}

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

struct Operating<'a> {
    path: &'a str,
    method: &'static str,
    operation: &'a mut Operation,
}

impl Operating<'_> {
    fn complete(&mut self) {
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

fn mirrored() -> Header {
    let mut header = Header::new(uuid());
    header.description = Some(
        "The request's number, as sent or made, by which it is found in the audit.".to_owned(),
    );
    header
}

fn location() -> Header {
    let mut header = Header::new(String::schema());
    header.description = Some("Where the record is now.".to_owned());
    header
}

fn seconds() -> Header {
    let mut header = Header::new(u32::schema());
    header.description = Some("Seconds to wait before the request is repeated.".to_owned());
    header
}

fn parameter(
    name: &str,
    required: bool,
    described: &str,
    schema: RefOr<openapi::Schema>,
    example: &str,
) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(if required { Required::True } else { Required::False })
        .description(Some(described))
        .schema(Some(schema))
        .example((!example.is_empty()).then(|| json!(example)))
        .build()
}

fn text(pattern: &str) -> RefOr<openapi::Schema> {
    openapi::ObjectBuilder::new()
        .schema_type(openapi::schema::Type::String)
        .pattern(Some(pattern))
        .into()
}

fn uuid() -> RefOr<openapi::Schema> {
    let format = openapi::SchemaFormat::KnownFormat(openapi::KnownFormat::Uuid);
    openapi::ObjectBuilder::new()
        .schema_type(openapi::schema::Type::String)
        .format(Some(format))
        .into()
}

fn reason() -> Parameter {
    parameter(
        "Access-Reason",
        true,
        "Why you look or write: one of the codes of `GET /v1/code-lists`. It is kept in the audit.",
        openapi::Ref::from_schema_name("Reason").into(),
        "direct-service",
    )
}

fn reference(required: bool) -> Parameter {
    parameter(
        "Access-Reference",
        required,
        "Your own reference for this look: 1 to 40 letters, digits, slashes and hyphens. It is kept in the audit.",
        text("^[A-Za-z0-9/-]{1,40}$"),
        "CASE/2026-104",
    )
}

fn on_behalf_of() -> Parameter {
    parameter(
        "On-Behalf-Of",
        false,
        "The account of the person for whom you look, where the look is mediated. Both must hold the permission, nothing is told that either may not see, and both are kept in the audit.",
        uuid(),
        "5f0c7f6e-2f9b-4a41-9c39-0f5d6d9f2c11",
    )
}

const WITH_A_TOKEN: &str = "A proof of the key that the token is bound to (RFC 9449), where it is bound to one; the token is then sent as `Authorization: DPoP`.";
const FOR_A_TOKEN: &str = "A proof of a key (RFC 9449), to which the tokens are then bound. Needed where the registration of a client says so.";

fn proof(described: &str, form: RefOr<openapi::Schema>) -> Parameter {
    parameter("DPoP", false, described, form, "")
}

/// A signed token in the compact form of RFC 7515.
fn compact() -> RefOr<openapi::Schema> {
    text(r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$")
}

/// It is not looked at where the token is not bound to a key.
fn any_text() -> RefOr<openapi::Schema> {
    openapi::ObjectBuilder::new().schema_type(openapi::schema::Type::String).into()
}

fn request_id() -> Parameter {
    let described = "A number of yours for the request: a UUID is mirrored in the answer, anything else is replaced by one of ours.";
    parameter("X-Request-Id", false, described, any_text(), "5f0c7f6e-2f9b-4a41-9c39-0f5d6d9f2c11")
}

fn idempotency_key() -> Parameter {
    parameter(
        "Idempotency-Key",
        true,
        "A key of your choice, a new one for each request: 8 to 64 printable ASCII characters. Repeating the request with it gives the first answer again, for 7 days.",
        text("^[!-~]{8,64}$"),
        "",
    )
}

fn if_match() -> Parameter {
    parameter(
        "If-Match",
        true,
        "The `ETag` of what you change, as you read it.",
        text("^\"[0-9]{1,18}\"$"),
        "\"1\"",
    )
}
