//! How requests are read: JSON in one way only, preconditions, idempotency keys.

mod body;
mod headers;
mod json;
mod query;
mod strict;

pub use body::{Form, Json, MAX_BODY};
pub(crate) use body::{Received, body, declared_length, media_type};
pub use headers::{IdempotencyKey, IfMatch, Wanted};
pub use json::parse;
pub(crate) use json::{camel, faults_of};
pub use query::Query;
pub use strict::MAX_DEPTH;

pub use crate::digest::sha256;
