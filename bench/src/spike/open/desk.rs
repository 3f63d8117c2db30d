//! Which request goes out on which connection, and what counts as what: without socket or clock, so
//! that a stalled server can be played in virtual time.

use std::collections::VecDeque;
use std::iter::Peekable;
use std::time::Duration;

use super::answer::Kind;
use super::profile::{Due, Profile, Schedule};
use super::tally::{End, Tally};

/// Requests that may wait for a connection. As many as the fastest generator offers in two seconds.
const LONGEST_LINE: usize = 200_000;

#[derive(Debug)]
pub(super) struct Desk {
    schedule: Peekable<Schedule>,
    /// For a free connection.
    patience: Duration,
    /// The one that has been free for longest first, so that all are kept open.
    free: VecDeque<usize>,
    /// In order of their due times.
    line: VecDeque<Request>,
    in_flight: Vec<Option<Request>>,
    tally: Tally,
}

#[derive(Debug, Clone, Copy)]
struct Request {
    due: Due,
    /// Sent before, on a connection that had been closed.
    again: bool,
}

impl Desk {
    pub(super) fn new(profile: &Profile, deadline: Duration, connections: usize) -> Self {
        Self {
            schedule: profile.schedule().peekable(),
            // The other half is for the answer. If the whole deadline could go by in line, a full line
            // would hold nothing but requests that are too late when they are sent, and would stay full.
            patience: deadline / 2,
            free: VecDeque::with_capacity(connections),
            line: VecDeque::new(),
            in_flight: vec![None; connections],
            tally: Tally::new(profile, deadline),
        }
    }

    /// A connection is there, and has nothing to do.
    pub(super) fn opened(&mut self, connection: usize) {
        self.free.push_back(connection);
    }

    /// The connection that is to send a request now, to be asked until there is none. The request is
    /// in flight with that.
    pub(super) fn send(&mut self, now: Duration) -> Option<usize> {
        while let Some(due) = self.schedule.next_if(|due| due.at <= now) {
            self.tally.offered(due);
            if self.line.len() < LONGEST_LINE {
                let again = false;
                self.line.push_back(Request { due, again });
            } else {
                self.tally.ended(due, now, End::Unanswered);
            }
        }
        while let Some(request) = self.line.front() {
            if now.saturating_sub(request.due.at) > self.patience {
                self.tally.ended(request.due, now, End::Unanswered);
                self.line.pop_front();
            } else {
                break;
            }
        }
        if self.line.is_empty() {
            return None;
        }
        let connection = self.free.pop_front()?;
        let request = self.line.pop_front()?;
        if !request.again {
            self.tally.sent(request.due, now);
        }
        self.in_flight[connection] = Some(request);
        Some(connection)
    }

    /// An answer came. The connection is free again unless it is closing.
    pub(super) fn answered(&mut self, connection: usize, now: Duration, kind: Kind, closes: bool) {
        if let Some(request) = self.in_flight[connection].take() {
            self.tally.ended(request.due, now, End::Answered(kind));
            if !closes {
                self.free.push_back(connection);
            }
        }
    }

    /// The connection has ended. `silently`: not a byte of an answer had come, and it had been used before.
    pub(super) fn lost(&mut self, connection: usize, now: Duration, silently: bool) {
        match self.in_flight[connection].take() {
            Some(request) if silently && !request.again => {
                self.tally.resent(request.due);
                // It is older than all that wait.
                self.line.push_front(Request {
                    again: true,
                    ..request
                });
            }
            Some(request) => self.tally.ended(request.due, now, End::Broken),
            None => self.free.retain(|free| *free != connection),
        }
    }

    /// When there is something to do without an answer; `None` when all requests have been sent.
    pub(super) fn wake(&mut self) -> Option<Duration> {
        let next = self.schedule.peek().map(|due| due.at);
        let overdue = self.line.front().map(|first| first.due.at + self.patience);
        match (next, overdue) {
            (Some(next), Some(overdue)) => Some(next.min(overdue)),
            (next, overdue) => next.or(overdue),
        }
    }

    /// Nothing is left to send or to wait for.
    pub(super) fn is_done(&mut self) -> bool {
        self.schedule.peek().is_none()
            && self.line.is_empty()
            && self.in_flight.iter().all(Option::is_none)
    }

    /// The step that is being sent.
    pub(super) fn step(&mut self) -> Option<usize> {
        self.schedule.peek().map(|due| due.step)
    }

    pub(super) fn used_cpu(&mut self, step: usize, seconds: f64) {
        self.tally.used_cpu(step, seconds);
    }

    /// The run is over: what was sent and not answered is late.
    pub(super) fn finish(mut self, now: Duration) -> Tally {
        let unanswered = self.in_flight.into_iter().flatten().chain(self.line);
        for request in unanswered {
            self.tally.ended(request.due, now, End::Unanswered);
        }
        self.tally
    }
}

#[cfg(test)]
mod tests;
