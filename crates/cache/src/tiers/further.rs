//! Beyond memory: Redis, and the source behind it.

use std::mem;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{Inner, ReadError};
use crate::hashing::random;
use crate::key::Key;
use crate::memory::{Lead, Mark, Weigh};
use crate::redis::{CallError, Looked, Redis, Token};

/// A look at whether another process has filled its lease: at first, and at most.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const LONGEST_LOOK: Duration = Duration::from_millis(50);

/// What a reader finds in Redis.
pub(super) enum Glanced<V> {
    Value(V),
    /// Neither a value nor anybody who brings it.
    Vacant,
    /// Redis has no say, or somebody brings the value.
    Unsure,
    /// Too many look into Redis: no reason to ask the source instead.
    Crowded,
}

/// Where a look ends that memory did not.
enum Further<V> {
    Value(V),
    /// At the source, with the right to leave the value in Redis.
    Fill(Token),
    /// At the source; Redis has no say.
    Ask,
    /// Too many look into Redis.
    Crowded,
}

impl<V, E> Inner<V, E>
where
    V: Clone + Weigh + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    /// Whether it is better to go on a flight at once than to look into Redis first.
    pub(super) fn is_cold(&self) -> bool {
        self.redis.get().is_some_and(Redis::is_cold)
    }

    /// One look into Redis by the reader himself: most end there.
    pub(super) async fn glance(&self, key: &Key, mark: Mark) -> Glanced<V> {
        let Some(redis) = self.redis.get() else {
            return Glanced::Unsure;
        };
        match redis.glance(key).await {
            Ok(None) => Glanced::Vacant,
            Ok(Some(Looked::Value(bytes))) => match self.codec.decode(&bytes) {
                Some(value) => {
                    self.from_redis.increment(1);
                    let lifetime = jittered(self.options.memory_lifetime, key);
                    self.memory.keep(key, value.clone(), lifetime, mark);
                    Glanced::Value(value)
                }
                None => Glanced::Unsure,
            },
            Err(CallError::Crowded) => Glanced::Crowded,
            Ok(Some(_)) | Err(_) => Glanced::Unsure,
        }
    }

    /// `vacant`: a moment ago there was neither a value nor a lease in Redis.
    pub(super) async fn fly<F, Fut>(
        &self,
        lead: Lead<V, ReadError<E>>,
        key: &Key,
        vacant: bool,
        part: usize,
        load: F,
    ) where
        F: FnOnce() -> Fut + Send,
        Fut: Future<Output = Result<V, E>> + Send,
    {
        let deadline = Instant::now() + self.options.patience;
        let (found, token) = match self.look(key, vacant, deadline).await {
            Further::Value(value) => {
                self.from_redis.increment(1);
                (Ok(value), None)
            }
            Further::Fill(token) => (self.ask(part, deadline, load).await, Some(token)),
            Further::Ask => (self.ask(part, deadline, load).await, None),
            Further::Crowded => (Err(ReadError::Busy), None),
        };
        let filled = token.map(|token| {
            let value = found.as_ref().ok().map(|value| self.codec.encode(value));
            (token, value)
        });
        lead.land(found, jittered(self.options.memory_lifetime, key));
        let Some(redis) = self.redis.get() else {
            return;
        };
        match filled {
            Some((token, Some(value))) => {
                let lifetime = jittered(self.options.redis_lifetime, key);
                redis.fill_later(&token, &value, lifetime);
            }
            Some((token, None)) => redis.release_later(&token),
            None => {}
        }
    }

    /// In Redis, waiting for another process that is bringing the value.
    async fn look(&self, key: &Key, mut vacant: bool, deadline: Instant) -> Further<V> {
        let mut pause = FIRST_LOOK;
        // Not longer than the lease: whoever holds it then has lost it.
        let end = deadline.min(Instant::now() + self.options.lease + LONGEST_LOOK * 2);
        while let Some(redis) = self.redis.get().filter(|redis| redis.admits(key)) {
            let looked = if mem::take(&mut vacant) {
                redis.take(key, self.options.lease).await
            } else {
                redis.look(key, self.options.lease).await
            };
            match looked {
                Ok(Looked::Value(bytes)) => match self.codec.decode(&bytes) {
                    Some(value) => return Further::Value(value),
                    None => {
                        redis.void(std::slice::from_ref(key), false).await;
                    }
                },
                Ok(Looked::Lease(token)) => return Further::Fill(token),
                Ok(Looked::Leased) => {
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_LOOK);
                }
                Err(CallError::Crowded) => return Further::Crowded,
                Err(_) => return Further::Ask,
            }
            if Instant::now() >= end {
                break;
            }
        }
        Further::Ask
    }

    async fn ask<F, Fut>(&self, part: usize, deadline: Instant, load: F) -> Result<V, ReadError<E>>
    where
        F: FnOnce() -> Fut + Send,
        Fut: Future<Output = Result<V, E>> + Send,
    {
        let _turn = self.admission.enter(part).await?;
        let left = deadline.saturating_duration_since(Instant::now());
        match timeout(left, load()).await {
            Ok(loaded) => {
                if loaded.is_ok() {
                    self.from_source.increment(1);
                }
                loaded.map_err(ReadError::Source)
            }
            Err(_) => Err(ReadError::TimedOut),
        }
    }
}

/// A lifetime four to six fifths as long, so that what came together does not go together, here or in
/// another process. To draw a number from the system for each value would cost as much as a part of the
/// read.
fn jittered(lifetime: Duration, key: &Key) -> Duration {
    static SEED: LazyLock<u64> = LazyLock::new(random);
    static DRAWN: AtomicU64 = AtomicU64::new(0);
    let turn = SEED.wrapping_add(DRAWN.fetch_add(1, Relaxed));
    let hash = xxh3_64_with_seed(key.as_bytes(), turn);
    let fifths = 0.8 + 0.4 * (hash % 1_000) as f64 / 1_000.0;
    lifetime.mul_f64(fifths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_spread_over_keys_and_over_times_of_one_key() {
        let second = Duration::from_secs(1);
        let keys: Vec<Key> = (0..1_000_u32)
            .map(|n| Key::from(&n.to_be_bytes()[..]))
            .collect();
        let of_keys = keys.iter().map(|key| jittered(second, key));
        let of_one = (0..1_000).map(|_| jittered(second, &keys[0]));
        for lives in [of_keys.collect::<Vec<_>>(), of_one.collect()] {
            assert!(
                lives
                    .iter()
                    .all(|life| (0.8..1.2).contains(&life.as_secs_f64()))
            );
            let short = lives.iter().filter(|life| **life < second).count();
            assert!((400..600).contains(&short), "{short} of 1,000");
        }
    }
}
