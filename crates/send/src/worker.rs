//! Workers: each takes one chunk after the other, and leaves every one of them in order.
//!
//! A worker is a place for computing, not for waiting: when a chunk has left its seat, because all of
//! it waits for fetches, its worker takes another, and the chunk goes on by itself.

mod aside;
mod candidate;
mod page;
mod render;
mod standing;
mod unsaved;
mod walk;
mod write;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use corkboard_core::dispatch::Dispatch;
use corkboard_core::time::Timestamp;
use corkboard_store::StoreError;
use corkboard_store::control_store::{ClaimRequest, ClaimedChunk};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backoff;
use crate::meters::{self, ChunkOutcome};
use crate::places::Room;
use crate::seat::Seat;
use crate::sender::Sender;
use render::{Cards, fetches};
use unsaved::Unsaved;
use walk::{End, Failure, Progress, Walk};

/// A chunk whose holders end without a word may have ended them, or may have had bad luck with
/// processes that were killed: it gets so many times the attempts of one whose work fails.
const SILENT: u32 = 5;

/// A database that is away is asked again as after so many failures: after a few seconds.
const WAITING: u32 = 6;

/// A chunk that finds no place to wait in is left for so long.
const NO_PLACE: Duration = Duration::from_millis(250);

/// Claims and works until `shutdown`.
pub(crate) async fn run(
    sender: Sender,
    number: usize,
    tasks: TaskTracker,
    shutdown: CancellationToken,
) {
    let name = format!("{}-{number}", sender.inner.options.name);
    let mut woken = sender.inner.wake.subscribe();
    let mut failures = 0_u32;
    while !shutdown.is_cancelled() {
        let Some(seat) = sender.seat(&shutdown).await else {
            return;
        };
        // Marked before looking, so that a wake-up in between is not lost.
        woken.borrow_and_update();
        let pause = match sender.claim(&name).await {
            Ok(Some((chunk, room))) => {
                let (seat, has_left) = Seat::new(Arc::clone(&sender.inner.seats), seat);
                let work = sender.clone().work(chunk, room, seat, shutdown.clone());
                let work = tasks.spawn(work);
                let outcome = tokio::select! {
                    outcome = work => outcome.ok(),
                    Ok(()) = has_left => continue,
                };
                // One that panicked has said so; its lease will lapse.
                if outcome.is_some_and(|outcome| outcome != ChunkOutcome::Retried) {
                    failures = 0;
                    continue;
                }
                // A store that fails would fail the next chunk, too.
                failures = failures.saturating_add(1);
                backoff::pause(sender.inner.options.backoff, failures)
            }
            Ok(None) => {
                drop(seat);
                failures = 0;
                sender.inner.options.poll
            }
            Err(error) => {
                drop(seat);
                failures = failures.saturating_add(1);
                let error: &dyn Error = &error;
                tracing::warn!(error, failures, "a worker could not claim a chunk");
                backoff::pause(sender.inner.options.backoff, failures)
            }
        };
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            _ = woken.changed(), if failures == 0 => {}
            () = sleep(pause) => {}
        }
    }
}

impl Sender {
    /// `None` at a shutdown.
    async fn seat(&self, shutdown: &CancellationToken) -> Option<OwnedSemaphorePermit> {
        let seat = Arc::clone(&self.inner.seats).acquire_owned();
        shutdown.run_until_cancelled(seat).await?.ok()
    }

    async fn claim(&self, worker: &str) -> Result<Option<(ClaimedChunk, Room)>, StoreError> {
        let _alone = self.inner.claiming.lock().await;
        let request = ClaimRequest {
            worker: worker.to_owned(),
            now: self.now(),
            lease: self.inner.options.lease,
            except: self.inner.places.have_enough(),
        };
        let chunk = self.control().claim_chunk(&request).await?;
        Ok(chunk.map(|chunk| {
            let room = self.room_for(&chunk.dispatch);
            (chunk, room)
        }))
    }

    fn room_for(&self, dispatch: &Dispatch) -> Room {
        let (campaign, version) = (dispatch.campaign, dispatch.campaign_version);
        let compiled = &self.inner.compiled;
        // Templates that do not compile fetch nothing; the walk says so.
        match compiled.get(campaign, version, &dispatch.definition) {
            Ok(compiled) if fetches(&compiled) => self.inner.places.take(dispatch),
            Ok(_) | Err(_) => Room::NotNeeded,
        }
    }

