//! Clients: systems that may call, for themselves or with a person.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::{Validate, ValidationError};

use crate::{
    access::Role,
    code::codes,
    contact::PersonLine,
    ids::{ClientId, OrganisationId},
    problem::{Kind, Problem},
};

pub(crate) mod admission;
pub mod assertion;
pub mod method;
pub mod presented;
pub mod routes;
pub mod scope;
pub mod store;

use method::{AuthMethod, ClientKeys, Proof};
use scope::Scope;

codes! {
    /// How a client stands.
    ClientStatus {
        /// It may call.
        Active = "active",
        /// It is stopped for the time being.
        Suspended = "suspended",
        /// It is stopped for ever.
        Closed = "closed",
    }
}

/// A system that may call.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Client {
    /// Its number, which is its `client_id` at `POST /oauth/token`.
    pub id: ClientId,
    /// Whom it acts for.
    pub organisation_id: OrganisationId,
    /// What it is called.
    #[schema(example = "Example Park MIS")]
    pub name: String,
    /// What it is to the index: `feed` or `caseSystem`.
    #[schema(example = "feed")]
    pub role: Role,
    /// How it stands.
    pub status: ClientStatus,
    /// How it proves itself: this way only.
    pub token_endpoint_auth_method: AuthMethod,
    /// Its secret, told once, in the answer to the request that made it. A repetition of that request does not tell it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "m2Jz0yq0bRk5o1oT5i0S0m3wq6mXo7c9v1u2t3s4r5Q")]
    pub client_secret: Option<String>,
    /// Its public keys, where they are registered with us.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub jwks: Option<ClientKeys>,
    /// Where it publishes its public keys (RFC 7517), where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "https://mis.example/jwks.json")]
    pub jwks_uri: Option<String>,
    /// What its tokens may permit at most; absent: everything that its role may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub scopes: Option<Vec<Scope>>,
    /// Whether its tokens are always bound to a key of its own (RFC 9449).
    pub dpop_required: bool,
    /// How many requests a second it may make to one instance of this service.
    #[schema(minimum = 1, maximum = 1000, example = 5)]
    pub requests_per_second: u16,
    /// Its version, which is its `ETag`.
    #[schema(example = 1)]
    pub version: i64,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A page of clients, by name.
#[derive(Debug, Serialize, ToSchema)]
pub struct Clients {
    /// The clients.
    pub items: Vec<Client>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub next: Option<String>,
}

/// Which clients are wanted.
#[derive(Debug, Clone, Deserialize, IntoParams, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ClientQuery {
    /// How they stand.
    #[param(nullable = false, example = "active")]
    pub status: Option<ClientStatus>,
    /// How many at most: 1 to 100, 20 unless said.
    #[validate(range(min = 1, max = 100))]
    #[param(nullable = false, minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u8>,
    /// The `next` of the page before.
    #[validate(length(min = 1, max = 400))]
    #[param(nullable = false, min_length = 1, max_length = 400, pattern = "^[A-Za-z0-9_-]+$")]
    pub after: Option<String>,
}

