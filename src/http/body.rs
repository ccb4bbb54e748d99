//! Bodies: as large and as long in coming as they may be, JSON or a form.

use std::{future::Future, pin::Pin, rc::Rc, time::Duration};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::{Payload, ServiceRequest},
    http::header,
    web::Bytes,
};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use validator::Validate;

use super::json::parse;
use crate::{
    digest::sha256,
    problem::{Kind, Problem},
};

/// The largest body that is read (security rule H-1), in bytes.
pub const MAX_BODY: usize = 64 * 1024;
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
