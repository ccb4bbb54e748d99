//! What the API description says beside what each route says of itself.

mod headers;
mod operation;

use utoipa::{
    Modify, OpenApi,
    openapi::{
        self,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_swagger_ui::Config;

use self::operation::Operating;
pub(crate) use self::operation::policy_of;
use crate::{
    access::Reason,
    problem::{Fault, OAuthError, ProblemBody},
};

/// The description, before the routes are added.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "ContactPoint",
        description = include_str!("../../api-spec/introduction.md"),
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
