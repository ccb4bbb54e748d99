//! Enrolment: what a person brings and what is made of it.

use chrono::TimeDelta;
use qrcode::{QrCode, render::svg};
use secrecy::ExposeSecret;

use super::CompletionIn;
use crate::{
    ids::AccountId,
    problem::Problem,
    session::{
        Door, new_secret,
        secret::{check_password, check_pin},
        seed_context,
        totp::Seed,
    },
};

/// How long an invitation to enrol lasts.
pub(crate) const ENROLMENT: TimeDelta = TimeDelta::days(7);
/// How long an invitation to recover an account lasts.
pub(crate) const RECOVERY: TimeDelta = TimeDelta::days(1);

/// What an invitation is used with, told once, and the seed that it sets up, sealed.
pub(crate) struct FreshInvitation {
    pub(super) token: String,
    pub(super) seed: Vec<u8>,
}

impl FreshInvitation {
    /// One for this account.
    pub(crate) fn new(door: &Door, account: AccountId) -> Result<Self, Problem> {
        let none = |_| Problem::internal(anyhow::anyhow!("no randomness"));
        let (token, seed) = (new_secret()?, Seed::generate().map_err(none)?);
        let sealed = door.vault.seal(seed.expose(), &seed_context(account.0));
        Ok(Self { token, seed: sealed.map_err(Problem::internal)? })
    }
}

/// The `otpauth` address as a QR code, in SVG.
pub(crate) fn qr_code(otpauth: &str) -> Result<String, Problem> {
    let code = QrCode::new(otpauth).map_err(Problem::internal)?;
    Ok(code.render::<svg::Color<'_>>().min_dimensions(200, 200).build())
}

/// Whether password and PIN are good enough for this person.
pub(crate) fn check(told: &CompletionIn, hints: &[&str]) -> Result<(), Problem> {
    check_password(told.password.expose_secret(), hints)
        .map_err(|weak| Problem::invalid("/password", weak.to_string()))?;
    check_pin(told.pin.expose_secret()).map_err(|weak| Problem::invalid("/pin", weak.to_string()))
}
