//! ContactPoint.

pub mod demo;
