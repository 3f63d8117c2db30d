//! How many connections of a host are being opened at a time.
//!
//! A listener's backlog may be short, and a connection request that it drops is only repeated after a
//! second. A connection that the kernel over there has completed still waits in that backlog, so a
//! turn is over when the endpoint has answered on it, or was given a moment to accept it. Each one
//! that comes about makes room for one more; one that fails halves the room.
//!
//! Where TLS is spoken a connection may turn out to carry many calls. Until it is known that it does
//! not, few are opened at a time, and the others wait for what comes of them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

const START: usize = 8;
const MOST: usize = 64;
const LEAST: usize = 2;

#[derive(Debug)]
pub(crate) struct Connects {
    turns: Semaphore,
    /// For those who find out what is spoken over there.
    scouts: Semaphore,
    /// The endpoint wants a connection for every call.
    one_each: AtomicBool,
    allowed: Mutex<usize>,
}

/// The right to open a connection.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    connects: &'a Connects,
    _permit: SemaphorePermit<'a>,
    scout: Option<SemaphorePermit<'a>>,
}

impl Connects {
    pub(super) fn new() -> Self {
        Self {
            turns: Semaphore::new(START),
            scouts: Semaphore::new(LEAST),
            one_each: AtomicBool::new(false),
            allowed: Mutex::new(START),
        }
    }

    /// `None` when none came in time.
    pub(crate) async fn turn(&self, https: bool, deadline: Instant) -> Option<Turn<'_>> {
        let mut scout = None;
        if https && !self.one_each.load(Ordering::Relaxed) {
            let permit = timeout_at(deadline, self.scouts.acquire()).await;
            scout = Some(permit.ok()?.ok()?);
        }
        // It may have been found out meanwhile.
        if self.one_each.load(Ordering::Relaxed) {
            scout = None;
        }
        let permit = timeout_at(deadline, self.turns.acquire())
            .await
            .ok()?
            .ok()?;
        Some(Turn {
            connects: self,
            _permit: permit,
            scout,
        })
    }
}

impl Turn<'_> {
    /// The connection carries one call at a time: everybody needs one.
    pub(crate) fn alone(mut self) -> Self {
        self.connects.one_each.store(true, Ordering::Relaxed);
        self.scout = None;
        self
    }

    /// The connection carries many calls.
    pub(crate) fn shares(self) {
        self.connects.one_each.store(false, Ordering::Relaxed);
        self.answered();
    }

    /// The connection came about and is out of the backlog.
    pub(crate) fn answered(self) {
        let allowed = &self.connects.allowed;
        let mut allowed = allowed.lock().unwrap_or_else(PoisonError::into_inner);
        if *allowed < MOST {
            *allowed += 1;
            self.connects.turns.add_permits(1);
        }
    }

    /// No connection came about.
    pub(crate) fn failed(self) {
        let allowed = &self.connects.allowed;
        let mut allowed = allowed.lock().unwrap_or_else(PoisonError::into_inner);
        let fewer = *allowed - (*allowed / 2).max(LEAST).min(*allowed);
        // Those in use cannot be taken back; the next failure asks again.
        *allowed -= self.connects.turns.forget_permits(fewer);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn free(connects: &Connects) -> usize {
        let mut turns = Vec::new();
        while let Some(turn) = connects
            .turn(false, Instant::now() + Duration::from_millis(1))
            .await
        {
            turns.push(turn);
        }
        turns.len()
    }

    #[tokio::test(start_paused = true)]
    async fn answers_make_room_and_failures_take_it() {
        let connects = Connects::new();
        let deadline = Instant::now() + Duration::from_secs(5);
        assert_eq!(free(&connects).await, START);
        for _ in 0..100 {
            connects.turn(false, deadline).await.unwrap().answered();
        }
        assert_eq!(free(&connects).await, MOST);
        connects.turn(false, deadline).await.unwrap().failed();
        assert_eq!(free(&connects).await, MOST / 2);
        for _ in 0..20 {
            connects.turn(false, deadline).await.unwrap().failed();
        }
        assert_eq!(free(&connects).await, LEAST);
        connects.turn(false, deadline).await.unwrap().answered();
        assert_eq!(free(&connects).await, LEAST + 1);
    }
}
