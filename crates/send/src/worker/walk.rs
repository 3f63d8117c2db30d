//! A worker's walk through one chunk, page by page, never holding more than one.

use std::pin::pin;
use std::time::Duration;

use corkboard_core::campaign::Invalid;
use corkboard_core::dispatch::DispatchState;
use corkboard_store::StoreError;
use corkboard_store::card_store::ScanPosition;
use corkboard_store::control_store::ClaimedChunk;
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::page::Page;
use super::render::{Cards, Decided};
use super::write::Batch;
use crate::meters;
use crate::sender::Sender;

/// How long rendering may keep a thread before others get their turn.
const TURN: Duration = Duration::from_millis(1);

/// How a walk ended, other than by a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Finished,
    Stopped,
    ShutDown,
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
    pub(super) cohort_ready: bool,
}

impl Progress {
    pub(super) fn of(chunk: &ClaimedChunk) -> Self {
        Self {
            position: chunk.position.clone(),
            attempt: chunk.attempt,
            cohort_ready: false,
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
}

impl Walk<'_> {
    /// Whether somebody has held the chunk before, and may have written some of its cards.
    pub(super) fn is_repeated(&self) -> bool {
        self.chunk.attempt > 1 || self.chunk.position.is_some()
    }

    pub(super) async fn run(mut self) -> Result<End, Failure> {
        if self.is_repeated() {
            self.raise_fence().await?;
        }
        let mut started = Instant::now();
        let mut page = self.read_page(self.progress.position.clone()).await?;
        loop {
            if self.shutdown.is_cancelled() {
                return Ok(End::ShutDown);
            }
            page = match self.send(page).await? {
                Sent::Page(next) => next,
                Sent::End(end) => return Ok(end),
            };
            meters::page(started.elapsed());
            started = Instant::now();
        }
    }

    /// Renders and writes a page. What is ready is written when the page is complete, and every
    /// now and then while fetches are slow: that keeps the lease, and it is where a stop and a
    /// shutdown are noticed.
    async fn send(&mut self, page: Page) -> Result<Sent, StoreError> {
        let cards = self.cards;
        let deciding = page
            .candidates
            .into_iter()
            .map(|(candidate, verdict)| async move { cards.decide(candidate, verdict).await });
        let mut decided = pin!(stream::iter(deciding).buffered(cards.at_once()));
        let mut batch = Batch::default();
        let flush = self.sender.inner.options.flush;
        let mut flush_at = Instant::now() + flush;
        let mut turn_ends = Instant::now() + TURN;
        loop {
            match next(&mut decided, flush_at, self.shutdown).await {
                Next::Decided(decided) => batch.add(decided),
                Next::Complete => break,
                Next::Flush => {}
                Next::ShutDown => {
                    self.advance(batch).await?;
                    return Ok(Sent::End(End::ShutDown));
                }
            }
            let now = Instant::now();
            if now >= flush_at {
                if batch.is_empty() && self.is_stopped().await? {
                    return Ok(Sent::End(End::Stopped));
                }
                self.advance(std::mem::take(&mut batch)).await?;
                flush_at = Instant::now() + flush;
            }
            if now >= turn_ends {
                tokio::task::yield_now().await;
                turn_ends = Instant::now() + TURN;
            }
        }
        match page.next {
            Some(next) => self.advance_and_read(batch, next).await.map(Sent::Page),
            None => {
                self.finish(batch).await?;
                Ok(Sent::End(End::Finished))
            }
        }
    }

    async fn is_stopped(&self) -> Result<bool, StoreError> {
        let (workspace, id) = (self.cards.dispatch.workspace, self.cards.dispatch.id);
        let dispatch = self.sender.control().find_dispatch(workspace, id).await?;
        Ok(dispatch.is_none_or(|dispatch| dispatch.state != DispatchState::Running))
    }
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
    Flush,
    ShutDown,
}

async fn next(
    decided: &mut (impl futures_util::Stream<Item = Decided> + Unpin),
    flush_at: Instant,
    shutdown: &CancellationToken,
) -> Next {
    tokio::select! {
        biased;
        () = shutdown.cancelled() => Next::ShutDown,
        decided = decided.next() => decided.map_or(Next::Complete, Next::Decided),
        () = sleep_until(flush_at) => Next::Flush,
    }
}
