//! What a connection is doing and since when: written by its socket, its service and its bodies,
//! read by its watchdog.
//!
//! All of them run in the connection's own task (a handler may move a request body elsewhere, which
//! costs accuracy at worst), so the atomics are for `Sync`, not for ordering.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::options::EdgeOptions;
use crate::{pace, turn};

/// What the connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing was ever sent.
    Silent = 0,
    /// A request's header began and is not complete.
    Header = 1,
    /// A request is being answered.
    Busy = 2,
    /// A response was given, the next request has not begun.
    Idle = 3,
    /// We said goodbye and throw away what the client still sends.
    Lingering = 4,
}

/// Why the watchdog ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expired {
    Header,
    Idle,
    Write,
    Linger,
}

#[derive(Debug)]
pub(crate) struct Activity {
    born: Instant,
    phase: AtomicU8,
    /// Microseconds after `born` at which the phase's time began to run.
    since: AtomicU64,
    /// Microseconds after `born`, plus one, at which a write found no room; 0 when writes go through.
    blocked: AtomicU64,
    /// Bytes that the client has taken since then.
    taken: AtomicU64,
    /// Bytes that it has to take for the time to begin anew.
    least_taken: u64,
    peer_closed: AtomicBool,
    body_unread: AtomicBool,
    /// Many requests at once (HTTP/2), answered in tasks of their own.
    multiplexed: AtomicBool,
    /// Requests that are being answered.
    busy: AtomicU32,
    /// Of a multiplexed connection, requests since [`Activity::asked`] was last called.
    asked: AtomicU32,
    /// The client makes no room for its responses.
    stuck: AtomicBool,
    /// The client sent more frames than it may.
    flooded: AtomicBool,
    /// Rung when a task of a request has changed what the watchdog goes by.
    pub(crate) changed: Notify,
}

impl Activity {
    pub(crate) fn new(options: &EdgeOptions) -> Self {
        Self {
            born: Instant::now(),
            phase: AtomicU8::new(Phase::Silent as u8),
            since: AtomicU64::new(0),
            blocked: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            least_taken: pace::least(options.min_body_rate, options.write_timeout),
            peer_closed: AtomicBool::new(false),
            body_unread: AtomicBool::new(false),
            multiplexed: AtomicBool::new(false),
            busy: AtomicU32::new(0),
            asked: AtomicU32::new(0),
            stuck: AtomicBool::new(false),
            flooded: AtomicBool::new(false),
            changed: Notify::new(),
        }
    }

    pub(crate) fn born(&self) -> Instant {
        self.born
    }

    /// The connection turned out to speak HTTP/2.
    pub(crate) fn multiplex(&self) {
        self.multiplexed.store(true, Relaxed);
    }

