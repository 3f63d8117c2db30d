//! The HTTP/2 connections that are open, and a place on one of them for a call.
//!
//! The fullest connection that has room is taken, so that those that are not needed any more run
//! empty and can be closed. Bounded like the pool of idle connections, and keyed like it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::http2::{Connection, Seat};
use crate::pool::PoolKey;

type Open = HashMap<PoolKey, Vec<Arc<Connection>>>;

#[derive(Debug)]
pub(crate) struct Multiplexed {
    open: Mutex<Open>,
    most: usize,
    idle_timeout: Duration,
}

impl Multiplexed {
    pub(crate) fn new(most: usize, idle_timeout: Duration) -> Self {
        Self {
            open: Mutex::default(),
            most,
            idle_timeout,
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place on a connection to this origin, if there is one.
    pub(crate) fn seat(&self, key: &PoolKey) -> Option<Seat> {
        let mut open = self.open();
        let connections = open.get_mut(key)?;
        connections.retain(|connection| self.is_of_use(connection));
        let seat = connections.iter().find_map(Connection::seat);
        if connections.is_empty() {
            open.remove(key);
        }
        seat
    }

    /// Lets others use a connection, too; where there are too many already it serves only the one who
    /// opened it.
    pub(crate) fn share(&self, key: PoolKey, connection: Arc<Connection>) {
        let mut open = self.open();
        if open.values().map(Vec::len).sum::<usize>() < self.most {
            // In the order in which they were opened: the oldest fill up first.
            open.entry(key).or_default().push(connection);
        }
    }

    fn is_of_use(&self, connection: &Connection) -> bool {
        let idle = connection.idle_since();
        let idle = idle.is_some_and(|since| since.elapsed() >= self.idle_timeout);
        connection.is_usable() && !idle
    }

    /// Closes what has been idle for too long or takes no more calls.
    pub(crate) fn sweep(&self) {
        self.open().retain(|_, connections| {
            connections.retain(|connection| self.is_of_use(connection));
            !connections.is_empty()
        });
    }
}
