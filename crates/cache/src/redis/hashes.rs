//! Hashes under public names: rows that other programs may write, too.
//!
//! A hash cannot hold its own lease, so each has a *lease* beside it, and a *last* value that outlives
//! it. Their names have the hash's name in braces: a Cluster keeps all three in one slot. A hash's own
//! name is used as it is; an empty hash does not exist in Redis, so a row needs a field.

mod many;

use std::time::Duration;

use redis::{Cmd, Value};

pub use many::HashWrite;

use super::lease::millis;
use super::link::Session;
use super::looks::{Order, Wanted};
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
    /// The hash, if there is one.
    ///
    /// # Errors
    ///
    /// When Redis has no say: away, late, or refusing, or too many ask at once. Also when something else has the name.
    pub async fn hash(&self, name: &Key) -> Result<Option<HashRow>, CallError> {
        let answers = self.find(name, Wanted::Hash).await?;
        let row = <[Value; 2]>::try_from(answers).ok().and_then(row_of);
        self.shared.warmth.note(row.is_some());
        Ok(row)
    }

    /// The lease on a hash that is not there, unless somebody else has it.
    ///
    /// # Errors
    ///
    /// As [`Redis::hash`].
    pub async fn lease_hash(&self, name: &Key, lease: Duration) -> Result<HashLeased, CallError> {
        let (lease, order) = self.wish(name, lease)?;
        let life = &lease.session.namespace;
        let answer = self.have_done(name, life, order).await?;
        Ok(given(&answer, lease))
    }

    /// The hash if there is one, else the lease on it unless somebody else has it. While few hashes are
    /// there, in one journey.
    ///
    /// # Errors
    ///
    /// As [`Redis::hash`].
    pub async fn look_at_hash(&self, name: &Key, lease: Duration) -> Result<HashLooked, CallError> {
        if self.is_cold() {
            let (lease, order) = self.wish(name, lease)?;
            let life = &lease.session.namespace;
            match self.find_hash_and_do(name, life, order).await {
                // What is there may still be read, by whoever does not ask for a write.
                Err(CallError::Refused(_)) => self.shared.warmth.presume_warm(),
                Err(error) => return Err(error),
                Ok(answers) => {
                    let Ok([fields, left, answer]) = <[Value; 3]>::try_from(answers) else {
                        return Ok(HashLooked::Absent(HashLeased::Taken));
                    };
                    let row = row_of([fields, left]);
                    self.shared.warmth.note(row.is_some());
                    let leased = given(&answer, lease);
                    return Ok(match (row, leased) {
                        (Some(row), HashLeased::Lease(lease)) => {
                            // It ended between the two.
                            self.release_hash_later(&lease);
                            HashLooked::Row(row)
                        }
                        (Some(row), _) => HashLooked::Row(row),
                        (None, leased) => HashLooked::Absent(leased),
                    });
                }
            }
        }
        match self.hash(name).await? {
            Some(row) => Ok(HashLooked::Row(row)),
            None => Ok(HashLooked::Absent(self.lease_hash(name, lease).await?)),
        }
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

    /// A lease that is nobody's yet, and how it is asked for.
    fn wish(&self, name: &Key, lease: Duration) -> Result<(HashLease, Order), CallError> {
        let wished = HashLease {
            name: name.clone(),
            token: random().to_be_bytes().to_vec(),
            session: self.shared.link.session()?,
        };
        let mut arguments = Cmd::new();
        arguments.arg(2).arg(name.as_bytes());
        arguments.arg(self.shared.beside("lease", name));
        arguments.arg(&wished.token).arg(millis(lease));
        Ok((wished, Order::Run(&LEASE, arguments)))
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
        let mut full = format!("{}:{}:{what}:{{", options.prefix, options.area).into_bytes();
        full.extend_from_slice(name.as_bytes());
        full.push(b'}');
        full
    }

    fn three(&self, script: &mut Cmd, name: &Key) {
        script.arg(3).arg(name.as_bytes());
        script.arg(self.beside("lease", name));
        script.arg(self.beside("last", name));
    }
}

/// Answered by PTTL for what is not there; -1 for what has no end.
const ENDED: i64 = -2;

/// What HGETALL and PTTL have answered. A hash that ends between the two is as good as one that ended
/// before.
fn row_of([fields, left]: [Value; 2]) -> Option<HashRow> {
    let fields = fields_of(fields);
    let left = left_of(&left).filter(|_| !fields.is_empty())?;
    Some(HashRow { fields, left })
}

/// What the script has answered to the wish for this lease.
fn given(answer: &Value, lease: HashLease) -> HashLeased {
    match answer {
        Value::Int(1) => HashLeased::Lease(lease),
        Value::Int(2) => HashLeased::There,
        _ => HashLeased::Taken,
    }
}

/// What HGETALL has answered.
fn fields_of(answer: Value) -> Vec<(Vec<u8>, Vec<u8>)> {
    match answer {
        Value::Map(pairs) => pairs.into_iter().filter_map(field).collect(),
        Value::Array(flat) => flat_fields(flat),
        _ => Vec::new(),
    }
}

/// What PTTL has answered; `None`: it is not there.
fn left_of(answer: &Value) -> Option<Option<Duration>> {
    match answer {
        Value::Int(ENDED) => None,
        Value::Int(left) => Some(u64::try_from(*left).ok().map(Duration::from_millis)),
        _ => None,
    }
}

fn field(pair: (Value, Value)) -> Option<(Vec<u8>, Vec<u8>)> {
    match pair {
        (Value::BulkString(field), Value::BulkString(value)) => Some((field, value)),
        _ => None,
    }
}

/// As RESP2 has it: fields and values in turn.
fn flat_fields(flat: Vec<Value>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut flat = flat.into_iter();
    let pairs = std::iter::from_fn(|| Some((flat.next()?, flat.next()?)));
    pairs.filter_map(field).collect()
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