    pub(crate) fn is_multiplexed(&self) -> bool {
        self.multiplexed.load(Relaxed)
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Relaxed) {
            0 => Phase::Silent,
            1 => Phase::Header,
            2 => Phase::Busy,
            3 => Phase::Idle,
            _ => Phase::Lingering,
        }
    }

    /// Nothing is under way: the only deadline is that of the next request, and it has just moved away.
    pub(crate) fn rests(&self) -> bool {
        self.phase() == Phase::Idle && !self.is_blocked()
    }

    /// A write waits for the client to make room.
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked.load(Relaxed) != 0
    }

    fn enter(&self, phase: Phase) {
        self.since.store(self.micros(), Relaxed);
        self.phase.store(phase as u8, Relaxed);
    }

    fn micros(&self) -> u64 {
        let age = turn::time().duration_since(self.born);
        u64::try_from(age.as_micros()).unwrap_or(u64::MAX)
    }

    /// Bytes came in.
    pub(crate) fn received(&self) {
        match self.phase() {
            // The clock of the first header has been running since the connection was accepted.
            Phase::Silent => self.phase.store(Phase::Header as u8, Relaxed),
            // Frames that keep a multiplexed connection alive are not the beginning of a request.
            Phase::Idle if !self.is_multiplexed() => self.enter(Phase::Header),
            Phase::Idle | Phase::Header | Phase::Busy | Phase::Lingering => {}
        }
    }

    /// The client will send no more.
    pub(crate) fn peer_closed(&self) {
        self.peer_closed.store(true, Relaxed);
    }

    /// A header is complete.
    pub(crate) fn request_began(&self) {
        self.body_unread.store(false, Relaxed);
        self.busy.fetch_add(1, Relaxed);
        if self.is_multiplexed() {
            self.asked.fetch_add(1, Relaxed);
        }
        self.phase.store(Phase::Busy as u8, Relaxed);
    }

    /// Requests that have begun since this was last asked.
    pub(crate) fn asked(&self) -> u32 {
        self.asked.swap(0, Relaxed)
    }

    pub(crate) fn flooded(&self) {
        self.flooded.store(true, Relaxed);
    }

    pub(crate) fn was_flooded(&self) -> bool {
        self.flooded.load(Relaxed)
    }

    /// The response is handed over; the last of it may still be on its way to the socket.
    pub(crate) fn response_ended(&self) {
        let last = self.busy.fetch_sub(1, Relaxed) == 1;
        if last && self.phase() == Phase::Busy {
            self.enter(Phase::Idle);
        }
        self.ring();
    }

    /// A request was answered as soon as it was read.
    pub(crate) fn answered(&self) {
        self.blocked.store(0, Relaxed);
        self.enter(Phase::Idle);
    }

    /// One of several responses was given up, for its client made no room for it. When it was the
    /// only one, its client makes room for nothing.
    pub(crate) fn response_given_up(&self) {
        if self.busy.load(Relaxed) <= 1 {
            self.stuck.store(true, Relaxed);
            self.ring();
        }
    }

    fn ring(&self) {
        if self.is_multiplexed() {
            self.changed.notify_one();
        }
    }

    /// The client took so many bytes; a trickle of them is no progress.
    pub(crate) fn wrote(&self, bytes: usize) {
        if self.is_blocked() {
            let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
            let before = self.taken.fetch_add(bytes, Relaxed);
            if before.saturating_add(bytes) >= self.least_taken {
                self.blocked.store(0, Relaxed);
            }
        }
        if self.phase() == Phase::Idle {
            self.since.store(self.micros(), Relaxed);
        }
    }

    /// Nothing is left to write.
    pub(crate) fn flushed(&self) {
        self.blocked.store(0, Relaxed);
    }

    pub(crate) fn write_blocked(&self) {
        if !self.is_blocked() {
            self.taken.store(0, Relaxed);
            self.blocked.store(self.micros().saturating_add(1), Relaxed);
        }
    }

    /// The request's body was let go before its end.
    pub(crate) fn body_left_unread(&self) {
        self.body_unread.store(true, Relaxed);
    }

    /// Closing now, with the client still sending, would reset the connection and could take the
    /// answer with it: after a body nobody read, or after a header that was refused.
    pub(crate) fn wants_linger(&self) -> bool {
        !self.is_multiplexed()
            && !self.peer_closed.load(Relaxed)
            && (self.body_unread.load(Relaxed) || self.phase() == Phase::Header)
    }

    pub(crate) fn lingering(&self) {
        if self.phase() != Phase::Lingering {
            self.enter(Phase::Lingering);
        }
    }

    /// When the connection's patience ends, if it does.
    pub(crate) fn deadline(&self, options: &EdgeOptions) -> Option<(Instant, Expired)> {
        if self.stuck.load(Relaxed) {
            return Some((self.born, Expired::Write));
        }
        let since = self.after_birth(self.since.load(Relaxed));
        let phase = match self.phase() {
            Phase::Silent | Phase::Header => {
                Some((since + options.header_timeout, Expired::Header))
            }
            Phase::Busy => None,
            Phase::Idle => Some((since + options.idle_timeout, Expired::Idle)),
            Phase::Lingering => Some((since + options.linger_timeout, Expired::Linger)),
        };
        let write = self.blocked.load(Relaxed).checked_sub(1).map(|micros| {
            (
                self.after_birth(micros) + options.write_timeout,
                Expired::Write,
            )
        });
        [phase, write]
            .into_iter()
            .flatten()
            .min_by_key(|(at, _)| *at)
    }

    fn after_birth(&self, micros: u64) -> Instant {
        self.born + Duration::from_micros(micros)
    }
}

#[cfg(test)]
mod tests;
