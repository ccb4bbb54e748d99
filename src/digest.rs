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
    fn parts_that_run_together_alike_are_not_the_same() {
        let until = DateTime::UNIX_EPOCH;
        assert_ne!(Once::new(&["ab", "c"], until).hash, Once::new(&["a", "bc"], until).hash);
        assert_eq!(Once::new(&["ab", "c"], until), Once::new(&["ab", "c"], until));
    }
}
