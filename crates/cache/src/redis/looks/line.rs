//! The line in which looks wait for a courier, and the couriers' part in it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::Value;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::parcel::Wanted;
use crate::key::Key;
use crate::redis::CallError;

/// Looks in line; more are refused. A bound on bytes, and far above what gathers while Redis answers.
const MOST: usize = 65_536;
/// A look that stood in line for longer is refused: so many come that they can never all be answered.
const LONGEST_IN_LINE: Duration = Duration::from_secs(2);

/// What was found: an answer for each command that [`Wanted`] takes.
pub(in crate::redis) type Found = Vec<Value>;

/// Where an answer goes.
#[derive(Debug)]
pub(super) enum Asker {
    Reader(oneshot::Sender<Result<Found, CallError>>),
    /// It is to be done; what comes of it changes nothing.
    Nobody,
}

#[derive(Debug)]
pub(super) struct Look {
    pub(super) key: Key,
    pub(super) wanted: Wanted,
    pub(super) since: Instant,
    pub(super) asker: Asker,
}

/// Those who wait for an answer of Redis.
#[derive(Default)]
pub(in crate::redis) struct Looks {
    line: Mutex<Line>,
}

#[derive(Default)]
struct Line {
    looks: VecDeque<Look>,
    couriers: usize,
}

impl Asker {
    /// A reader who has left hears nothing.
    pub(super) fn tell(self, found: Result<Found, CallError>) {
        let Self::Reader(reader) = self else {
            return;
        };
        let refused = found.as_ref().ok().and_then(|answers| {
            answers.iter().find_map(|answer| match answer {
                Value::ServerError(error) => Some(error.clone()),
                _ => None,
            })
        });
        let found = match refused {
            Some(error) => Err(CallError::Refused(error.into())),
            None => found,
        };
        let _ = reader.send(found);
    }

    fn has_left(&self) -> bool {
        match self {
            Self::Reader(reader) => reader.is_closed(),
            Self::Nobody => false,
        }
    }
}

impl Look {
    /// Nobody wants it any more.
    pub(super) fn is_over(&self) -> bool {
        self.asker.has_left()
    }

    pub(super) fn is_late(&self, now: Instant) -> bool {
        now.duration_since(self.since) > LONGEST_IN_LINE
    }
}

impl Looks {
    /// Stands in line; whether a courier more is wanted.
    pub(super) fn join(&self, look: Look, most_couriers: usize) -> Result<bool, CallError> {
        let mut line = self.line();
        if line.looks.len() >= MOST {
            return Err(CallError::Crowded);
        }
        line.looks.push_back(look);
        let wanted = line.couriers < most_couriers;
        line.couriers += usize::from(wanted);
        Ok(wanted)
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A courier's part of the work; given up when there is nothing left to carry, or it is stopped.
pub(super) struct Duty<'l> {
    looks: &'l Looks,
    is_over: bool,
}

impl<'l> Duty<'l> {
    pub(super) fn of(looks: &'l Looks) -> Self {
        Self {
            looks,
            is_over: false,
        }
    }

    /// The first in line, at most `most`.
    pub(super) fn take(&mut self, most: usize) -> Option<Vec<Look>> {
        let mut line = self.looks.line();
        if line.looks.is_empty() {
            // Under the lock: whoever comes now sends another courier.
            line.couriers -= 1;
            self.is_over = true;
            return None;
        }
        let most = most.min(line.looks.len());
        Some(line.looks.drain(..most).collect())
    }
}

impl Drop for Duty<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.looks.line().couriers -= 1;
        }
    }
}
