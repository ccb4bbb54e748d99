//! The service's own secrets, in a folder that only its owner may read.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use aws_lc_rs::{
    digest,
    encoding::{AsDer, Pkcs8V1Der},
    hmac, rand,
    signature::{ED25519, Ed25519KeyPair, KeyPair, ParsedPublicKey},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use secrecy::{ExposeSecret, SecretBox, zeroize::Zeroizing};
use serde::Serialize;
use utoipa::ToSchema;

mod cipher;
pub mod rotation;
mod sealer;
pub mod sealing;

pub use cipher::Cipher;
pub use sealer::{SealFault, Sealer, key_over};

const SIGNING: &str = "signing";
/// The keys that sign the seals of the audit, which sign nothing else.
const AUDIT: &str = "audit";
const SEALING: &str = "sealing";
const PEPPER: &str = "pepper";
/// The file beside the keys that names the one in use; the others only verify and open.
const ACTIVE: &str = "active";
/// What the file of a key begins with of which only the public half is kept, since it signs no more.
const PUBLIC: &str = "public ";
const LARGEST_FILE: usize = 4096;
const PEM_HEAD: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_TAIL: &str = "-----END PRIVATE KEY-----";

/// Why the secrets cannot be used; names the file, never what is in it.
#[derive(Debug, thiserror::Error)]
pub enum KeyFault {
    /// A file or folder is not there.
    #[error("{} is missing", .0.display())]
    Missing(PathBuf),
    /// Somebody other than the owner may read it, or put files into it.
    #[error("{} is open to group or others (mode {mode:04o}); run chmod {needed} on it", path.display())]
    Exposed {
        /// The file or folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// The permission bits it needs.
        needed: &'static str,
    },
    /// It does not hold what its name promises.
    #[error("{} {why}", path.display())]
    Wrong {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// It is there already, and is never overwritten.
    #[error("{} exists already and is left as it is", .0.display())]
    Exists(PathBuf),
    /// The machine refuses to read or write it.
    #[error("{} cannot be read or written: {source}", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the machine says.
        source: io::Error,
    },
    /// The cryptographic library failed.
    #[error("the cryptographic library failed")]
    Library,
}

impl KeyFault {
    fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            ErrorKind::NotFound => Self::Missing(path),
            ErrorKind::AlreadyExists => Self::Exists(path),
            _ => Self::Unreadable { path, source },
        }
    }

    fn wrong(path: &Path, why: &'static str) -> Self {
        Self::Wrong { path: path.to_owned(), why }
    }
}

impl From<aws_lc_rs::error::Unspecified> for KeyFault {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self::Library
    }
}

/// Every secret of the service.
#[derive(Debug)]
pub struct Keys {
    /// Signs access tokens.
    pub signing: SigningKeys,
    /// Goes into every password hash.
    pub pepper: Pepper,
    /// Encrypts what the database must not show.
    pub sealer: Sealer,
    /// Signs the roots of the audit.
    pub roots: SigningKeys,
}

impl Keys {
    /// Makes new secrets in a folder that is empty or not there yet.
    pub fn generate(dir: &Path) -> Result<Self, KeyFault> {
        empty_folder(dir)?;
        for name in [SIGNING, AUDIT] {
            let folder = new_folder(dir, name)?;
            let kid = rotation::publish(&folder)?;
            write_secret(&folder.join(ACTIVE), &kid)?;
        }
        write_secret(&dir.join(PEPPER), &random_base64()?)?;
        let sealing = new_folder(dir, SEALING)?;
        write_secret(&sealing.join("1.key"), &random_base64()?)?;
        write_secret(&sealing.join(ACTIVE), "1")?;
        Self::load(dir)
    }

    /// Reads the secrets, refusing any that somebody other than the owner may read.
    pub fn load(dir: &Path) -> Result<Self, KeyFault> {
        check_folder(dir)?;
        let pepper = dir.join(PEPPER);
        let pepper = Pepper(thirty_two_bytes(&pepper, &read_secret(&pepper)?)?);
        let signing = SigningKeys::load(&dir.join(SIGNING))?;
        let sealer = Sealer::load(&dir.join(SEALING))?;
        let roots = SigningKeys::load(&dir.join(AUDIT))?;
        Ok(Self { signing, pepper, sealer, roots })
    }
}

