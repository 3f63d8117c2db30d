//! The protocol of one key: absent, leased to one filler, or filled.
//!
//! - *look*: the value, or the lease if there is neither a value nor a lease;
//! - *fill*: put the value in, if the lease is still the one that was given;
//! - *void*: remove whatever is there, lease or value, and tell everybody.
//!
//! A filler that read before a write and fills after it finds its lease gone: the value it would
//! put in is dropped. A filler that dies leaves a lease that ends by itself.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use redis::{Cmd, Value};

use super::link::{Connections, Session};
use super::looks::{Order, Wanted};
use super::script::Step;
use super::{CallError, Redis, Shared, message};
use crate::hashing::random;
use crate::key::Key;

const VALUE: u8 = b'V';
const LEASE: u8 = b'L';

/// ARGV: the lease, the value, milliseconds.
static FILL: Step = Step::new(&["if redis.call('GET', KEYS[1]) == ARGV[1] then \
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) return 1 end return 0"]);
/// ARGV: the lease.
static RELEASE: Step = Step::new(&["if redis.call('GET', KEYS[1]) == ARGV[1] then \
    redis.call('DEL', KEYS[1]) end return 0"]);
/// ARGV: the channel, the message.
static VOID: Step = Step::new(&[
    "redis.call('DEL', unpack(KEYS)) redis.call('PUBLISH', ARGV[1], ARGV[2]) return 1",
]);

/// Keys voided in one step: a step blocks Redis for less than a millisecond.
const KEYS_AT_A_TIME: usize = 500;
/// Steps of a Cluster at a time, one for each key.
const STEPS_AT_A_TIME: usize = 64;

/// What a look finds.
#[derive(Debug)]
pub enum Looked {
    Value(Vec<u8>),
    /// There is nothing: the caller is the one to bring it.
    Lease(Token),
    /// Somebody else is bringing it.
    Leased,
}

/// The right to fill one key, at one time of Redis's life.
#[derive(Clone)]
pub struct Token {
    lease: Vec<u8>,
    name: Vec<u8>,
    key: Key,
    life: Arc<str>,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").finish_non_exhaustive()
    }
}

impl Redis {
    /// The value of a key, or the lease on it for `lease`.
    ///
    /// # Errors
    ///
    /// When Redis has no say: away, late, or refusing (out of memory, read-only).
    pub async fn look(&self, key: &Key, lease: Duration) -> Result<Looked, CallError> {
        if self.is_cold() {
            match self.take(key, lease).await {
                // What is there may still be read, by whoever does not ask for a write.
                Err(CallError::Refused(_)) => self.shared.warmth.presume_warm(),
                looked => {
                    if let Ok(looked) = &looked {
                        let is_value = matches!(looked, Looked::Value(_));
                        self.shared.looked(is_value);
                    }
                    return looked;
                }
            }
        }
        if let Some(looked) = self.glance(key).await? {
            return Ok(looked);
        }
        self.take(key, lease).await
    }

    /// Whether so many looks find nothing that [`Redis::look`] asks for the lease at once, in one
    /// journey instead of two: better than a [`Redis::glance`] for whoever would go on to the source.
    #[must_use]
    pub fn is_cold(&self) -> bool {
        self.shared.warmth.is_cold()
    }

    /// What is there: a value, or that somebody has the lease.
    ///
    /// # Errors
    ///
    /// As [`Redis::look`].
    pub async fn glance(&self, key: &Key) -> Result<Option<Looked>, CallError> {
        let mut answers = self.find(key, Wanted::Value).await?;
        let looked = answers.pop().and_then(read);
        let is_value = matches!(looked, Some(Looked::Value(_)));
        self.shared.looked(is_value);
        Ok(looked)
    }

    /// The lease, or what has come since there was nothing.
    ///
    /// # Errors
    ///
    /// As [`Redis::look`].
    pub async fn take(&self, key: &Key, lease: Duration) -> Result<Looked, CallError> {
        let life = self.shared.link.session()?.namespace;
        let name = self.shared.name(&life, key);
        let token = [&[LEASE], &random().to_be_bytes()[..]].concat();
        let mut set = redis::cmd("SET");
        set.arg(&name).arg(&token).arg("NX").arg("GET");
        set.arg("PX").arg(millis(lease));
        let before = self.have_done(key, &life, Order::Call(set)).await?;
        Ok(read(before).unwrap_or(Looked::Lease(Token {
            lease: token,
            name,
            key: key.clone(),
            life,
        })))
    }

