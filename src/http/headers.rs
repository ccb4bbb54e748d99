//! What headers ask for: the version that a change is based on, a key to repeat by, the form of the answer.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header};

use crate::{
    access::header as one,
    problem::{Kind, Problem},
};

/// The version that a change is based on, from `If-Match` (RFC 9110, section 13.1.1): one strong entity tag. It is judged
/// once the record has been found, so that it tells nothing about records that the caller may not see.
#[derive(Debug)]
pub struct IfMatch(Result<i64, Problem>);

impl IfMatch {
    /// Refuses a change that is based on another version than the present one, or on none.
    pub fn check(self, version: i64) -> Result<(), Problem> {
        if self.0? == version { Ok(()) } else { Err(Kind::PreconditionFailed.into()) }
    }
}

impl FromRequest for IfMatch {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(base_version(request))))
    }
}

fn base_version(request: &HttpRequest) -> Result<i64, Problem> {
    let tag = one(request, "If-Match")?.ok_or(Kind::PreconditionRequired)?;
    let quoted = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
    match quoted.map(str::parse) {
        Some(Ok(version)) => Ok(version),
        Some(Err(_)) => Err(Kind::PreconditionFailed.into()),
        None => {
            let form =
                "If-Match must be the one entity tag that the record was read with, in quotes.";
            Err(Problem::new(Kind::InvalidHeader, form))
        }
    }
}

/// The caller's own key for a creating request, by which it can be repeated safely.
#[derive(Debug, Clone)]
pub struct IdempotencyKey(pub String);

impl FromRequest for IdempotencyKey {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(one(request, "Idempotency-Key").and_then(|value| {
            let key = value.ok_or(Kind::IdempotencyKeyRequired)?;
            if (8..=64).contains(&key.len()) && key.bytes().all(|b| (0x21..=0x7e).contains(&b)) {
                Ok(Self(key.to_owned()))
            } else {
                let form = "Idempotency-Key must be 8 to 64 printable ASCII characters.";
                Err(Problem::new(Kind::InvalidHeader, form))
            }
        }))
    }
}

/// In which form an answer is wanted that there is in several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// `application/json`.
    Json,
    /// `text/csv`, where it is named in `Accept` and JSON is not wanted as much.
    Csv,
    /// `application/x-ndjson`, likewise.
    Lines,
}

impl Wanted {
    fn of(accept: &str) -> Self {
        let wanted = |kind: &str| {
            let ranges = accept.split(',').map(|range| range.split(';').map(str::trim));
            let weights = ranges.filter_map(|mut parts| {
                let named = parts.next()?.eq_ignore_ascii_case(kind);
                let weight = parts.find_map(|part| part.strip_prefix("q=")).unwrap_or("1");
                named.then(|| weight.parse::<f32>().unwrap_or(0.0))
            });
            weights.fold(0.0, f32::max)
        };
        let json = wanted("application/json");
        let (csv, lines) = (wanted("text/csv"), wanted("application/x-ndjson"));
        match csv.max(lines) {
            most if most <= json => Self::Json,
            most if most > lines => Self::Csv,
            _ => Self::Lines,
        }
    }
}

impl FromRequest for Wanted {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let accept = request.headers().get_all(header::ACCEPT);
        let accept: Vec<_> = accept.filter_map(|value| value.to_str().ok()).collect();
        ready(Ok(Self::of(&accept.join(","))))
    }
}

#[cfg(test)]
mod tests {
    use super::Wanted;

    #[test]
    fn comma_separated_values_are_told_to_who_names_them_and_does_not_rather_want_json() {
        for (accept, wanted) in [
            ("text/csv", Wanted::Csv),
            ("TEXT/CSV; header=present, */*;q=0.1", Wanted::Csv),
            ("application/json;q=0.5, text/csv", Wanted::Csv),
            ("text/csv;q=0.5, application/json", Wanted::Json),
            ("text/csv;q=0", Wanted::Json),
            ("application/x-ndjson", Wanted::Lines),
            ("application/x-ndjson, application/json;q=0.9", Wanted::Lines),
            ("application/x-ndjson;q=0.9, application/json", Wanted::Json),
            ("application/json, text/csv", Wanted::Json),
            ("*/*", Wanted::Json),
            ("text/*", Wanted::Json),
            ("", Wanted::Json),
        ] {
            assert_eq!(Wanted::of(accept), wanted, "{accept}");
        }
    }
}
