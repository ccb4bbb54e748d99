//! SHA-256, and what is known again by it so that it is used once.

use aws_lc_rs::digest;
use chrono::{DateTime, Utc};

/// SHA-256.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

/// SHA-256 of bytes that come piece by piece.
pub struct Digest(digest::Context);

impl Default for Digest {
    fn default() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Digest(…)")
    }
}

impl Digest {
    /// Takes the next piece in.
    pub fn take(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// That of all pieces.
    #[must_use]
    pub fn end(self) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(self.0.finish().as_ref());
        out
    }
}

/// Something that may be used once on all instances together, such as a proof or an assertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Once {
    /// What it is known by.
    pub hash: [u8; 32],
    /// Until when it must be remembered; later it is refused for its age.
    pub until: DateTime<Utc>,
}

impl Once {
    /// What these parts name together.
    #[must_use]
    pub fn new(parts: &[&str], until: DateTime<Utc>) -> Self {
        let named = parts.iter().flat_map(|part| {
            let length = u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes();
            length.into_iter().chain(part.bytes())
        });
        Self { hash: sha256(&named.collect::<Vec<_>>()), until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_have_the_digest_of_the_whole() {
        let mut pieces = Digest::default();
        for piece in ["", "ab", "c"] {
            pieces.take(piece.as_bytes());
        }
        assert_eq!(pieces.end(), sha256(b"abc"));
    }

    #[test]
    fn parts_that_run_together_alike_are_not_the_same() {
        let until = DateTime::UNIX_EPOCH;
        assert_ne!(Once::new(&["ab", "c"], until).hash, Once::new(&["a", "bc"], until).hash);
        assert_eq!(Once::new(&["ab", "c"], until), Once::new(&["ab", "c"], until));
    }
}
