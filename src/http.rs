//! How requests are read: JSON in one way only, preconditions, idempotency keys.

use std::{
    fmt,
    future::{Future, Ready, ready},
    pin::Pin,
    rc::Rc,
    time::Duration,
};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::{Payload, ServiceRequest},
    http::header,
    web::Bytes,
};
use futures_util::StreamExt;
use serde::{
    Deserialize,
    de::{self, DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor},
};
use tokio::sync::Notify;
use validator::{Validate, ValidationErrors, ValidationErrorsKind};

pub use crate::digest::sha256;
use crate::{
    access::header as one,
    object::Objects,
    problem::{Fault, Kind, Problem},
};

/// The largest body that is read (security rule H-1), in bytes.
pub const MAX_BODY: usize = 64 * 1024;
/// The deepest nesting that is read (security rule H-1).
pub const MAX_DEPTH: usize = 32;
/// How long a body may take to arrive (security rule H-2).
const BODY_TIME: Duration = Duration::from_secs(15);

/// That a request is here whole, told by whatever has read its body: from then on it is the service that is waited for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Received(Rc<Notify>);

impl Received {
    /// Of a request that begins: one without a body is here whole.
    pub(crate) fn begin(request: &ServiceRequest) -> Self {
        let received = Self::default();
        let headers = request.headers();
        let none = headers.get(header::CONTENT_LENGTH).is_none_or(|length| length == "0");
        if none && !headers.contains_key(header::TRANSFER_ENCODING) {
            received.whole();
        }
        request.extensions_mut().insert(received.clone());
        received
    }

    fn of(request: &HttpRequest) -> Self {
        request.extensions().get::<Self>().cloned().unwrap_or_default()
    }

    fn whole(&self) {
        self.0.notify_one();
    }

    /// Waits for the whole request, for as long as a body may take.
    pub(crate) async fn awaited(&self) {
        let _ = tokio::time::timeout(BODY_TIME, self.0.notified()).await;
    }
}

/// A JSON body that has been read and checked.
#[derive(Debug)]
pub struct Json<T> {
    /// What it says.
    pub value: T,
    /// SHA-256 of its bytes, by which a repeated request is known.
    pub digest: [u8; 32],
}

impl<T: DeserializeOwned + Validate + 'static> FromRequest for Json<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let typed = is_json(request);
        let (payload, received) = (payload.take(), Received::of(request));
        let declared = declared_length(request);
        Box::pin(async move {
            if !typed {
                return Err(Kind::UnsupportedMediaType.into());
            }
            let bytes = body(payload, declared, MAX_BODY).await?;
            received.whole();
            let value = parse(&bytes)?;
            Ok(Self { value, digest: sha256(&bytes) })
        })
    }
}

/// A form body (`application/x-www-form-urlencoded`), each parameter at most once.
#[derive(Debug)]
pub struct Form(pub Vec<(String, String)>);

impl Form {
    /// The value of a parameter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl FromRequest for Form {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let typed =
            media_type(request).is_some_and(|kind| kind == "application/x-www-form-urlencoded");
        let (payload, received) = (payload.take(), Received::of(request));
        let declared = declared_length(request);
        Box::pin(async move {
            if !typed {
                return Err(Kind::UnsupportedMediaType.into());
            }
            let bytes = body(payload, declared, MAX_BODY).await?;
            received.whole();
            let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(&bytes)
                .map_err(|_| Problem::from(Kind::InvalidRequest))?;
            let twice = |n: usize| pairs[..n].iter().any(|(key, _)| *key == pairs[n].0);
            if (0..pairs.len()).any(twice) {
                return Err(Problem::new(Kind::InvalidRequest, "A parameter is repeated."));
            }
            Ok(Self(pairs))
        })
    }
}

/// How long the body is, as far as the request says.
pub(crate) fn declared_length(request: &HttpRequest) -> usize {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok());
    length.and_then(|v| v.parse().ok()).unwrap_or(0)
}

/// Reads a body of at most so many bytes.
pub(crate) async fn body(
    mut payload: Payload,
    declared: usize,
    most: usize,
) -> Result<Bytes, Problem> {
    if declared > most {
        return Err(Kind::BodyTooLarge.into());
    }
    let read = async {
        let mut bytes = Vec::with_capacity(declared);
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| Problem::from(Kind::MalformedJson))?;
            if bytes.len() + chunk.len() > most {
                return Err(Kind::BodyTooLarge.into());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Bytes::from(bytes))
    };
    tokio::time::timeout(BODY_TIME, read).await.unwrap_or(Err(Kind::RequestTimeout.into()))
}

