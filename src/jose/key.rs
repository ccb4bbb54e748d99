//! One public key, which verifies in one way only (RFC 7517; RFC 7518, section 6; RFC 8037).

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    DecodingKey,
    crypto::verify,
    jwk::{Jwk, ThumbprintHash},
};
use serde_json::{Map, Value, json};

use super::Algorithm;

/// What only a private or a shared key has (RFC 7518, sections 6.2.2, 6.3.2 and 6.4).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
/// The bits of an RSA modulus (RFC 7518, section 3.3, and no more than can be verified at small cost).
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;
const LONGEST_KID: usize = 256;

/// A public key that verifies signatures, by one algorithm.
#[derive(Debug, Clone)]
pub struct PublicKey {
    algorithm: Algorithm,
    kid: Option<String>,
    thumbprint: String,
    key: DecodingKey,
}

/// Why a key cannot be used: a sentence about it, to follow its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeyFault(pub &'static str);

impl PublicKey {
    /// Reads a JSON Web Key (RFC 7517).
    pub fn from_jwk(jwk: &Value) -> Result<Self, KeyFault> {
        let members = jwk.as_object().ok_or(KeyFault("must be an object"))?;
        if members.get("kty").is_some_and(|kty| kty == "oct") {
            return Err(KeyFault("must not be a shared secret (`oct`)"));
        }
        if PRIVATE.iter().any(|member| members.contains_key(*member)) {
            return Err(KeyFault("must not have a private member: it is a secret no longer"));
        }
        check_use(members)?;
        let (own, fitting) = match text(members, "kty")? {
            "OKP" => (ed25519(members)?, &[Algorithm::EdDSA][..]),
            "EC" => (p256(members)?, &[Algorithm::ES256][..]),
            "RSA" => (rsa(members)?, &[Algorithm::RS256, Algorithm::PS256][..]),
            _ => return Err(KeyFault("must be of type `OKP`, `EC` or `RSA`")),
        };
        let jwk: Jwk = serde_json::from_value(own).map_err(|_| KeyFault("cannot be read"))?;
        let thumbprint = jwk.thumbprint(ThumbprintHash::SHA256);
        Ok(Self {
            algorithm: algorithm(members, fitting)?,
            kid: kid(members)?,
            thumbprint: thumbprint.map_err(|_| KeyFault("cannot be read"))?,
            key: DecodingKey::from_jwk(&jwk).map_err(|_| KeyFault("cannot be read"))?,
        })
    }

    /// The one algorithm by which it verifies.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The name that its owner gave it.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Its thumbprint (RFC 7638): SHA-256, in base64url.
    #[must_use]
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// Whether a signature, in base64url, is this key's.
    pub(super) fn verifies(&self, message: &[u8], signature: &str) -> bool {
        verify(signature, message, &self.key, self.algorithm.into()).unwrap_or(false)
    }
}

/// It is meant to verify, as far as it says (RFC 7517, sections 4.2 and 4.3).
fn check_use(members: &Map<String, Value>) -> Result<(), KeyFault> {
    if members.get("use").is_some_and(|of| of != "sig") {
        return Err(KeyFault("must have `use` `sig`, or none"));
    }
    let verifies = |ops: &Value| {
        let ops = ops.as_array()?;
        (ops.iter().all(Value::is_string) && ops.contains(&json!("verify"))).then_some(())
    };
    match members.get("key_ops") {
        Some(ops) if verifies(ops).is_none() => {
            Err(KeyFault("must have `verify` among its `key_ops`, or no `key_ops`"))
        }
        _ => Ok(()),
    }
}

fn algorithm(members: &Map<String, Value>, fitting: &[Algorithm]) -> Result<Algorithm, KeyFault> {
    const UNFIT: KeyFault =
        KeyFault("must have an `alg` that fits the key: `EdDSA`, `ES256`, `RS256` or `PS256`");
    let stated = match members.get("alg") {
        None => return fitting.first().copied().ok_or(UNFIT),
        Some(alg) => alg.as_str().and_then(Algorithm::parse),
    };
    stated.filter(|algorithm| fitting.contains(algorithm)).ok_or(UNFIT)
}

