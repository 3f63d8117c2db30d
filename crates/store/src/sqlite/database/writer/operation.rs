//! An operation on its way through the queue, without its types.

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::error::{Result, StoreError};
use crate::sqlite::database::unanswered;

/// What the writer does with each entry of its queue: run it once, then answer it once.
pub(super) trait Operation: Send {
    /// Runs inside a savepoint. Returns the error that makes the writer undo it, if any.
    fn run(&mut self, connection: &Connection) -> std::result::Result<(), Undo>;
    /// What the operation failed with.
    fn failure(&self) -> Option<&StoreError>;
    /// Tells the caller, with how the transaction ended.
    fn answer(self: Box<Self>, end: Result<()>);
}

/// The operation failed: undo its writes.
#[derive(Debug)]
pub(super) struct Undo;

/// An operation and the caller who waits for it.
pub(super) struct Pending<T, F> {
    op: Option<F>,
    outcome: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F> Pending<T, F> {
    pub(super) fn new(op: F, reply: oneshot::Sender<Result<T>>) -> Self {
        Self {
            op: Some(op),
            outcome: None,
            reply,
        }
    }
}

impl<T: Send, F: FnOnce(&Connection) -> Result<T> + Send> Operation for Pending<T, F> {
    fn run(&mut self, connection: &Connection) -> std::result::Result<(), Undo> {
        let outcome = self.op.take().map(|op| op(connection));
        let kept = matches!(outcome, Some(Ok(_)));
        self.outcome = outcome;
        if kept { Ok(()) } else { Err(Undo) }
    }

    fn failure(&self) -> Option<&StoreError> {
        self.outcome.as_ref()?.as_ref().err()
    }

    fn answer(self: Box<Self>, end: Result<()>) {
        let answer = match (self.outcome, end) {
            // Its own error says more than how the others fared.
            (Some(Err(error)), _) | (_, Err(error)) => Err(error),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(unanswered()),
        };
        // The caller may have gone; what it asked for stays done.
        let _ = self.reply.send(answer);
    }
}
