//! Reading through all tiers, and voiding in all of them.
//!
//! What is found further away is left in the tiers before, unless it was voided meanwhile. The look
//! goes on when the reader who began it leaves: those who wait for it have not.

mod further;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use metrics::Counter;
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;

use crate::admission::{Admission, Busy};
use crate::key::Key;
use crate::memory::{Joined, Memory, Missed, Passenger, Seen, Weigh};
use crate::redis::Redis;
use further::Glanced;

/// The bounds of reading through the tiers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierOptions {
    /// Bytes of process memory.
    pub memory_bytes: usize,
    /// How long a value stays in memory, give or take a fifth.
    pub memory_lifetime: Duration,
    /// How long it stays in Redis, give or take a fifth.
    pub redis_lifetime: Duration,
    /// How long one process may take to bring a value before another one may try.
    pub lease: Duration,
    /// Longest that a reader waits.
    pub patience: Duration,
    /// Parts of the source, each with its own turns.
    pub parts: usize,
    /// Turns of each part at a time.
    pub at_a_time: usize,
    /// Readers that may wait for a turn at each part, and for how long.
    pub waiting: usize,
    pub turn: Duration,
    /// Looks under way at a time, whatever they wait for.
    pub flights: usize,
}

impl Default for TierOptions {
    fn default() -> Self {
        Self {
            memory_bytes: 64 << 20,
            memory_lifetime: Duration::from_secs(60),
            redis_lifetime: Duration::from_secs(600),
            lease: Duration::from_secs(2),
            patience: Duration::from_secs(5),
            parts: 1,
            at_a_time: 16,
            waiting: 4_096,
            turn: Duration::from_millis(500),
            flights: 32_768,
        }
    }
}

/// How a value is kept in Redis.
pub trait Codec<V>: Send + Sync {
    fn encode(&self, value: &V) -> Vec<u8>;
    /// `None` for what another version of this program has written.
    fn decode(&self, bytes: &[u8]) -> Option<V>;
}

/// Why there is no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError<E> {
    #[error("too many read at once; try again later")]
    Busy,
    #[error("the source did not answer in time")]
    TimedOut,
    /// What the source said, to all who waited for it.
    #[error("the source failed")]
    Source(E),
}

impl<E> From<Busy> for ReadError<E> {
    fn from(_: Busy) -> Self {
        Self::Busy
    }
}

/// The tiers before one kind of value. Cheap to clone.
pub struct Tiers<V, E> {
    inner: Arc<Inner<V, E>>,
}

impl<V, E> Clone for Tiers<V, E> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

struct Inner<V, E> {
    memory: Arc<Memory<V, ReadError<E>>>,
    redis: OnceLock<Redis>,
    codec: Box<dyn Codec<V>>,
    admission: Admission,
    options: TierOptions,
    tasks: TaskTracker,
    /// Reads by the tier that answered them: counted often enough to keep the handles.
    from_memory: Counter,
    from_redis: Counter,
    from_source: Counter,
}

