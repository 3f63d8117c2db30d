//! The line before the connections to a server: who waits, for how long, and who is refused.
//!
//! It has an end, as long as what clients can bring, and it is bounded in time: what a server reads in
//! a second differs by a thousand times, so its length says little about the wait.
//!
//! A line that stands is no harm by itself. People who ask again as soon as they are answered always
//! stand in one; they are served in turn, and refused they would ask again at once: while they wait they
//! cost nothing. A line that grows is: when everybody, for twice as long as anybody may wait, leaves more
//! behind than were ahead of it on coming, or more wait in vain than are served, more come than can be
//! served, and who waits is only answered late. So is everybody in a line that stands but takes longer
//! than three fifths of the patience for half a second, or one that keeps growing when most of what is left of
//! the patience has been waited for. Then, where there is a target, those who have waited for
//! longer than that are refused, until nobody has to be; and who comes when as many wait as are taken next is
//! refused at once, which costs next to nothing.
//!
//! First come, first served: were it the newest, those at the back of a line that stands would never
//! have their turn.

mod sign;
mod watch;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use tokio::time::Instant;

use sign::Sign;
use watch::Watch;

/// The bounds of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineBounds {
    /// Most that wait: as many as clients can bring.
    pub most: usize,
    /// Longest wait.
    pub patience: Duration,
    /// Longest wait while more come than can be served; `None` where somebody before the line
    /// sees to that.
    pub target: Option<Duration>,
    /// How many take from it.
    pub takers: usize,
}

/// What somebody waits for.
pub trait Waits {
    /// Nobody waits for it any more.
    fn is_left(&self) -> bool;
    /// It has waited for too long.
    fn refuse(self);
}

/// Too many wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the line before the database is too long; try again later")]
pub struct TooLong;

/// One in line.
#[derive(Debug)]
struct Place<W> {
    one: W,
    since: Instant,
    /// In line before it when it came.
    ahead: usize,
}

/// A new line: its end, and its front.
#[must_use]
pub fn line<W: Waits>(bounds: LineBounds) -> (Entrance<W>, Front<W>) {
    let (sender, waiting) =
        mpsc::channel(bounds.most.clamp(1, tokio::sync::Semaphore::MAX_PERMITS));
    let sign = Arc::<Sign>::default();
    let first = First {
        waiting,
        watch: Watch::new(bounds, Instant::now()),
        sign: Arc::clone(&sign),
        takers: bounds.takers.max(1),
    };
    (Entrance { sender, sign }, Front(Mutex::new(first)))
}

/// The end of a line, where people come. Clones are the same.
pub struct Entrance<W> {
    sender: mpsc::Sender<Place<W>>,
    sign: Arc<Sign>,
}

impl<W> Entrance<W> {
    /// Joins the line; `one` is called by those for whom there is room.
    ///
    /// # Errors
    ///
    /// [`TooLong`], at once.
    pub fn enter(&self, one: impl FnOnce() -> W) -> Result<(), TooLong> {
        if self.is_full() {
            self.turned_away();
            return Err(TooLong);
        }
        let ahead = self.waiting();
        let permit = self.sender.try_reserve().map_err(|_| TooLong)?;
        permit.send(Place {
            one: one(),
            since: Instant::now(),
            ahead,
        });
        Ok(())
    }

    /// Whether it is of no use to come: more come than can be served, and as many wait as will be.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.sign.is_full(|| self.waiting())
    }

    /// Counts one who was told so without being asked for, as [`enter`](Self::enter) does by itself.
    pub fn turned_away(&self) {
        self.sign.turned_away();
    }

    fn waiting(&self) -> usize {
        self.sender.max_capacity() - self.sender.capacity()
    }
}

/// The front of a line, where connections take who is next.
pub struct Front<W>(Mutex<First<W>>);

/// What the connection at the front holds.
struct First<W> {
    waiting: mpsc::Receiver<Place<W>>,
    watch: Watch,
    sign: Arc<Sign>,
    takers: usize,
}

impl<W: Waits> Front<W> {
    /// Waits for somebody, and takes as many as there are, up to `most`, of those who are still to be
    /// answered. One connection at a time stands here, the others behind it. False when nobody will
    /// come any more.
    pub async fn take(&self, taken: &mut Vec<W>, most: usize) -> bool {
        self.0.lock().await.take(taken, most).await
    }
}

impl<W: Waits> First<W> {
    async fn take(&mut self, taken: &mut Vec<W>, most: usize) -> bool {
        self.watch
            .turned_away(Instant::now(), self.sign.take_turned_away());
        if self.waiting.is_empty() {
            self.watch.emptied(Instant::now());
        }
        self.tell(most);
        while let Some(Place { one, since, ahead }) = self.waiting.recv().await {
            let (now, behind) = (Instant::now(), self.waiting.len());
            if one.is_left() {
                // Nothing to do.
            } else if self.watch.lets(now, since, ahead, behind) {
                taken.push(one);
            } else {
                one.refuse();
            }
            if behind == 0 {
                self.watch.emptied(now);
            }
            self.tell(most);
            if taken.len() >= most || (behind == 0 && !taken.is_empty()) {
                return true;
            }
        }
        !taken.is_empty()
    }

    /// Tells those who come how many may wait: as many as are taken next, by all who take so many.
    fn tell(&self, most: usize) {
        let room = self.takers.saturating_mul(most);
        self.sign.set(self.watch.grows().then_some(room));
    }
}

impl<W> Clone for Entrance<W> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            sign: Arc::clone(&self.sign),
        }
    }
}

impl<W> fmt::Debug for Entrance<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entrance").finish_non_exhaustive()
    }
}

impl<W> fmt::Debug for Front<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
