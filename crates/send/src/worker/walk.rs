//! A worker's walk through one chunk, page by page, never holding more than one.

use std::pin::pin;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use corkboard_core::campaign::Invalid;
use corkboard_core::dispatch::DispatchState;
use corkboard_core::time::Timestamp;
use corkboard_store::StoreError;
use corkboard_store::card_store::ScanPosition;
use corkboard_store::control_store::ClaimedChunk;
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::aside::{Aside, Pause};
use super::page::Page;
use super::render::{Cards, Case, Decided};
use super::unsaved::Unsaved;
use super::write::Batch;
use crate::meters;
use crate::seat::Seat;
use crate::sender::Sender;
use crate::waiting::Waiting;

/// How long rendering may keep a thread before others get their turn.
const TURN: Duration = Duration::from_millis(1);

/// So long after the last decision a page counts as one that waits for its fetches.
const IDLE: Duration = Duration::from_millis(5);

/// How a walk ended, other than by a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Finished,
    Stopped,
    ShutDown,
    /// Some cards wait for their fetches to be tried again, the first of them until then, or there is
    /// no place to wait in.
    PutAside {
        until: Timestamp,
    },
}

/// Why a walk could not go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("the store failed")]
    Store(#[from] StoreError),
    #[error("the frozen templates do not compile: {0:?}")]
    Templates(Vec<Invalid>),
    #[error("it was claimed too often without progress")]
    TooManyAttempts,
}

impl Failure {
    /// Whether another attempt would end the same way.
    pub(super) fn is_final(&self) -> bool {
        !matches!(self, Self::Store(_))
    }

    /// Whether a database is away or has too much to do: the chunk waits until that is over, and is
    /// not to blame for it.
    pub(super) fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Store(
                StoreError::Unavailable { .. } | StoreError::Overloaded | StoreError::DiskFull(_)
            )
        )
    }
}

/// What a walk has achieved so far.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) position: Option<ScanPosition>,
    /// Claims without progress, as the control store counts them.
    pub(super) attempt: u32,
    pub(super) cohort_ready: AtomicBool,
}

impl Progress {
    pub(super) fn of(chunk: &ClaimedChunk) -> Self {
        Self {
            position: chunk.position.clone(),
            attempt: chunk.attempt,
            cohort_ready: AtomicBool::new(false),
        }
    }

    pub(super) fn moved_to(&mut self, position: ScanPosition) {
        self.position = Some(position);
        self.attempt = 0;
    }
}

#[derive(Debug)]
pub(super) struct Walk<'a> {
    pub(super) sender: &'a Sender,
    pub(super) chunk: &'a ClaimedChunk,
    pub(super) cards: Cards<'a>,
    pub(super) shutdown: &'a CancellationToken,
    pub(super) progress: &'a mut Progress,
    /// Cards that were put aside when the chunk was given back. `None`: it was not, as far as this
    /// process knows.
    pub(super) put_aside: Option<Waiting>,
    pub(super) unsaved: Unsaved,
    pub(super) seat: Seat,
}