/// Which system is to be a client.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "name": "Example Park MIS",
    "role": "feed",
    "tokenEndpointAuthMethod": "client_secret",
    "scopes": ["involvement:read", "involvement:write"]
}))]
pub struct ClientIn {
    /// What it is called.
    pub name: PersonLine,
    /// What it is to the index: a role of systems, `feed` or `caseSystem`.
    #[schema(example = "feed")]
    pub role: Role,
    /// Whom it acts for; your own organisation unless said.
    #[serde(default)]
    #[schema(nullable = false)]
    pub organisation_id: Option<OrganisationId>,
    /// How it proves itself: with `private_key_jwt` give exactly one of `jwks` and `jwksUri`, with `client_secret` neither.
    pub token_endpoint_auth_method: AuthMethod,
    /// Its public keys.
    #[serde(default)]
    #[schema(nullable = false)]
    pub jwks: Option<ClientKeys>,
    /// Where it publishes its public keys (RFC 7517): an `https` address of at most 500 characters.
    #[validate(custom(function = published))]
    #[serde(default)]
    #[schema(
        nullable = false,
        max_length = 500,
        pattern = "^https://[!-~]+$",
        example = "https://mis.example/jwks.json"
    )]
    pub jwks_uri: Option<String>,
    /// What its tokens may permit at most, of what its role may have; everything unless said. A case system's are its own and
    /// those of the practitioners with whom it acts.
    #[validate(length(min = 1, max = 100))]
    #[serde(default)]
    #[schema(nullable = false, min_items = 1, max_items = 100)]
    pub scopes: Option<Vec<Scope>>,
    /// Whether its tokens are always bound to a key of its own (RFC 9449); not unless said.
    #[serde(default)]
    #[schema(nullable = false)]
    pub dpop_required: Option<bool>,
    /// How many requests a second it may make to one instance of this service: 1 to 1000, 5 unless said.
    #[validate(range(min = 1, max = 1000))]
    #[serde(default)]
    #[schema(nullable = false, minimum = 1, maximum = 1000)]
    pub requests_per_second: Option<u16>,
}

/// What changes about a client; a member that is absent stays as it is. Whatever changes but its name ends its sessions: it
/// asks for another token.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "requestsPerSecond": 20 }))]
pub struct ClientChange {
    /// What it is called.
    #[serde(default)]
    #[schema(nullable = false)]
    pub name: Option<PersonLine>,
    /// `suspended` and `closed` stop it at once; `active` lets a suspended one go on.
    #[serde(default)]
    #[schema(nullable = false)]
    pub status: Option<ClientStatus>,
    /// How it proves itself. `client_secret` in place of keys makes a secret, which the answer tells; `private_key_jwt` in
    /// place of a secret takes exactly one of `jwks` and `jwksUri`.
    #[serde(default)]
    #[schema(nullable = false)]
    pub token_endpoint_auth_method: Option<AuthMethod>,
    /// Its public keys, in place of those before.
    #[serde(default)]
    #[schema(nullable = false)]
    pub jwks: Option<ClientKeys>,
    /// Where it publishes its public keys (RFC 7517), in place of those before: an `https` address of at most 500 characters.
    #[validate(custom(function = published))]
    #[serde(default)]
    #[schema(
        nullable = false,
        max_length = 500,
        pattern = "^https://[!-~]+$",
        example = "https://mis.example/jwks.json"
    )]
    pub jwks_uri: Option<String>,
    /// What its tokens may permit at most, of what its role may have.
    #[validate(length(min = 1, max = 100))]
    #[serde(default)]
    #[schema(nullable = false, min_items = 1, max_items = 100)]
    pub scopes: Option<Vec<Scope>>,
    /// Whether its tokens are always bound to a key of its own (RFC 9449).
    #[serde(default)]
    #[schema(nullable = false)]
    pub dpop_required: Option<bool>,
    /// How many requests a second it may make to one instance of this service: 1 to 1000.
    #[validate(range(min = 1, max = 1000))]
    #[serde(default)]
    #[schema(nullable = false, minimum = 1, maximum = 1000)]
    pub requests_per_second: Option<u16>,
}

/// A system that is to be a client.
#[derive(Debug, Clone)]
pub struct NewClient {
    /// Its number.
    pub id: ClientId,
    /// What it is called.
    pub name: PersonLine,
    /// Whom it acts for.
    pub organisation: OrganisationId,
    /// What it is to the index.
    pub role: Role,
    /// What it proves itself by.
    pub proof: Proof,
    /// What its tokens may permit at most, if not everything that its role may have.
    pub scopes: Option<Vec<&'static str>>,
    /// Whether its tokens are always bound to a key of its own.
    pub dpop_required: bool,
    /// How many requests a second it may make.
    pub requests_per_second: u16,
}

impl ClientIn {
    /// One of which nothing else is said.
    #[must_use]
    pub fn new(name: PersonLine, role: Role, method: AuthMethod) -> Self {
        Self {
            name,
            role,
            organisation_id: None,
            token_endpoint_auth_method: method,
            jwks: None,
            jwks_uri: None,
            scopes: None,
            dpop_required: None,
            requests_per_second: None,
        }
    }

