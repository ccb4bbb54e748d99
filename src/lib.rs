//! ContactPoint.

pub mod keys;