    /// Works on a chunk until it is finished, lost or in need of a pause, and leaves it in order.
    async fn work(
        self,
        chunk: ClaimedChunk,
        room: Room,
        seat: Seat,
        shutdown: CancellationToken,
    ) -> ChunkOutcome {
        let mut progress = Progress::of(&chunk);
        let end = match room {
            Room::Full => Ok(End::PutAside {
                until: self.now().plus(NO_PLACE),
            }),
            Room::NotNeeded | Room::Place(_) => {
                self.walk(&chunk, &mut progress, seat, &shutdown).await
            }
        };
        let outcome = match end {
            Ok(End::Finished) => ChunkOutcome::Finished,
            Ok(End::ShutDown) => {
                self.hand_back(&chunk, self.now(), ChunkOutcome::HandedBack)
                    .await
            }
            Ok(End::PutAside { until }) => {
                self.hand_back(&chunk, until, ChunkOutcome::PutAside).await
            }
            Ok(End::Stopped) | Err(Failure::Store(StoreError::Stale { .. })) => {
                ChunkOutcome::Stopped
            }
            Err(Failure::Store(StoreError::Fenced { .. })) => ChunkOutcome::Fenced,
            Err(failure) => self.give_back(&chunk, progress.attempt, &failure).await,
        };
        tracing::debug!(
            dispatch = %chunk.dispatch.id, chunk = chunk.chunk, token = chunk.token, ?outcome,
            "a worker is done with a chunk"
        );
        meters::chunk(outcome);
        if let Room::Place(place) = room {
            drop(place);
            // There may be chunks that were left because of it.
            self.wake();
        }
        outcome
    }

    async fn walk(
        &self,
        chunk: &ClaimedChunk,
        progress: &mut Progress,
        seat: Seat,
        shutdown: &CancellationToken,
    ) -> Result<End, Failure> {
        let most = self.inner.options.max_attempts.saturating_mul(SILENT);
        if chunk.attempt > most {
            // Whoever held it never came to say why.
            return Err(Failure::TooManyAttempts);
        }
        let dispatch = &chunk.dispatch;
        let compiled = self
            .inner
            .compiled
            .get(
                dispatch.campaign,
                dispatch.campaign_version,
                &dispatch.definition,
            )
            .map_err(Failure::Templates)?;
        let cards = Cards {
            sender: self,
            dispatch,
            compiled: &compiled,
        };
        Walk {
            sender: self,
            chunk,
            cards,
            shutdown,
            progress,
            put_aside: self.inner.waiting.take((dispatch.id, chunk.chunk)),
            unsaved: Unsaved::new(),
            seat,
        }
        .run()
        .await
    }

    /// Gives a chunk back, to be claimed at that time or later. Nobody is to blame.
    async fn hand_back(
        &self,
        chunk: &ClaimedChunk,
        at: Timestamp,
        outcome: ChunkOutcome,
    ) -> ChunkOutcome {
        if let Err(error) = self.control().release_chunk(chunk, at, u32::MAX).await {
            let error: &dyn Error = &error;
            tracing::debug!(error, "a chunk was not handed back; its lease will lapse");
        }
        outcome
    }

    /// Gives a chunk back after a failure, to be tried again after a pause; the last attempt fails
    /// it and its dispatch.
    async fn give_back(
        &self,
        chunk: &ClaimedChunk,
        attempt: u32,
        failure: &Failure,
    ) -> ChunkOutcome {
        let options = &self.inner.options;
        // Retrying does not mend a template.
        let most = if failure.is_final() {
            0
        } else if failure.is_passing() {
            u32::MAX
        } else {
            options.max_attempts
        };
        let outcome = if attempt >= most {
            ChunkOutcome::Failed
        } else {
            ChunkOutcome::Retried
        };
        report(chunk, attempt, outcome, failure);
        // Attempts that do not count do not lengthen the pause either.
        let pauses = if failure.is_passing() {
            attempt.max(WAITING)
        } else {
            attempt
        };
        let retry_at = self.now().plus(backoff::pause(options.backoff, pauses));
        if let Err(error) = self.control().release_chunk(chunk, retry_at, most).await {
            report(chunk, attempt, outcome, &error);
        }
        outcome
    }
}

fn report(
    chunk: &ClaimedChunk,
    attempt: u32,
    outcome: ChunkOutcome,
    error: &(dyn Error + 'static),
) {
    let (dispatch, chunk) = (chunk.dispatch.id, chunk.chunk);
    if outcome == ChunkOutcome::Failed {
        tracing::error!(%dispatch, chunk, attempt, error, "a chunk fails its dispatch");
    } else {
        tracing::warn!(%dispatch, chunk, attempt, error, "a chunk will be tried again");
    }
}
