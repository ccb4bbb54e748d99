//! ContactPoint.

pub mod keys;
pub mod session;
pub mod token;
