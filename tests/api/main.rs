//! The index as its callers see it: over HTTP, on a real socket, against a real PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;
