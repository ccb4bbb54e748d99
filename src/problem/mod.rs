//! Why a request could not be done, and how the caller is told (RFC 9457).

mod kind;
mod told;

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

pub use self::{
    kind::Kind,
    told::{OAuthError, ProblemBody, harden},
};
use crate::word::Refusal;

/// One thing wrong with a body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Fault {
    /// A JSON pointer (RFC 6901) to the value at fault; empty for the whole body.
    #[schema(example = "/dateOfBirth")]
    pub pointer: String,
    /// What is wrong with it.
    #[schema(example = "must not be in the future")]
    pub detail: String,
}

/// Why a request could not be done.
#[derive(Debug)]
pub struct Problem {
    kind: Kind,
    detail: Option<Cow<'static, str>>,
    errors: Vec<Fault>,
    retry_after: Option<u32>,
    allow: Option<String>,
    beside: Option<Box<Beside>>,
    source: Option<anyhow::Error>,
    recorded: bool,
}

/// What some problems say beside the members that all have.
#[derive(Debug, Default)]
struct Beside {
    narrow_by: Option<&'static str>,
    candidates: Vec<Value>,
    location: Option<String>,
}

impl Problem {
    /// A problem with what it says about this occurrence.
    pub fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { detail: Some(detail.into()), ..Self::from(kind) }
    }

    /// One value is at fault.
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::faults(
            Kind::InvalidValue,
            vec![Fault { pointer: pointer.into(), detail: detail.into() }],
        )
    }

    /// Several values are at fault.
    #[must_use]
    pub fn faults(kind: Kind, errors: Vec<Fault>) -> Self {
        Self { errors, ..Self::from(kind) }
    }

    /// Our own failure, logged where it is answered and never shown.
    pub fn internal(source: impl Into<anyhow::Error>) -> Self {
        Self { source: Some(source.into()), ..Self::from(Kind::Internal) }
    }

    /// Something that this service needs does not answer.
    pub fn unavailable(source: impl Into<anyhow::Error>) -> Self {
        Self { source: Some(source.into()), ..Self::from(Kind::Unavailable) }
    }

    /// The same, with the seconds to wait.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The same, with the methods that the resource has.
    #[must_use]
    pub fn allow(mut self, methods: String) -> Self {
        self.allow = Some(methods);
        self
    }

    /// The same, with the criterion that would narrow a search best.
    #[must_use]
    pub fn narrow_by(mut self, criterion: Option<&'static str>) -> Self {
        self.beside.get_or_insert_default().narrow_by = criterion;
        self
    }

    /// The same, with the children who may be the one.
    #[must_use]
    pub fn candidates(mut self, candidates: Vec<Value>) -> Self {
        self.beside.get_or_insert_default().candidates = candidates;
        self
    }

    /// The same, with where the record is now.
    #[must_use]
    pub fn at(mut self, location: String) -> Self {
        self.beside.get_or_insert_default().location = Some(location);
        self
    }

    /// The same, where its event has been written already.
    #[must_use]
    pub fn recorded(mut self) -> Self {
        self.recorded = true;
        self
    }

    /// Whether its event has been written already.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        self.recorded
    }

    /// Its type.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The values at fault.
    #[must_use]
    pub fn errors(&self) -> &[Fault] {
        &self.errors
    }

    /// What it says about this occurrence.
    #[must_use]
    pub fn detail(&self) -> &str {
        self.detail.as_deref().unwrap_or_else(|| self.kind.meaning())
    }

    /// Our own failure behind it, in words fit for the log: of the database only its code, since its texts may quote values.
    #[must_use]
    pub fn cause(&self) -> Option<String> {
        let source = self.source.as_ref()?;
        if let Some(code) = source.chain().find_map(database_code) {
            return Some(code);
        }
        let causes = source.chain().map(ToString::to_string);
        Some(causes.collect::<Vec<_>>().join(": "))
    }
}

/// The code and the constraint that the database named, without its text.
fn database_code(cause: &(dyn std::error::Error + 'static)) -> Option<String> {
    let sqlx::Error::Database(error) = cause.downcast_ref::<sqlx::Error>()? else { return None };
    let (code, constraint) =
        (error.code().unwrap_or_default(), error.constraint().unwrap_or_default());
    Some(format!("database error {code} {constraint}").trim_end().to_owned())
}

impl From<Kind> for Problem {
    fn from(kind: Kind) -> Self {
        let retry_after =
            (kind.status() == 503).then_some(if kind == Kind::Stopped { 60 } else { 1 });
        Self {
            kind,
            detail: None,
            errors: Vec::new(),
            retry_after,
            allow: None,
            beside: None,
            source: None,
            recorded: false,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.slug())
    }
}

impl std::error::Error for Problem {}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::invalid("", refusal.sentence())
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        let code = error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .unwrap_or_default()
            .into_owned();
        match (&error, code.as_str()) {
            (E::PoolTimedOut | E::PoolClosed | E::Io(_) | E::Tls(_) | E::WorkerCrashed, _)
            | (
                _,
                "57014" | "57P01" | "57P02" | "57P03" | "53300" | "55P03" | "40001" | "40P01"
                | "25006" | "25P03",
            ) => Self::unavailable(error),
            (_, "22021" | "22P05") => {
                Self::invalid("", "contains a character that cannot be stored")
            }
            _ => Self::internal(error),
        }
    }
}
