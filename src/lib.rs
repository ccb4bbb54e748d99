//! ContactPoint.

pub mod keys;
pub mod token;
