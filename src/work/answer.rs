//! What is answered: only what was written down.

use std::{marker::PhantomData, pin::Pin};

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    body::BoxBody,
    http::{StatusCode, header},
    web::Bytes,
};
use futures_util::{Stream, StreamExt};
use serde::Serialize;

use crate::problem::Problem;

/// What a handler answers.
pub type Reply<T> = Result<Answer<T>, Problem>;

/// An answer to a caller. Only recording makes one, so nothing is told unrecorded.
#[derive(Debug)]
pub struct Answer<T> {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
    pub(super) lines: Option<Lines>,
    pub(super) location: Option<String>,
    pub(super) etag: Option<String>,
    pub(super) told: PhantomData<T>,
}

/// The lines of a long answer, some at a time, as they are read. One that fails breaks the answer off.
pub struct Lines {
    pub(super) kind: &'static str,
    pub(super) some: Pin<Box<dyn Stream<Item = Result<Bytes, Problem>>>>,
}

impl Lines {
    /// Lines of JSON (`application/x-ndjson`) of a stream that yields some at a time.
    pub fn of<T: Serialize + 'static>(
        some: impl Stream<Item = Result<Vec<T>, Problem>> + 'static,
    ) -> Self {
        let some = some.map(|some| {
            let mut text = Vec::new();
            for line in some? {
                serde_json::to_writer(&mut text, &line).map_err(Problem::internal)?;
                text.push(b'\n');
            }
            Ok(Bytes::from(text))
        });
        Self { kind: "application/x-ndjson", some: Box::pin(some) }
    }
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lines(…)")
    }
}

impl<T> Answer<T> {
    pub(super) fn new(status: StatusCode, body: &impl Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_vec(body).map_err(Problem::internal)?;
        Ok(Self { status, body, lines: None, location: None, etag: None, told: PhantomData })
    }

    pub(super) fn of_lines(lines: Lines) -> Self {
        let (status, body) = (StatusCode::OK, Vec::new());
        Self { status, body, lines: Some(lines), location: None, etag: None, told: PhantomData }
    }

    pub(super) fn at(mut self, location: String) -> Self {
        self.location = Some(location);
        self
    }

    /// The same, with the version of the record as its `ETag`.
    #[must_use]
    pub fn version(mut self, version: i64) -> Self {
        self.etag = Some(format!("\"{version}\""));
        self
    }
}

impl<T> Responder for Answer<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(location) = self.location {
            response.insert_header((header::LOCATION, location));
        }
        if let Some(etag) = self.etag {
            response.insert_header((header::ETAG, etag));
        }
        match self.lines {
            Some(lines) => response.content_type(lines.kind).streaming(lines.some),
            None => response.content_type("application/json").body(self.body),
        }
    }
}
