//! Answers kept for the next render that asks the same: bounded in bytes, least recently used out
//! first.
//!
//! An own map rather than a cache library, for two reasons. Age has to follow the injected clock,
//! or five minutes could only be tested in five minutes. And looking up, joining a call in flight
//! and starting one have to be one step under one lock (see [`crate::shared`]), with an owned task
//! as the filler. What is left after that is this file.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use corkboard_core::time::Timestamp;

use crate::body::weight;
use crate::call::Answer;
use crate::request::{CacheKey, LONGEST_MAX_AGE, LONGEST_STALE};

/// Statuses that are as good as an answer for a while: what is not there now is not there in a moment.
const LASTING: [u16; 2] = [404, 410];
pub(crate) const LASTING_MAX_AGE: Duration = Duration::from_secs(10);

/// Whether a failure of this status is remembered for a moment.
pub(crate) fn is_lasting(status: u16) -> bool {
    LASTING.contains(&status)
}

/// Nobody reads what is older, not even in place of a failure.
const LONGEST_KEPT: Duration = LONGEST_MAX_AGE.saturating_add(LONGEST_STALE);

/// Key, place in the order of use and map overhead, per entry.
const ENTRY_OVERHEAD: usize = 256;

#[derive(Debug)]
struct Entry {
    answer: Answer,
    fetched: Timestamp,
    weight: usize,
    /// When it was last used, as a count of uses.
    used: u64,
}

#[derive(Debug)]
pub(crate) struct Cache {
    entries: HashMap<CacheKey, Entry>,
    by_use: BTreeMap<u64, CacheKey>,
    uses: u64,
    weight: usize,
    capacity: usize,
}

impl Cache {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            entries: HashMap::new(),
            by_use: BTreeMap::new(),
            uses: 0,
            weight: 0,
            capacity,
        }
    }

    /// The answer, if there is one younger than the reader wants. The reader decides, not the one
    /// who filled: a template that wants five minutes never sees an older answer because another
    /// template wanted four hours.
    pub(crate) fn get(
        &mut self,
        key: &CacheKey,
        max_age: Duration,
        now: Timestamp,
    ) -> Option<Answer> {
        let entry = self.entries.get_mut(key)?;
        let stepped_back = now < entry.fetched;
        let age = now.since(entry.fetched);
        if stepped_back || age >= LONGEST_KEPT {
            self.remove(key);
            return None;
        }
        let kept = if entry.answer.is_success() {
            max_age
        } else {
            max_age.min(LASTING_MAX_AGE)
        };
        if age >= kept {
            return None;
        }
        self.uses += 1;
        self.by_use.remove(&entry.used);
        entry.used = self.uses;
        self.by_use.insert(self.uses, *key);
        Some(entry.answer.clone())
    }

    /// A good answer to stand in for a failure.
    pub(crate) fn get_stale(
        &mut self,
        key: &CacheKey,
        max_age: Duration,
        now: Timestamp,
    ) -> Option<Answer> {
        let answer = self.get(key, max_age, now)?;
        answer.is_success().then_some(answer)
    }

    /// Keeps a good answer, and for a short while one that says that there is nothing, at the cost of
    /// the least recently used ones. One that is larger than an eighth of the whole is not kept: it
    /// would push out too much.
    pub(crate) fn put(&mut self, key: CacheKey, answer: Answer, now: Timestamp) {
        if !answer.is_success() && !is_lasting(answer.status) {
            return;
        }
        self.remove(&key);
        let weight = ENTRY_OVERHEAD + weight(&answer.body);
        if weight > self.capacity / 8 {
            return;
        }
        self.uses += 1;
        self.by_use.insert(self.uses, key);
        self.entries.insert(
            key,
            Entry {
                answer,
                fetched: now,
                weight,
                used: self.uses,
            },
        );
        self.weight += weight;
        while self.weight > self.capacity {
            let Some((_, oldest)) = self.by_use.pop_first() else {
                break;
            };
            self.remove(&oldest);
        }
    }

    fn remove(&mut self, key: &CacheKey) {
        if let Some(entry) = self.entries.remove(key) {
            self.by_use.remove(&entry.used);
            self.weight -= entry.weight;
        }
    }

    pub(crate) fn weight(&self) -> usize {
        self.weight
    }
}

#[cfg(test)]
mod tests;
