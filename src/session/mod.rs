//! Signing in: who somebody is, how they prove it, and the tokens that say so.

use std::{
    sync::{PoisonError, RwLock},
    time::Duration,
};

use aws_lc_rs::rand;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use validator::{Validate, ValidationError, ValidationErrors};

use crate::{
    access::{Caller, Role, Subject, abridged},
    http::sha256,
    ids::{AccountId, ClientId, OrganisationId, SessionId},
    keys::Sealer,
    problem::Problem,
    seal::Vault,
    token::{Grant, Issuer, LIFETIME},
};

pub(crate) mod renewal;
pub mod routes;
pub mod secret;
pub(crate) mod store;
pub mod totp;
pub mod user_name;

use secret::{Credential, HashingPool};
use user_name::UserName;

/// How long a session lasts at most.
pub const SESSION_LIFETIME: Duration = Duration::from_hours(10);
/// How long a refresh token may lie unused.
pub const REFRESH_IDLE: Duration = Duration::from_mins(30);
/// The program through which people sign in, as tokens name it.
const OWN_CLIENT: &str = "contactpoint";

/// What signing in needs beside the database.
#[derive(Debug)]
pub struct Door {
    /// Judges passwords and PINs.
    pub credential: Credential,
    /// Where hashes are made, a few at a time.
    pub pool: HashingPool,
    /// Opens the seeds of one-time codes.
    pub vault: Vault,
    /// The sealed seed of nobody, for users who do not exist.
    nobody: RwLock<Vec<u8>>,
}

impl Door {
    /// Makes ready, with as many hashes at a time as there are cores.
    pub fn new(credential: Credential, vault: Vault) -> anyhow::Result<Self> {
        let nobody = RwLock::new(nobody(&vault)?);
        Ok(Self { credential, pool: HashingPool::default(), vault, nobody })
    }

    /// Seals and opens by other keys from now on; nobody's seed too, so that users who do not exist are still judged as long.
    pub fn take_keys(&self, sealer: Sealer) -> anyhow::Result<()> {
        self.vault.replace(sealer);
        let seed = nobody(&self.vault)?;
        *self.nobody.write().unwrap_or_else(PoisonError::into_inner) = seed;
        Ok(())
    }

    /// The step whose one-time code this is, by the sealed seed of an account; without one it is looked for as long.
    pub(crate) fn step(
        &self,
        account: Option<(AccountId, &[u8])>,
        code: &str,
        now: DateTime<Utc>,
    ) -> Option<u64> {
        let nobody = self.nobody.read().unwrap_or_else(PoisonError::into_inner);
        let (id, sealed) = account.unwrap_or((AccountId(Uuid::nil()), &nobody));
        let seed = self.vault.open(sealed, &seed_context(id.0)).ok()?;
        let step = totp::accept(&totp::Seed::from_bytes(seed.expose_secret())?, code, now);
        step.filter(|_| account.is_some())
    }
}

/// The sealed seed of nobody.
fn nobody(vault: &Vault) -> anyhow::Result<Vec<u8>> {
    let seed = totp::Seed::generate().map_err(|_| anyhow::anyhow!("no randomness"))?;
    Ok(vault.seal(seed.expose(), &seed_context(Uuid::nil()))?)
}

/// Everything needed to sign in, judged together.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "userName": "a.practitioner",
    "password": "correct horse battery staple",
    "pin": "407713",
    "oneTimeCode": "287082"
}))]
pub struct SessionIn {
    /// The user name.
    pub user_name: UserName,
    /// The password: 1 to 128 characters.
    #[schema(value_type = String, format = Password, min_length = 1, max_length = 128, pattern = "^[^\\x00]*$", example = "correct horse battery staple")]
    pub password: SecretString,
    /// The PIN: 6 digits.
    #[schema(value_type = String, format = Password, pattern = "^[0-9]{6}$", example = "407713")]
    pub pin: SecretString,
    /// The one-time code that the security token shows (RFC 6238): 6 digits, each used once.
    #[schema(value_type = String, pattern = "^[0-9]{6}$", example = "287082")]
    pub one_time_code: SecretString,
}

