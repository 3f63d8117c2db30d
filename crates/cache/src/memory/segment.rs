//! One part of the memory: values in two queues, bounded in bytes.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use tokio::time::Instant;
use xxhash_rust::xxh3::xxh3_64;

use super::Weigh;
use super::flight::Flight;
use crate::hashing::Seeded;
use crate::key::Key;

/// What a value costs beside itself and its key: map and queue entries.
const OVERHEAD: usize = 208;
/// The short queue's part of the bytes, in tenths.
const YOUNG_TENTHS: usize = 1;
/// More reads than this do not make a value stay longer.
const MOST_READS: u8 = 3;

/// Values in two queues, and the flights of their keys.
#[derive(Debug)]
pub(super) struct Segment<V, E> {
    pub(super) flights: HashMap<Key, Arc<Flight<V, E>>, Seeded>,
    /// How often a key was voided.
    pub(super) voids: u64,
    entries: HashMap<Key, Entry<V>, Seeded>,
    /// New values, oldest first.
    young: Queue,
    /// Values that were read while they were young, oldest first.
    old: Queue,
    /// Hashes of keys that left unread, in the order of their leaving: who comes back soon is old
    /// at once.
    left: VecDeque<u64>,
    left_set: HashSet<u64, Seeded>,
    most: usize,
    next: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    weight: usize,
    expires: Instant,
    reads: u8,
    old: bool,
    /// Of its place in the queue: places of values that are gone are skipped.
    number: u64,
}

#[derive(Debug, Default)]
struct Queue {
    places: VecDeque<(Key, u64)>,
    bytes: usize,
}

impl<V: Clone + Weigh, E> Segment<V, E> {
    pub(super) fn new(most: usize) -> Self {
        Self {
            flights: HashMap::default(),
            voids: 0,
            entries: HashMap::default(),
            young: Queue::default(),
            old: Queue::default(),
            left: VecDeque::new(),
            left_set: HashSet::default(),
            most,
            next: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.young.bytes + self.old.bytes
    }

    /// Places in both queues, those of values that are gone included.
    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        self.young.places.len() + self.old.places.len()
    }

    pub(super) fn get(&mut self, key: &[u8], now: Instant) -> Option<V> {
        let entry = self.entries.get_mut(key)?;
        if entry.expires <= now {
            self.remove(key);
            return None;
        }
        entry.reads = (entry.reads + 1).min(MOST_READS);
        Some(entry.value.clone())
    }

    /// Keeps a value, unless it would take more than a quarter of the room.
    pub(super) fn insert(&mut self, key: Key, value: V, expires: Instant) {
        self.remove(key.as_bytes());
        let weight = value.weight() + key.far_bytes() + OVERHEAD;
        if weight > self.most / 4 {
            return;
        }
        let old = self.left_set.remove(&xxh3_64(key.as_bytes()));
        self.next += 1;
        let number = self.next;
        let entry = Entry {
            value,
            weight,
            expires,
            reads: 0,
            old,
            number,
        };
        let queue = if old { &mut self.old } else { &mut self.young };
        queue.push(key.clone(), number, weight);
        self.entries.insert(key, entry);
        while self.bytes() > self.most && self.make_room() {}
        self.tidy();
    }

    pub(super) fn remove(&mut self, key: &[u8]) {
        if let Some(entry) = self.entries.remove(key) {
            let queue = if entry.old {
                &mut self.old
            } else {
                &mut self.young
            };
            queue.bytes -= entry.weight;
        }
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.young = Queue::default();
        self.old = Queue::default();
    }

    /// Takes one place off a queue; false when there is none.
    fn make_room(&mut self) -> bool {
        let from_young = self.young.bytes > self.most * YOUNG_TENTHS / 10 || self.old.bytes == 0;
        let queue = if from_young {
            &mut self.young
        } else {
            &mut self.old
        };
        let Some((key, number)) = queue.places.pop_front() else {
            return false;
        };
        let Some(entry) = self.entries.get_mut(key.as_bytes()) else {
            return true;
        };
        if entry.number != number {
            return true;
        }
        if entry.reads == 0 {
            self.remove(key.as_bytes());
            if from_young {
                self.remember_leaving(key.as_bytes());
            }
            return true;
        }
        // Young: it has proved itself. Old: another round, one read the less.
        entry.reads = if from_young { 0 } else { entry.reads - 1 };
        entry.old = true;
        let weight = entry.weight;
        queue.bytes -= weight;
        self.old.push(key, number, weight);
        true
    }

    fn remember_leaving(&mut self, key: &[u8]) {
        let hash = xxh3_64(key);
        if self.left_set.insert(hash) {
            self.left.push_back(hash);
        }
        while self.left.len() > self.entries.len().max(16) {
            if let Some(hash) = self.left.pop_front() {
                self.left_set.remove(&hash);
            }
        }
    }

    /// Drops the places of values that are gone once they are the greater part.
    fn tidy(&mut self) {
        let most = self.entries.len() * 2 + 64;
        for (queue, is_old) in [(&mut self.young, false), (&mut self.old, true)] {
            if queue.places.len() > most {
                queue.places.retain(|(key, number)| {
                    let entry = self.entries.get(key.as_bytes());
                    entry.is_some_and(|entry| entry.number == *number && entry.old == is_old)
                });
            }
        }
    }
}

impl<V, E> Segment<V, E> {
    /// Ends a flight; whether it was still the one of its key.
    pub(super) fn end(&mut self, key: &Key, flight: &Arc<Flight<V, E>>) -> bool {
        let current = self.flights.get(key.as_bytes());
        let is_current = current.is_some_and(|current| Arc::ptr_eq(current, flight));
        if is_current {
            self.flights.remove(key.as_bytes());
        }
        is_current
    }
}

impl Queue {
    fn push(&mut self, key: Key, number: u64, weight: usize) {
        self.places.push_back((key, number));
        self.bytes += weight;
    }
}
