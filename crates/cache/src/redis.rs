//! Redis as the tier that processes share: values under leases, voids that reach every process.
//!
//! One job for each file: [`link`] talks, [`watch`] connects, listens and notices when Redis is
//! gone, [`circuit`] and [`readmission`] decide who may ask, [`lease`] is the protocol, [`debts`] remembers voids that
//! could not be delivered, [`looks`] puts readers together, [`warmth`] notices that there is nothing to be
//! found. [`hashes`] is a protocol of its own, for rows in a public layout.

mod address;
mod circuit;
mod debts;
mod doors;
mod doubt;
mod hashes;
mod lease;
mod link;
mod looks;
mod message;
mod readmission;
mod scan;
mod script;
mod trust;
mod warmth;
mod watch;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use xxhash_rust::xxh3::xxh3_64;

pub use hashes::{HashKept, HashLease, HashLeased, HashLooked, HashRow, HashWrite};
pub use lease::{Looked, Token};
pub use link::CallError;
pub use scan::{HashPage, HashScan};

use crate::hashing::{Seeded, random};
use crate::key::Key;
use address::Address;
use circuit::Circuit;
use debts::Debts;
use link::{Link, Session};
use looks::Looks;
use readmission::Readmission;
use trust::Trust;
use warmth::Warmth;

/// How Redis is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisOptions {
    /// Before the name of every key and channel: installations may share a Redis.
    pub prefix: String,
    /// What the keys are about, in a word; each kind of value has its own.
    pub area: &'static str,
    /// Longest wait for one answer.
    pub timeout: Duration,
    /// Longest wait for a connection.
    pub connect: Duration,
    /// Connections for data; there is one more, to listen.
    pub connections: usize,
    /// Looks under way at a time, divided among `connections`. Others wait for their turn, and only the
    /// look itself has `timeout`: that many ask at once says nothing about Redis.
    pub looks: usize,
    /// Between two looks at whether Redis is there and takes writes.
    pub beat: Duration,
    /// A look that takes longer says no. With `beat`, the time until a hung Redis is left out.
    pub beat_timeout: Duration,
    /// After a loss, how long readers are let back to Redis no faster than it is filled; from then on
    /// a fifth more each second, whatever is found.
    pub readmission: Duration,
    /// Voids remembered while they cannot be delivered; beyond it, everything is voided.
    pub most_debts: usize,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            prefix: "corkboard".to_owned(),
            area: "feed",
            timeout: Duration::from_millis(50),
            connect: Duration::from_secs(1),
            connections: 2,
            looks: 256,
            beat: Duration::from_millis(200),
            beat_timeout: Duration::from_millis(500),
            readmission: Duration::from_secs(15),
            most_debts: 100_000,
        }
    }
}

/// Hears what other processes announce. Called in order, must not block.
pub trait Ears: Send + Sync {
    /// Values voided by a process, this one included. `loud`: another one has changed something.
    fn voided(&self, keys: &[Key], loud: bool);
    /// What another process told with [`Redis::tell`].
    fn told(&self, what: &[u8]);
    /// Something may have been missed: nothing known before may be trusted.
    fn missed(&self);
}

