//! A child and what a record may hold about the child.

pub mod address;
pub mod birth;
pub mod fold;
pub mod identifier;
pub mod name;
pub mod whereabouts;