impl<V, E> Tiers<V, E>
where
    V: Clone + Weigh + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    /// Memory before the source, until [`Tiers::share`] puts Redis between them. Looks are tasks of
    /// `tasks`.
    #[must_use]
    pub fn new(codec: Box<dyn Codec<V>>, options: TierOptions, tasks: TaskTracker) -> Self {
        let (parts, turns) = (options.parts, options.at_a_time);
        let inner = Inner {
            memory: Arc::new(Memory::new(options.memory_bytes)),
            redis: OnceLock::new(),
            codec,
            admission: Admission::new(parts, turns, options.waiting, options.turn),
            tasks,
            options,
            from_memory: metrics::counter!("corkboard_cache_reads_total", "tier" => "memory"),
            from_redis: metrics::counter!("corkboard_cache_reads_total", "tier" => "redis"),
            from_source: metrics::counter!("corkboard_cache_reads_total", "tier" => "source"),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Puts Redis between memory and source; once.
    pub fn share(&self, redis: Redis) {
        let _ = self.inner.redis.set(redis);
    }

    /// The memory tier, for whoever hears of changes.
    #[must_use]
    pub fn memory(&self) -> &Arc<Memory<V, ReadError<E>>> {
        &self.inner.memory
    }

    /// What memory has, if it is trusted now.
    #[must_use]
    pub fn at_hand(&self, key: &[u8], now: Instant) -> Option<V> {
        let inner = &self.inner;
        if !inner.trusts_memory() {
            return None;
        }
        let value = inner.memory.get_at(key, now)?;
        inner.from_memory.increment(1);
        Some(value)
    }

    /// The value of a key. `load` asks the source, which divides it by `part`; it is called at most
    /// once, and not at all when a tier has the value or somebody else is bringing it.
    ///
    /// # Errors
    ///
    /// [`ReadError`]; an error is not kept.
    pub async fn read<F, Fut>(&self, key: &Key, part: usize, load: F) -> Result<V, ReadError<E>>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
    {
        let inner = &self.inner;
        let mut vacant = false;
        match inner.memory.see(key.as_bytes(), inner.trusts_memory()) {
            Seen::Here(value) => {
                inner.from_memory.increment(1);
                return Ok(value);
            }
            Seen::Flying(passenger) => return inner.await_flight(passenger).await,
            // Whoever finds nothing goes on a flight: where most do, it looks, and takes the lease with it.
            Seen::Nothing(_) if inner.is_cold() => {}
            Seen::Nothing(mark) => match inner.glance(key, mark).await {
                Glanced::Value(value) => return Ok(value),
                Glanced::Vacant => vacant = true,
                Glanced::Unsure => {}
                Glanced::Crowded => return Err(ReadError::Busy),
            },
        }
        let passenger = match inner.memory.join(key, inner.trusts_memory()) {
            Joined::Here(value) => {
                inner.from_memory.increment(1);
                return Ok(value);
            }
            Joined::Flying(passenger) => passenger,
            Joined::Leads(lead) => {
                if inner.tasks.len() >= inner.options.flights {
                    return Err(ReadError::Busy);
                }
                let passenger = lead.board();
                let (flying, key) = (Arc::clone(inner), key.clone());
                inner.tasks.spawn(async move {
                    flying.fly(lead, &key, vacant, part, load).await;
                });
                passenger
            }
        };
        inner.await_flight(passenger).await
    }

    /// Makes sure that nothing read before is served or kept any more, here and everywhere. After
    /// the write is durable, before it is acknowledged. `loud`: something really changed.
    pub async fn void(&self, keys: &[Key], loud: bool) {
        let inner = &self.inner;
        inner.void_memory(keys);
        if let Some(redis) = inner.redis.get() {
            redis.void(keys, loud).await;
            // A reader may have taken the old value out of Redis in between.
            inner.void_memory(keys);
        }
    }

    /// The same without waiting, for whoever is interrupted: memory now, the rest within moments.
    pub fn void_later(&self, keys: &[Key]) {
        if let Some(redis) = self.inner.redis.get() {
            redis.owe(keys);
        }
        self.inner.void_memory(keys);
    }
}

impl<V, E> Inner<V, E>
where
    V: Clone + Weigh + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    fn trusts_memory(&self) -> bool {
        self.redis.get().is_none_or(Redis::is_trusted)
    }

    async fn await_flight(&self, passenger: Passenger<V, ReadError<E>>) -> Result<V, ReadError<E>> {
        match timeout(self.options.patience, passenger.wait()).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(Missed::Failed(error))) => Err(error),
            Ok(Err(Missed::Abandoned)) => Err(ReadError::Busy),
            Err(_) => Err(ReadError::TimedOut),
        }
    }

    fn void_memory(&self, keys: &[Key]) {
        for key in keys {
            self.memory.void(key.as_bytes());
        }
    }
}

impl<V, E> fmt::Debug for Tiers<V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tiers").finish_non_exhaustive()
    }
}
