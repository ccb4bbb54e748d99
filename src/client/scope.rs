//! What a client may be given, and what a token of it permits (RFC 6749, section 3.3).

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::Type},
};

use crate::{
    access::{POLICIES, Role},
    problem::{Kind, Problem},
    word::{Refusal, Text},
};

/// A permission of `GET /v1/policies`, by its name in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope(&'static str);

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        writer.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        Text::deserialize(reader)?.0.parse().map_err(D::Error::custom)
    }
}

impl std::str::FromStr for Scope {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let known = POLICIES.iter().find(|policy| policy.scope == text);
        known
            .map(|policy| Self(policy.scope))
            .ok_or(Refusal::because("Send a scope of `GET /v1/policies`."))
    }
}

impl PartialSchema for Scope {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("A permission of `GET /v1/policies`, by its name in tokens."))
            .enum_values(Some(POLICIES.iter().map(|policy| policy.scope)))
            .into()
    }
}

impl ToSchema for Scope {}

/// The names of the permissions that a client of this role may be registered for.
#[must_use]
pub fn all(role: Role) -> Vec<&'static str> {
    let may = POLICIES.iter().filter(|policy| policy.may_be_given_to(role));
    may.map(|policy| policy.scope).collect()
}

/// What is registered for a client of this role, in the order of the table and each once.
pub fn registered(role: Role, asked: &[Scope]) -> Result<Vec<&'static str>, Problem> {
    let may = all(role);
    match asked.iter().position(|scope| !may.contains(&scope.0)) {
        Some(n) => Err(Problem::invalid(
            format!("/scopes/{n}"),
            "is not a scope that a client of this role may have",
        )),
        None => Ok(may.into_iter().filter(|name| asked.iter().any(|s| s.0 == *name)).collect()),
    }
}

/// What a token permits: what is held, or as much of it as is asked for. Something else is refused, and so is nothing.
pub fn narrowed(held: &str, asked: Option<&str>) -> Result<String, Problem> {
    let names = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
    let held = names(held);
    let granted = match asked.map(names) {
        Some(asked) if asked.iter().all(|name| held.contains(name)) => {
            held.into_iter().filter(|name| asked.contains(name)).collect()
        }
        Some(_) => Vec::new(),
        None => held,
    };
    let granted = granted.join(" ");
    if granted.is_empty() { Err(Kind::InvalidScope.into()) } else { Ok(granted) }
}

/// What is in both, in the order of the first.
#[must_use]
pub fn common(of: &str, with: &[String]) -> String {
    let both = of.split(' ').filter(|name| with.iter().any(|other| other == name));
    both.collect::<Vec<_>>().join(" ")
}
