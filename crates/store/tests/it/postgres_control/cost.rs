//! What a chunk costs the control database: transaction ids, log, dead rows, pages looked at. Counts
//! are exact, and must not depend on what was sent before.

use std::sync::Arc;
use std::time::Duration;

use corkboard_core::dispatch::{SkipReason, Tally};
use corkboard_core::slot::Slot;
use corkboard_core::user::UserId;
use corkboard_store::ControlStore;
use corkboard_store::card_store::ScanPosition;
use corkboard_store::postgres::{PgControlStore, PgOptions};
use corkboard_testkit::{PgDatabase, PgServer, PgSettings, wait_until};

use super::migrated;
use crate::control::sample::{LEASE, at, begin_campaign, claim, id, recipients, scans};

/// Nobody else uses ids, writes to the log, or tidies up.
async fn quiet() -> PgDatabase {
    let settings = PgSettings::quick()
        .with("autovacuum", "off")
        .with("track_counts", "on");
    Arc::new(PgServer::start(settings).await).database().await
}

/// One connection, whose statistics are complete once it is closed.
async fn alone(database: &PgDatabase) -> PgControlStore {
    let options = PgOptions {
        connections: 1,
        warm: 1,
        ..PgOptions::default()
    };
    migrated(database.url(), &options).await
}

async fn number(database: &PgDatabase, sql: &str) -> i64 {
    let found = database.sql(sql).await;
    found.parse().unwrap_or_else(|_| panic!("{sql}: {found}"))
}

async fn closed(database: &PgDatabase, store: PgControlStore) {
    store.close();
    drop(store);
    wait_until(Duration::from_secs(20), "its connection to end", || async {
        let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                      AND pid <> pg_backend_pid()";
        match number(database, others).await {
            0 => Ok(()),
            left => Err(left.to_string()),
        }
    })
    .await;
}

const NEXT_ID: &str = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint";
const LOG: &str = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint";
/// Pages of chunks, dispatches and definitions that were looked at, of tables and of indexes.
const PAGES: &str = "
    SELECT coalesce(sum(heap_blks_read + heap_blks_hit + coalesce(idx_blks_read + idx_blks_hit, 0)), 0)
    FROM pg_statio_user_tables WHERE relname ~ '^(chunk|dispatch|frozen_definition)_[0-9]'";
const UPDATES: &str = "
    SELECT sum(n_tup_upd) || ' ' || sum(n_tup_upd - n_tup_hot_upd) FROM pg_stat_user_tables
    WHERE relname ~ '^chunk_[0-9]'";

#[tokio::test]
async fn a_chunk_costs_a_transaction_id_a_write_and_little_log() {
    const CHUNKS: u16 = 500;
    const PAGES_OF_A_CHUNK: u64 = 3;
    let database = quiet().await;
    let store = alone(&database).await;
    let dispatch = begin_campaign(&store, 1, scans(CHUNKS)).await;
    let user = UserId::parse("somebody-with-an-id").unwrap();
    let position = ScanPosition {
        slot: Slot::of(id(1), &user),
        user,
    };
    let tally = Tally {
        targeted: 500,
        skipped: [(SkipReason::Aborted, 3)].into(),
    };
    let (ids, log) = (
        number(&database, NEXT_ID).await,
        number(&database, LOG).await,
    );
    let mut held = Vec::new();
    while let Some(chunk) = claim(&store, 10).await {
        held.push(chunk);
    }
    assert_eq!(held.len(), usize::from(CHUNKS));
    let claimed = number(&database, LOG).await;
    for chunk in &held {
        for _ in 0..PAGES_OF_A_CHUNK {
            let saved = store.checkpoint_chunk(chunk, &position, &tally, at(11), LEASE);
            saved.await.unwrap();
        }
    }
    let saved = number(&database, LOG).await;
    for chunk in &held {
        store.finish_chunk(chunk, &tally, at(12)).await.unwrap();
    }
    let used = number(&database, NEXT_ID).await - ids;
    let logged = number(&database, LOG).await - log;
    let progress = store.dispatch_progress(dispatch.id).await.unwrap();
    assert_eq!(progress.tally.targeted, u64::from(CHUNKS) * 2_000);
    closed(&database, store).await;
    let dead = "SELECT sum(n_dead_tup) FROM pg_stat_user_tables WHERE relname ~ '^dispatch_[0-9]'";
    let (dead, updates) = (number(&database, dead).await, database.sql(UPDATES).await);
    let chunks = u64::from(CHUNKS);
    let checkpoints = chunks * PAGES_OF_A_CHUNK;
    let writes = chunks * 2 + checkpoints;
    let per_checkpoint = (saved - claimed) / checkpoints.cast_signed();
    println!(
        "{CHUNKS} chunks: {used} ids, {logged} bytes of log, {per_checkpoint} a checkpoint, \
         {dead} dead rows of the dispatch, updates of chunks (not in place): {updates}"
    );
    assert_eq!(used, writes.cast_signed());
    assert!(per_checkpoint < 400, "{per_checkpoint}");
    assert!(
        dead < 50,
        "the row of the dispatch is pruned as it is written: {dead}"
    );
    let (all, moved) = updates.split_once(' ').unwrap();
    assert_eq!(all, writes.to_string());
    // Only the end takes a chunk out of the index, and some page may once be full.
    let moved: u64 = moved.parse().unwrap();
    assert!(moved < chunks * 11 / 10, "{moved}");
}

