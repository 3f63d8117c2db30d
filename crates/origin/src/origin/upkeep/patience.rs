//! How work on many rows outlives a Redis or a source that is away for a while.
//!
//! What was done for a million rows is not to be done again because one page met with a restart. A
//! page is asked for again, with growing, uneven pauses, for as long as [`PATIENCE`]; then the work
//! ends with the error.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use corkboard_cache::CallError;
use tokio::time::{Instant, sleep};

use super::UpkeepError;

/// A page is asked for again for so long after its first failure.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// The first pause, and the longest; each is up to half longer or shorter.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);

/// Why something failed, and whether that passes by itself.
pub(super) trait Passing: std::error::Error {
    fn is_passing(&self) -> bool;
}

impl Passing for CallError {
    fn is_passing(&self) -> bool {
        self.is_passing()
    }
}

impl Passing for UpkeepError {
    fn is_passing(&self) -> bool {
        match self {
            Self::Source(error) => error.is_passing(),
            Self::Redis(error) => error.is_passing(),
            Self::Endpoint { .. } => false,
        }
    }
}

/// Counts what was asked again.
#[derive(Debug, Default)]
pub(super) struct Retries(AtomicU64);

impl Retries {
    /// Before something is asked for the first time.
    pub(super) fn begin(&self) -> Attempt<'_> {
        Attempt {
            retries: self,
            until: None,
            pause: FIRST,
        }
    }

    /// Asks until there is an answer, or an error that does not pass in time.
    pub(super) async fn until_answered<T, E: Passing, A>(
        &self,
        mut ask: impl FnMut() -> A,
    ) -> Result<T, E>
    where
        A: Future<Output = Result<T, E>>,
    {
        let mut attempt = self.begin();
        loop {
            match ask().await {
                Ok(answer) => return Ok(answer),
                Err(error) => attempt.again(error).await?,
            }
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One thing that is asked for until it is answered.
#[derive(Debug)]
pub(super) struct Attempt<'r> {
    retries: &'r Retries,
    until: Option<Instant>,
    pause: Duration,
}

impl Attempt<'_> {
    /// Waits until it may be asked for again; gives the error back when it will not pass, or not
    /// in time.
    pub(super) async fn again<E: Passing>(&mut self, error: E) -> Result<(), E> {
        let now = Instant::now();
        let until = *self.until.get_or_insert(now + PATIENCE);
        if !error.is_passing() || now >= until {
            return Err(error);
        }
        tracing::debug!(%error, "a page is asked for again");
        self.retries.0.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("corkboard_origin_upkeep_retries_total").increment(1);
        sleep(uneven(self.pause).min(until - now)).await;
        self.pause = (self.pause * 2).min(LONGEST);
        Ok(())
    }
}

/// Between a half and one and a half of it: those that failed together do not come together.
fn uneven(pause: Duration) -> Duration {
    // Without chance all wait alike, which is no reason to fail.
    let chance = getrandom::u32().unwrap_or(u32::MAX / 2);
    pause.mul_f64(0.5 + f64::from(chance) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_passes_is_asked_again_for_a_minute_and_no_longer() {
        let (retries, start) = (Retries::default(), Instant::now());
        let mut attempt = retries.begin();
        while attempt.again(CallError::Away).await.is_ok() {}
        assert_eq!(start.elapsed().as_secs(), PATIENCE.as_secs());
        let count = retries.count();
        assert!((25..100).contains(&count), "asked {count} times");
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_pass_is_not_asked_again() {
        let (retries, start) = (Retries::default(), Instant::now());
        assert!(retries.begin().again(CallError::Restless).await.is_err());
        assert_eq!((retries.count(), start.elapsed()), (0, Duration::ZERO));
    }
}
