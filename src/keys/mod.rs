//! The service's own secrets, in a folder that only its owner may read.

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretBox};

mod cipher;
mod folder;
pub mod rotation;
mod sealer;
pub mod sealing;
mod signing;

pub use cipher::Cipher;
use folder::{
    ACTIVE, check_folder, empty_folder, new_folder, random_base64, read_secret, thirty_two_bytes,
    write_secret,
};
pub use sealer::{SealFault, Sealer, key_over};
pub use signing::{Jwk, JwkSet, SigningKeys};

const SIGNING: &str = "signing";
/// The keys that sign the seals of the audit, which sign nothing else.
const AUDIT: &str = "audit";
const SEALING: &str = "sealing";
const PEPPER: &str = "pepper";

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

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::PermissionsExt,
    };

    use aws_lc_rs::signature::Ed25519KeyPair;
    use base64::{Engine, engine::general_purpose::STANDARD};
    use uuid::Uuid;

    use super::{
        signing::{PublicKey, to_pem},
        *,
    };

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
