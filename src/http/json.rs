//! JSON into a type, and what is at fault with it: where it stands and what it should be, never what it is.

use std::fmt;

use serde::de::DeserializeOwned;
use validator::{Validate, ValidationErrors, ValidationErrorsKind};

use super::strict::strict;
use crate::{
    object::Objects,
    problem::{Fault, Kind, Problem},
};

/// Reads JSON that can be read in one way only into `T`, and checks its bounds.
pub fn parse<T: DeserializeOwned + Validate>(bytes: &[u8]) -> Result<T, Problem> {
    strict(bytes)?;
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value: T =
        serde_path_to_error::deserialize(Objects(&mut json)).map_err(|error| refusal(&error))?;
    value.validate().map_err(|errors| Problem::faults(Kind::InvalidValue, faults_of(&errors)))?;
    Ok(value)
}

/// What is at fault, in the order of its pointers.
pub(crate) fn faults_of(errors: &ValidationErrors) -> Vec<Fault> {
    let mut faults = faults("", errors);
    faults.sort_by(|a, b| a.pointer.cmp(&b.pointer));
    faults
}

fn refusal(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let (mut at, said) = (pointer(error.path()), plain(error.inner()));
    let kind = if let Some(name) = between(&said, "unknown field `", "`") {
        if !at.ends_with(&format!("/{name}")) {
            at = format!("{at}/{}", escape(name));
        }
        Kind::UnknownProperty
    } else {
        if let Some(name) = between(&said, "missing field `", "`") {
            at = format!("{at}/{}", escape(name));
        }
        Kind::InvalidValue
    };
    Problem::faults(kind, vec![Fault { pointer: at, detail: without_values(&said) }])
}

/// What serde says, without "at line 1 column 2".
pub(super) fn plain(error: &serde_json::Error) -> String {
    let said = error.to_string();
    said.rsplit_once(" at line ").map_or(said.clone(), |(said, _)| said.to_owned())
}

/// serde quotes the value that it refuses; a personal value must not come back in an error text.
pub(super) fn without_values(said: &str) -> String {
    match said.split_once("expected ") {
        Some((before, expected)) if before.starts_with("invalid ") => match expected {
            structure if structure.starts_with("struct ") => "must be an object".to_owned(),
            _ => format!("must be {expected}"),
        },
        Some((before, expected)) if before.starts_with("unknown variant") => {
            format!("must be {expected}")
        }
        Some((before, _)) if before.starts_with("unknown field") => "is not known here".to_owned(),
        _ if said.starts_with("unknown field") => "is not known here".to_owned(),
        _ if said.starts_with("missing field") => "is required".to_owned(),
        _ => said.to_owned(),
    }
}

fn between<'s>(said: &'s str, before: &str, after: &str) -> Option<&'s str> {
    said.strip_prefix(before)?.split_once(after).map(|(name, _)| name)
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let steps = path.iter().filter_map(|segment| match segment {
        Segment::Seq { index } => Some(format!("/{index}")),
        Segment::Map { key } => Some(format!("/{}", escape(key))),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    steps.collect()
}

/// A member's name as a step of a JSON pointer (RFC 6901, section 3).
pub(super) fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

pub(super) fn faults(at: &str, errors: &ValidationErrors) -> Vec<Fault> {
    let under = |field: &dyn fmt::Display| format!("{at}/{}", camel(&field.to_string()));
    let each = errors.errors().iter().flat_map(|(field, kind)| match kind {
        ValidationErrorsKind::Field(errors) => {
            let fault = |error: &validator::ValidationError| Fault {
                pointer: under(field),
                detail: error.message.clone().unwrap_or_else(|| bounds(error).into()).into_owned(),
            };
            errors.iter().map(fault).collect()
        }
        ValidationErrorsKind::Struct(inner) => faults(&under(field), inner),
        ValidationErrorsKind::List(items) => items
            .iter()
            .flat_map(|(n, inner)| faults(&format!("{}/{n}", under(field)), inner))
            .collect::<Vec<_>>(),
    });
    each.collect()
}

fn bounds(error: &validator::ValidationError) -> String {
    let bound = |name| error.params.get(name).map(ToString::to_string);
    match (error.code.as_ref(), bound("min"), bound("max")) {
        ("length" | "range", Some(min), Some(max)) => format!("must have {min} to {max}"),
        ("length" | "range", Some(min), None) => format!("must have at least {min}"),
        ("length" | "range", None, Some(max)) => format!("must have at most {max}"),
        (code, ..) => format!("is not allowed ({code})"),
    }
}

/// Rust's `date_of_birth` is `dateOfBirth` in JSON.
pub(crate) fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut name, word| {
        let mut letters = word.chars();
        name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        name.extend(letters);
        name
    })
}
