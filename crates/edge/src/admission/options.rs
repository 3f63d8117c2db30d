//! What admission control goes by.

use std::time::Duration;

use super::Inspect;

/// Admission control of one listener.
#[derive(Debug, Clone)]
pub struct AdmissionOptions {
    /// Reads priority and tenant from a request's head.
    pub inspect: Inspect,
    /// Requests in flight that are always admitted; the limit never falls below. What they take is
    /// the measure of what work takes when it waits for nothing.
    pub min_in_flight: u32,
    /// The limit never rises above.
    pub max_in_flight: u32,
    /// Requests that may wait for their turn while there is no congestion.
    pub max_waiting: usize,
    /// How long a request may wait in congestion, that is, when somebody has been waiting for
    /// [`Self::patience`] without a break.
    pub target: Duration,
    /// How long a request may wait otherwise: a burst is served, not refused. Never less than
    /// [`Self::target`].
    pub patience: Duration,
    /// After the start, how long the ceiling takes to rise from the floor to its value.
    pub slow_start: Duration,
    /// What refused clients are told to wait on average; each is told between half and one and a
    /// half of it.
    pub retry_after: Duration,
}

impl AdmissionOptions {
    /// The defaults, which do not shed where the work keeps up.
    #[must_use]
    pub fn new(inspect: Inspect) -> Self {
        Self {
            inspect,
            min_in_flight: 64,
            max_in_flight: 1_024,
            max_waiting: 1_024,
            target: Duration::from_millis(20),
            patience: Duration::from_millis(100),
            slow_start: Duration::from_secs(10),
            retry_after: Duration::from_secs(4),
        }
    }

    pub(crate) fn longest_wait(&self) -> Duration {
        self.patience.max(self.target)
    }
}