impl Validate for SessionIn {
    fn validate(&self) -> Result<(), ValidationErrors> {
        let mut errors = ValidationErrors::new();
        let mut need = |good: bool, field: &'static str, form: &'static str| {
            if !good {
                errors.add(field, ValidationError::new("form").with_message(form.into()));
            }
        };
        let six_digits = |text: &SecretString| {
            let text = text.expose_secret();
            text.len() == 6 && text.bytes().all(|b| b.is_ascii_digit())
        };
        let length = self.password.expose_secret().chars().count();
        need((1..=128).contains(&length), "password", "must have 1 to 128 characters");
        need(six_digits(&self.pin), "pin", "must be 6 digits");
        need(six_digits(&self.one_time_code), "one_time_code", "must be 6 digits");
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

/// The tokens of a session.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// The access token (RFC 9068), to be sent as `Authorization: Bearer`.
    #[schema(
        example = "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCJ9.eyJyb2xlIjoicHJhY3RpdGlvbmVyIn0.c2lnbmF0dXJl"
    )]
    pub access_token: String,
    /// How it is sent: `Bearer`, or `DPoP` where it is bound to a key (RFC 9449).
    #[schema(example = "Bearer")]
    pub token_type: &'static str,
    /// How long the access token lasts, in seconds.
    #[schema(example = 600)]
    pub expires_in: i64,
    /// What `POST /oauth/token` exchanges for new tokens, once.
    #[schema(example = "m2Jz0yq0bRk5o1oT5i0S0m3wq6mXo7c9v1u2t3s4r5Q")]
    pub refresh_token: String,
}

/// In which ways somebody was recognised, as tokens say it (RFC 8176).
pub(crate) mod ways {
    /// A person, by all that signing in takes here.
    pub(crate) const FACTORS: &[&str] = &["pwd", "pin", "otp", "mfa"];
    /// A person, by two factors that another issuer asked for.
    pub(crate) const EXTERNAL: &[&str] = &["mfa"];
    /// A client, by its secret.
    pub(crate) const SECRET: &[&str] = &["pwd"];
    /// A client, by a key of its own.
    pub(crate) const KEY: &[&str] = &["pop"];

    /// A person, as the session says.
    pub(crate) fn of_person(external: bool) -> &'static [&'static str] {
        if external { EXTERNAL } else { FACTORS }
    }
}

/// Who a token is to be for.
#[derive(Debug, Clone)]
pub(crate) struct Bearer {
    pub(crate) subject: Subject,
    /// The system that acts with the person.
    pub(crate) actor: Option<ClientId>,
    pub(crate) organisation: OrganisationId,
    pub(crate) authority: Option<OrganisationId>,
    pub(crate) role: Role,
    /// What is granted, each scope by its own name, separated by spaces.
    pub(crate) scope: String,
    pub(crate) session: SessionId,
    pub(crate) authenticated_at: DateTime<Utc>,
    pub(crate) amr: &'static [&'static str],
    /// The thumbprint of the key that the token is bound to.
    pub(crate) jkt: Option<String>,
    /// How many requests a second a system may make.
    pub(crate) rps: Option<u32>,
}

impl Bearer {
    /// A signed access token, and the caller that it makes.
    pub(crate) fn token(
        &self,
        issuer: &Issuer,
        now: DateTime<Utc>,
    ) -> Result<(String, Caller), Problem> {
        let person = matches!(self.subject, Subject::Account(_));
        let client = match self.subject {
            Subject::Account(_) => self.actor.map(|client| client.to_string()),
            Subject::Client(client) => Some(client.to_string()),
        };
        let claims = issuer.claims(
            Grant {
                sub: self.subject.uuid(),
                client_id: client.unwrap_or_else(|| OWN_CLIENT.to_owned()),
                sid: self.session.0,
                role: self.role.as_str().to_owned(),
                scope: abridged(self.role, &self.scope),
                org: self.organisation.0,
                la: self.authority.map(|id| id.0),
                acr: if person { "2" } else { "1" }.to_owned(),
                amr: self.amr.iter().map(|&way| way.to_owned()).collect(),
                auth_time: self.authenticated_at,
                jkt: self.jkt.clone(),
                actor: self.actor.map(|client| client.0),
                rps: self.rps,
            },
            now,
        );
        let token = issuer.issue(&claims).map_err(Problem::internal)?;
        Ok((token, self.caller(claims.jti)))
    }

