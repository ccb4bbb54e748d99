//! Tokens that were found good are known again for a while, so that a signature is checked once.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use aws_lc_rs::digest;
use chrono::{DateTime, Utc};
use moka::sync::Cache;

use super::{Claims, Issuer, LARGEST_READ, Reason, TokenFault};

const REMEMBERED: u64 = 20_000;
const REMEMBERED_FOR: Duration = Duration::from_mins(10);

type Seen = Cache<[u8; 32], Arc<Claims>>;

/// Verifies tokens, and remembers for a while which were good, so that a signature is checked once.
pub struct Verifier(RwLock<(Arc<Issuer>, Seen)>);

impl Verifier {
    /// Verifies what this issuer issues.
    #[must_use]
    pub fn new(issuer: Issuer) -> Self {
        Self(RwLock::new((Arc::new(issuer), nothing_seen())))
    }

    /// The issuer whose tokens these are.
    #[must_use]
    pub fn issuer(&self) -> Arc<Issuer> {
        self.state().0
    }

    /// Reads a token that holds now.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Arc<Claims>, TokenFault> {
        if token.len() > LARGEST_READ {
            return Err(TokenFault(Reason::TooLarge));
        }
        let (issuer, seen) = self.state();
        let mut key = [0; 32];
        key.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
        if let Some(claims) = seen.get(&key) {
            return claims.check_times(now).map(|()| claims).map_err(TokenFault);
        }
        let claims = Arc::new(issuer.verify(token, now)?);
        seen.insert(key, Arc::clone(&claims));
        Ok(claims)
    }

    /// Forgets every token, even those being verified now, so that each is verified anew.
    pub fn forget_all(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).1 = nothing_seen();
    }

    /// Verifies by another issuer from now on, as after a change of keys.
    pub fn replace(&self, issuer: Issuer) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) =
            (Arc::new(issuer), nothing_seen());
    }

    pub(super) fn state(&self) -> (Arc<Issuer>, Seen) {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (issuer, seen) = self.state();
        f.debug_tuple("Verifier").field(&issuer).field(&seen.entry_count()).finish()
    }
}

fn nothing_seen() -> Seen {
    Cache::builder().max_capacity(REMEMBERED).time_to_live(REMEMBERED_FOR).build()
}