/// The keys of access tokens: all of them verify, the one named in `active` signs.
///
/// A new key is published by putting its file beside the others; a day later `active` names it ([`rotation`]).
pub struct SigningKeys {
    active: String,
    pair: Ed25519KeyPair,
    public: BTreeMap<String, PublicKey>,
}

struct PublicKey {
    kid: String,
    x: String,
    verifier: ParsedPublicKey,
}

impl PublicKey {
    fn read(x: &str) -> Result<Self, KeyFault> {
        let bytes = URL_SAFE_NO_PAD.decode(x).map_err(|_| KeyFault::Library)?;
        let verifier = ParsedPublicKey::new(&ED25519, &bytes).map_err(|_| KeyFault::Library)?;
        Ok(Self { kid: thumbprint(x), x: x.to_owned(), verifier })
    }

    fn of(pair: &Ed25519KeyPair) -> Result<Self, KeyFault> {
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

    fn load(folder: &Path) -> Result<Self, KeyFault> {
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

/// A secret outside the database, without which a stolen password hash is worth nothing.
#[derive(Debug)]
pub struct Pepper(SecretBox<[u8; 32]>);

impl Pepper {
    /// Takes a pepper that was kept elsewhere.
    #[must_use]
    pub fn new(secret: SecretBox<[u8; 32]>) -> Self {
        Self(secret)
    }

    /// Begins an HMAC-SHA-256 under the pepper.
    #[must_use]
    pub fn mac(&self) -> hmac::Context {
        hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, self.0.expose_secret()))
    }
}

/// The thumbprint (RFC 7638) of an Ed25519 key whose public half is `x`.
fn thumbprint(x: &str) -> String {
    let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, members.as_bytes()))
}

fn to_pem(pair: &Ed25519KeyPair) -> Result<Zeroizing<String>, KeyFault> {
    let der: Pkcs8V1Der<'_> = pair.as_der()?;
    let body = Zeroizing::new(STANDARD.encode(der.as_ref()));
    Ok(Zeroizing::new(format!("{PEM_HEAD}\n{}\n{PEM_TAIL}", *body)))
}

fn from_pem(text: &str) -> Option<Ed25519KeyPair> {
    let body = text.strip_prefix(PEM_HEAD)?.strip_suffix(PEM_TAIL)?;
    let body = Zeroizing::new(body.split_ascii_whitespace().collect::<String>());
    let der = Zeroizing::new(STANDARD.decode(&*body).ok()?);
    Ed25519KeyPair::from_pkcs8(&der).ok()
}

fn random_base64() -> Result<Zeroizing<String>, KeyFault> {
    let mut bytes = Zeroizing::new([0; 32]);
    rand::fill(&mut *bytes)?;
    Ok(Zeroizing::new(STANDARD.encode(*bytes)))
}

fn thirty_two_bytes(path: &Path, text: &str) -> Result<SecretBox<[u8; 32]>, KeyFault> {
    let wrong = || KeyFault::wrong(path, "does not hold 32 bytes in base64");
    let bytes = Zeroizing::new(STANDARD.decode(text).map_err(|_| wrong())?);
    let bytes = <&[u8; 32]>::try_from(&bytes[..]).map_err(|_| wrong())?;
    Ok(SecretBox::init_with(|| *bytes))
}

struct Folder {
    active: String,
    files: BTreeMap<String, Zeroizing<String>>,
}

fn read_folder(folder: &Path, extension: &str) -> Result<Folder, KeyFault> {
    check_folder(folder)?;
    let active = read_secret(&folder.join(ACTIVE))?.to_string();
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(|fault| KeyFault::io(folder, fault))? {
        let path = entry.map_err(|fault| KeyFault::io(folder, fault))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name == ACTIVE || name.starts_with('.') {
            continue;
        }
        let (stem, _) = name
            .rsplit_once('.')
            .filter(|(_, found)| *found == extension)
            .ok_or_else(|| KeyFault::wrong(&path, "does not belong among the keys"))?;
        files.insert(stem.to_owned(), read_secret(&path)?);
    }
    Ok(Folder { active, files })
}

