//! Cards of a page whose fetches are to be tried again later.
//!
//! Behind the first of them the position stands still, because a position says that everybody before
//! it has been dealt with. The others' cards are written all the same, and their counts are kept until
//! the position moves: whoever repeats the page finds the cards there and counts them once.

use std::time::Duration;

use corkboard_core::dispatch::Tally;
use corkboard_core::time::Timestamp;
use corkboard_store::StoreError;
use tokio::time::{Instant, sleep};

use super::candidate::{Candidate, Verdict};
use super::render::Case;
use super::walk::{End, Walk};
use super::write::Batch;

/// Most memory that the answers of one page's cards may take. Those that do not fit are fetched again.
const MOST_BYTES: usize = 8 << 20;

/// What lies behind the first card of a page that waits.
#[derive(Debug)]
pub(super) struct Aside {
    waiting: Vec<Case>,
    /// Memory of the answers that are kept.
    bytes: usize,
    /// Counts of users who have been dealt with.
    pub(super) counts: Tally,
    /// The last sign of life.
    renewed: Instant,
}

/// What follows a pause.
pub(super) enum Pause {
    /// These may go on.
    Over(Vec<Case>),
    Ended(End),
}

impl Aside {
    pub(super) fn new() -> Self {
        Self {
            waiting: Vec::new(),
            bytes: 0,
            counts: Tally::default(),
            renewed: Instant::now(),
        }
    }

    pub(super) fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(super) fn add(&mut self, mut case: Case) {
        if let Some(kept) = &mut case.kept {
            if self.bytes.saturating_add(kept.bytes()) > MOST_BYTES {
                kept.answers.forget();
            }
            self.bytes += kept.bytes();
        }
        self.waiting.push(case);
    }

    /// When the first of them may go on.
    fn due(&self) -> Option<Timestamp> {
        self.waiting.iter().filter_map(Case::due).min()
    }

    /// Those that may go on by then.
    fn take_due(&mut self, by: Timestamp) -> Vec<Case> {
        let waiting = std::mem::take(&mut self.waiting);
        let is_due = |case: &Case| case.due().is_none_or(|due| due <= by);
        let (mut due, waiting): (Vec<Case>, _) = waiting.into_iter().partition(is_due);
        for kept in due.iter_mut().filter_map(|case| case.kept.as_mut()) {
            self.bytes = self.bytes.saturating_sub(kept.bytes());
            // It has waited, whatever the clock will say.
            kept.due = Timestamp::EPOCH;
        }
        self.waiting = waiting;
        due
    }
}

impl Case {
    fn due(&self) -> Option<Timestamp> {
        self.kept.as_ref().map(|kept| kept.due)
    }
}

impl Walk<'_> {
    /// The candidates of a page, with what is known of those that were put aside before.
    pub(super) fn cases(&mut self, candidates: Vec<(Candidate, Verdict)>) -> Vec<Case> {
        let mut known = self.put_aside.as_mut();
        let case = |(candidate, verdict): (Candidate, Verdict)| {
            let kept = known
                .as_mut()
                .and_then(|known| known.remove(&candidate.user.id));
            Case {
                candidate,
                verdict,
                kept,
            }
        };
        candidates.into_iter().map(case).collect()
    }

    /// Writes a part of a page, and moves the position if nobody before it waits.
    pub(super) async fn save_part(
        &mut self,
        batch: Batch,
        aside: &mut Option<Aside>,
    ) -> Result<(), StoreError> {
        match aside {
            Some(aside) => self.keep(batch, aside).await,
            None => self.advance(batch).await,
        }
    }

    /// Writes a part of a page behind a card that waits.
    pub(super) async fn keep(&mut self, batch: Batch, aside: &mut Aside) -> Result<(), StoreError> {
        let tally = self.write(batch, self.unsaved.ending()).await?;
        aside.counts.add(&tally);
        if aside.renewed.elapsed() > self.lease() / 3 && self.stay().await? {
            aside.renewed = Instant::now();
        }
        Ok(())
    }

    /// The end of a walk whose lease cannot be renewed and may lapse soon.
    pub(super) fn lost_touch(&mut self, aside: &mut Option<Aside>) -> Option<End> {
        let late = |aside: &&mut Aside| aside.renewed.elapsed() > self.lease() / 3 * 2;
        let aside = aside.as_mut().filter(late)?;
        let until = self.sender.now();
        Some(self.leave(aside, until))
    }

    /// Waits until some card may go on, if that is soon.
    pub(super) async fn pause(&mut self, aside: &mut Aside) -> Result<Pause, StoreError> {
        let now = self.sender.now();
        let due = aside.due().unwrap_or(now);
        let pause = due.since(now);
        let renewable = aside.renewed.elapsed() < self.lease() / 3;
        if pause > self.sender.inner.options.linger || !renewable {
            return Ok(Pause::Ended(self.leave(aside, due)));
        }
        if self.is_stopped().await? {
            return Ok(Pause::Ended(End::Stopped));
        }
        self.seat.leave();
        let waited = self.shutdown.run_until_cancelled(sleep(pause)).await;
        if waited.is_none() {
            return Ok(Pause::Ended(End::ShutDown));
        }
        let by = due.max(self.sender.now());
        Ok(Pause::Over(aside.take_due(by)))
    }

    /// Leaves the cards that wait to whoever claims the chunk next in this process.
    fn leave(&mut self, aside: &mut Aside, until: Timestamp) -> End {
        let mut waiting = self.put_aside.take().unwrap_or_default();
        let cards = std::mem::take(&mut aside.waiting).into_iter();
        let known = cards.filter_map(|case| Some((case.candidate.user.id, case.kept?)));
        waiting.extend(known);
        let key = (self.cards.dispatch.id, self.chunk.chunk);
        let now = self.sender.now();
        self.sender.inner.waiting.put(key, waiting, now);
        End::PutAside { until }
    }

    fn lease(&self) -> Duration {
        self.sender.inner.options.lease
    }
}
