//! Process memory: values bounded in bytes, and the flights that bring them.
//!
//! A *flight* is one reader's way to the next tier, on behalf of all who want the same key. It may
//! leave its value here only if nothing was voided since it began: value and flight lie under one
//! lock, so there is no moment at which an old value could slip in. A reader that comes after a void
//! never joins a flight from before it.
//!
//! Where the next tier is nearly as quick as memory itself, a flight costs more than it saves: there a
//! reader takes a [`Mark`] and may leave what it found as long as nothing near it was voided since.
//!
//! Admission is S3-FIFO: a new value waits in a short queue and moves to the long one only if it is
//! read again before its turn to leave comes, so that a send's readers, most of whom come once, do
//! not drive out those who come often. No lock is held for longer than a few map operations.

mod flight;
mod segment;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use xxhash_rust::xxh3::xxh3_64;

use flight::Flight;
pub use flight::{Landed, Lead, Missed, Passenger};
use segment::Segment;

use crate::key::Key;

/// Locks are taken for less than a microsecond; so many that cores rarely meet.
const SEGMENTS: usize = 64;

/// What a value costs.
pub trait Weigh {
    /// Bytes, roughly, of all that the value alone keeps alive.
    fn weight(&self) -> usize;
}

/// Values by key, and the flights that are under way.
pub struct Memory<V, E> {
    segments: Box<[Mutex<Segment<V, E>>]>,
}

/// What a reader finds.
#[derive(Debug)]
pub enum Joined<V, E> {
    Here(V),
    /// Somebody is on the way already.
    Flying(Passenger<V, E>),
    /// Nobody is: the caller goes, and lands with what it finds.
    Leads(Lead<V, E>),
}

/// What a reader sees who brings the value by itself.
#[derive(Debug)]
pub enum Seen<V, E> {
    Here(V),
    /// Somebody is on the way to the source: better wait for what is brought from there.
    Flying(Passenger<V, E>),
    Nothing(Mark),
}

/// A moment in the life of the keys around one: see [`Memory::keep`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(u64);

impl<V: Clone + Weigh, E: Clone> Memory<V, E> {
    /// Keeps at most `bytes` of values, keys and what holds them together.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let segment = || Mutex::new(Segment::new(bytes / SEGMENTS));
        Self {
            segments: (0..SEGMENTS).map(|_| segment()).collect(),
        }
    }

    /// The value, if it is here and has not expired.
    pub fn get(&self, key: &[u8]) -> Option<V> {
        self.get_at(key, Instant::now())
    }

    /// The same for whoever knows what time it is.
    pub fn get_at(&self, key: &[u8], now: Instant) -> Option<V> {
        self.segment(key).get(key, now)
    }

    /// The value if it is here and `look` allows to take it; else the flight that is under way, or
    /// the lead of a new one.
    pub fn join(self: &Arc<Self>, key: &Key, look: bool) -> Joined<V, E> {
        let mut segment = self.segment(key.as_bytes());
        if look && let Some(value) = segment.get(key.as_bytes(), Instant::now()) {
            return Joined::Here(value);
        }
        if let Some(flight) = segment.flights.get(key.as_bytes()) {
            return Joined::Flying(flight.board());
        }
        let flight = Arc::new(Flight::new());
        segment.flights.insert(key.clone(), Arc::clone(&flight));
        Joined::Leads(Lead::new(Arc::clone(self), key.clone(), flight))
    }

    /// The value if it is here and `look` allows to take it; else the flight that is under way, or
    /// a mark for what the caller is going to find.
    pub fn see(&self, key: &[u8], look: bool) -> Seen<V, E> {
        let mut segment = self.segment(key);
        if look && let Some(value) = segment.get(key, Instant::now()) {
            return Seen::Here(value);
        }
        match segment.flights.get(key) {
            Some(flight) => Seen::Flying(flight.board()),
            None => Seen::Nothing(Mark(segment.voids)),
        }
    }

    /// Keeps what was found after `mark` was given; whether it did. Keys share marks, so that now and
    /// then the void of another one is enough for a no.
    pub fn keep(&self, key: &Key, value: V, lifetime: Duration, mark: Mark) -> bool {
        let mut segment = self.segment(key.as_bytes());
        let current = Mark(segment.voids) == mark;
        if current {
            segment.insert(key.clone(), value, Instant::now() + lifetime);
        }
        current
    }

    /// Forgets the value and makes sure that nothing that began before leaves one.
    pub fn void(&self, key: &[u8]) {
        let mut segment = self.segment(key);
        segment.voids += 1;
        segment.remove(key);
        segment.flights.remove(key);
    }

    /// Voids everything.
    pub fn flush(&self) {
        for segment in &self.segments {
            let mut segment = lock(segment);
            segment.voids += 1;
            segment.clear();
            segment.flights.clear();
        }
    }

    /// Keeps a value that did not come by a flight: nothing that can be overtaken by a write.
    pub fn insert(&self, key: Key, value: V, lifetime: Duration) {
        let mut segment = self.segment(key.as_bytes());
        segment.insert(key, value, Instant::now() + lifetime);
    }

    /// Bytes kept now.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.segments.iter().map(|one| lock(one).bytes()).sum()
    }

    /// Values kept now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.segments.iter().map(|one| lock(one).len()).sum()
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends a flight; its value stays if nothing was voided since it began.
    fn land(&self, key: &Key, flight: &Arc<Flight<V, E>>, value: V, lifetime: Duration) -> bool {
        let mut segment = self.segment(key.as_bytes());
        let current = segment.end(key, flight);
        if current {
            segment.insert(key.clone(), value, Instant::now() + lifetime);
        }
        current
    }
}

impl<V, E> Memory<V, E> {
    /// Ends a flight that brings nothing; whether it was still the one of its key.
    fn end(&self, key: &Key, flight: &Arc<Flight<V, E>>) -> bool {
        self.segment(key.as_bytes()).end(key, flight)
    }

    fn segment(&self, key: &[u8]) -> MutexGuard<'_, Segment<V, E>> {
        // The upper half: the map inside uses the lower one of another hash.
        let place = (xxh3_64(key) >> 32) as usize % SEGMENTS;
        lock(&self.segments[place])
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in here can be left half done by a panic elsewhere.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<V, E> fmt::Debug for Memory<V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
