//! Following the journal: every origin forgets what has changed, one of them rewrites Redis.
//!
//! A change is forgotten twice by an origin that is not the applier: at once, and again when Redis
//! has been rewritten, because a fill in between may have taken the old row from there.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use super::CHANNEL;
use super::journal::{Change, Cursor};
use super::pending::Pending;
use super::progress;
use crate::key::Key;
use crate::source::{Connection, Connector, SourceError};

/// Notifications only wake; without one, the journal is looked at this often.
const POLL: Duration = Duration::from_millis(500);
/// While there are no hooks, they are looked for this often.
const LOOK: Duration = Duration::from_secs(10);
/// After a failure.
const PAUSE: Duration = Duration::from_secs(1);
/// The journal is trimmed this often.
const TRIM: Duration = Duration::from_secs(60);

/// Forgets rows in memory.
pub(crate) trait Void: Send + Sync {
    /// These keys of a table, as endpoints name it; `None`: all.
    fn void(&self, table: &str, keys: Option<&[Key]>);
    /// Everything.
    fn void_all(&self);
}

/// Rewrites rows in Redis.
pub(crate) trait Rewrite: Send + Sync {
    /// Brings what Redis has of these keys up to date with the source.
    ///
    /// Fails when either cannot be reached; then the same change comes again.
    fn rewrite(
        &self,
        table: &str,
        keys: Option<&[Key]>,
    ) -> impl Future<Output = Result<(), RewriteError>> + Send;
}

/// Why a change was not applied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RewriteError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("redis cannot be written")]
    Redis(#[from] corkboard_cache::CallError),
}

/// The task that follows the journal.
#[derive(Debug)]
pub(crate) struct Follower<V, R> {
    pub(crate) connector: Connector,
    /// Those that should have hooks, with their schemas.
    pub(crate) tables: Vec<String>,
    pub(crate) memory: V,
    /// Absent without Redis.
    pub(crate) redis: Option<R>,
}

/// What this origin does about changes.
enum Role {
    /// Somebody else applies.
    Following(Pending),
    /// We do.
    Applying { trim_at: Instant },
}

impl<V: Void, R: Rewrite> Follower<V, R> {
    /// Runs until `shutdown`.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut cursor = None;
        shutdown
            .run_until_cancelled(async {
                loop {
                    if let Err(error) = self.follow(&mut cursor).await {
                        let cause = error.source().map(ToString::to_string).unwrap_or_default();
                        tracing::warn!(%error, cause, "changes of the source are not heard; rows live for their ttl");
                    }
                    sleep_until(Instant::now() + PAUSE).await;
                }
            })
            .await;
    }

    /// Follows over one connection until it fails.
    async fn follow(&self, place: &mut Option<Cursor>) -> Result<(), RewriteError> {
        let mut connection = self.connector.open().await?;
        let listening = connection.client().batch_execute("LISTEN corkboard_origin");
        connection.answer(CHANNEL, listening).await?;
        self.wait_for_hooks(&connection).await?;
        let trimmed = progress::read(&connection).await?.trimmed;
        let mut cursor = match place.take() {
            Some(cursor) if cursor.read_so_far().horizon() > trimmed => cursor,
            // Nothing known from before can be trusted.
            _ => {
                let cursor = Cursor::at_the_end(&connection).await?;
                self.memory.void_all();
                cursor
            }
        };
        let mut role = Role::Following(Pending::default());
        let ended = loop {
            let next = Instant::now() + POLL;
            match self.round(&connection, &mut cursor, &mut role).await {
                Err(error) => break error,
                Ok(has_more) if has_more => {}
                // Woken or not: the journal says.
                Ok(_) => drop(timeout_at(next, connection.notified()).await),
            }
            if !connection.is_open() {
                break connection.lost().into();
            }
        };
        // As an applier the cursor may be behind; reading a change twice does no harm. What waited
        // to be forgotten again is read again, too, or all is forgotten.
        *place = match role {
            Role::Applying { .. } => Some(cursor),
            Role::Following(pending) if pending.is_empty() => Some(cursor),
            Role::Following(_) => None,
        };
        Err(ended)
    }

    async fn wait_for_hooks(&self, connection: &Connection) -> Result<(), SourceError> {
        if !progress::is_installed(connection).await? {
            tracing::info!(
                "no change hooks in the source: rows live for their ttl; see install-hooks"
            );
            while !progress::is_installed(connection).await? {
                sleep_until(Instant::now() + LOOK).await;
            }
        }
        for table in progress::without_hooks(connection, &self.tables).await? {
            tracing::warn!(
                table,
                "has no change hooks: its rows live for their ttl; run install-hooks"
            );
        }
        Ok(())
    }

    /// Reads a page and does what it asks for; whether there is more to do at once.
    async fn round(
        &self,
        connection: &Connection,
        cursor: &mut Cursor,
        role: &mut Role,
    ) -> Result<bool, RewriteError> {
        let before = cursor.read_so_far();
        let news = cursor.next(connection).await?;
        self.forget(&news.changes);
        match role {
            Role::Following(pending) => {
                pending.add(news.changes, cursor.seen());
                let applied = progress::read(connection).await?.applied;
                let due = pending.due(&applied, cursor.seen());
                if due.all {
                    self.memory.void_all();
                }
                self.forget(&due.changes);
                if progress::become_applier(connection).await? {
                    tracing::info!("this origin applies changes now");
                    *cursor = Cursor::from(progress::read(connection).await?.applied);
                    *role = Role::Applying {
                        trim_at: Instant::now(),
                    };
                    // All that waited comes again.
                    return Ok(true);
                }
                Ok(news.has_more)
            }
            Role::Applying { trim_at } => {
                if let Err(error) = self.apply(&news.changes).await {
                    // All of it again: rewriting twice is rewriting once.
                    *cursor = Cursor::from(progress::read(connection).await?.applied);
                    return Err(error);
                }
                self.forget(&news.changes);
                let now = cursor.read_so_far();
                let is_over = !news.changes.is_empty() && !news.has_more;
                if is_over || news.has_more && now != before {
                    progress::save(connection, &now).await?;
                }
                if Instant::now() >= *trim_at && !progress::trim(connection).await? {
                    *trim_at = Instant::now() + TRIM;
                }
                Ok(news.has_more)
            }
        }
    }

    /// A key that changed several times is rewritten once: what counts is the row as it is now.
    async fn apply(&self, changes: &[Change]) -> Result<(), RewriteError> {
        let mut tables = BTreeMap::<&str, Option<BTreeSet<&Key>>>::new();
        for change in changes {
            let known = tables
                .entry(&change.table)
                .or_insert_with(|| Some(BTreeSet::new()));
            match (&change.keys, known) {
                (Some(keys), Some(known)) => known.extend(keys),
                (_, known) => *known = None,
            }
        }
        if let Some(redis) = &self.redis {
            for (table, keys) in tables {
                let keys = keys.map(|keys| keys.into_iter().cloned().collect::<Vec<_>>());
                redis.rewrite(table, keys.as_deref()).await?;
            }
        }
        for change in changes {
            metrics::counter!("corkboard_origin_changes_applied_total").increment(1);
            #[expect(clippy::cast_precision_loss, reason = "a histogram of seconds")]
            let lag = change.lag_micros as f64 / 1e6;
            metrics::histogram!("corkboard_origin_change_lag_seconds").record(lag);
        }
        Ok(())
    }

    fn forget(&self, changes: &[Change]) {
        for change in changes {
            self.memory.void(&change.table, change.keys.as_deref());
        }
    }
}
