//! Accounts of people and clients of systems.

use chrono::NaiveDate;
use secrecy::{ExposeSecret, SecretString};

use crate::{
    access::Role,
    ids::{AccountId, ClientId, OrganisationId},
    session::user_name::UserName,
};

pub mod store;

/// A person who is to have an account, with every condition met.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// Its number.
    pub id: AccountId,
    /// The name to sign in with.
    pub user_name: UserName,
    /// The person's name.
    pub name: String,
    /// Whom the person acts for.
    pub organisation: OrganisationId,
    /// What the person is to the index.
    pub role: Role,
    /// What is kept of password and PIN.
    pub credential: String,
    /// The sealed seed of one-time codes.
    pub seed: Vec<u8>,
    /// Until when the enhanced police check holds: 3 years from its date.
    pub vetted_until: NaiveDate,
    /// Until when the training holds.
    pub trained_until: NaiveDate,
    /// The day on which the user agreement was signed.
    pub agreement_signed_on: NaiveDate,
}

/// A system that is to be a client.
#[derive(Debug, Clone)]
pub struct NewClient {
    /// Its number.
    pub id: ClientId,
    /// What it is called.
    pub name: String,
    /// Whom it acts for.
    pub organisation: OrganisationId,
    /// What it is to the index.
    pub role: Role,
    /// SHA-256 of its secret.
    pub secret_hash: [u8; 32],
}

/// A PIN of six digits that [`crate::session::secret::check_pin`] accepts.
pub fn new_pin() -> anyhow::Result<SecretString> {
    loop {
        let mut bytes = [0; 4];
        aws_lc_rs::rand::fill(&mut bytes)?;
        let pin = format!("{:06}", u32::from_be_bytes(bytes) % 1_000_000);
        if crate::session::secret::check_pin(&pin).is_ok() {
            return Ok(pin.into());
        }
    }
}

/// A password of 24 random letters and digits, none easily taken for another.
pub fn new_password() -> anyhow::Result<SecretString> {
    const SIGNS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0; 24];
    aws_lc_rs::rand::fill(&mut bytes)?;
    let signs = bytes.iter().map(|byte| char::from(SIGNS[usize::from(byte % 32)]));
    Ok(signs.collect::<String>().into())
}

/// The days on which what an account stands on ends, for a person who met every condition on `day`.
#[must_use]
pub fn conditions_from(day: NaiveDate) -> (NaiveDate, NaiveDate) {
    let three_years = day + chrono::Months::new(36);
    (three_years, three_years)
}

/// A secret, exposed for the one who receives it.
#[must_use]
pub fn shown(secret: &SecretString) -> String {
    secret.expose_secret().to_owned()
}
