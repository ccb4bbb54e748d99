//! What the use of a refresh token is: the first, of several at once, after a lost answer, or of a token that was stolen.

use chrono::{DateTime, TimeDelta, Utc};

/// Uses that begin so soon after the first one are of several at once: nobody has missed an answer yet.
const AT_ONCE: TimeDelta = TimeDelta::seconds(2);
/// How long after its first use a token may be used again, since the answer was lost.
const LOST: TimeDelta = TimeDelta::seconds(30);

/// How a refresh token was used before.
#[derive(Debug, Clone)]
pub(crate) struct Uses {
    /// When it was first used.
    pub(crate) used_at: Option<DateTime<Utc>>,
    /// Whether it was used again after a lost answer.
    pub(crate) repeated: bool,
    /// Whether the token that came in its place was used.
    pub(crate) replacement_used: bool,
}

/// What a use is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// The first: new tokens are given.
    First,
    /// The answer to the first was lost: new tokens are given once more, and the lost ones withdrawn.
    Again,
    /// One of several at once, of which another came first: refused, and the session goes on.
    AtOnce,
    /// Any other: two hold the token, so the session ends.
    Reuse,
}

impl Uses {
    /// What a use is that begins now.
    pub(crate) fn judge(&self, now: DateTime<Utc>) -> Use {
        match self.used_at {
            None => Use::First,
            Some(_) if self.replacement_used || self.repeated => Use::Reuse,
            Some(used_at) if now - used_at < AT_ONCE => Use::AtOnce,
            Some(used_at) if now - used_at <= LOST => Use::Again,
            Some(_) => Use::Reuse,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(millis: i64, repeated: bool, replacement_used: bool) -> Use {
        let used_at = DateTime::from_timestamp(1_800_000_000, 0);
        let uses = Uses { used_at, repeated, replacement_used };
        uses.judge(used_at.unwrap() + TimeDelta::milliseconds(millis))
    }

    #[test]
    fn a_token_is_used_once_and_once_more_after_a_lost_answer() {
        let unused = Uses { used_at: None, repeated: false, replacement_used: false };
        assert_eq!(unused.judge(DateTime::UNIX_EPOCH), Use::First);
        for (millis, found) in [
            (-50, Use::AtOnce),
            (0, Use::AtOnce),
            (1_999, Use::AtOnce),
            (2_000, Use::Again),
            (30_000, Use::Again),
            (30_001, Use::Reuse),
        ] {
            assert_eq!(judged(millis, false, false), found, "{millis}");
            assert_eq!(judged(millis, true, false), Use::Reuse, "{millis}");
            assert_eq!(judged(millis, false, true), Use::Reuse, "{millis}");
        }
    }
}
