//! One key over many values, such as all that a month of the audit hides.

use std::fmt;

use aws_lc_rs::{
    aead::{AES_256_GCM, RandomizedNonceKey},
    rand,
};
use secrecy::{SecretSlice, zeroize::Zeroizing};

use super::{
    SealFault,
    sealer::{lock, unlock},
};

/// The only version of a value: this byte, nonce (12), ciphertext, tag (16).
const VERSION: u8 = 1;

/// Encrypts values by AES-256-GCM, each bound to its place. Nonces are random, so one key is for 2³² values at most.
pub struct Cipher(RandomizedNonceKey);

impl Cipher {
    /// A new key, to be kept sealed.
    pub fn random() -> Result<Zeroizing<[u8; 32]>, SealFault> {
        let mut bytes = Zeroizing::new([0; 32]);
        rand::fill(&mut *bytes).map_err(|_| SealFault)?;
        Ok(bytes)
    }

    /// Encrypts by these 32 bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, SealFault> {
        RandomizedNonceKey::new(&AES_256_GCM, bytes).map(Self).map_err(|_| SealFault)
    }

    /// Encrypts a value for its place.
    pub fn seal(&self, plaintext: &[u8], place: &[u8]) -> Result<Vec<u8>, SealFault> {
        Ok([&[VERSION][..], &lock(&self.0, place, plaintext)?].concat())
    }

    /// Decrypts a value that was sealed for the same place.
    pub fn open(&self, sealed: &[u8], place: &[u8]) -> Result<SecretSlice<u8>, SealFault> {
        match sealed.split_first() {
            Some((&VERSION, rest)) => {
                Ok(SecretSlice::new(Box::from(&unlock(&self.0, place, rest)?[..])))
            }
            _ => Err(SealFault),
        }
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher(…)")
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_value_opens_only_whole_by_its_key_and_in_its_place() {
        let [one, other] = [0, 1].map(|_| Cipher::new(&*Cipher::random().unwrap()).unwrap());
        let sealed = one.seal(b"plain", b"here").unwrap();
        assert_eq!(one.open(&sealed, b"here").unwrap().expose_secret(), b"plain");
        assert!(one.open(&sealed, b"there").is_err() && other.open(&sealed, b"here").is_err());
        for length in 0..sealed.len() {
            assert!(one.open(&sealed[..length], b"here").is_err());
        }
        assert_ne!(one.seal(b"plain", b"here").unwrap(), sealed);
    }
}
