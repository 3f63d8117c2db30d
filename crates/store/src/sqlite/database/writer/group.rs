//! Group commit: operations that wait together share one transaction and one sync.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use metrics::Histogram;
use rusqlite::Connection;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::operation::Operation;
use crate::error::Result;
use crate::sqlite::failure;

/// How large a group may grow.
pub(super) struct Group {
    pub(super) most: usize,
    pub(super) time: Duration,
    pub(super) meters: Meters,
}

/// What is measured of each commit.
pub(super) struct Meters {
    seconds: Histogram,
    operations: Histogram,
    commits: Arc<AtomicU64>,
}

impl Meters {
    /// `file` may carry a cohort's name behind a dash; the label is only what stands before it.
    pub(super) fn new(file: &str, commits: Arc<AtomicU64>) -> Self {
        let kind = file.split('-').next().unwrap_or_default().to_owned();
        Self {
            seconds: metrics::histogram!("corkboard_store_commit_seconds", "file" => kind.clone()),
            operations: metrics::histogram!("corkboard_store_commit_operations", "file" => kind),
            commits,
        }
    }
}

impl Group {
    /// Runs `first` and what else is waiting, commits, answers.
    pub(super) fn commit(
        &self,
        connection: &Connection,
        first: Box<dyn Operation>,
        waiting: &mut mpsc::Receiver<Box<dyn Operation>>,
    ) {
        let started = Instant::now();
        if let Err(error) = execute(connection, "BEGIN IMMEDIATE") {
            first.answer(Err(error));
            return;
        }
        let mut done: Vec<Box<dyn Operation>> = Vec::new();
        let mut next = Some(first);
        while let Some(mut operation) = next.take() {
            let outcome = run(connection, operation.as_mut());
            let cause = operation.failure().map(failure::shared);
            done.push(operation);
            // Some errors (a full disk, a failing one) make SQLite undo the whole transaction, and
            // with it the savepoint: then nobody's writes are there any more.
            if let Err(error) = outcome {
                let error = cause.unwrap_or(error);
                let _ = execute(connection, "ROLLBACK");
                answer(done, &Err(error));
                return;
            }
            if done.len() < self.most && started.elapsed() < self.time {
                next = waiting.try_recv().ok();
            }
        }
        let committing = Instant::now();
        let end = execute(connection, "COMMIT");
        if end.is_err() && !connection.is_autocommit() {
            let _ = execute(connection, "ROLLBACK");
        }
        self.meters.commits.fetch_add(1, Ordering::Relaxed);
        self.meters.seconds.record(committing.elapsed());
        self.meters.operations.record(count(done.len()));
        answer(done, &end);
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a group is far smaller than what a double counts exactly"
)]
fn count(operations: usize) -> f64 {
    operations as f64
}

/// Runs one operation in a savepoint. An error here concerns the whole transaction; the
/// operation's own error is its own affair.
fn run(connection: &Connection, operation: &mut dyn Operation) -> Result<()> {
    execute(connection, "SAVEPOINT operation")?;
    let outcome = catch_unwind(AssertUnwindSafe(|| operation.run(connection)));
    if !matches!(outcome, Ok(Ok(()))) {
        execute(connection, "ROLLBACK TO operation")?;
    }
    execute(connection, "RELEASE operation")
}

fn answer(done: Vec<Box<dyn Operation>>, end: &Result<()>) {
    for operation in done {
        operation.answer(match end {
            Ok(()) => Ok(()),
            Err(cause) => Err(failure::shared(cause)),
        });
    }
}

fn execute(connection: &Connection, statement: &str) -> Result<()> {
    connection.prepare_cached(statement)?.execute([])?;
    Ok(())
}
