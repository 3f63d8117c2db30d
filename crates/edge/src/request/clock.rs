//! How long a body is waited for: by piece and by stretch, and only while somebody waits.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::options::EdgeOptions;
use crate::pace::{Pace, TooSlow};

#[derive(Debug)]
pub(super) struct BodyClock {
    progress: Duration,
    pace: Pace,
    wait: Option<Wait>,
    /// Present once a read had to wait: most bodies arrive with their header and never need it.
    sleep: Option<Pin<Box<Sleep>>>,
}

/// A read that waits for the client.
#[derive(Debug, Clone, Copy)]
struct Wait {
    since: Instant,
    /// What came before is in the books of the pace.
    booked: Instant,
}

impl BodyClock {
    pub(super) fn new(options: &EdgeOptions) -> Self {
        Self {
            progress: options.body_progress_timeout,
            pace: Pace::new(options.min_body_rate, options.body_timeout),
            wait: None,
            sleep: None,
        }
    }

    /// A read waits. Ready when it has waited for too long, or for too little.
    pub(super) fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<TooSlow> {
        let mut armed = self.wait.is_some();
        loop {
            let now = Instant::now();
            let wait = *self.wait.get_or_insert(Wait {
                since: now,
                booked: now,
            });
            let nearest = (wait.since + self.progress).min(wait.booked + self.pace.left());
            let sleep = self
                .sleep
                .get_or_insert_with(|| Box::pin(sleep_until(nearest)));
            if !armed {
                sleep.as_mut().reset(nearest);
            }
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if wait.since.elapsed() >= self.progress || self.book(wait).is_err() {
                return Poll::Ready(TooSlow);
            }
            self.wait = Some(Wait {
                booked: Instant::now(),
                ..wait
            });
            armed = false;
        }
    }

    /// A piece has come. An error when too little has come in all the time it was waited for.
    pub(super) fn came(&mut self, bytes: usize) -> Result<(), TooSlow> {
        self.pace.moved(bytes);
        self.wait.take().map_or(Ok(()), |wait| self.book(wait))
    }

    fn book(&mut self, wait: Wait) -> Result<(), TooSlow> {
        self.pace.waited(wait.booked.elapsed())
    }
}
