//! The line before the source: who waits for a connection, for how long, and how many go at once.
//!
//! The line has an end, but its length says little about the wait: what a source reads in a
//! second differs by a thousand times. So it is bounded in time as well. As long as the line is emptied now and then,
//! a burst may wait for [`PATIENCE`]; once it has not been for a while, who has waited for longer than
//! [`TARGET`] is refused, because those behind would only be answered too late as well.
//!
//! Keys of a query run one behind the other on a connection, so a batch of them takes as long as all
//! together. [`Portion`] keeps that near the target.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

/// Without congestion.
const PATIENCE: Duration = Duration::from_secs(2);
/// In congestion; also what a batch of a query's keys may take.
const TARGET: Duration = Duration::from_millis(20);
/// Not emptied for so long, the line is congested.
const CONGESTED_AFTER: Duration = Duration::from_secs(1);

/// What somebody waits for.
pub(super) trait Waits {
    fn since(&self) -> Instant;
    /// Nobody waits for it any more.
    fn is_left(&self) -> bool;
    /// Refuses it: it has waited for too long.
    fn refuse(self);
}

/// The line's front. One connection at a time stands there.
#[derive(Debug)]
pub(super) struct Line<W> {
    waiting: mpsc::Receiver<W>,
    empty_at: Instant,
}

impl<W: Waits> Line<W> {
    pub(super) fn new(waiting: mpsc::Receiver<W>) -> Self {
        let empty_at = Instant::now();
        Self { waiting, empty_at }
    }

    /// Waits for somebody, and takes as many as there are, up to `most`, of those that can still be
    /// answered in time. False when nobody will come any more.
    pub(super) async fn take(&mut self, taken: &mut Vec<W>, most: usize) -> bool {
        if self.waiting.is_empty() {
            self.empty_at = Instant::now();
        }
        while let Some(next) = self.waiting.recv().await {
            let now = Instant::now();
            let congested = now.duration_since(self.empty_at) > CONGESTED_AFTER;
            let bound = if congested { TARGET } else { PATIENCE };
            if next.is_left() {
                // Nothing to do.
            } else if now.duration_since(next.since()) > bound {
                next.refuse();
            } else {
                taken.push(next);
            }
            if self.waiting.is_empty() {
                self.empty_at = now;
            }
            if taken.len() >= most || (self.waiting.is_empty() && !taken.is_empty()) {
                return true;
            }
        }
        !taken.is_empty()
    }
}

/// How many keys of a query one batch may hold.
#[derive(Debug)]
pub(super) struct Portion {
    now: usize,
    most: usize,
}

impl Portion {
    pub(super) fn new(most: usize) -> Self {
        Self { now: most, most }
    }

    pub(super) fn get(&self) -> usize {
        self.now
    }

    /// A batch of so many keys, one behind the other, took so long.
    pub(super) fn learn(&mut self, keys: usize, took: Duration) {
        if took > TARGET {
            let part = TARGET.as_secs_f64() / took.as_secs_f64();
            self.now = whole(keys as f64 * part).max(1);
        } else if keys >= self.now && took < TARGET / 2 {
            self.now = (self.now * 2).min(self.most);
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a part of a batch: positive and small"
)]
fn whole(keys: f64) -> usize {
    keys as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const MS: Duration = Duration::from_millis(1);

    #[derive(Debug)]
    struct One(Instant, Arc<AtomicUsize>);

    impl Waits for One {
        fn since(&self) -> Instant {
            self.0
        }
        fn is_left(&self) -> bool {
            false
        }
        fn refuse(self) {
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Asks every `every` for three seconds; a reader takes two each 10 ms. How many were taken, the longest
    /// wait of these, and how many were refused.
    async fn seconds_of(every: Duration) -> (usize, Duration, usize) {
        let (sender, receiver) = mpsc::channel(4_096);
        let refused = Arc::new(AtomicUsize::new(0));
        let mut line = Line::new(receiver);
        let begun = Instant::now();
        let (mut due, mut count, mut longest) = (begun, 0, Duration::ZERO);
        while begun.elapsed() < MS * 3_000 {
            while due <= Instant::now() {
                let _ = sender.try_send(One(due, Arc::clone(&refused)));
                due += every;
            }
            let mut taken = Vec::new();
            let taking = tokio::time::timeout(MS, line.take(&mut taken, 2));
            let _ = taking.await;
            // The first second is the burst that may wait.
            if begun.elapsed() > MS * 1_100 {
                let waits = taken.iter().map(|one| one.0.elapsed());
                longest = waits.fold(longest, Duration::max);
            }
            count += taken.len();
            tokio::time::advance(MS * 10).await;
        }
        (count, longest, refused.load(Ordering::Relaxed))
    }

    #[tokio::test(start_paused = true)]
    async fn at_ten_times_the_capacity_as_much_is_answered_and_soon() {
        let (ordinary, _, refused) = seconds_of(MS * 6).await;
        assert_eq!(refused, 0, "{ordinary} were taken");
        let (count, longest, refused) = seconds_of(MS / 2).await;
        assert!(
            count >= 590 && refused > 1_000,
            "{count} taken, {refused} refused"
        );
        assert!(longest <= TARGET, "{longest:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_waits_and_is_not_refused() {
        let (sender, receiver) = mpsc::channel(100);
        let refused = Arc::new(AtomicUsize::new(0));
        let mut line = Line::new(receiver);
        for _ in 0..10 {
            sender
                .try_send(One(Instant::now(), Arc::clone(&refused)))
                .unwrap();
        }
        for _ in 0..5 {
            tokio::time::advance(MS * 15).await;
            let mut taken = Vec::new();
            assert!(line.take(&mut taken, 2).await);
            assert_eq!(taken.len(), 2);
        }
        drop(sender);
        assert!(!line.take(&mut Vec::new(), 2).await);
        assert_eq!(refused.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_portion_follows_what_a_key_takes() {
        let mut portion = Portion::new(128);
        portion.learn(128, MS * 1_280);
        assert_eq!(portion.get(), 2);
        portion.learn(1, MS);
        assert_eq!(portion.get(), 2, "it was not full");
        for _ in 0..9 {
            portion.learn(portion.get(), MS);
        }
        assert_eq!(portion.get(), 128);
        portion.learn(1, MS * 900);
        assert_eq!(portion.get(), 1);
    }
}
