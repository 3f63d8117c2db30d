//! A seat is the right to compute: to read pages, render and write. There are as many as workers.
//!
//! A walk whose cards all wait for their fetches leaves its seat, so that a slow endpoint costs other
//! campaigns nothing, and lines up for one when there is something to do. First come, first served.

use std::future::poll_fn;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_util::sync::PollSemaphore;

/// Where a walk stands.
#[derive(Debug)]
enum State {
    Seated {
        _permit: OwnedSemaphorePermit,
    },
    /// It has nothing to do until an answer comes.
    Away,
    LinedUp,
}

#[derive(Debug)]
pub(crate) struct Seat {
    /// Keeps the place in the line between two looks.
    seats: PollSemaphore,
    state: State,
    /// Tells the worker that came with the seat that it may take the next chunk.
    left: Option<oneshot::Sender<()>>,
}

impl Seat {
    /// The second part says when the seat has been left for the first time.
    pub(crate) fn new(
        seats: Arc<Semaphore>,
        permit: OwnedSemaphorePermit,
    ) -> (Self, oneshot::Receiver<()>) {
        let (left, has_left) = oneshot::channel();
        let seat = Self {
            seats: PollSemaphore::new(seats),
            state: State::Seated { _permit: permit },
            left: Some(left),
        };
        (seat, has_left)
    }

    pub(crate) fn is_taken(&self) -> bool {
        matches!(self.state, State::Seated { .. })
    }

    pub(crate) fn is_lined_up(&self) -> bool {
        matches!(self.state, State::LinedUp)
    }

    /// Gives it to whoever is next.
    pub(crate) fn leave(&mut self) {
        self.state = State::Away;
        if let Some(left) = self.left.take() {
            // The worker is gone when the process is being shut down.
            let _ = left.send(());
        }
    }

    /// There is something to do.
    pub(crate) fn line_up(&mut self) {
        if matches!(self.state, State::Away) {
            self.state = State::LinedUp;
        }
    }

    /// Waits for the turn of one who is lined up. May be dropped and called again: the place in the
    /// line is kept.
    pub(crate) async fn turn(&mut self) {
        if let Some(permit) = poll_fn(|cx| self.seats.poll_acquire(cx)).await {
            self.state = State::Seated { _permit: permit };
        }
    }

    /// Lets those go first who are lined up already.
    pub(crate) async fn give_way(&mut self) {
        self.state = State::LinedUp;
        self.turn().await;
    }
}
