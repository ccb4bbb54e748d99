//! The keys that sign: one of them does, all of them verify.

use std::{collections::BTreeMap, fmt, path::Path};

use aws_lc_rs::{
    digest,
    encoding::{AsDer, Pkcs8V1Der},
    signature::{ED25519, Ed25519KeyPair, KeyPair, ParsedPublicKey},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use secrecy::zeroize::Zeroizing;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    KeyFault,
    folder::{ACTIVE, Folder, read_folder},
};

/// What the file of a key begins with of which only the public half is kept, since it signs no more.
pub(super) const PUBLIC: &str = "public ";
const PEM_HEAD: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_TAIL: &str = "-----END PRIVATE KEY-----";

/// The keys of access tokens: all of them verify, the one named in `active` signs.
///
/// A new key is published by putting its file beside the others; a day later `active` names it ([`rotation`]).
pub struct SigningKeys {
    active: String,
    pair: Ed25519KeyPair,
    public: BTreeMap<String, PublicKey>,
}

pub(super) struct PublicKey {
    pub(super) kid: String,
    pub(super) x: String,
    verifier: ParsedPublicKey,
}

impl PublicKey {
    pub(super) fn read(x: &str) -> Result<Self, KeyFault> {
        let bytes = URL_SAFE_NO_PAD.decode(x).map_err(|_| KeyFault::Library)?;
        let verifier = ParsedPublicKey::new(&ED25519, &bytes).map_err(|_| KeyFault::Library)?;
        Ok(Self { kid: thumbprint(x), x: x.to_owned(), verifier })
    }

    pub(super) fn of(pair: &Ed25519KeyPair) -> Result<Self, KeyFault> {
        let bytes = pair.public_key().as_ref();
        let verifier = ParsedPublicKey::new(&ED25519, bytes).map_err(|_| KeyFault::Library)?;
        let x = URL_SAFE_NO_PAD.encode(bytes);
        Ok(Self { kid: thumbprint(&x), x, verifier })
    }
}

impl SigningKeys {
    /// The algorithm of every key here, as JOSE calls it.
    pub const ALGORITHM: &'static str = "EdDSA";

    /// Keys that are kept nowhere, for a service or a test that ends with its process.
    pub fn ephemeral() -> Result<Self, KeyFault> {
        let pair = Ed25519KeyPair::generate()?;
        let key = PublicKey::of(&pair)?;
        Ok(Self { active: key.kid.clone(), pair, public: BTreeMap::from([(key.kid.clone(), key)]) })
    }

    pub(super) fn load(folder: &Path) -> Result<Self, KeyFault> {
        let Folder { active, files } = read_folder(folder, "pem")?;
        let mut signer = None;
        let mut public = BTreeMap::new();
        for (kid, text) in files {
            let path = folder.join(format!("{kid}.pem"));
            let (pair, key) = if let Some(x) = text.strip_prefix(PUBLIC) {
                (None, PublicKey::read(x)?)
            } else {
                let pair = from_pem(&text).ok_or_else(|| {
                    KeyFault::wrong(&path, "is not an Ed25519 private key in PEM")
                })?;
                let key = PublicKey::of(&pair)?;
                (Some(pair), key)
            };
            if key.kid != kid {
                return Err(KeyFault::wrong(&path, "is not named by its key's thumbprint"));
            }
            if kid == active {
                signer = pair;
            }
            public.insert(kid, key);
        }
        let pair = signer
            .ok_or_else(|| KeyFault::wrong(&folder.join(ACTIVE), "names a key that is not here"))?;
        Ok(Self { active, pair, public })
    }

    /// The id of the key that signs.
    #[must_use]
    pub fn active(&self) -> &str {
        &self.active
    }

    /// Whether tokens that name this key may be accepted.
    #[must_use]
    pub fn knows(&self, kid: &str) -> bool {
        self.public.contains_key(kid)
    }

