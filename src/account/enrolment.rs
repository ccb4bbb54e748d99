//! Enrolment: what a person brings and what is made of it.

use qrcode::{QrCode, render::svg};
use secrecy::ExposeSecret;

use super::CompletionIn;
use crate::{
    problem::Problem,
    session::secret::{check_password, check_pin},
};

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