fn read_secret(path: &Path) -> Result<Zeroizing<String>, KeyFault> {
    let unreadable = |fault| KeyFault::io(path, fault);
    let file = File::open(path).map_err(unreadable)?;
    let found = file.metadata().map_err(unreadable)?;
    let mode = found.permissions().mode() & 0o777;
    if !found.is_file() || found.len() > LARGEST_FILE as u64 {
        return Err(KeyFault::wrong(path, "is not a key file"));
    }
    if mode & 0o077 != 0 {
        return Err(KeyFault::Exposed { path: path.to_owned(), mode, needed: "0400" });
    }
    let mut text = Zeroizing::new(String::with_capacity(LARGEST_FILE));
    file.take(LARGEST_FILE as u64)
        .read_to_string(&mut text)
        .map_err(|_| KeyFault::wrong(path, "is not text"))?;
    Ok(Zeroizing::new(text.trim_ascii().to_owned()))
}

fn write_secret(path: &Path, text: &str) -> Result<(), KeyFault> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()
        })
        .map_err(|fault| KeyFault::io(path, fault))
}

fn check_folder(path: &Path) -> Result<(), KeyFault> {
    let found = fs::metadata(path).map_err(|fault| KeyFault::io(path, fault))?;
    let mode = found.permissions().mode() & 0o777;
    if !found.is_dir() {
        return Err(KeyFault::wrong(path, "is not a folder"));
    }
    if mode & 0o022 != 0 {
        return Err(KeyFault::Exposed { path: path.to_owned(), mode, needed: "0700" });
    }
    Ok(())
}

fn empty_folder(path: &Path) -> Result<(), KeyFault> {
    let unwritable = |fault| KeyFault::io(path, fault);
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unwritable)?;
    if fs::read_dir(path).map_err(unwritable)?.next().is_some() {
        return Err(KeyFault::Exists(path.to_owned()));
    }
    fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(unwritable)
}

