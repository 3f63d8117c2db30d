//! Reports of many users recorded together: one transaction, one sync, one transaction id.
//!
//! A report waits at most [`GATHER`] for others, and meanwhile for the transaction before it. The
//! queue is bounded; a report that finds it full is refused and may be sent again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

use super::CardDatabase;
use super::card_events::{self, Report};
use crate::card_store::RecordedEvents;
use crate::error::{Result, StoreError};

/// Most reports that wait.
const WAITING: usize = 4_096;
/// Most events of one transaction, as long as a single report has not more.
const EVENTS: usize = 2_000;
/// How long the first report of a transaction waits for others.
const GATHER: Duration = Duration::from_millis(10);

type Answer = Result<RecordedEvents>;

#[derive(Debug)]
struct Waiting {
    report: Report,
    answer: oneshot::Sender<Answer>,
}

/// Where reports are handed in.
#[derive(Debug)]
pub(super) struct Recorder {
    queue: mpsc::Sender<Waiting>,
    tasks: TaskTracker,
}

/// The recording of others failed, too.
#[derive(Debug, thiserror::Error)]
#[error("reports are recorded together: {0}")]
struct Together(String);

impl Recorder {
    /// Starts the task that records. It ends after the recorder is dropped.
    pub(super) fn start(store: Arc<CardDatabase>) -> Self {
        let (queue, reports) = mpsc::channel(WAITING);
        let tasks = TaskTracker::new();
        tasks.spawn(run(store, reports));
        tasks.close();
        Self { queue, tasks }
    }

    /// Records one user's events; durable when it returns.
    pub(super) async fn record(&self, report: Report) -> Answer {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { report, answer };
        self.queue
            .try_send(waiting)
            .map_err(|_| StoreError::Overloaded)?;
        answered.await.unwrap_or(Err(StoreError::Overloaded))
    }

    /// Whether the task is still there.
    pub(super) fn is_running(&self) -> bool {
        !self.tasks.is_empty()
    }
}

async fn run(store: Arc<CardDatabase>, mut reports: mpsc::Receiver<Waiting>) {
    while let Some(first) = reports.recv().await {
        let until = Instant::now() + GATHER;
        let mut events = first.report.events.len();
        let mut group = vec![first];
        while events < EVENTS {
            let Ok(Some(next)) = timeout_at(until, reports.recv()).await else {
                break;
            };
            events += next.report.events.len();
            group.push(next);
        }
        record(&store, group).await;
    }
}

async fn record(store: &CardDatabase, group: Vec<Waiting>) {
    let (reports, answers): (Vec<Report>, Vec<_>) = group
        .into_iter()
        .map(|one| (one.report, one.answer))
        .unzip();
    metrics::histogram!("corkboard_store_reports_per_transaction").record(reports.len() as f64);
    match card_events::record(store, &reports).await {
        Ok(recorded) => {
            for (answer, recorded) in answers.into_iter().zip(recorded) {
                // Whoever has gone away finds a repeat when coming back.
                let _ = answer.send(Ok(recorded));
            }
        }
        Err(error) => {
            for answer in answers {
                let _ = answer.send(Err(shared(&error)));
            }
        }
    }
}

/// The error that each of those who were recorded together gets.
fn shared(cause: &StoreError) -> StoreError {
    let source = match std::error::Error::source(cause) {
        Some(source) => Together(format!("{cause}: {source}")),
        None => Together(cause.to_string()),
    };
    match cause {
        StoreError::DiskFull(_) => StoreError::DiskFull(source.into()),
        StoreError::Overloaded => StoreError::Overloaded,
        StoreError::NoSuchCohort(cohort) => StoreError::NoSuchCohort(*cohort),
        StoreError::TooManyCohorts { most } => StoreError::TooManyCohorts { most: *most },
        StoreError::Unavailable { place, .. } => StoreError::Unavailable {
            place: place.clone(),
            source: source.into(),
        },
        _ => StoreError::Database {
            statement: "record card events",
            source: source.into(),
        },
    }
}
