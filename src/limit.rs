//! How often a system may call: so many times a second as it is registered for, at each process of the service.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use governor::{
    DefaultDirectRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use moka::sync::Cache;

use crate::{
    ids::ClientId,
    problem::{Kind, Problem},
};

/// As many systems as are remembered at a time, and for how long after a call: one that was quiet for a second begins anew.
const REMEMBERED: u64 = 100_000;
const QUIET: Duration = Duration::from_mins(1);

/// How often every system has called of late; its copies count together.
#[derive(Debug, Clone)]
pub struct Rates(Cache<(ClientId, NonZeroU32), Arc<DefaultDirectRateLimiter>>);

impl Default for Rates {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(REMEMBERED).time_to_idle(QUIET).build())
    }
}

impl Rates {
    /// Counts a call of a system that may make `rate` a second, as many of them at once; refuses one too many.
    pub fn count(&self, client: ClientId, rate: u32) -> Result<(), Problem> {
        let rate = NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN);
        let limiter = self
            .0
            .get_with((client, rate), || Arc::new(RateLimiter::direct(Quota::per_second(rate))));
        limiter.check().map_err(|over| {
            let wait = over.wait_time_from(DefaultClock::default().now());
            let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
            Problem::from(Kind::TooManyRequests).retry_after(seconds)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_makes_as_many_calls_at_once_as_it_may_a_second_and_no_more() {
        let (rates, [one, other]) = (Rates::default(), [(); 2].map(|()| ClientId::new()));
        for rate in [1, 5] {
            let copy = rates.clone();
            let done = (0..20).filter(|_| copy.count(one, rate).is_ok()).count();
            assert_eq!(done, usize::try_from(rate).unwrap());
        }
        assert!(rates.count(one, 1).is_err());
        assert!(rates.count(other, 1).is_ok(), "each is counted for itself");
    }
}