fn new_folder(parent: &Path, name: &str) -> Result<PathBuf, KeyFault> {
    let path = parent.join(name);
    DirBuilder::new().mode(0o700).create(&path).map_err(|fault| KeyFault::io(&path, fault))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    /// The key of RFC 8037, appendix A, as PKCS#8.
    const RFC_SEED: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
    const RFC_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    const RFC_KID: &str = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";

    struct Dir(PathBuf);

    impl Dir {
        fn new() -> Self {
            Self(std::env::temp_dir().join(format!("contactpoint-keys-{}", Uuid::new_v4())))
        }

        fn with_keys() -> Self {
            let dir = Self::new();
            Keys::generate(&dir.0).unwrap();
            dir
        }

        fn fault(&self) -> String {
            Keys::load(&self.0).unwrap_err().to_string()
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).ok();
        }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

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
    fn new_keys_are_the_owners_alone_and_are_read_again() {
        let dir = Dir::new();
        let made = Keys::generate(&dir.0).unwrap();
        let pem = format!("{}.pem", made.signing.active());
        for folder in ["", "signing", "sealing"] {
            assert_eq!(mode(&dir.0.join(folder)), 0o700);
        }
        for file in ["pepper", "signing/active", "sealing/active", "sealing/1.key"] {
            assert_eq!(mode(&dir.0.join(file)), 0o600);
        }
        assert_eq!(mode(&dir.0.join("signing").join(pem)), 0o600);
        let read = Keys::load(&dir.0).unwrap();
        assert_eq!(read.signing.jwks(), made.signing.jwks());
        assert_eq!(read.pepper.mac().sign().as_ref(), made.pepper.mac().sign().as_ref());
        let sealed = made.sealer.seal(b"seed", "here").unwrap();
        assert_eq!(read.sealer.open(&sealed, "here").unwrap().expose_secret(), b"seed");
    }

    #[test]
    fn keys_are_never_overwritten() {
        let dir = Dir::with_keys();
        let before = Keys::load(&dir.0).unwrap().signing.jwks();
        assert!(matches!(Keys::generate(&dir.0), Err(KeyFault::Exists(_))));
        assert_eq!(Keys::load(&dir.0).unwrap().signing.jwks(), before);
    }

    #[test]
    fn a_file_that_others_may_read_is_refused_in_one_line() {
        let dir = Dir::with_keys();
        let pem = format!("signing/{}.pem", Keys::load(&dir.0).unwrap().signing.active());
        for file in ["pepper", "signing/active", "sealing/active", "sealing/1.key", &pem] {
            let path = dir.0.join(file);
            for exposed in [0o640, 0o604, 0o660, 0o644, 0o610, 0o602] {
                chmod(&path, exposed);
                let told = format!(
                    "{} is open to group or others (mode {exposed:04o}); run chmod 0400 on it",
                    path.display()
                );
                assert_eq!(dir.fault(), told);
            }
            for closed in [0o400, 0o600] {
                chmod(&path, closed);
                assert!(Keys::load(&dir.0).is_ok());
            }
        }
        for folder in ["", "signing", "sealing"] {
            chmod(&dir.0.join(folder), 0o770);
            assert!(dir.fault().contains("open to group or others"));
            chmod(&dir.0.join(folder), 0o700);
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        for file in ["pepper", "signing/active", "sealing/active", "sealing", "signing", "."] {
            let dir = Dir::with_keys();
            let path: PathBuf = dir.0.join(file).components().collect();
            if path.is_dir() {
                fs::remove_dir_all(&path).unwrap();
            } else {
                fs::remove_file(&path).unwrap();
            }
            assert_eq!(dir.fault(), format!("{} is missing", path.display()));
        }
    }

    #[test]
    fn wrong_content_is_refused_and_not_told() {
        let other = Ed25519KeyPair::generate().unwrap();
        let other = to_pem(&other).unwrap();
        for (file, content) in [
            ("pepper", ""),
            ("pepper", "c2hvcnQ="),
            ("pepper", "canary-canary-canary"),
            ("sealing/1.key", "canary-canary-canary"),
            ("sealing/01.key", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
            ("sealing/x.key", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
            ("sealing/2.bak", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
            ("sealing/active", "2"),
            ("signing/active", "canary-canary-canary"),
            ("signing/kid.pem", other.as_str()),
            ("signing/kid.pem", "canary-canary-canary"),
            ("signing/notes.txt", "canary-canary-canary"),
            ("pepper", &"A".repeat(5000)),
        ] {
            let dir = Dir::with_keys();
            let path = dir.0.join(file);
            fs::remove_file(&path).ok();
            write_secret(&path, content).unwrap();
            assert!(!dir.fault().contains("canary") && !dir.fault().contains('\n'));
        }
    }

    #[test]
    fn a_key_may_be_published_before_it_signs_and_verify_after() {
        let dir = Dir::with_keys();
        let old = Keys::load(&dir.0).unwrap().signing;
        let pair = Ed25519KeyPair::generate().unwrap();
        let kid = PublicKey::of(&pair).unwrap().kid;
        let folder = dir.0.join(SIGNING);
        write_secret(&folder.join(format!("{kid}.pem")), &to_pem(&pair).unwrap()).unwrap();
        let both = Keys::load(&dir.0).unwrap().signing;
        assert_eq!((both.active(), both.jwks().keys.len()), (old.active(), 2));
        fs::remove_file(folder.join(ACTIVE)).unwrap();
        write_secret(&folder.join(ACTIVE), &kid).unwrap();
        let new = Keys::load(&dir.0).unwrap().signing;
        assert_eq!(new.active(), kid);
        assert!(new.verify(old.active(), b"m", &old.sign(b"m").unwrap()));
    }

    #[test]
    fn the_published_keys_hold_public_members_only() {
        let json = serde_json::to_value(SigningKeys::ephemeral().unwrap().jwks()).unwrap();
        let key = json["keys"][0].as_object().unwrap();
        assert_eq!(key.keys().collect::<Vec<_>>(), ["alg", "crv", "kid", "kty", "use", "x"]);
        assert_eq!((&key["alg"], &key["use"]), (&"EdDSA".into(), &"sig".into()));
        assert_eq!(key["kid"], thumbprint(key["x"].as_str().unwrap()));
    }

    #[test]
    fn debug_tells_no_secret() {
        let dir = Dir::with_keys();
        let told = format!("{:?}", Keys::load(&dir.0).unwrap());
        for file in ["pepper", "sealing/1.key"] {
            let secret = fs::read_to_string(dir.0.join(file)).unwrap();
            assert!(!told.contains(secret.trim()));
            let bytes = format!("{:?}", &STANDARD.decode(secret.trim()).unwrap()[..4]);
            assert!(!told.contains(bytes.trim_matches(['[', ']'])));
        }
        assert!(told.contains("REDACTED"));
    }
}
