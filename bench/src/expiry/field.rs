//! A database full of cards: cohorts that are over, and live ones that are read and written.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use corkboard_core::cohort::Cohort;
use corkboard_core::time::{Clock as _, SystemClock, Timestamp};
use corkboard_store::CardStore as _;
use corkboard_store::postgres::{CardLayout, PgCardStore};
use tokio::time::Instant;

use super::{BATCH, BATCHES_PER_SECOND, READS_PER_SECOND, Vacuum};
use crate::cohort_cards::{DAY, Dispatch, user, workspace};
use crate::failure::{Failure, Result};
use crate::postgres::{Database, LOGGED_ROLE, Postgres};
use crate::statistics::rounded;
use crate::traffic::Traffic;

/// Live cards of each user who is read.
const LIVE: usize = 3;
/// Users that the product itself has written cards for in each cohort before the copying.
const BY_PRODUCT: usize = 500;
/// Numbers of users who get cards while it is measured begin here.
const NEW_USERS: usize = 100_000_000;
const CONNECTIONS: usize = 16;

/// A loaded database and two stores on it: one for the traffic, one that retires.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) database: Database,
    pub(super) layout: CardLayout,
    pub(super) store: Arc<PgCardStore>,
    /// Its statements are in the server's log, with their times.
    pub(super) keeper: PgCardStore,
    /// Cohorts that are over, oldest first.
    pub(super) over: Vec<Cohort>,
    live: Vec<Dispatch>,
    readers: usize,
    now: Timestamp,
}

impl Field {
    pub(super) async fn load(
        postgres: &Postgres,
        layout: CardLayout,
        (cards, cohorts): (usize, usize),
        readers: usize,
    ) -> Result<Self> {
        let database = postgres.database().await?;
        let store = Arc::new(database.store(layout, CONNECTIONS, None).await?);
        let keeper = database.store(layout, 4, Some(LOGGED_ROLE)).await?;
        let now = SystemClock.now();
        let today = now.day().number();
        let day = |number: i32| {
            Cohort::from_number(2 * number).ok_or_else(|| Failure::unexpected("no such day"))
        };
        let (mut over, mut live) = (Vec::new(), Vec::new());
        for number in 0..cohorts {
            let ended = today - 10 + i32::try_from(number).unwrap_or(0);
            over.push(day(ended)?);
        }
        for number in 0..LIVE {
            live.push(Dispatch::to(day(today
                + 2
                + i32::try_from(number).unwrap_or(0))?));
        }
        let ended = over.iter().map(|cohort| (Dispatch::to(*cohort), cards));
        let going = live.iter().map(|dispatch| (dispatch.clone(), readers));
        for (dispatch, cards) in ended.chain(going) {
            store.ensure_cohort(dispatch.cohort).await?;
            let first = (0..BY_PRODUCT).map(user).collect::<Result<Vec<_>>>()?;
            dispatch.write(&store, first).await?;
            dispatch.copy(&database, layout, BY_PRODUCT..cards).await?;
        }
        database.run("VACUUM (ANALYZE)").await?;
        database.run("CHECKPOINT").await?;
        Ok(Self {
            database,
            layout,
            store,
            keeper,
            over,
            live,
            readers,
            now,
        })
    }

    /// Feeds being read. Anything but exactly the live cards is a failure.
    pub(super) fn reads(&self) -> Traffic {
        let (store, readers, now) = (Arc::clone(&self.store), self.readers, self.now);
        Traffic::start(READS_PER_SECOND, move |number| {
            let store = Arc::clone(&store);
            // A prime steps through all users, far from the one before.
            let reader = number.wrapping_mul(7_919) % readers;
            async move {
                let found = store
                    .user_cards(workspace(), &user(reader)?, now, 100)
                    .await?;
                match found.cards.len() {
                    LIVE => Ok(()),
                    other => Err(Failure::unexpected(format!(
                        "user {reader} has {other} cards"
                    ))),
                }
            }
        })
    }

    /// Batches of cards for new users, to the live cohorts in turn.
    pub(super) fn sends(&self) -> Traffic {
        let (store, live) = (Arc::clone(&self.store), self.live.clone());
        let next = AtomicUsize::new(NEW_USERS);
        Traffic::start(BATCHES_PER_SECOND, move |number| {
            let (store, dispatch) = (Arc::clone(&store), live[number % live.len()].clone());
            let first = next.fetch_add(BATCH, Ordering::Relaxed);
            async move {
                let users = (first..first + BATCH)
                    .map(user)
                    .collect::<Result<Vec<_>>>()?;
                dispatch.write(&store, users).await
            }
        })
    }

    /// When the keeper may retire this cohort, and no later one.
    pub(super) fn time_to_retire(cohort: Cohort) -> Timestamp {
        cohort.ends_at().plus(2 * DAY)
    }

    /// What the names of tables end with that hold nothing but ended cohorts.
    pub(super) fn ended_suffixes(&self) -> Vec<String> {
        let suffix = |cohort: &Cohort| Dispatch::to(*cohort).suffix(self.layout);
        let suffixes = self.over.iter().map(suffix);
        suffixes.filter(|suffix| !suffix.is_empty()).collect()
    }

    /// Bytes of the tables in which a cohort's cards, states and events are, with their indexes.
    pub(super) async fn bytes(&self, cohort: Cohort) -> Result<u64> {
        let suffix = Dispatch::to(cohort).suffix(self.layout);
        let tables = [
            "card",
            "card_state",
            "card_event",
            "card_content",
            "card_count",
            "card_fence",
        ];
        let names: Vec<String> = tables
            .iter()
            .map(|table| format!("'{table}{suffix}'"))
            .collect();
        let sql = format!(
            "SELECT coalesce(sum(pg_total_relation_size(oid)), 0) FROM pg_class \
             WHERE relname IN ({}) AND relkind = 'r'",
            names.join(", ")
        );
        self.database.count(&sql).await
    }

    /// Rows that wait for a VACUUM, as the server's statistics have them.
    pub(super) async fn dead_rows(&self) -> Result<u64> {
        let sql = "SELECT coalesce(sum(n_dead_tup), 0) FROM pg_stat_user_tables \
                   WHERE relname LIKE 'card%' AND relname NOT LIKE 'card\\_count%'";
        self.database.count(sql).await
    }

    /// Rows deleted so far.
    pub(super) async fn deleted_rows(&self) -> Result<u64> {
        let sql = "SELECT coalesce(sum(n_tup_del), 0) FROM pg_stat_user_tables WHERE relname LIKE 'card%'";
        self.database.count(sql).await
    }

    /// Makes the space of deleted rows usable again, as autovacuum would sooner or later.
    pub(super) async fn vacuum(&self) -> Result<Vacuum> {
        let bytes = "SELECT pg_total_relation_size('card')";
        let (bytes_before, wal) = (
            self.database.count(bytes).await?,
            self.database.wal_bytes().await?,
        );
        let begun = Instant::now();
        self.database.run("VACUUM card").await?;
        Ok(Vacuum {
            seconds: rounded(begun.elapsed().as_secs_f64()),
            wal_bytes: self.database.wal_bytes().await? - wal,
            bytes_before,
            bytes_after: self.database.count(bytes).await?,
        })
    }
}
