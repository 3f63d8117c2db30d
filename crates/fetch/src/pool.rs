//! Idle connections, kept for the next call to the same origin.
//!
//! Bounded in all, per origin and in time. When full, a connection is closed instead of kept: a
//! call never waits for the pool. The key holds the workspace, so that an endpoint which sends more
//! than its declared body can never answer another tenant's request with the rest.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use corkboard_core::id::WorkspaceId;
use tokio::time::Instant;

use crate::connect::Sender;
use crate::guard::Origin;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct PoolKey {
    pub(crate) workspace: WorkspaceId,
    pub(crate) origin: Origin,
}

#[derive(Debug)]
struct Idle {
    sender: Sender,
    since: Instant,
}

#[derive(Debug, Default)]
struct Shelves {
    by_key: HashMap<PoolKey, Vec<Idle>>,
    total: usize,
}

#[derive(Debug)]
pub(crate) struct Pool {
    shelves: Mutex<Shelves>,
    max_idle: usize,
    max_idle_per_host: usize,
    idle_timeout: Duration,
}

impl Pool {
    pub(crate) fn new(max_idle: usize, max_idle_per_host: usize, idle_timeout: Duration) -> Self {
        Self {
            shelves: Mutex::default(),
            max_idle,
            max_idle_per_host,
            idle_timeout,
        }
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The most recently used connection: it is the least likely to have been closed over there.
    pub(crate) fn take(&self, key: &PoolKey) -> Option<Sender> {
        let mut shelves = self.shelves();
        let mut found = None;
        let mut taken = 0;
        let shelf = shelves.by_key.get_mut(key)?;
        while let Some(idle) = shelf.pop() {
            taken += 1;
            if !idle.sender.is_closed() && idle.since.elapsed() < self.idle_timeout {
                found = Some(idle.sender);
                break;
            }
        }
        if shelf.is_empty() {
            shelves.by_key.remove(key);
        }
        shelves.total -= taken;
        found
    }

    pub(crate) fn give_back(&self, key: PoolKey, sender: Sender) {
        if sender.is_closed() {
            return;
        }
        let mut shelves = self.shelves();
        if shelves.total >= self.max_idle {
            return;
        }
        let shelf = shelves.by_key.entry(key).or_default();
        if shelf.len() >= self.max_idle_per_host {
            return;
        }
        shelf.push(Idle {
            sender,
            since: Instant::now(),
        });
        shelves.total += 1;
    }

    /// Closes what has been idle for too long or was closed over there.
    pub(crate) fn sweep(&self) {
        let mut shelves = self.shelves();
        let mut kept = 0;
        shelves.by_key.retain(|_, shelf| {
            shelf.retain(|idle| {
                !idle.sender.is_closed() && idle.since.elapsed() < self.idle_timeout
            });
            kept += shelf.len();
            !shelf.is_empty()
        });
        shelves.total = kept;
    }

    pub(crate) fn idle_timeout(&self) -> Duration {
        self.idle_timeout
    }
}

#[cfg(test)]
mod tests;