/// Why Redis cannot be used at all.
#[derive(Debug, thiserror::Error)]
#[error("the URL of Redis cannot be used")]
pub struct OpenError(#[source] redis::RedisError);

/// A Redis server or Cluster. Cheap to clone.
#[derive(Clone)]
pub struct Redis {
    shared: Arc<Shared>,
}

struct Shared {
    options: RedisOptions,
    address: Address,
    link: Link,
    circuit: Circuit,
    readmission: Readmission,
    trust: Trust,
    debts: Debts,
    looks: Looks,
    warmth: Warmth,
    hashing: Seeded,
    ears: Arc<dyn Ears>,
    /// Rings when a connection is known to be broken.
    broken: Notify,
    /// To join Redis, so far.
    attempts: AtomicU64,
    /// Rings when Redis has been joined.
    joined: Notify,
    /// Of this process, in its messages.
    id: u64,
    /// Where connections for data live, and who owns what is done there.
    home: Handle,
    tasks: TaskTracker,
}

impl Redis {
    /// Begins to connect; whoever reads before that is told that Redis is away. Runs until
    /// `shutdown`. To be called within the runtime that readers run in.
    ///
    /// # Errors
    ///
    /// [`OpenError`] for a URL that is none of Redis. A server that is not there is no error.
    pub fn open(
        url: &str,
        options: RedisOptions,
        ears: Arc<dyn Ears>,
        tasks: &TaskTracker,
        shutdown: CancellationToken,
    ) -> Result<Self, OpenError> {
        let address = Address::parse(url, &options).map_err(OpenError)?;
        let shared = Arc::new(Shared {
            link: Link::new(options.timeout),
            circuit: Circuit::default(),
            readmission: Readmission::new(options.readmission),
            trust: Trust::new(),
            looks: Looks::default(),
            warmth: Warmth::new(),
            hashing: Seeded::default(),
            debts: Debts::new(options.most_debts),
            broken: Notify::new(),
            attempts: AtomicU64::new(0),
            joined: Notify::new(),
            id: random(),
            home: Handle::current(),
            tasks: tasks.clone(),
            address,
            ears,
            options,
        });
        // A thread of its own: looks and voids must not wait behind a node's requests, or overload
        // alone would end the trust in memory and make itself worse.
        let quiet = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| OpenError(error.into()))?;
        let watching = Arc::clone(&shared);
        tasks.spawn_blocking(move || {
            quiet.block_on(shutdown.run_until_cancelled(watch::run(watching)));
        });
        Ok(Self { shared })
    }

    /// Waits until Redis is joined, at most for `patience`; whether it is.
    pub async fn joined(&self, patience: Duration) -> bool {
        let joined = self.shared.joined.notified();
        if self.is_trusted() {
            return true;
        }
        let _ = timeout(patience, joined).await;
        self.is_trusted()
    }

    /// Whether every change made elsewhere would be heard of within a second.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        self.shared.trust.holds()
    }

    /// Whether this key may be looked for in Redis now.
    #[must_use]
    pub fn admits(&self, key: &Key) -> bool {
        self.admits_at(key, Instant::now())
    }

    fn admits_at(&self, key: &Key, now: Instant) -> bool {
        let shared = &self.shared;
        shared.circuit.is_closed()
            && shared.readmission.admits(xxh3_64(key.as_bytes()), now)
            && !shared.debts.owes(key)
    }

    /// Tells every other process something. Lost when Redis is away.
    pub async fn tell(&self, what: &[u8]) {
        let message = message::told(self.shared.id, what);
        let command = self.shared.publish(&message);
        if self.shared.circuit.is_closed() {
            let _ = self.shared.link.call(&command).await;
        }
    }
}

impl Shared {
    /// Lets readers in, at once or little by little.
    fn let_in(&self, slowly: bool) {
        if slowly {
            self.readmission.begin(Instant::now());
        } else {
            self.readmission.end();
        }
        self.circuit.close();
    }

    /// Somebody has looked for something.
    fn looked(&self, found: bool) {
        self.readmission.note(found);
        if self.warmth.note(found) {
            self.readmission.doubt(Instant::now());
        }
    }

    fn channel(&self) -> String {
        let options = &self.options;
        format!("{}:{}:changes", options.prefix, options.area)
    }

    fn publish(&self, message: &[u8]) -> redis::Cmd {
        let mut command = redis::cmd("PUBLISH");
        command.arg(self.channel()).arg(message);
        command
    }

    /// A key as Redis has it. The braces keep all that is about one key in one slot of a Cluster.
    fn name(&self, namespace: &str, key: &Key) -> Vec<u8> {
        let options = &self.options;
        let mut name = format!("{}:{}:{namespace}:{{", options.prefix, options.area).into_bytes();
        name.extend_from_slice(key.as_bytes());
        name.push(b'}');
        name
    }

    /// Calls, and lets the circuit know how it went.
    async fn call_in(
        &self,
        session: &Session,
        command: &redis::Cmd,
    ) -> Result<redis::Value, CallError> {
        let outcome = self.link.call_in(session, command).await;
        self.note(&outcome);
        outcome
    }

    /// The same for several commands in one go: an answer for each, or the first refusal.
    async fn calls_in(
        &self,
        session: &Session,
        commands: &redis::Pipeline,
    ) -> Result<Vec<redis::Value>, CallError> {
        let outcome = self.link.answers_in(session, commands).await;
        let outcome = outcome.and_then(|mut answers| {
            let refused = answers
                .iter()
                .position(|answer| matches!(answer, redis::Value::ServerError(_)));
            match refused.map(|place| answers.swap_remove(place)) {
                Some(redis::Value::ServerError(error)) => Err(CallError::Refused(error.into())),
                _ => Ok(answers),
            }
        });
        self.note_of(&outcome, 1);
        outcome
    }

    fn note<T>(&self, outcome: &Result<T, CallError>) {
        self.note_of(outcome, 1);
    }

    /// The same for a message of several calls.
    fn note_of<T>(&self, outcome: &Result<T, CallError>, calls: usize) {
        match outcome {
            Ok(_) => self.circuit.succeeded(),
            // A server that refuses one command is there; whether it takes writes, the beat says.
            Err(CallError::Refused(_)) => {}
            Err(error) => {
                if self.circuit.failed(calls) {
                    tracing::warn!(%error, "redis does not answer: it is left out");
                    metrics::counter!("corkboard_cache_circuit_opened_total").increment(1);
                }
                if !matches!(error, CallError::TimedOut) {
                    self.broken.notify_one();
                }
            }
        }
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").finish_non_exhaustive()
    }
}
