//! The index as its callers see it: over HTTP, on a real socket, against a real PostgreSQL.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod access;
mod carer;
mod child;
mod flag;
mod harness;
mod input;
mod involvement;
mod involvement_change;
mod matching;
mod organisation;
mod parts;
mod record;
mod rooms;
mod spec;
mod written;
