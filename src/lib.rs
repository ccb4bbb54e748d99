//! ContactPoint.

pub mod child;
pub mod code;
pub mod contact;
pub mod ids;
pub mod word;
