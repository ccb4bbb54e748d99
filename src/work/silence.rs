//! Giving an errand up whose database says nothing more: it would wait for as long as the service runs.

use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::problem::Problem;

/// Longer than any statement of an errand takes, or any of its rests between two.
pub const SILENCE: Duration = Duration::from_mins(11);
/// The same, where each statement ends within 5 seconds.
pub const SHORT_SILENCE: Duration = Duration::from_secs(30);

tokio::task_local! {
    /// When the errand was last at its work.
    static AT_WORK: Pulse;
}

/// A moment that is renewed.
#[derive(Debug, Clone)]
struct Pulse(Arc<Mutex<Instant>>);

impl Pulse {
    fn renew(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn age(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}

/// Says that the errand goes on: what it asked before was answered.
pub(crate) fn goes_on() {
    // Outside an errand nobody watches.
    let _ = AT_WORK.try_with(Pulse::renew);
}

/// Does an errand, and gives it up once it has not gone on for so long. What it had begun is rolled back with its connection.
pub async fn unless_silent<T>(
    silence: Duration,
    errand: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    let pulse = Pulse(Arc::new(Mutex::new(Instant::now())));
    let mut errand = pin!(AT_WORK.scope(pulse.clone(), errand));
    loop {
        let left = silence.saturating_sub(pulse.age());
        if let Ok(done) = tokio::time::timeout(left, &mut errand).await {
            return done;
        }
        if pulse.age() >= silence {
            return Err(Problem::unavailable(anyhow::anyhow!("the database is silent")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(100);

    #[actix_web::test]
    async fn an_errand_that_goes_on_is_let_go_on_and_one_that_is_silent_is_given_up() {
        let busy = unless_silent(MOMENT * 10, async {
            for _ in 0..12 {
                tokio::time::sleep(MOMENT).await;
                goes_on();
            }
            Ok(7)
        });
        assert_eq!(busy.await.unwrap(), 7);

        let silent = unless_silent::<()>(MOMENT, std::future::pending());
        assert_eq!(silent.await.unwrap_err().cause().as_deref(), Some("the database is silent"));
    }
}