/// Dispatches of one chunk each, all over: of the day before, and of this day.
const OVER: &str = "
    INSERT INTO dispatch (id, workspace, campaign, campaign_version, digest, cause, shape, state,
        planned_at, expires_at, cohort, occurrence, audience_estimate, created_at, started_at,
        finished_at, at_read, chunks, chunks_left, targeted, skipped, properties, month, far)
    SELECT gen_random_uuid(), d.workspace, d.campaign, 1, d.digest, 'trigger', 'pointer', 'done',
           t, t, 1, 0, 0, t, t, t, false, 1, 0, 1, '{}', '{}', d.month, false
    FROM (SELECT * FROM dispatch LIMIT 1) d,
         generate_series(timestamptz '2026-11-20 12:00+00', '2026-11-21 09:59:59+00', '0.792 s') t;
    INSERT INTO chunk (dispatch, dispatch_month, number, lane, open, queued_at, turn_at, free_at,
                       touched_at, token, targeted, attempt, skipped, work)
    SELECT id, month, 0, 1, true, created_at, created_at, created_at, created_at, 0, 1, 0, '{}',
           '{\"kind\":\"scan\"}'
    FROM dispatch WHERE cause = 'trigger';
    UPDATE chunk SET open = false FROM dispatch d WHERE d.id = dispatch AND d.cause = 'trigger'";

async fn pages_of_claims(database: &PgDatabase, number_of: i64) -> i64 {
    let before = number(database, PAGES).await;
    let store = alone(database).await;
    for _ in 0..number_of {
        claim(&store, 10).await.expect("a chunk");
    }
    closed(database, store).await;
    number(database, PAGES).await - before
}

#[tokio::test]
async fn a_claim_looks_at_as_many_pages_after_a_hundred_thousand_chunks() {
    let database = quiet().await;
    let store = alone(&database).await;
    store.prune(at(0)).await.unwrap();
    // The day before has its partition, too.
    let yesterday = recipients(&["ada"]);
    begin_campaign(&store, 1, scans(200)).await;
    begin_campaign(&store, 2, vec![yesterday]).await;
    closed(&database, store).await;
    database
        .sql(
            "CREATE TABLE chunk_20261120 PARTITION OF chunk
              FOR VALUES FROM ('2026-11-20') TO ('2026-11-21')",
        )
        .await;
    let few = pages_of_claims(&database, 50).await;
    database.sql(OVER).await;
    let over = "SELECT count(*) FROM chunk WHERE NOT open";
    assert!(number(&database, over).await > 99_000);
    // As the server does by itself, once a minute; nothing is removed that a session may still see.
    wait_until(Duration::from_secs(20), "dead chunks to go", || async {
        database.sql("VACUUM ANALYZE").await;
        let dead = "SELECT coalesce(sum(n_dead_tup), 0) FROM pg_stat_user_tables
                    WHERE relname ~ '^chunk_[0-9]'";
        match number(&database, dead).await {
            0 => Ok(()),
            left => Err(left.to_string()),
        }
    })
    .await;
    let many = pages_of_claims(&database, 50).await;
    println!("50 claims: {few} pages, after 100,000 chunks {many}");
    // Indexes are a level deeper, and more is leased at the front.
    assert!(many < few * 2, "{few} pages became {many}");
}

#[tokio::test]
async fn nothing_that_grows_with_sends_is_deleted_row_by_row() {
    let database = quiet().await;
    let store = alone(&database).await;
    let (day, none) = (86_400, Tally::default());
    for number in 1..20 {
        let dispatch = begin_campaign(&store, number, scans(3)).await;
        let held = claim(&store, 10).await.expect("a chunk");
        store.finish_chunk(&held, &none, at(11)).await.unwrap();
        let held = claim(&store, 10).await.expect("a chunk");
        store.release_chunk(&held, at(12), 1).await.unwrap();
        let stopped = store.stop_campaign(id(1), dispatch.campaign, true, at(20));
        stopped.await.unwrap();
        let key = format!("key {number}");
        let (at, hold) = (at(number), Duration::from_secs(60));
        let begun = store.begin_idempotent(id(1), &key, [1; 32], at, hold);
        begun.await.unwrap();
        store.abandon_idempotent(id(1), &key).await.unwrap();
    }
    store.prune(at(0)).await.unwrap();
    let rows = number(&database, "SELECT count(*) FROM chunk").await;
    assert_eq!(rows, 57);
    // Until shortly before the partitions are dropped, which is when their counts go.
    closed(&database, store).await;
    let deleted = "SELECT coalesce(sum(n_tup_del), 0) FROM pg_stat_user_tables";
    assert_eq!(number(&database, deleted).await, 0);
    let store = alone(&database).await;
    let before = number(&database, NEXT_ID).await;
    store.prune(at(200 * day)).await.unwrap();
    println!(
        "a pass that drops and makes everything: {} ids",
        number(&database, NEXT_ID).await - before
    );
    for table in ["chunk", "dispatch", "frozen_definition", "idempotency"] {
        let rows = format!("SELECT count(*) FROM {table}");
        assert_eq!(number(&database, &rows).await, 0, "{table}");
    }
    closed(&database, store).await;
    let deleted = "SELECT coalesce(sum(n_tup_del), 0) FROM pg_stat_user_tables";
    assert_eq!(number(&database, deleted).await, 0);
}
