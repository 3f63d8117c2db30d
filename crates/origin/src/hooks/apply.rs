//! Applying the journal: one origin at a time rewrites Redis.
//!
//! Apart from following, so that a change of a million rows, or a Redis that is down, keeps nobody's
//! memory from forgetting. Whoever holds the lock is the applier; it goes on where the last one has
//! been, and saves where it is. An origin without Redis only follows, once one with Redis has been here:
//! what it called applied would never reach Redis.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use corkboard_core::story::story;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use super::follow::{PAUSE, POLL, listen, wait_for_hooks};
use super::journal::{Change, Cursor};
use super::progress::{self, By};
use super::snapshot::Snapshot;
use crate::key::Key;
use crate::source::{Connection, Connector, SourceError};

/// The journal is trimmed this often.
const TRIM: Duration = Duration::from_secs(60);

/// Rewrites rows in Redis.
pub(crate) trait Rewrite: Send + Sync {
    /// Brings what Redis has of these keys up to date with the source, which is read over `source`.
    ///
    /// Fails when either cannot be reached; then the same change comes again.
    fn rewrite(
        &self,
        source: &Connection,
        table: &str,
        keys: Option<&[Key]>,
    ) -> impl Future<Output = Result<(), RewriteError>> + Send;

    /// The tables it may be asked to rewrite.
    fn tables(&self) -> Vec<String>;
}

/// Why a change was not applied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RewriteError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("redis cannot be written")]
    Redis(#[from] corkboard_cache::CallError),
}

/// What to do after a round.
enum Next {
    /// There is more to do at once.
    More,
    Wait,
    /// It is somebody else's to apply.
    Yield,
}

/// The task that applies the journal, when it is its turn.
#[derive(Debug)]
pub(crate) struct Applier<R> {
    pub(crate) connector: Connector,
    /// Without Redis there is nothing to rewrite; while nobody has one, the journal is emptied all the
    /// same.
    pub(crate) redis: Option<R>,
}

impl<R: Rewrite> Applier<R> {
    /// Runs until `shutdown`.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        shutdown
            .run_until_cancelled(async {
                loop {
                    if let Err(error) = self.take_part().await {
                        tracing::warn!(
                            error = story(&error),
                            "changes are not applied to redis; they will be"
                        );
                    }
                    sleep_until(Instant::now() + PAUSE).await;
                }
            })
            .await;
    }

    /// Waits for its turn and applies, over one connection, until that fails or an origin with Redis is
    /// to apply instead.
    async fn take_part(&self) -> Result<(), RewriteError> {
        let mut connection = listen(&self.connector).await?;
        wait_for_hooks(&connection).await?;
        let mut trim_at = Instant::now();
        while !self.has_its_turn(&connection, &mut trim_at).await? {
            sleep_until(Instant::now() + POLL).await;
        }
        tracing::info!("this origin applies changes now");
        let mut cursor = Cursor::from(self.place(&connection).await?);
        let mut trim_at = Instant::now();
        loop {
            let next = Instant::now() + POLL;
            match self.round(&connection, &mut cursor).await? {
                Next::More => {}
                // Woken or not: the journal says.
                Next::Wait => drop(timeout_at(next, connection.notified()).await),
                Next::Yield => {
                    tracing::info!("an origin with Redis is here: it applies changes");
                    return Ok(());
                }
            }
            if !connection.is_open() {
                return Err(connection.lost().into());
            }
            if Instant::now() >= trim_at && !progress::trim(&connection).await? {
                trim_at = Instant::now() + TRIM;
            }
        }
    }

    /// Whether this is the applier now.
    async fn has_its_turn(
        &self,
        connection: &Connection,
        trim_at: &mut Instant,
    ) -> Result<bool, SourceError> {
        if self.redis.is_some() {
            progress::claim(connection).await?;
            return progress::become_applier(connection).await;
        }
        if !progress::read(connection).await?.has_redis {
            return progress::become_applier(connection).await;
        }
        if Instant::now() >= *trim_at && !progress::give_up(connection).await? {
            *trim_at = Instant::now() + TRIM;
        }
        Ok(false)
    }

    /// Where to begin. What Redis was not told of may be any row it has.
    async fn place(&self, connection: &Connection) -> Result<Snapshot, RewriteError> {
        let progress = progress::read(connection).await?;
        let Some(redis) = self.redis.as_ref().filter(|_| progress.redis_is_behind) else {
            return Ok(progress.applied);
        };
        tracing::info!("changes were applied without Redis: all that it has is rewritten");
        let now = progress::now(connection).await?;
        for table in redis.tables() {
            redis.rewrite(connection, &table, None).await?;
        }
        progress::save(connection, &now, By::Redis).await?;
        Ok(now)
    }

    /// Reads a page and applies it. What fails comes again, from the last saved place: rewriting twice
    /// is rewriting once.
    async fn round(
        &self,
        connection: &Connection,
        cursor: &mut Cursor,
    ) -> Result<Next, RewriteError> {
        let by = match &self.redis {
            Some(_) => By::Redis,
            None if progress::read(connection).await?.has_redis => return Ok(Next::Yield),
            None => By::Memory,
        };
        let (before, in_a_pass) = (cursor.read_so_far(), cursor.is_in_a_pass());
        let news = cursor.next(connection).await?;
        self.apply(connection, &news.changes).await?;
        let now = cursor.read_so_far();
        // The last page may be empty, when the one before was just full.
        let is_over = (in_a_pass || !news.changes.is_empty()) && !news.has_more;
        if (is_over || news.has_more && now != before)
            && !progress::save(connection, &now, by).await?
        {
            return Ok(Next::Yield);
        }
        Ok(if news.has_more {
            Next::More
        } else {
            Next::Wait
        })
    }

    /// A key that changed several times is rewritten once: what counts is the row as it is now.
    async fn apply(&self, connection: &Connection, changes: &[Change]) -> Result<(), RewriteError> {
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
                redis.rewrite(connection, table, keys.as_deref()).await?;
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
}
