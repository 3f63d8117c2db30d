//! One connection while somebody uses it: statements, transactions, and what becomes of it after.
//!
//! Every answer has a deadline on this side, too: a server that hangs keeps no time-outs. A
//! connection on which an answer is still due (the caller went away, the deadline passed) is closed
//! rather than given to the next caller, who would wait for somebody else's statement. A transaction
//! that was not committed is rolled back.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use deadpool_postgres::{ClientWrapper, Object};
use futures_util::FutureExt;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

use super::circuit::Circuit;
use super::failure;
use super::lock::Lock;
use super::statement::Statement;
use crate::error::Result;

/// How much later than a slow statement's own time-out its answer may come.
const SLACK: Duration = Duration::from_secs(5);

/// What is bound to the parameters of a statement.
pub(super) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A connection of the pool, in use.
pub(super) struct Session {
    /// Absent only while being dropped.
    client: Option<Object>,
    place: Arc<str>,
    /// Longest wait for an answer; zero: for ever.
    patience: Duration,
    /// Hears whether answers come.
    circuit: Arc<Circuit>,
    /// Statements whose answer is due.
    due: AtomicU32,
    /// Between `BEGIN` and `COMMIT`.
    open: AtomicBool,
    /// A statement has failed since `BEGIN`.
    failed: AtomicBool,
    /// Must not be used by anybody after us.
    spent: AtomicBool,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({})", self.place)
    }
}

impl Session {
    pub(super) fn new(
        client: Object,
        place: Arc<str>,
        patience: Duration,
        circuit: Arc<Circuit>,
    ) -> Self {
        Self {
            client: Some(client),
            place,
            patience,
            circuit,
            due: AtomicU32::new(0),
            open: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            spent: AtomicBool::new(false),
        }
    }

    /// Which database, without credentials.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// The driver's client, for what has no method here (`COPY`, pipelines); its calls go through
    /// [`Session::answer`].
    pub(super) fn client(&self) -> &ClientWrapper {
        self.client
            .as_deref()
            .expect("the client is taken by drop only")
    }

    /// All rows of a statement, which is prepared once per connection.
    pub(super) async fn all(&self, statement: &Statement, params: Params<'_>) -> Result<Vec<Row>> {
        let rows = async {
            let prepared = self.client().prepare_cached(statement.sql).await?;
            self.client().query(&prepared, params).await
        };
        self.answer(statement.name, rows).await
    }

    /// The first row of a statement, if there is one.
    pub(super) async fn first(
        &self,
        statement: &Statement,
        params: Params<'_>,
    ) -> Result<Option<Row>> {
        let rows = self.all(statement, params).await?;
        Ok(rows.into_iter().next())
    }

    /// Changes rows; returns how many.
    pub(super) async fn change(&self, statement: &Statement, params: Params<'_>) -> Result<u64> {
        let changed = async {
            let prepared = self.client().prepare_cached(statement.sql).await?;
            self.client().execute(&prepared, params).await
        };
        self.answer(statement.name, changed).await
    }

    /// Runs statements without parameters, separated by semicolons. Not for values from outside.
    pub(super) async fn run(&self, name: &'static str, sql: &str) -> Result<()> {
        self.answer(name, self.client().batch_execute(sql)).await
    }

    /// Begins a transaction. It ends with [`Session::commit`], or is undone with the session.
    pub(super) async fn begin(&self) -> Result<()> {
        self.begin_with("").await
    }

    /// Begins a transaction and waits for an advisory lock that is held until its end. What the
    /// transaction reads afterwards, it reads as of after the lock. One round trip.
    pub(super) async fn begin_holding(&self, lock: Lock) -> Result<()> {
        self.begin_with(&lock.sql()).await
    }

    /// Begins a transaction and waits for several locks, in the order given.
    pub(super) async fn begin_holding_all(&self, locks: &[Lock]) -> Result<()> {
        let sql: Vec<String> = locks.iter().map(|lock| lock.sql()).collect();
        self.begin_with(&sql.join("; ")).await
    }

    async fn begin_with(&self, first: &str) -> Result<()> {
        self.open.store(true, Ordering::Relaxed);
        self.failed.store(false, Ordering::Relaxed);
        self.run("begin", &format!("BEGIN; {first}")).await
    }

    /// Makes the transaction durable.
    pub(super) async fn commit(&self) -> Result<()> {
        self.commit_after("").await
    }

    /// Commits after a last statement, in the same round trip.
    pub(super) async fn commit_after(&self, last: &str) -> Result<()> {
        // The server would answer such a COMMIT with a quiet ROLLBACK.
        if self.failed.load(Ordering::Relaxed) {
            return Err(failure::aborted("commit"));
        }
        self.run("commit", &format!("{last}; COMMIT")).await?;
        self.open.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Undoes the transaction, so that the session can go on.
    pub(super) async fn roll_back(&self) -> Result<()> {
        self.run("roll back", "ROLLBACK").await?;
        self.open.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Waits for an answer of the server, but not for ever, and says what its errors mean.
    pub(super) async fn answer<T>(
        &self,
        statement: &'static str,
        answer: impl Future<Output = std::result::Result<T, Error>>,
    ) -> Result<T> {
        // Not lowered when this future is dropped while it waits: the connection is closed then.
        self.due.fetch_add(1, Ordering::Relaxed);
        let answered = match self.patience {
            Duration::ZERO => Ok(answer.await),
            patience => timeout_at(Instant::now() + patience, answer).await,
        };
        let Ok(answered) = answered else {
            self.circuit.failed();
            return Err(failure::no_answer(&self.place, self.patience));
        };
        self.due.fetch_sub(1, Ordering::Relaxed);
        self.circuit.answered();
        answered.map_err(|error| {
            self.failed.store(true, Ordering::Relaxed);
            failure::of(error, &self.place, statement)
        })
    }

    /// Whether the connection is to be closed afterwards instead of being given to the next caller.
    pub(super) fn set_spent(&self, spent: bool) {
        self.spent.store(spent, Ordering::Relaxed);
    }

    /// Other time-outs than usual (zero: none), for work that no request waits for. The connection
    /// is closed afterwards.
    pub(super) async fn slow_down(&mut self, statement: Duration, lock: Duration) -> Result<()> {
        *self.spent.get_mut() = true;
        let (statement_ms, lock_ms) = (statement.as_millis(), lock.as_millis());
        let sql = format!("SET statement_timeout = {statement_ms}; SET lock_timeout = {lock_ms}");
        self.run("set time-outs", &sql).await?;
        self.patience = match statement {
            Duration::ZERO => Duration::ZERO,
            limited => limited + SLACK,
        };
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else {
            return;
        };
        if *self.due.get_mut() > 0 || *self.spent.get_mut() {
            drop(Object::take(client));
        } else if *self.open.get_mut() {
            // Sent when first polled; the connection's next statement queues behind it.
            let _ = client.batch_execute("ROLLBACK").now_or_never();
        }
    }
}

#[cfg(test)]
mod tests;
