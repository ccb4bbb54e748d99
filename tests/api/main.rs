//! The index as its callers see it: over HTTP, on a real socket, against a real PostgreSQL.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod access;
mod access_request;
mod account;
mod accreditation;
mod audit;
mod audit_guard;
mod carer;
mod child;
mod dpop;
mod external;
mod flag;
mod guess;
mod harness;
mod hostile;
mod http;
mod input;
mod involvement;
mod involvement_change;
mod matching;
mod mediated;
mod organisation;
mod parts;
mod raw;
mod record;
mod remote;
mod rooms;
mod session;
mod spec;
mod stop;
mod token;
mod two;
mod written;