impl Walk<'_> {
    /// Whether somebody has held the chunk before, and may have written some of its cards.
    pub(super) fn is_repeated(&self) -> bool {
        let chunk = self.chunk;
        chunk.attempt > 1 || chunk.position.is_some() || self.put_aside.is_some()
    }

    pub(super) async fn run(mut self) -> Result<End, Failure> {
        if self.is_repeated() {
            self.raise_fence().await?;
        }
        let mut started = Instant::now();
        let mut page = self.read_page(self.progress.position.clone()).await?;
        loop {
            if self.shutdown.is_cancelled() {
                self.advance(Batch::default()).await?;
                return Ok(End::ShutDown);
            }
            page = match self.send(page).await? {
                Sent::Page(next) => next,
                Sent::End(end) => return Ok(end),
            };
            self.seat.give_way().await;
            meters::page(started.elapsed());
            started = Instant::now();
        }
    }

    /// Renders and writes a page. Cards that wait are put aside while the others go on.
    async fn send(&mut self, page: Page) -> Result<Sent, StoreError> {
        let mut cases = self.cases(page.candidates);
        let mut aside: Option<Aside> = None;
        let batch = loop {
            let mut batch = match self.decide(cases, &mut aside).await? {
                Round::Decided(batch) => batch,
                Round::Ended(end) => return Ok(Sent::End(end)),
            };
            match &mut aside {
                Some(aside) if aside.waits() => {
                    self.keep(batch, aside).await?;
                    cases = match self.pause(aside).await? {
                        Pause::Over(due) => due,
                        Pause::Ended(end) => return Ok(Sent::End(end)),
                    };
                }
                Some(aside) => {
                    batch.add_counts(&aside.counts);
                    break batch;
                }
                None => break batch,
            }
        };
        match page.next {
            Some(next) => self.advance_and_read(batch, next).await.map(Sent::Page),
            None => {
                self.finish(batch).await?;
                Ok(Sent::End(End::Finished))
            }
        }
    }

    /// Decides about everybody once. What is ready is written every now and then while fetches are
    /// slow: that keeps the lease, and it is where a stop and a shutdown are noticed.
    async fn decide(
        &mut self,
        cases: Vec<Case>,
        aside: &mut Option<Aside>,
    ) -> Result<Round, StoreError> {
        let cards = self.cards;
        if !cards.fetches() {
            return self.decide_in_turn(cases, aside).await;
        }
        let deciding = cases
            .into_iter()
            .map(|case| async move { cards.decide(case).await });
        let mut decided = pin!(stream::iter(deciding).buffered(cards.at_once()));
        let mut batch = Batch::default();
        let flush = self.sender.inner.options.flush;
        let mut flush_at = Instant::now() + flush;
        let mut turn_ends = Instant::now() + TURN;
        let mut idle_at = Instant::now() + IDLE;
        self.seat.line_up();
        loop {
            match next(
                &mut decided,
                &mut self.seat,
                [idle_at, flush_at],
                self.shutdown,
            )
            .await
            {
                Next::Decided(decided) => {
                    self.seat.line_up();
                    self.take_in(decided, &mut batch, aside).await?;
                    idle_at = Instant::now() + IDLE;
                }
                Next::Seated => idle_at = Instant::now() + IDLE,
                Next::Complete => return Ok(Round::Decided(batch)),
                Next::Idle => self.seat.leave(),
                Next::Flush => {}
                Next::ShutDown => {
                    self.save_part(batch, aside).await?;
                    return Ok(Round::Ended(End::ShutDown));
                }
            }
            let now = Instant::now();
            if now >= flush_at {
                if batch.is_empty() && self.is_stopped().await? {
                    return Ok(Round::Ended(End::Stopped));
                }
                self.save_part(std::mem::take(&mut batch), aside).await?;
                if let Some(end) = self.lost_touch(aside) {
                    return Ok(Round::Ended(end));
                }
                flush_at = Instant::now() + flush;
            }
            if now >= turn_ends {
                tokio::task::yield_now().await;
                turn_ends = Instant::now() + TURN;
            }
        }
    }

    /// The same for templates without fetches: nothing is waited for, so that the only reason to write
    /// a part of a page is that templates take long.
    async fn decide_in_turn(
        &mut self,
        cases: Vec<Case>,
        aside: &mut Option<Aside>,
    ) -> Result<Round, StoreError> {
        let mut batch = Batch::default();
        let flush = self.sender.inner.options.flush;
        let mut turn_ends = Instant::now() + TURN;
        let mut flush_at = Instant::now() + flush;
        for case in cases {
            let decided = self.cards.decide(case).await;
            self.take_in(decided, &mut batch, aside).await?;
            let now = Instant::now();
            if now < turn_ends {
                continue;
            }
            if now >= flush_at {
                self.save_part(std::mem::take(&mut batch), aside).await?;
                flush_at = Instant::now() + flush;
            }
            if self.shutdown.is_cancelled() {
                self.save_part(batch, aside).await?;
                return Ok(Round::Ended(End::ShutDown));
            }
            tokio::task::yield_now().await;
            turn_ends = Instant::now() + TURN;
        }
        Ok(Round::Decided(batch))
    }

    /// Adds a decision to the batch, or puts a card that waits aside: the position will stand still
    /// before it.
    async fn take_in(
        &mut self,
        decided: Decided,
        batch: &mut Batch,
        aside: &mut Option<Aside>,
    ) -> Result<(), StoreError> {
        let Some(waits) = batch.add(decided) else {
            return Ok(());
        };
        if aside.is_none() {
            self.advance(std::mem::take(batch)).await?;
        }
        aside.get_or_insert_with(Aside::new).add(*waits);
        Ok(())
    }

    pub(super) async fn is_stopped(&self) -> Result<bool, StoreError> {
        let (workspace, id) = (self.cards.dispatch.workspace, self.cards.dispatch.id);
        let dispatch = self.sender.control().find_dispatch(workspace, id).await?;
        Ok(dispatch.is_none_or(|dispatch| dispatch.state != DispatchState::Running))
    }
}

/// What came of deciding about everybody once.
enum Round {
    Decided(Batch),
    Ended(End),
}

/// What follows a page.
enum Sent {
    Page(Page),
    End(End),
}

/// What comes next while a page is being rendered.
enum Next {
    Decided(Decided),
    Complete,
    /// The walk may compute again.
    Seated,
    Idle,
    Flush,
    ShutDown,
}

async fn next(
    decided: &mut (impl futures_util::Stream<Item = Decided> + Unpin),
    seat: &mut Seat,
    [idle_at, flush_at]: [Instant; 2],
    shutdown: &CancellationToken,
) -> Next {
    // Polling renders. Whoever has something to do and no seat does not go on with it.
    let (is_taken, is_lined_up) = (seat.is_taken(), seat.is_lined_up());
    tokio::select! {
        biased;
        () = shutdown.cancelled() => Next::ShutDown,
        () = seat.turn(), if is_lined_up => Next::Seated,
        decided = decided.next(), if !is_lined_up => decided.map_or(Next::Complete, Next::Decided),
        () = sleep_until(idle_at), if is_taken => Next::Idle,
        () = sleep_until(flush_at) => Next::Flush,
    }
}
