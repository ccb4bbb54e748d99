//! What a request presents to show which client makes it (RFC 6749, section 2.3; RFC 7521, section 4.2).

use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::SecretString;

use super::assertion::{Assertion, TYPE};
use crate::{
    http::Form,
    ids::ClientId,
    problem::{Kind, Problem},
};

/// What is presented, in one way only.
#[derive(Debug)]
pub enum Presented<'f> {
    /// A client's number and its secret.
    Secret(ClientId, SecretString),
    /// An assertion.
    Assertion(Box<Assertion<'f>>),
}

impl<'f> Presented<'f> {
    /// Reads a form and the `Authorization` headers that came with it; nothing where neither says who asks.
    pub fn read(form: &'f Form, authorization: &[&str]) -> Result<Option<Self>, Problem> {
        let asserts = ["client_assertion", "client_assertion_type"].map(|name| form.get(name));
        let secret = form.get("client_secret");
        let presented = match (authorization, secret, asserts) {
            ([], None, [None, None]) => return Ok(None),
            ([header], None, [None, None]) => basic(header),
            ([], Some(secret), [None, None]) => {
                let id = form.get("client_id").and_then(super::number);
                id.map(|id| Self::Secret(id, secret.into()))
            }
            ([], None, [Some(token), Some(TYPE)]) => {
                Assertion::read(token).map(|assertion| Self::Assertion(Box::new(assertion)))
            }
            ([], None, [Some(_), Some(_)]) => None,
            ([], None, _) => {
                let both = "client_assertion and client_assertion_type belong together.";
                return Err(Problem::new(Kind::InvalidRequest, both));
            }
            _ => return Err(Problem::new(Kind::InvalidRequest, "Authenticate in one way only.")),
        };
        let presented = presented.ok_or(Kind::InvalidClient)?;
        match form.get("client_id") {
            Some(named) if super::number(named) != Some(presented.client()) => {
                Err(Kind::InvalidClient.into())
            }
            _ => Ok(Some(presented)),
        }
    }

    /// Which client it is, if it is.
    #[must_use]
    pub fn client(&self) -> ClientId {
        match self {
            Self::Secret(id, _) => *id,
            Self::Assertion(assertion) => assertion.client,
        }
    }
}

fn basic(header: &str) -> Option<Presented<'static>> {
    let (scheme, pair) = header.split_once(' ')?;
    let pair = STANDARD.decode(pair).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let pair = String::from_utf8(pair).ok()?;
    let (id, secret) = pair.split_once(':')?;
    Some(Presented::Secret(super::number(id)?, secret.into()))
}
