//! One way to the next tier, for all who want the same key.

use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::Notify;

use super::{Memory, Weigh};
use crate::key::Key;

/// What a flight ended with; `None`: its leader was dropped on the way.
type Outcome<V, E> = Option<Result<V, E>>;

/// A flight under way. A channel would do, but thousands of flights begin and end in a second, most of
/// them with one passenger.
#[derive(Debug)]
pub(super) struct Flight<V, E> {
    outcome: OnceLock<Outcome<V, E>>,
    over: Notify,
}

impl<V, E> Flight<V, E> {
    pub(super) fn new() -> Self {
        Self {
            outcome: OnceLock::new(),
            over: Notify::new(),
        }
    }

    pub(super) fn board(self: &Arc<Self>) -> Passenger<V, E> {
        Passenger {
            flight: Arc::clone(self),
        }
    }

    /// Its first end is its only one.
    fn end(&self, outcome: Outcome<V, E>) {
        if self.outcome.set(outcome).is_ok() {
            self.over.notify_waiters();
        }
    }
}

/// Waits for a flight that somebody else leads.
#[derive(Debug)]
pub struct Passenger<V, E> {
    flight: Arc<Flight<V, E>>,
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
    pub async fn wait(self) -> Result<V, Missed<E>> {
        let mut over = pin!(self.flight.over.notified());
        // Before the look: an end in between is heard.
        over.as_mut().enable();
        let outcome = match self.flight.outcome.get() {
            Some(outcome) => Some(outcome),
            None => {
                over.await;
                self.flight.outcome.get()
            }
        };
        match outcome {
            Some(Some(Ok(value))) => Ok(value.clone()),
            Some(Some(Err(error))) => Err(Missed::Failed(error.clone())),
            Some(None) | None => Err(Missed::Abandoned),
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
        self.flight.end(Some(outcome));
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
        if self.flight.outcome.get().is_none() {
            self.memory.end(&self.key, &self.flight);
            self.flight.end(None);
        }
    }
}
