//! One way to the next tier, for all who want the same key.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::{Memory, Weigh};
use crate::key::Key;

/// What a flight ended with; `None` while it is under way.
type Outcome<V, E> = Option<Result<V, E>>;

/// A flight under way.
#[derive(Debug)]
pub(super) struct Flight<V, E> {
    outcome: watch::Sender<Outcome<V, E>>,
}

impl<V, E> Flight<V, E> {
    pub(super) fn new() -> Self {
        let (outcome, _) = watch::channel(None);
        Self { outcome }
    }

    pub(super) fn board(&self) -> Passenger<V, E> {
        Passenger {
            outcome: self.outcome.subscribe(),
        }
    }
}

/// Waits for a flight that somebody else leads.
#[derive(Debug)]
pub struct Passenger<V, E> {
    outcome: watch::Receiver<Outcome<V, E>>,
}

/// Why a passenger has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missed<E> {
    /// What the leader met with.
    Failed(E),
    /// The leader was dropped on its way.
    Abandoned,
}

impl<V: Clone, E: Clone> Passenger<V, E> {
    /// Waits for the end of the flight.
    ///
    /// # Errors
    ///
    /// What the flight ended with, if not with a value.
    pub async fn wait(mut self) -> Result<V, Missed<E>> {
        let Ok(outcome) = self.outcome.wait_for(Option::is_some).await else {
            return Err(Missed::Abandoned);
        };
        match outcome.as_ref() {
            Some(Ok(value)) => Ok(value.clone()),
            Some(Err(error)) => Err(Missed::Failed(error.clone())),
            None => Err(Missed::Abandoned),
        }
    }
}

/// The right and the duty to bring a value. Dropped without landing, the flight is abandoned.
#[derive(Debug)]
pub struct Lead<V, E> {
    memory: Arc<Memory<V, E>>,
    key: Key,
    flight: Arc<Flight<V, E>>,
}

/// Whether a landed value stays in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Landed {
    Kept,
    /// It was voided while it was under way; those who wait get it, nobody else.
    Voided,
}

impl<V: Clone + Weigh, E: Clone> Lead<V, E> {
    pub(super) fn new(memory: Arc<Memory<V, E>>, key: Key, flight: Arc<Flight<V, E>>) -> Self {
        Self {
            memory,
            key,
            flight,
        }
    }

    /// Waits for one's own flight, which somebody else will land.
    #[must_use]
    pub fn board(&self) -> Passenger<V, E> {
        self.flight.board()
    }

    /// Ends the flight. A value may stay for `lifetime`; zero keeps none.
    pub fn land(self, outcome: Result<V, E>, lifetime: Duration) -> Landed {
        let current = match &outcome {
            Ok(value) if !lifetime.is_zero() => {
                let value = value.clone();
                self.memory.land(&self.key, &self.flight, value, lifetime)
            }
            _ => self.memory.end(&self.key, &self.flight),
        };
        self.flight.outcome.send_replace(Some(outcome));
        if current {
            Landed::Kept
        } else {
            Landed::Voided
        }
    }
}

impl<V, E> Drop for Lead<V, E> {
    fn drop(&mut self) {
        // After landing there is nothing left to end.
        self.memory.end(&self.key, &self.flight);
    }
}
