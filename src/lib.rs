//! ContactPoint.

pub mod postgres;
