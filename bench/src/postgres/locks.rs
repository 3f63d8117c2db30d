//! Locks as they are held, looked at every few milliseconds on a connection of its own.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{Database, Sql as _, connect};
use crate::failure::Result;

/// Between two looks; what is held for less may be missed.
const EVERY: Duration = Duration::from_millis(4);
/// Looks remembered, far more than any run has.
const MOST: usize = 1 << 20;

/// Relation locks that readers or writers conflict with, and everybody who waits. `blocked` are those
/// who wait for a backend that holds such a lock.
const LOOK: &str = "SELECT \
     (SELECT count(*) FROM l WHERE granted AND mode IN ('AccessExclusiveLock', 'ExclusiveLock', \
      'ShareRowExclusiveLock', 'ShareLock')) AS strong, \
     (SELECT count(*) FROM l WHERE granted AND mode = 'AccessExclusiveLock') AS exclusive, \
     (SELECT count(*) FROM pg_locks w WHERE NOT w.granted AND EXISTS (SELECT 1 FROM l \
      WHERE l.granted AND l.pid = ANY (pg_blocking_pids(w.pid)) AND l.mode IN ('AccessExclusiveLock', \
      'ExclusiveLock', 'ShareRowExclusiveLock', 'ShareLock'))) AS blocked, \
     (SELECT count(*) FROM l WHERE granted AND mode IN ('AccessExclusiveLock', 'ExclusiveLock', \
      'ShareRowExclusiveLock', 'ShareLock') AND relation::regclass::text NOT LIKE ALL ($1::text[])) AS elsewhere";
const WITH: &str = "WITH l AS MATERIALIZED (SELECT pid, mode, granted, relation FROM pg_locks \
     WHERE locktype = 'relation' AND pid <> pg_backend_pid() \
     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) ";

/// One look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LockSample {
    pub(crate) at: Instant,
    /// Locks on tables that keep writers or readers out.
    pub(crate) strong: i64,
    /// Those of them that keep readers out, too.
    pub(crate) exclusive: i64,
    /// Who waits for the holder of one.
    pub(crate) blocked: i64,
    /// Of `strong`, those on tables that do not belong to a cohort that is over.
    pub(crate) elsewhere: i64,
}

/// Looks until it is asked for what it has seen.
#[derive(Debug)]
pub(crate) struct LockWatch {
    looks: mpsc::Receiver<LockSample>,
    _task: JoinSet<()>,
    _connection: JoinSet<()>,
}

impl LockWatch {
    /// `over` are the ends of the names of tables that nobody needs any more.
    pub(crate) async fn start(database: &Database, over: &[String]) -> Result<Self> {
        let (client, connection) = connect(database.url()).await?;
        let sql = format!("{WITH}{LOOK}");
        let statement = client.prepare(&sql).await.sql(&sql)?;
        let mut patterns: Vec<String> = over.iter().map(|end| format!("%{end}%")).collect();
        // Long texts of any table; they are locked with it.
        patterns.push("pg_toast.%".to_owned());
        let (seen, looks) = mpsc::channel(MOST);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut ticks = interval(EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                // A server that is gone, or nobody who asks any more: nothing left to see.
                let Ok(row) = client.query_one(&statement, &[&patterns]).await else {
                    return;
                };
                let look = LockSample {
                    at: Instant::now(),
                    strong: row.get(0),
                    exclusive: row.get(1),
                    blocked: row.get(2),
                    elsewhere: row.get(3),
                };
                if seen.try_send(look).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            looks,
            _task: task,
            _connection: connection,
        })
    }

    /// All looks since the last call.
    pub(crate) fn take(&mut self) -> Vec<LockSample> {
        let mut all = Vec::new();
        while let Ok(look) = self.looks.try_recv() {
            all.push(look);
        }
        all
    }
}

/// For how long a property was seen, in all and at a stretch, in milliseconds. A look counts from half
/// way since the one before until half way to the one after.
pub(crate) fn held_ms(looks: &[LockSample], is_held: impl Fn(&LockSample) -> bool) -> (f64, f64) {
    let (mut all, mut stretch, mut longest) = (0.0, 0.0, 0.0_f64);
    for (place, look) in looks.iter().enumerate() {
        if !is_held(look) {
            stretch = 0.0;
            continue;
        }
        let before = place.checked_sub(1).and_then(|place| looks.get(place));
        let from = before.map_or(look.at, |before| before.at);
        let until = looks.get(place + 1).map_or(look.at, |after| after.at);
        let span = until.duration_since(from).as_secs_f64() * 1e3 / 2.0;
        all += span;
        stretch += span;
        longest = longest.max(stretch);
    }
    (all, longest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn looks(strong: &[bool]) -> Vec<LockSample> {
        let begin = Instant::now();
        let look = |(place, strong): (usize, &bool)| LockSample {
            at: begin + 4 * u32::try_from(place).unwrap() * Duration::from_millis(1),
            strong: i64::from(*strong),
            exclusive: 0,
            blocked: 0,
            elsewhere: 0,
        };
        strong.iter().enumerate().map(look).collect()
    }

    #[test]
    fn a_lock_counts_for_as_long_as_it_was_seen() {
        let looks = looks(&[false, true, true, false, false, true, false]);
        let (all, longest) = held_ms(&looks, |look| look.strong > 0);
        assert!((all - 12.0).abs() < 1e-6, "{all}");
        assert!((longest - 8.0).abs() < 1e-6, "{longest}");
    }

    proptest! {
        #[test]
        fn nothing_is_held_longer_than_it_was_watched(strong in prop::collection::vec(any::<bool>(), 0..50)) {
            let looks = looks(&strong);
            let (all, longest) = held_ms(&looks, |look| look.strong > 0);
            let watched = 4.0 * strong.len().saturating_sub(1) as f64;
            prop_assert!(longest <= all + 1e-9 && all <= watched + 1e-6);
        }
    }
}
