//! Looking at a hash, and the wish for its lease.

use std::time::Duration;

use redis::{Cmd, Value};

use super::super::lease::millis;
use super::super::looks::{Order, Wanted};
use super::super::{CallError, Redis};
use super::{HashLease, HashLeased, HashLooked, HashRow, LEASE};
use crate::hashing::random;
use crate::key::Key;

impl Redis {
    /// The hash, if there is one.
    ///
    /// # Errors
    ///
    /// When Redis has no say: away, late, or refusing, or too many ask at once. Also when something else has the name.
    pub async fn hash(&self, name: &Key) -> Result<Option<HashRow>, CallError> {
        let answers = self.find(name, Wanted::Hash).await?;
        let row = <[Value; 2]>::try_from(answers).ok().and_then(row_of);
        self.shared.looked(row.is_some());
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
            return self.look_and_wish(name, lease).await;
        }
        match self.hash(name).await? {
            Some(row) => Ok(HashLooked::Row(row)),
            None => Ok(HashLooked::Absent(self.lease_hash(name, lease).await?)),
        }
    }

    /// Both in one message. The wish writes nothing where the hash is there, so that a server which takes
    /// no writes refuses it only where it is not.
    async fn look_and_wish(&self, name: &Key, lease: Duration) -> Result<HashLooked, CallError> {
        let (lease, order) = self.wish(name, lease)?;
        let life = &lease.session.namespace;
        let answers = self.find_hash_and_do(name, life, order).await?;
        let Ok([fields, left, answer]) = <[Value; 3]>::try_from(answers) else {
            return Ok(HashLooked::Absent(HashLeased::Taken));
        };
        let row = row_of([fields, left]);
        self.shared.looked(row.is_some());
        let leased = given(&answer, lease);
        let Some(row) = row else {
            return Ok(HashLooked::Absent(leased));
        };
        if let HashLeased::Lease(lease) = leased {
            // It ended between the two.
            self.release_hash_later(&lease);
        }
        Ok(HashLooked::Row(row))
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
}

/// Answered by PTTL for what is not there; -1 for what has no end.
const ENDED: i64 = -2;

/// What HGETALL and PTTL have answered. A hash that ends between the two is as good as one that ended
/// before.
pub(super) fn row_of([fields, left]: [Value; 2]) -> Option<HashRow> {
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
