//! One call for many who ask the same: the cache, and the calls in flight that will fill it.
//!
//! Looking up, joining and beginning are one step under one lock, so there is never a second call
//! for a key. The one who begins does not make the call itself but hands a [`Lead`] to an owned
//! task: a caller that goes away takes nothing from the others. Failures that may pass are shared
//! with those who are waiting and not remembered: the next to ask tries again, and there is at most
//! one such try at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use corkboard_core::time::SharedClock;
use tokio::sync::watch;

use crate::cache::Cache;
use crate::call::Answer;
use crate::request::{CacheKey, Sharing};

pub(crate) type Landing = watch::Receiver<Option<Answer>>;

#[derive(Debug)]
struct State {
    cache: Cache,
    in_flight: HashMap<CacheKey, Landing>,
}

#[derive(Debug, Clone)]
pub(crate) struct Shared {
    state: Arc<Mutex<State>>,
    clock: SharedClock,
}

/// What there is for a key.
#[derive(Debug)]
pub(crate) enum Found {
    Cached(Answer),
    /// Somebody else's call.
    InFlight(Landing),
    /// Nothing: the caller has to see to it that the call is made.
    Nothing(Lead, Landing),
}

impl Shared {
    pub(crate) fn new(capacity: usize, clock: SharedClock) -> Self {
        let state = State {
            cache: Cache::new(capacity),
            in_flight: HashMap::new(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            clock,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn find(&self, sharing: Sharing) -> Found {
        let now = self.clock.now();
        let mut state = self.state();
        if let Some(answer) = state.cache.get(&sharing.key, sharing.max_age, now) {
            return Found::Cached(answer);
        }
        if let Some(landing) = state.in_flight.get(&sharing.key) {
            return Found::InFlight(landing.clone());
        }
        let (announce, landing) = watch::channel(None);
        state.in_flight.insert(sharing.key, landing.clone());
        let lead = Lead {
            shared: self.clone(),
            key: sharing.key,
            announce,
        };
        Found::Nothing(lead, landing)
    }

    /// An answer that is too old, in place of a failure.
    pub(crate) fn stale(&self, sharing: Sharing) -> Option<Answer> {
        let now = self.clock.now();
        let max_age = sharing.max_age + sharing.stale;
        self.state().cache.get_stale(&sharing.key, max_age, now)
    }

    /// Bytes held by the cache.
    pub(crate) fn weight(&self) -> usize {
        self.state().cache.weight()
    }
}

/// The duty to bring an answer for a key. Dropped without one, those who wait are told at once.
#[derive(Debug)]
pub(crate) struct Lead {
    shared: Shared,
    key: CacheKey,
    announce: watch::Sender<Option<Answer>>,
}

impl Lead {
    /// Announces the answer to all who wait, and keeps it if it lasts.
    pub(crate) fn land(self, answer: Answer) {
        let age = answer.age.unwrap_or_default();
        let fetched = self.shared.clock.now().minus(age);
        let mut state = self.shared.state();
        state.cache.put(self.key, answer.clone(), fetched);
        drop(state);
        self.announce.send_replace(Some(answer));
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.shared.state().in_flight.remove(&self.key);
    }
}

#[cfg(test)]
mod tests;