/// The type of a body in UTF-8 without a content encoding; nothing where it is another.
pub(crate) fn media_type(request: &HttpRequest) -> Option<String> {
    if request.headers().contains_key(header::CONTENT_ENCODING) {
        return None;
    }
    let value = request.headers().get(header::CONTENT_TYPE)?.to_str().ok()?;
    let mut parts = value.split(';').map(str::trim);
    let kind = parts.next()?.to_ascii_lowercase();
    let utf8 = parts.all(|part| {
        let part = part.to_ascii_lowercase();
        !part.starts_with("charset=") || part == "charset=utf-8" || part == "charset=\"utf-8\""
    });
    utf8.then_some(kind)
}

fn is_json(request: &HttpRequest) -> bool {
    media_type(request).is_some_and(|kind| kind == "application/json")
}

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
fn plain(error: &serde_json::Error) -> String {
    let said = error.to_string();
    said.rsplit_once(" at line ").map_or(said.clone(), |(said, _)| said.to_owned())
}

/// serde quotes the value that it refuses; a personal value must not come back in an error text.
fn without_values(said: &str) -> String {
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
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn faults(at: &str, errors: &ValidationErrors) -> Vec<Fault> {
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

/// Refuses JSON with a member given twice or nested too deep, which parsers read in different ways (RFC 8259, section 4),
/// and null, which might be meant to leave a value as it is or to take it away.
fn strict(bytes: &[u8]) -> Result<(), Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let mut trail = Trail::default();
    let read = Strict(&mut trail).deserialize(&mut json).and_then(|()| json.end());
    read.map_err(|error| {
        let fault = Fault { pointer: trail.steps.concat(), detail: plain(&error) };
        Problem::faults(Kind::MalformedJson, vec![fault])
    })?;
    match trail.null {
        Some(pointer) => Err(Problem::invalid(pointer, "must not be null: leave it out")),
        None => Ok(()),
    }
}

/// Where in the body the reader stands, and where it met the first null.
#[derive(Default)]
struct Trail {
    steps: Vec<String>,
    null: Option<String>,
}

struct Strict<'t>(&'t mut Trail);

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        if self.0.steps.len() > MAX_DEPTH {
            return Err(de::Error::custom("is nested over 32 levels deep"));
        }
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        if text.contains('\0') { Err(E::custom("contains a NUL character")) } else { Ok(()) }
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        let Trail { steps, null } = self.0;
        null.get_or_insert_with(|| steps.concat());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut n = 0;
        self.0.steps.push(String::new());
        loop {
            if let Some(step) = self.0.steps.last_mut() {
                *step = format!("/{n}");
            }
            if items.next_element_seed(Strict(self.0))?.is_none() {
                self.0.steps.pop();
                return Ok(());
            }
            n += 1;
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut seen = std::collections::HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            self.0.steps.push(format!("/{}", escape(&name)));
            if name.contains('\0') {
                return Err(de::Error::custom("contains a NUL character"));
            }
            if !seen.insert(name) {
                return Err(de::Error::custom("is given twice"));
            }
            members.next_value_seed(Strict(self.0))?;
            self.0.steps.pop();
        }
        Ok(())
    }
}

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

/// Query parameters, read strictly: an unknown one is refused.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: for<'de> Deserialize<'de> + Validate> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let invalid = |said: String| Problem::new(Kind::InvalidQuery, said);
        ready(if request.query_string().contains("%00") {
            Err(invalid("A parameter contains a NUL character.".to_owned()))
        } else {
            serde_urlencoded::from_str::<T>(request.query_string())
                .map_err(|error| {
                    invalid(format!("The query {}.", without_values(&error.to_string())))
                })
                .and_then(|value| match value.validate() {
                    Ok(()) => Ok(Self(value)),
                    Err(errors) => Err(invalid(
                        faults("", &errors)
                            .iter()
                            .map(|fault| format!("{} {}", &fault.pointer[1..], fault.detail))
                            .collect::<Vec<_>>()
                            .join("; "),
                    )),
                })
        })
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
