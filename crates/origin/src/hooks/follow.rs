//! Following the journal: every origin forgets what has changed, one of them rewrites Redis.
//!
//! A change is forgotten twice by an origin that is not the applier: at once, and again when Redis
//! has been rewritten, because a fill in between may have taken the old row from there.

use std::error::Error as _;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use super::CHANNEL;
use super::journal::{Change, Cursor, News};
use super::progress;
use crate::key::Key;
use crate::source::{Connection, Connector, SourceError};

/// Notifications only wake; without one, the journal is looked at this often.
const POLL: Duration = Duration::from_millis(500);
/// While there are no hooks, they are looked for this often.
const LOOK: Duration = Duration::from_secs(10);
/// After a failure.
const PAUSE: Duration = Duration::from_secs(1);
/// Changes that wait to be forgotten a second time. Beyond it, everything is forgotten instead.
const MOST_PENDING: usize = 10_000;

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
    Redis(#[source] corkboard_cache::CallError),
}

/// The task that follows the journal.
#[derive(Debug)]
pub(crate) struct Follower<V, R> {
    pub(crate) connector: Connector,
    pub(crate) memory: V,
    /// Absent without Redis.
    pub(crate) redis: Option<R>,
}

/// What this origin does about changes.
enum Role {
    /// Somebody else applies. What was read and may not be applied yet.
    Following { pending: Vec<Change> },
    /// We do.
    Applying,
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
        let trimmed = progress::trimmed(&connection).await?;
        let mut cursor = match place.take() {
            Some(cursor) if cursor.settled() > trimmed => cursor,
            // Nothing known from before can be trusted.
            _ => {
                let cursor = Cursor::at_the_end(&connection).await?;
                self.memory.void_all();
                cursor
            }
        };
        let mut role = Role::Following {
            pending: Vec::new(),
        };
        let ended = loop {
            if let Err(error) = self.round(&connection, &mut cursor, &mut role).await {
                break error;
            }
            let next = Instant::now() + POLL;
            // Woken or not: the journal says.
            let _ = timeout_at(next, connection.notified()).await;
            if !connection.is_open() {
                break connection.lost().into();
            }
        };
        // As an applier the cursor may be behind; reading a change twice does no harm.
        *place = Some(cursor);
        Err(ended)
    }

    async fn wait_for_hooks(&self, connection: &Connection) -> Result<(), SourceError> {
        if progress::is_installed(connection).await? {
            return Ok(());
        }
        tracing::info!("no change hooks in the source: rows live for their ttl; see install-hooks");
        while !progress::is_installed(connection).await? {
            sleep_until(Instant::now() + LOOK).await;
        }
        Ok(())
    }

    async fn round(
        &self,
        connection: &Connection,
        cursor: &mut Cursor,
        role: &mut Role,
    ) -> Result<(), RewriteError> {
        let news = cursor.read(connection).await?;
        self.forget(&news);
        match role {
            Role::Following { pending } => {
                pending.extend(news.changes);
                let applied = progress::applied(connection).await?;
                let all = std::mem::take(pending).into_iter();
                let (changes, open) = all.partition(|change| change.xid < applied);
                *pending = open;
                let lost_count = pending.len() > MOST_PENDING;
                if lost_count {
                    pending.clear();
                }
                self.forget(&News {
                    changes,
                    lost_count,
                });
                if progress::become_applier(connection).await? {
                    tracing::info!("this origin applies changes now");
                    *cursor = Cursor::from(progress::applied(connection).await?);
                    *role = Role::Applying;
                }
            }
            Role::Applying => {
                if let Err(error) = self.apply(&news).await {
                    // All of it again: rewriting twice is rewriting once.
                    *cursor = Cursor::from(progress::applied(connection).await?);
                    return Err(error);
                }
                self.forget(&news);
                progress::save(connection, cursor.settled()).await?;
            }
        }
        Ok(())
    }

    async fn apply(&self, news: &News) -> Result<(), RewriteError> {
        for change in &news.changes {
            if let Some(redis) = &self.redis {
                redis.rewrite(&change.table, change.keys.as_deref()).await?;
            }
            metrics::counter!("corkboard_origin_changes_applied_total").increment(1);
            #[expect(clippy::cast_precision_loss, reason = "a histogram of seconds")]
            let lag = change.lag_micros as f64 / 1e6;
            metrics::histogram!("corkboard_origin_change_lag_seconds").record(lag);
        }
        Ok(())
    }

    fn forget(&self, news: &News) {
        if news.lost_count {
            self.memory.void_all();
        }
        for change in &news.changes {
            self.memory.void(&change.table, change.keys.as_deref());
        }
    }
}
