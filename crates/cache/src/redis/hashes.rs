//! Hashes under public names: rows that other programs may write, too.
//!
//! A hash cannot hold its own lease, so each has a *lease* beside it, and a *last* value that outlives
//! it. A Cluster keeps all three in one [slot]. A hash's own name is used as it is; an empty hash does not
//! exist in Redis, so a row needs a field.

mod look;
mod many;
mod slot;

use std::time::Duration;

use redis::{Cmd, Value};

pub use many::HashWrite;

use super::lease::millis;
use super::link::Session;
use super::looks::Order;
use super::script::Step;
use super::{CallError, Redis};
use crate::hashing::random;
use crate::key::Key;

/// What FILL and REWRITE have in common. ARGV from `at` on: lifetime, last's lifetime, last, fields.
const PUT: &str = "local function put(at) \
    redis.call('DEL', KEYS[1]) \
    redis.call('HSET', KEYS[1], unpack(ARGV, at + 3)) \
    redis.call('PEXPIRE', KEYS[1], ARGV[at]) \
    if tonumber(ARGV[at + 1]) > 0 then \
        redis.call('SET', KEYS[3], ARGV[at + 2], 'PX', ARGV[at + 1]) \
    else redis.call('DEL', KEYS[3]) end end ";
/// KEYS: hash, lease. ARGV: the lease, milliseconds. 1: given; 2: the hash is there. In one step, so
/// that whoever saw nothing a moment ago does not bring what somebody else has brought since.
static LEASE: Step = Step::new(&["if redis.call('EXISTS', KEYS[1]) == 1 then return 2 end \
     if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end return 0"]);
/// KEYS: hash, lease, last. ARGV: the lease, then what PUT wants.
static FILL: Step = Step::new(&[
    PUT,
    "if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end \
     redis.call('DEL', KEYS[2]) put(2) return 1",
]);
/// KEYS as above, ARGV what PUT wants.
static REWRITE: Step = Step::new(&[
    PUT,
    "redis.call('DEL', KEYS[2]) \
     if redis.call('EXISTS', KEYS[1]) == 1 then put(1) return 1 end \
     redis.call('DEL', KEYS[3]) return 0",
]);
/// KEYS as above.
static VOID: Step = Step::new(&["redis.call('DEL', KEYS[2]) \
    if redis.call('EXISTS', KEYS[1]) == 1 then return 1 end \
    redis.call('DEL', KEYS[3]) return 0"]);
static REMOVE: Step = Step::new(&["return redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])"]);
static RELEASE: Step = Step::new(&["if redis.call('GET', KEYS[1]) == ARGV[1] then \
    redis.call('DEL', KEYS[1]) end return 0"]);

/// A hash that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashRow {
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// How long it will be; `None`: for ever.
    pub left: Option<Duration>,
}

/// What becomes of the wish for a lease.
#[derive(Debug)]
pub enum HashLeased {
    Lease(HashLease),
    /// Somebody else has it.
    Taken,
    /// There is nothing to bring: the hash is there.
    There,
}

/// What [`Redis::look_at_hash`] finds.
#[derive(Debug)]
pub enum HashLooked {
    Row(HashRow),
    /// It was not there; what became of the wish for its lease.
    Absent(HashLeased),
}

/// How a hash is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashKept {
    pub lifetime: Duration,
    /// A value beside it that outlives it.
    pub last: Vec<u8>,
    /// How long; zero keeps none.
    pub last_lifetime: Duration,
}

/// The right to fill one hash, at one time of Redis's life.
#[derive(Clone)]
pub struct HashLease {
    name: Key,
    token: Vec<u8>,
    session: Session,
}

impl std::fmt::Debug for HashLease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HashLease").finish_non_exhaustive()
    }
}

impl Redis {
    /// Whether a hash of this name can be kept: where Redis is a Cluster, what lies beside it has to be in
    /// its slot, and few names with a closing brace allow for that. It is the same for every Redis.
    #[must_use]
    pub fn keeps_hash(name: &[u8]) -> bool {
        slot::beside("", name).is_some()
    }

    /// Puts a hash in and ends the lease, unless the lease has ended or was voided; whether it is in.
    ///
    /// # Errors
    ///
    /// As [`Redis::hash`].
    pub async fn fill_hash(
        &self,
        lease: &HashLease,
        fields: &[(&str, &str)],
        kept: &HashKept,
    ) -> Result<bool, CallError> {
        let order = self.filling(lease, fields, kept);
        let life = &lease.session.namespace;
        let done = self.have_done(&lease.name, life, order).await?;
        Ok(done == Value::Int(1))
    }

    /// The same without waiting for it, for whoever does nothing else about it.
    pub fn fill_hash_later(&self, lease: &HashLease, fields: &[(&str, &str)], kept: &HashKept) {
        let order = self.filling(lease, fields, kept);
        self.ask_to_do(&lease.name, &lease.session.namespace, order);
    }

    /// Gives a lease back, without waiting for it, so that nobody waits for its end.
    pub fn release_hash_later(&self, lease: &HashLease) {
        let mut arguments = Cmd::new();
        let name = self.shared.beside("lease", &lease.name);
        arguments.arg(1).arg(name).arg(&lease.token);
        let order = Order::Run(&RELEASE, arguments);
        self.ask_to_do(&lease.name, &lease.session.namespace, order);
    }

    fn filling(&self, lease: &HashLease, fields: &[(&str, &str)], kept: &HashKept) -> Order {
        let mut arguments = Cmd::new();
        self.shared.three(&mut arguments, &lease.name);
        arguments.arg(&lease.token);
        put(&mut arguments, fields, kept);
        Order::Run(&FILL, arguments)
    }

    /// The value that outlives a hash.
    ///
    /// # Errors
    ///
    /// As [`Redis::hash`].
    pub async fn last_of_hash(&self, name: &Key) -> Result<Option<Vec<u8>>, CallError> {
        let session = self.shared.link.session()?;
        let mut get = redis::cmd("GET");
        get.arg(self.shared.beside("last", name));
        match self.shared.call_in(&session, &get).await? {
            Value::BulkString(last) => Ok(Some(last)),
            _ => Ok(None),
        }
    }
}

impl super::Shared {
    /// The name of what lies beside a hash.
    fn beside(&self, what: &str, name: &Key) -> Vec<u8> {
        let options = &self.options;
        let start = format!("{}:{}:{what}:", options.prefix, options.area);
        // Of a name that nothing can lie beside only a Cluster knows: it refuses.
        slot::beside(&start, name.as_bytes())
            .unwrap_or_else(|| [start.as_bytes(), name.as_bytes()].concat())
    }

    fn three(&self, script: &mut Cmd, name: &Key) {
        script.arg(3).arg(name.as_bytes());
        script.arg(self.beside("lease", name));
        script.arg(self.beside("last", name));
    }
}

fn put(script: &mut Cmd, fields: &[(&str, &str)], kept: &HashKept) {
    script.arg(millis(kept.lifetime));
    let last = if kept.last_lifetime.is_zero() {
        0
    } else {
        millis(kept.last_lifetime)
    };
    script.arg(last).arg(&kept.last);
    for (field, value) in fields {
        script.arg(*field).arg(*value);
    }
}