    /// How the token is to be sent (RFC 9449, section 5).
    pub(crate) fn token_type(&self) -> &'static str {
        if self.jkt.is_some() { "DPoP" } else { "Bearer" }
    }

    fn caller(&self, token: Uuid) -> Caller {
        Caller {
            subject: self.subject,
            actor: self.actor,
            organisation: self.organisation,
            authority: self.authority,
            role: self.role,
            session: self.session,
            token,
            authenticated_at: self.authenticated_at,
            proof: None,
        }
    }
}

/// How long an access token lasts, in seconds.
pub(crate) fn expires_in() -> i64 {
    LIFETIME.num_seconds()
}

/// A new secret of 256 bits, as text.
pub fn new_secret() -> Result<String, Problem> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| Problem::internal(anyhow::anyhow!("no randomness")))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// What is kept of a secret of 256 bits.
#[must_use]
pub fn secret_hash(secret: &str) -> [u8; 32] {
    sha256(secret.as_bytes())
}

/// The context under which the seed of an account's one-time codes is sealed.
#[must_use]
pub fn seed_context(account: Uuid) -> String {
    format!("account/{account}/one-time-code-seed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{access::scopes, client::scope, keys::SigningKeys};

    /// The longest token of a role: everything said that can be, by an issuer whose name has 100 characters.
    fn longest(role: Role, scope: String) -> usize {
        let issuer = Issuer {
            issuer: format!("https://{}", "i".repeat(92)),
            audience: "contactpoint".to_owned(),
            keys: SigningKeys::ephemeral().unwrap(),
        };
        let (account, client) = (AccountId::new(), ClientId::new());
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let system = role.is_system();
        let bearer = Bearer {
            subject: if system { Subject::Client(client) } else { Subject::Account(account) },
            actor: Some(client),
            organisation: OrganisationId::new(),
            authority: Some(OrganisationId::new()),
            role,
            scope,
            session: SessionId::new(),
            authenticated_at: now,
            amr: ways::FACTORS,
            jkt: Some(URL_SAFE_NO_PAD.encode([0xff; 32])),
            rps: Some(u32::MAX),
        };
        bearer.token(&issuer, now).unwrap().0.len()
    }

    #[test]
    fn the_token_of_no_role_is_over_1300_bytes_bound_or_not() {
        for role in Role::ALL {
            let bytes = longest(*role, scopes(*role));

            assert!(bytes <= 1300, "{role:?}: {bytes}");
        }
    }

    #[test]
    fn however_a_client_is_narrowed_its_token_is_not_over_a_kibibyte_and_a_half() {
        for role in Role::ALL {
            let given = scope::all(if role.is_system() { *role } else { Role::CaseSystem });
            let held = scope::common(
                &scopes(*role),
                &given.iter().map(ToString::to_string).collect::<Vec<_>>(),
            );
            let bytes = longest(*role, narrowed_to_the_longest(&held));

            assert!(bytes <= 1536, "{role:?}: {bytes}");
        }
    }

    /// Of every resource all but its shortest scope, so that none can be said in a word.
    fn narrowed_to_the_longest(held: &str) -> String {
        let resource = |scope: &str| scope.split(':').next().map(str::to_owned);
        let scopes: Vec<&str> = held.split(' ').collect();
        let left = scopes.iter().filter(|scope| {
            let of = scopes.iter().filter(|other| resource(other) == resource(scope));
            let shortest = of.clone().min_by_key(|other| other.len());
            of.count() == 1 || shortest != Some(scope)
        });
        left.copied().collect::<Vec<_>>().join(" ")
    }
}