    /// Signs with the active key.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyFault> {
        Ok(self.pair.try_sign(message)?.as_ref().to_vec())
    }

    /// Whether the key of this id made the signature.
    #[must_use]
    pub fn verify(&self, kid: &str, message: &[u8], signature: &[u8]) -> bool {
        self.public.get(kid).is_some_and(|key| key.verifier.verify_sig(message, signature).is_ok())
    }

    /// The public halves, for whoever checks our tokens.
    #[must_use]
    pub fn jwks(&self) -> JwkSet {
        JwkSet { keys: self.public.values().map(Jwk::of).collect() }
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeys")
            .field("active", &self.active)
            .field("known", &self.public.keys())
            .finish_non_exhaustive()
    }
}

/// The public keys that verify access tokens (RFC 7517).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct JwkSet {
    /// One entry for each key that is accepted now.
    pub keys: Vec<Jwk>,
}

/// One public key (RFC 8037).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Jwk {
    /// The kind of key: `OKP`.
    pub kty: &'static str,
    /// The curve: `Ed25519`.
    pub crv: &'static str,
    /// The public key, base64url.
    pub x: String,
    /// The key's thumbprint (RFC 7638), which tokens name.
    pub kid: String,
    /// What the key is for: `sig`.
    #[serde(rename = "use")]
    pub purpose: &'static str,
    /// The algorithm: `EdDSA`.
    pub alg: &'static str,
}

impl Jwk {
    fn of(key: &PublicKey) -> Self {
        Self {
            kty: "OKP",
            crv: "Ed25519",
            x: key.x.clone(),
            kid: key.kid.clone(),
            purpose: "sig",
            alg: SigningKeys::ALGORITHM,
        }
    }
}

/// The thumbprint (RFC 7638) of an Ed25519 key whose public half is `x`.
pub(super) fn thumbprint(x: &str) -> String {
    let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, members.as_bytes()))
}

pub(super) fn to_pem(pair: &Ed25519KeyPair) -> Result<Zeroizing<String>, KeyFault> {
    let der: Pkcs8V1Der<'_> = pair.as_der()?;
    let body = Zeroizing::new(STANDARD.encode(der.as_ref()));
    Ok(Zeroizing::new(format!("{PEM_HEAD}\n{}\n{PEM_TAIL}", *body)))
}

pub(super) fn from_pem(text: &str) -> Option<Ed25519KeyPair> {
    let body = text.strip_prefix(PEM_HEAD)?.strip_suffix(PEM_TAIL)?;
    let body = Zeroizing::new(body.split_ascii_whitespace().collect::<String>());
    let der = Zeroizing::new(STANDARD.decode(&*body).ok()?);
    Ed25519KeyPair::from_pkcs8(&der).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of RFC 8037, appendix A, as PKCS#8.
    const RFC_SEED: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
    const RFC_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    const RFC_KID: &str = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";

    #[test]
    fn the_signature_and_thumbprint_are_those_of_the_rfc() {
        let seed = URL_SAFE_NO_PAD.decode(RFC_SEED).unwrap();
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
        let key = PublicKey::of(&pair).unwrap();
        assert_eq!((key.x.as_str(), key.kid.as_str()), (RFC_X, RFC_KID));
        let public = BTreeMap::from([(key.kid.clone(), key)]);
        let keys = SigningKeys { active: RFC_KID.into(), pair, public };
        let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature = keys.sign(message).unwrap();
        assert_eq!(
            URL_SAFE_NO_PAD.encode(&signature),
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        );
        assert!(keys.verify(RFC_KID, message, &signature));
        assert!(!keys.verify("other", message, &signature));
        assert!(!keys.verify(RFC_KID, b"other", &signature));
        assert!(!keys.verify(RFC_KID, message, &signature[..63]));
    }

    #[test]
    fn the_published_keys_hold_public_members_only() {
        let json = serde_json::to_value(SigningKeys::ephemeral().unwrap().jwks()).unwrap();
        let key = json["keys"][0].as_object().unwrap();
        assert_eq!(key.keys().collect::<Vec<_>>(), ["alg", "crv", "kid", "kty", "use", "x"]);
        assert_eq!((&key["alg"], &key["use"]), (&"EdDSA".into(), &"sig".into()));
        assert_eq!(key["kid"], thumbprint(key["x"].as_str().unwrap()));
    }
}