    /// Puts a value in, unless the lease has ended or was voided; whether it is in.
    ///
    /// # Errors
    ///
    /// As [`Redis::look`].
    pub async fn fill(
        &self,
        token: &Token,
        value: &[u8],
        lifetime: Duration,
    ) -> Result<bool, CallError> {
        let order = token.filling(value, lifetime);
        let done = self.have_done(&token.key, &token.life, order).await?;
        Ok(done == Value::Int(1))
    }

    /// The same without waiting for it, for whoever does nothing else about it.
    pub fn fill_later(&self, token: &Token, value: &[u8], lifetime: Duration) {
        let order = token.filling(value, lifetime);
        self.ask_to_do(&token.key, &token.life, order);
    }

    /// Gives a lease back, so that nobody waits for its end.
    pub async fn release(&self, token: &Token) {
        let order = token.returning();
        let _ = self.have_done(&token.key, &token.life, order).await;
    }

    /// The same without waiting for it.
    pub fn release_later(&self, token: &Token) {
        self.ask_to_do(&token.key, &token.life, token.returning());
    }

    /// Voids keys and tells every process. What cannot be delivered is owed: this process does not
    /// look for those keys until it is. Whether all was delivered.
    pub async fn void(&self, keys: &[Key], loud: bool) -> bool {
        self.shared.void(keys, loud).await
    }

    /// Owes voids without waiting: for whoever is interrupted between a write and its void.
    pub fn owe(&self, keys: &[Key]) {
        self.shared.debts.add(keys);
    }
}

impl Token {
    fn filling(&self, value: &[u8], lifetime: Duration) -> Order {
        let mut arguments = Cmd::new();
        arguments.arg(1).arg(&self.name).arg(&self.lease);
        arguments.arg([&[VALUE], value].concat());
        arguments.arg(millis(lifetime));
        Order::Run(&FILL, arguments)
    }

    fn returning(&self) -> Order {
        let mut arguments = Cmd::new();
        arguments.arg(1).arg(&self.name).arg(&self.lease);
        Order::Run(&RELEASE, arguments)
    }
}

impl Shared {
    pub(super) async fn void(&self, keys: &[Key], loud: bool) -> bool {
        let mut delivered = true;
        for keys in keys.chunks(KEYS_AT_A_TIME) {
            if let Err(error) = self.try_void(keys, loud).await {
                tracing::debug!(%error, keys = keys.len(), "voids are owed");
                metrics::counter!("corkboard_cache_voids_owed_total").increment(keys.len() as u64);
                self.debts.add(keys);
                delivered = false;
            }
        }
        delivered
    }

    async fn try_void(&self, keys: &[Key], loud: bool) -> Result<(), CallError> {
        if !self.circuit.is_closed() {
            return Err(CallError::Away);
        }
        let session = self.link.session()?;
        self.void_in(&session, keys, loud).await
    }

    /// Voids keys, whatever the circuit says.
    pub(super) async fn void_in(
        &self,
        session: &Session,
        keys: &[Key],
        loud: bool,
    ) -> Result<(), CallError> {
        if keys.is_empty() {
            return Ok(());
        }
        if matches!(session.connections, Connections::One(_)) {
            return self.void_step(session, keys, loud).await;
        }
        // Keys of a Cluster are in different places: one step each.
        let mut outcome = Ok(());
        for some in keys.chunks(STEPS_AT_A_TIME) {
            let mut steps = Vec::with_capacity(some.len());
            for key in some {
                steps.push(self.void_step(session, std::slice::from_ref(key), loud));
            }
            for step in join_all(steps).await {
                outcome = outcome.and(step);
            }
        }
        outcome
    }

    async fn void_step(
        &self,
        session: &Session,
        keys: &[Key],
        loud: bool,
    ) -> Result<(), CallError> {
        let message = message::voided(self.id, keys, loud);
        let command = |script: &mut Cmd| {
            script.arg(keys.len());
            for key in keys {
                script.arg(self.name(&session.namespace, key));
            }
            script.arg(self.channel()).arg(&message);
        };
        self.step(session, &VOID, command).await.map(|_| ())
    }
}

fn read(answer: Value) -> Option<Looked> {
    let Value::BulkString(mut bytes) = answer else {
        return None;
    };
    Some(match bytes.first() {
        Some(&VALUE) => {
            bytes.remove(0);
            Looked::Value(bytes)
        }
        _ => Looked::Leased,
    })
}

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}