fn kid(members: &Map<String, Value>) -> Result<Option<String>, KeyFault> {
    match members.get("kid").map(Value::as_str) {
        None => Ok(None),
        Some(Some(kid)) if (1..=LONGEST_KID).contains(&kid.len()) => Ok(Some(kid.to_owned())),
        Some(_) => Err(KeyFault("must have a `kid` of 1 to 256 letters, or none")),
    }
}

fn ed25519(members: &Map<String, Value>) -> Result<Value, KeyFault> {
    if text(members, "crv")? != "Ed25519" {
        return Err(KeyFault("must be on the curve `Ed25519` or `P-256`"));
    }
    let (x, bytes) = number(members, "x")?;
    if bytes.len() != 32 || !names_one_point(&bytes) {
        return Err(KeyFault("must be a point of the curve"));
    }
    Ok(json!({ "kty": "OKP", "crv": "Ed25519", "x": x }))
}

/// Whether it names its point in the one way (RFC 8032, section 5.1.3), and not one of the eight under which a signature
/// can be made for any message. What is on no point at all verifies nothing.
fn names_one_point(encoded: &[u8]) -> bool {
    const PRIME: [u8; 32] = {
        let mut prime = [0xff; 32];
        (prime[0], prime[31]) = (0xed, 0x7f);
        prime
    };
    const ORDER_EIGHT: [[u8; 32]; 2] = [
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef,
            0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88,
            0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10,
            0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77,
            0x92, 0xac, 0x03, 0x7a,
        ],
    ];
    let mut y = encoded.to_vec();
    y[31] &= 0x7f;
    let below = y.iter().rev().lt(PRIME.iter().rev());
    let zero_or_one = y[0] <= 1 && y[1..].iter().all(|byte| *byte == 0);
    let minus_one = y[0] == 0xec && y[1..] == PRIME[1..];
    below && !zero_or_one && !minus_one && !ORDER_EIGHT.iter().any(|point| point[..] == y[..])
}

fn p256(members: &Map<String, Value>) -> Result<Value, KeyFault> {
    if text(members, "crv")? != "P-256" {
        return Err(KeyFault("must be on the curve `Ed25519` or `P-256`"));
    }
    let ((x, left), (y, right)) = (number(members, "x")?, number(members, "y")?);
    let point = [&[4], &left[..], &right[..]].concat();
    if left.len() != 32
        || right.len() != 32
        || ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).is_err()
    {
        return Err(KeyFault("must be a point of the curve"));
    }
    Ok(json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y }))
}

fn rsa(members: &Map<String, Value>) -> Result<Value, KeyFault> {
    let ((n, modulus), (e, exponent)) = (number(members, "n")?, number(members, "e")?);
    let [first, .., last] = modulus[..] else {
        return Err(KeyFault("must have 2048 to 4096 bits"));
    };
    if !RSA_BITS.contains(&(modulus.len() * 8 - first.leading_zeros() as usize)) {
        return Err(KeyFault("must have 2048 to 4096 bits"));
    }
    if first == 0 || last % 2 == 0 {
        return Err(KeyFault("must have an odd modulus without leading zeros"));
    }
    let value = exponent.iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
    if exponent.len() > 4 || exponent.first() == Some(&0) || value < 3 || value % 2 == 0 {
        return Err(KeyFault("must have an odd exponent from 3 to 4294967295"));
    }
    Ok(json!({ "kty": "RSA", "n": n, "e": e }))
}

fn text<'m>(members: &'m Map<String, Value>, name: &str) -> Result<&'m str, KeyFault> {
    members
        .get(name)
        .and_then(Value::as_str)
        .ok_or(KeyFault("must have every member that its type asks for"))
}

/// A number in strict base64url, with its bytes.
fn number<'m>(members: &'m Map<String, Value>, name: &str) -> Result<(&'m str, Vec<u8>), KeyFault> {
    let text = text(members, name)?;
    let bytes = URL_SAFE_NO_PAD.decode(text);
    Ok((text, bytes.map_err(|_| KeyFault("must have its numbers in base64url without padding"))?))
}