    /// The client of this organisation that is asked for, with its secret where one was made for it.
    pub fn register(
        self,
        organisation: OrganisationId,
    ) -> Result<(NewClient, Option<String>), Problem> {
        if !self.role.is_system() {
            return Err(Problem::invalid("/role", "is a role of people, who have accounts"));
        }
        let (proof, secret) =
            Proof::asked(self.token_endpoint_auth_method, self.jwks, self.jwks_uri)?;
        let scopes = self.scopes.map(|asked| scope::registered(self.role, &asked)).transpose()?;
        let client = NewClient {
            id: ClientId::new(),
            name: self.name,
            organisation,
            role: self.role,
            proof,
            scopes,
            dpop_required: self.dpop_required.unwrap_or(false),
            requests_per_second: self.requests_per_second.unwrap_or(5),
        };
        Ok((client, secret))
    }
}

/// What a change makes of a client.
#[derive(Debug, Default)]
pub struct Changed {
    /// What it is called from now on.
    pub name: Option<PersonLine>,
    /// How it stands from now on.
    pub status: Option<ClientStatus>,
    /// What it proves itself by from now on.
    pub proof: Option<Proof>,
    /// What its tokens may permit from now on.
    pub scopes: Option<Vec<&'static str>>,
    /// Whether they are always bound to a key of its own.
    pub dpop_required: Option<bool>,
    /// How many requests a second it may make.
    pub requests_per_second: Option<u16>,
}

impl Changed {
    /// Whether tokens that it has would say something else now.
    #[must_use]
    pub fn ends_sessions(&self) -> bool {
        self.status.is_some()
            || self.proof.is_some()
            || self.scopes.is_some()
            || self.dpop_required.is_some()
            || self.requests_per_second.is_some()
    }
}

impl Client {
    /// What a change makes of it, with its secret where one was made. A closed client stays closed.
    pub fn change(&self, change: ClientChange) -> Result<(Changed, Option<String>), Problem> {
        self.may_change()?;
        let method = change.token_endpoint_auth_method.unwrap_or(self.token_endpoint_auth_method);
        let (jwks, jwks_uri) = (change.jwks, change.jwks_uri);
        let same =
            method == self.token_endpoint_auth_method && jwks.is_none() && jwks_uri.is_none();
        let (proof, secret) = if same {
            (None, None)
        } else {
            let (proof, secret) = Proof::asked(method, jwks, jwks_uri)?;
            (Some(proof), secret)
        };
        let scopes = change.scopes.map(|asked| scope::registered(self.role, &asked)).transpose()?;
        let changed = Changed {
            name: change.name,
            status: change.status,
            proof,
            scopes,
            dpop_required: change.dpop_required,
            requests_per_second: change.requests_per_second,
        };
        Ok((changed, secret))
    }

    /// A new secret in place of the old, where it proves itself by one.
    pub fn renew_secret(&self) -> Result<(Changed, String), Problem> {
        self.may_change()?;
        if self.token_endpoint_auth_method != AuthMethod::ClientSecret {
            return Err(Kind::ClientHasKeys.into());
        }
        let (proof, secret) = Proof::by_new_secret()?;
        Ok((Changed { proof: Some(proof), ..Changed::default() }, secret))
    }

    fn may_change(&self) -> Result<(), Problem> {
        if self.status == ClientStatus::Closed { Err(Kind::ClientClosed.into()) } else { Ok(()) }
    }
}

/// A client's number, written in its one usual way.
fn number(text: &str) -> Option<ClientId> {
    text.parse().ok().map(ClientId).filter(|id| id.to_string() == text)
}

fn published(uri: &str) -> Result<(), ValidationError> {
    let begins = uri.starts_with("https://");
    if begins && uri.len() <= 500 && uri.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    let form = "must be an `https` address of at most 500 characters";
    Err(ValidationError::new("form").with_message(form.into()))
}
