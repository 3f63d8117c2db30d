//! The same for many hashes: what a thousand rows need goes over the line in a few writes, instead of
//! waiting for a thousand answers.
//!
//! A call for many succeeds or fails as one; called again, it does the same again. The commands go in
//! portions, so that a reader who shares the connection waits for one of those and not for all. A
//! Cluster is asked row by row, several at a time: its rows are on different servers.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use redis::{Cmd, Value};

use super::super::link::{Connections, Session};
use super::super::script::Step;
use super::super::{CallError, Redis, Shared};
use super::look::row_of;
use super::{FILL, HashKept, HashLease, HashRow, REMOVE, REWRITE, VOID, millis, put, random};
use crate::key::Key;

/// Commands that go over the line together.
const PORTION: usize = 256;
/// Rows of a Cluster that are asked for at a time.
const AT_A_TIME: usize = 64;

/// A row that is to be put into Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashWrite<'a> {
    /// Not empty: an empty hash does not exist.
    pub fields: Vec<(&'a str, &'a str)>,
    pub kept: HashKept,
}

impl Redis {
    /// The hashes that are there, in the order of the names.
    ///
    /// # Errors
    ///
    /// When Redis has no say: away, late, or refusing. Also when something else has a name.
    pub async fn hashes(&self, names: &[Key]) -> Result<Vec<Option<HashRow>>, CallError> {
        let session = self.shared.link.session()?;
        let reads = names.iter().flat_map(|name| {
            let (mut all, mut left) = (redis::cmd("HGETALL"), redis::cmd("PTTL"));
            all.arg(name.as_bytes());
            left.arg(name.as_bytes());
            [all, left]
        });
        let answers = self.shared.calls_of(&session, reads.collect()).await?;
        let mut answers = answers.into_iter();
        let pairs = std::iter::from_fn(|| Some((answers.next()?, answers.next()?)));
        Ok(pairs.map(|(fields, left)| row_of([fields, left])).collect())
    }

    /// Leases on hashes, in the order of the names; `None` where somebody else has it.
    ///
    /// # Errors
    ///
    /// As [`Redis::hashes`]. Leases that were given then are nobody's, until they end.
    pub async fn lease_hashes(
        &self,
        names: &[Key],
        lease: Duration,
    ) -> Result<Vec<Option<HashLease>>, CallError> {
        let session = self.shared.link.session()?;
        let token = random().to_be_bytes().to_vec();
        let asks = names.iter().map(|name| {
            let mut set = redis::cmd("SET");
            set.arg(self.shared.beside("lease", name)).arg(&token);
            set.arg("NX").arg("PX").arg(millis(lease));
            set
        });
        let answers = self.shared.calls_of(&session, asks.collect()).await?;
        let leases = names.iter().zip(answers).map(|(name, answer)| {
            (answer != Value::Nil).then(|| HashLease {
                name: name.clone(),
                token: token.clone(),
                session: session.clone(),
            })
        });
        Ok(leases.collect())
    }

    /// Puts hashes in and ends their leases; for each, whether it is in: not when its lease has ended or
    /// was voided. Leases are of one time of Redis's life.
    ///
    /// # Errors
    ///
    /// As [`Redis::hashes`].
    pub async fn fill_hashes(
        &self,
        rows: &[(&HashLease, HashWrite<'_>)],
    ) -> Result<Vec<bool>, CallError> {
        let Some((first, _)) = rows.first() else {
            return Ok(Vec::new());
        };
        let session = first.session.clone();
        let arguments = |script: &mut Cmd, (lease, row): &(&HashLease, HashWrite<'_>)| {
            self.shared.three(script, &lease.name);
            script.arg(&lease.token);
            put(script, &row.fields, &row.kept);
        };
        let answers = self.shared.steps(&session, &FILL, rows, arguments).await?;
        Ok(answers.iter().map(is_one).collect())
    }

    /// Voids leases; for each, whether the hash is there. Without it, its last value goes, too.
    ///
    /// # Errors
    ///
    /// As [`Redis::hashes`].
    pub async fn void_hashes(&self, names: &[Key]) -> Result<Vec<bool>, CallError> {
        let session = self.shared.link.session()?;
        let three = |script: &mut Cmd, name: &Key| self.shared.three(script, name);
        let answers = self.shared.steps(&session, &VOID, names, three).await?;
        Ok(answers.iter().map(is_one).collect())
    }

    /// Voids leases and puts hashes in place of those that are there.
    ///
    /// # Errors
    ///
    /// As [`Redis::hashes`].
    pub async fn rewrite_hashes(&self, rows: &[(&Key, HashWrite<'_>)]) -> Result<(), CallError> {
        let session = self.shared.link.session()?;
        let arguments = |script: &mut Cmd, (name, row): &(&Key, HashWrite<'_>)| {
            self.shared.three(script, name);
            put(script, &row.fields, &row.kept);
        };
        let steps = self.shared.steps(&session, &REWRITE, rows, arguments);
        steps.await.map(drop)
    }

    /// Removes hashes, their leases and their last values.
    ///
    /// # Errors
    ///
    /// As [`Redis::hashes`].
    pub async fn remove_hashes(&self, names: &[Key]) -> Result<(), CallError> {
        let session = self.shared.link.session()?;
        let three = |script: &mut Cmd, name: &Key| self.shared.three(script, name);
        let steps = self.shared.steps(&session, &REMOVE, names, three);
        steps.await.map(drop)
    }
}

impl Shared {
    /// An answer to each command.
    async fn calls_of(
        &self,
        session: &Session,
        commands: Vec<Cmd>,
    ) -> Result<Vec<Value>, CallError> {
        if let Connections::Cluster(_) = session.connections {
            let calls = stream::iter(commands)
                .map(|command| async move { self.call_in(session, &command).await });
            return calls.buffered(AT_A_TIME).try_collect().await;
        }
        let mut answers = Vec::with_capacity(commands.len());
        for portion in commands.chunks(PORTION) {
            let mut pipe = redis::Pipeline::with_capacity(portion.len());
            for command in portion {
                pipe.add_command(command.clone());
            }
            answers.extend(self.calls_in(session, &pipe).await?);
        }
        Ok(answers)
    }

    /// Runs a script for each of these. The first of a portion carries the script's text, so that the
    /// server knows it by its hash when it comes to the others.
    async fn steps<T: Sync>(
        &self,
        session: &Session,
        step: &Step,
        all: &[T],
        arguments: impl Fn(&mut Cmd, &T) + Send + Sync,
    ) -> Result<Vec<Value>, CallError> {
        if let Connections::Cluster(_) = session.connections {
            let calls = all.iter().map(|one| {
                let arguments = &arguments;
                let arguments = move |script: &mut Cmd| arguments(script, one);
                self.step(session, step, arguments)
            });
            // Made beforehand: a stream of closures is not known to be `Send`.
            let calls: Vec<_> = calls.collect();
            return stream::iter(calls).buffered(AT_A_TIME).try_collect().await;
        }
        let mut answers = Vec::with_capacity(all.len());
        for portion in all.chunks(PORTION) {
            let mut pipe = redis::Pipeline::with_capacity(portion.len());
            for (at, one) in portion.iter().enumerate() {
                let mut script = if at == 0 {
                    step.by_text()
                } else {
                    step.by_hash()
                };
                arguments(&mut script, one);
                pipe.add_command(script);
            }
            answers.extend(self.calls_in(session, &pipe).await?);
        }
        Ok(answers)
    }
}

fn is_one(answer: &Value) -> bool {
    *answer == Value::Int(1)
}
