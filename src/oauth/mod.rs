//! The token server, as the standards have it: what it is asked, and what it answers.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

pub mod exchange;
pub mod routes;

/// What a token request says; which members are needed depends on the grant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "grant_type": "client_credentials",
    "client_id": "5f0c7f6e-2f9b-4a41-9c39-0f5d6d9f2c11",
    "client_secret": "m2Jz0yq0bRk5o1oT5i0S0m3wq6mXo7c9v1u2t3s4r5Q"
}))]
pub struct TokenRequest {
    /// `client_credentials` for a system, `refresh_token` to go on with a session,
    /// `urn:ietf:params:oauth:grant-type:token-exchange` for a case system that acts with a person.
    #[schema(example = "client_credentials")]
    pub grant_type: String,
    /// The client, where it does not authenticate by HTTP Basic; beside an assertion it need not be said.
    #[schema(nullable = false, required = false)]
    pub client_id: Option<Uuid>,
    /// The client's secret, where it is registered for one and does not authenticate by HTTP Basic.
    #[schema(nullable = false, required = false, format = Password)]
    pub client_secret: Option<String>,
    /// The client's assertion, where it is registered for keys (RFC 7523): a JWT of type `JWT` or
    /// `client-authentication+jwt` with `iss` and `sub` the client's number, `aud` our issuer alone, `iat`, `exp` at most 300
    /// seconds ahead and a `jti` of 1 to 128 characters that it never uses again.
    #[schema(nullable = false, required = false)]
    pub client_assertion: Option<String>,
    /// Always `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`, beside an assertion.
    #[schema(nullable = false, required = false)]
    pub client_assertion_type: Option<String>,
    /// What the token of a system is to permit, separated by spaces; all that it may unless said.
    #[schema(nullable = false, required = false, example = "involvement:read involvement:write")]
    pub scope: Option<String>,
    /// The refresh token to exchange.
    #[schema(nullable = false, required = false)]
    pub refresh_token: Option<String>,
    /// The access token of the person with whom a case system acts.
    #[schema(nullable = false, required = false)]
    pub subject_token: Option<String>,
    /// Always `urn:ietf:params:oauth:token-type:access_token`, beside a subject token.
    #[schema(nullable = false, required = false)]
    pub subject_token_type: Option<String>,
    /// `urn:ietf:params:oauth:token-type:access_token`, which is what there is.
    #[schema(nullable = false, required = false)]
    pub requested_token_type: Option<String>,
}

/// The tokens of a client, or of a session that goes on (RFC 6749, section 5.1).
#[derive(Serialize, ToSchema)]
pub struct TokenAnswer {
    /// The access token (RFC 9068), to be sent as `token_type` says in `Authorization`.
    #[schema(
        example = "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCJ9.eyJyb2xlIjoiZmVlZCJ9.c2lnbmF0dXJl"
    )]
    pub access_token: String,
    /// How it is sent: `Bearer`, or `DPoP` where it is bound to a key (RFC 9449).
    #[schema(example = "Bearer")]
    pub token_type: &'static str,
    /// How long the access token lasts, in seconds.
    #[schema(example = 600)]
    pub expires_in: i64,
    /// What it permits, each scope by its own name, separated by spaces. The token, which is for us alone to read, may say it shorter.
    #[schema(example = "involvement:read involvement:write flag:write")]
    pub scope: String,
    /// What is exchanged for new tokens, once; not for clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub refresh_token: Option<String>,
    /// Of which type the token is, where it came by token exchange (RFC 8693).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub issued_token_type: Option<&'static str>,
}

/// What is to be revoked.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({ "token": "m2Jz0yq0bRk5o1oT5i0S0m3wq6mXo7c9v1u2t3s4r5Q" }))]
pub struct Revocation {
    /// A refresh token or an access token.
    #[schema(min_length = 1, example = "m2Jz0yq0bRk5o1oT5i0S0m3wq6mXo7c9v1u2t3s4r5Q")]
    pub token: String,
    /// Which of them it is, to save a look; a wrong hint does no harm.
    #[schema(nullable = false, required = false, example = "refresh_token")]
    pub token_type_hint: Option<String>,
    /// The client, where the token is a client's and it does not authenticate by HTTP Basic.
    #[schema(nullable = false, required = false)]
    pub client_id: Option<Uuid>,
    /// The client's secret, where it does not authenticate by HTTP Basic.
    #[schema(nullable = false, required = false, format = Password)]
    pub client_secret: Option<String>,
    /// The client's assertion, as at `POST /oauth/token`.
    #[schema(nullable = false, required = false)]
    pub client_assertion: Option<String>,
    /// Always `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`, beside an assertion.
    #[schema(nullable = false, required = false)]
    pub client_assertion_type: Option<String>,
}

/// Nothing: whether there was such a token is not told.
#[derive(Debug, Serialize, ToSchema)]
pub struct Revoked {}

/// Where and how tokens are had (RFC 8414).
#[derive(Debug, Serialize, ToSchema)]
pub struct Metadata {
    /// Who issues them; what a client's assertion is meant for.
    issuer: String,
    /// Where they are issued.
    token_endpoint: String,
    /// Where they are revoked.
    revocation_endpoint: String,
    /// Where the public keys are.
    jwks_uri: String,
    /// How clients authenticate: each in the way that it is registered for.
    token_endpoint_auth_methods_supported: [&'static str; 3],
    /// How their assertions may be signed.
    token_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    /// How clients authenticate where tokens are revoked.
    revocation_endpoint_auth_methods_supported: [&'static str; 3],
    /// How their assertions may be signed there.
    revocation_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    /// How the proofs of a key may be signed (RFC 9449).
    dpop_signing_alg_values_supported: Vec<&'static str>,
    /// What is exchanged for a token.
    grant_types_supported: [&'static str; 3],
    /// None: nobody is sent through a browser.
    response_types_supported: [&'static str; 0],
    /// What tokens may permit.
    scopes_supported: Vec<&'static str>,
}

impl Metadata {
    /// Those of this issuer.
    #[must_use]
    pub fn of(issuer: &str) -> Self {
        const METHODS: [&str; 3] = ["private_key_jwt", "client_secret_post", "client_secret_basic"];
        let algorithms =
            || crate::jose::Algorithm::ALL.map(crate::jose::Algorithm::as_str).to_vec();
        Self {
            issuer: issuer.to_owned(),
            token_endpoint: format!("{issuer}/oauth/token"),
            revocation_endpoint: format!("{issuer}/oauth/revoke"),
            jwks_uri: format!("{issuer}/.well-known/jwks.json"),
            token_endpoint_auth_methods_supported: METHODS,
            token_endpoint_auth_signing_alg_values_supported: algorithms(),
            revocation_endpoint_auth_methods_supported: METHODS,
            revocation_endpoint_auth_signing_alg_values_supported: algorithms(),
            dpop_signing_alg_values_supported: algorithms(),
            grant_types_supported: ["client_credentials", "refresh_token", exchange::GRANT],
            response_types_supported: [],
            scopes_supported: crate::access::POLICIES.iter().map(|policy| policy.scope).collect(),
        }
    }
}
