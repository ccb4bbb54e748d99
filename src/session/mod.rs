//! Signing in: who somebody is, and how they prove it.

pub mod secret;
pub mod totp;
pub mod user_name;
