//! The issuers that this service believes, and how far (security rule OIDC-1).

use std::collections::HashSet;

use anyhow::{Context, ensure};
use serde::Deserialize;

use crate::{
    access::Role,
    jose::Algorithm,
    remote::{Reach, check},
};

/// As whom others may sign somebody in. Whoever administers, watches over the index or may override a shield signs in here.
const YIELDED: [Role; 5] =
    [Role::Practitioner, Role::Steward, Role::ShieldApprover, Role::ArchiveReviewer, Role::Subject];
/// The lists from which an organisation's code may be.
const LISTS: [&str; 6] = ["authority", "gss", "urn", "laestab", "ods", "reference"];

/// Every issuer that is configured.
#[derive(Debug, Clone, Default)]
pub struct Issuers(Vec<Issuer>);

/// An issuer, and how far it is believed.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// Its name, compared byte by byte.
    pub issuer: String,
    /// As whom it knows the programs that sign people in here.
    pub audience: String,
    /// Where its keys are.
    pub jwks_uri: String,
    /// How its tokens may be signed.
    pub algorithms: Vec<Algorithm>,
    /// The ceiling: as whom it may sign somebody in.
    pub roles: Vec<Role>,
    /// The organisation whose people it knows: a list and a code.
    pub organisation: (String, String),
    /// The values of `acr` by which it says that two factors were proved.
    pub acr_values: Vec<String>,
}

/// An issuer as the configuration has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line {
    issuer: String,
    audience: String,
    jwks_uri: String,
    algorithms: Vec<String>,
    roles: Vec<Role>,
    organisation: String,
    #[serde(default)]
    acr_values: Vec<String>,
}

impl Issuers {
    /// Reads the configuration: a JSON array of issuers.
    pub fn read(json: &[u8], reach: Reach) -> anyhow::Result<Self> {
        let lines: Vec<Line> = serde_json::from_slice(json)?;
        let mut names = HashSet::new();
        let mut issuers = Vec::new();
        for line in lines {
            let name = line.issuer.clone();
            let issuer = line.read(reach).with_context(|| format!("issuer {name:?}"))?;
            ensure!(names.insert(name.clone()), "issuer {name:?}: stands twice");
            issuers.push(issuer);
        }
        Ok(Self(issuers))
    }

    /// The issuer of exactly this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Issuer> {
        self.0.iter().find(|issuer| issuer.issuer == name)
    }
}

impl Line {
    fn read(self, reach: Reach) -> anyhow::Result<Issuer> {
        let secure = self.issuer.starts_with("https://") || check(&self.issuer, reach).is_ok();
        ensure!(
            secure && self.issuer.len() <= 500,
            "must begin with https:// and have at most 500 letters"
        );
        ensure!(!self.audience.is_empty(), "audience must not be empty");
        check(&self.jwks_uri, reach).map_err(|why| anyhow::anyhow!("jwksUri {why}"))?;
        let known = |name: &String| {
            Algorithm::parse(name).with_context(|| {
                format!("algorithm {name:?} is not one of EdDSA, ES256, RS256, PS256")
            })
        };
        let algorithms = self.algorithms.iter().map(known).collect::<Result<Vec<_>, _>>()?;
        ensure!(!algorithms.is_empty(), "algorithms must name one at least");
        ensure!(!self.roles.is_empty(), "roles must name one at least");
        let above = self.roles.iter().find(|role| !YIELDED.contains(role));
        ensure!(
            above.is_none(),
            "role {} is never had by another issuer",
            above.map_or("", |role| role.as_str())
        );
        let code = self
            .organisation
            .split_once(':')
            .filter(|(list, code)| LISTS.contains(list) && !code.is_empty());
        let (list, code) = code.with_context(|| {
            format!("organisation {:?} is not a code such as authority:887", self.organisation)
        })?;
        Ok(Issuer {
            organisation: (list.to_owned(), code.to_owned()),
            issuer: self.issuer,
            audience: self.audience,
            jwks_uri: self.jwks_uri,
            algorithms,
            roles: self.roles,
            acr_values: self.acr_values,
        })
    }
}

impl Issuer {
    /// As whom somebody of this role is signed in, if at all: nobody has the right to override a shield from elsewhere.
    #[must_use]
    pub fn admits(&self, role: Role) -> Option<Role> {
        let role = if role == Role::PractitionerWithOverride { Role::Practitioner } else { role };
        self.roles.contains(&role).then_some(role)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn issuer() -> Value {
        json!({
            "issuer": "https://login.council.example/tenant", "audience": "contactpoint",
            "jwksUri": "https://login.council.example/keys", "algorithms": ["RS256", "ES256"],
            "roles": ["practitioner"], "organisation": "authority:887",
        })
    }

    fn read(issuers: &[Value]) -> Result<Issuers, String> {
        let json = Value::from(issuers).to_string();
        Issuers::read(json.as_bytes(), Reach::Public).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn an_issuer_is_found_by_its_exact_name() {
        let issuers = read(&[issuer()]).unwrap();
        assert!(issuers.find("https://login.council.example/tenant").is_some());
        for other in
            ["https://login.council.example/tenant/", "https://LOGIN.council.example/tenant", ""]
        {
            assert!(issuers.find(other).is_none(), "{other}");
        }
        assert!(read(&[]).is_ok());
    }

    #[test]
    fn a_wrong_configuration_is_refused_with_one_line() {
        for (member, value, said) in [
            ("issuer", json!("http://login.council.example"), "must begin with https://"),
            ("issuer", json!("login.council.example"), "must begin with https://"),
            ("audience", json!(""), "audience must not be empty"),
            (
                "jwksUri",
                json!("http://login.council.example/keys"),
                "jwksUri must begin with `https://`",
            ),
            ("jwksUri", json!("https://10.0.0.1/keys"), "jwksUri must have the public name"),
            ("algorithms", json!(["HS256"]), "algorithm \"HS256\" is not one of"),
            ("algorithms", json!(["none"]), "algorithm \"none\" is not one of"),
            ("algorithms", json!([]), "algorithms must name one"),
            ("roles", json!([]), "roles must name one"),
            ("roles", json!(["accountAdministrator"]), "never had by another issuer"),
            ("roles", json!(["operator"]), "never had by another issuer"),
            ("roles", json!(["auditor"]), "never had by another issuer"),
            (
                "roles",
                json!(["practitioner", "practitionerWithOverride"]),
                "never had by another issuer",
            ),
            ("roles", json!(["feed"]), "never had by another issuer"),
            ("roles", json!(["caseSystem"]), "never had by another issuer"),
            ("roles", json!(["king"]), "Send one of"),
            ("organisation", json!("887"), "is not a code such as"),
            ("organisation", json!("council:887"), "is not a code such as"),
            ("organisation", json!("authority:"), "is not a code such as"),
            ("more", json!(1), "unknown field `more`"),
        ] {
            let mut wrong = issuer();
            wrong[member] = value.clone();
            let refused = read(&[wrong]).unwrap_err();
            assert!(
                refused.contains(said) && !refused.contains('\n'),
                "{member} {value}: {refused}"
            );
        }
        assert!(read(&[issuer(), issuer()]).unwrap_err().ends_with("stands twice"));
        assert!(read(&[json!({})]).is_err());
    }
}
