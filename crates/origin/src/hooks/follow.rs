//! Following the journal: every origin forgets what has changed.
//!
//! A change is forgotten twice: at once, and again when Redis has been rewritten, because a fill in
//! between may have taken the old row from there.

use std::time::Duration;

use corkboard_core::story::story;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use super::CHANNEL;
use super::journal::{Change, Cursor};
use super::pending::Pending;
use super::progress;
use crate::key::Key;
use crate::source::{Connection, Connector, SourceError};

/// Notifications only wake; without one, the journal is looked at this often.
pub(super) const POLL: Duration = Duration::from_millis(500);
/// While there are no hooks, they are looked for this often.
const LOOK: Duration = Duration::from_secs(10);
/// After a failure.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// Forgets rows in memory.
pub(crate) trait Void: Send + Sync {
    /// These keys of a table, named with its schema; `None`: all.
    fn void(&self, table: &str, keys: Option<&[Key]>);
    /// Everything.
    fn void_all(&self);
    /// Whether Redis, which should be there, is not.
    fn redis_is_away(&self) -> bool;
}

/// The task that follows the journal.
#[derive(Debug)]
pub(crate) struct Follower<V> {
    pub(crate) connector: Connector,
    /// Those that should have hooks, with their schemas.
    pub(crate) tables: Vec<String>,
    pub(crate) memory: V,
}

impl<V: Void> Follower<V> {
    /// Runs until `shutdown`.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut cursor = None;
        shutdown
            .run_until_cancelled(async {
                loop {
                    if let Err(error) = self.follow(&mut cursor).await {
                        tracing::warn!(
                            error = story(&error),
                            "changes of the source are not heard; rows live for their ttl"
                        );
                    }
                    sleep_until(Instant::now() + PAUSE).await;
                }
            })
            .await;
    }

    /// Follows over one connection until it fails.
    async fn follow(&self, place: &mut Option<Cursor>) -> Result<(), SourceError> {
        let mut connection = listen(&self.connector).await?;
        wait_for_hooks(&connection).await?;
        for table in progress::without_hooks(&connection, &self.tables).await? {
            tracing::warn!(
                table,
                "has no change hooks: its rows live for their ttl; run install-hooks"
            );
        }
        let progress = progress::read(&connection).await?;
        let mut cursor = match place.take() {
            Some(cursor) if cursor.read_so_far().horizon() > progress.trimmed => cursor,
            // Nothing known from before can be trusted, and in Redis nothing that changed since.
            _ => {
                self.memory.void_all();
                Cursor::from(progress.applied)
            }
        };
        let mut pending = Pending::default();
        let ended = loop {
            let next = Instant::now() + POLL;
            match self.round(&connection, &mut cursor, &mut pending).await {
                Err(error) => break error,
                Ok(has_more) if has_more => {}
                // Woken or not: the journal says.
                Ok(_) => drop(timeout_at(next, connection.notified()).await),
            }
            if !connection.is_open() {
                break connection.lost();
            }
        };
        // What waited to be forgotten again is not read again: then all is forgotten.
        *place = pending.is_empty().then_some(cursor);
        Err(ended)
    }

    /// Reads a page and forgets what it names; whether there is more to read at once.
    async fn round(
        &self,
        connection: &Connection,
        cursor: &mut Cursor,
        pending: &mut Pending,
    ) -> Result<bool, SourceError> {
        let news = cursor.next(connection).await?;
        self.forget(&news.changes);
        pending.add(news.changes, cursor.seen());
        if !pending.is_empty() {
            let applied = progress::read(connection).await?.applied;
            let mut due = pending.due(&applied, cursor.seen());
            // A Redis that takes no writes was still read for a moment, and is not rewritten soon.
            if self.memory.redis_is_away() {
                due.all |= pending.is_too_much();
                self.forget(pending.changes());
            }
            if due.all {
                self.memory.void_all();
            }
            self.forget(&due.changes);
        }
        Ok(news.has_more)
    }

    fn forget(&self, changes: &[Change]) {
        for change in changes {
            self.memory.void(&change.table, change.keys.as_deref());
        }
    }
}

/// A connection that is told of changes.
pub(super) async fn listen(connector: &Connector) -> Result<Connection, SourceError> {
    let connection = connector.open().await?;
    let listening = connection.client().batch_execute("LISTEN corkboard_origin");
    connection.answer(CHANNEL, listening).await?;
    Ok(connection)
}

/// Returns when the hooks are installed.
pub(super) async fn wait_for_hooks(connection: &Connection) -> Result<(), SourceError> {
    if progress::is_installed(connection).await? {
        return Ok(());
    }
    tracing::info!("no change hooks in the source: rows live for their ttl; see install-hooks");
    while !progress::is_installed(connection).await? {
        sleep_until(Instant::now() + LOOK).await;
    }
    Ok(())
}
