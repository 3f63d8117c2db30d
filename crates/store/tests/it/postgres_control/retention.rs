//! What is over goes with its partition, what is not stays, and wherever a pass was cut off the
//! next one goes on.

use std::time::Duration;

use corkboard_core::cohort::Cohort;
use corkboard_core::dispatch::{Dispatch, DispatchState, Tally};
use corkboard_core::time::Timestamp;
use corkboard_store::control_store::NewDispatch;
use corkboard_store::postgres::PgControlStore;
use corkboard_store::{ControlStore, StoreError};
use corkboard_testkit::{PgDatabase, wait_until};
use tokio::time::{Instant, timeout};

use super::Postgres;
use crate::control::sample::{
    ANY, at, begin, begin_campaign, broadcast, campaign, claim, dispatch, dispatch_state, id,
    planned, scans,
};

const DAY: u64 = 86_400;
const LONG: Duration = Duration::from_secs(60);

/// Partitions of a table, attached or not, by what follows its name.
async fn parts(database: &PgDatabase, table: &str) -> Vec<String> {
    let sql = format!(
        "SELECT string_agg(substr(relname, length('{table}') + 2), ' ' ORDER BY relname)
         FROM pg_class WHERE relname ~ '^{table}_[0-9]+$' AND relkind = 'r'"
    );
    let found = database.sql(&sql).await;
    found.split_whitespace().map(str::to_owned).collect()
}

async fn has(database: &PgDatabase, table: &str, part: &str) -> bool {
    let parts = parts(database, table).await;
    parts.iter().any(|found| found == part)
}

/// The same dispatch with cards that live for so many days.
fn living(dispatch: Dispatch, days: u64) -> Dispatch {
    let expires_at = dispatch.planned_at.plus(Duration::from_secs(days * DAY));
    Dispatch {
        cohort: Cohort::of(dispatch.planned_at, expires_at),
        expires_at,
        ..dispatch
    }
}

async fn finish_all(store: &PgControlStore, seconds: u64) -> u64 {
    let mut finished = 0;
    while let Some(chunk) = claim(store, seconds).await {
        let five = Tally {
            targeted: 5,
            ..Tally::default()
        };
        store
            .finish_chunk(&chunk, &five, at(seconds))
            .await
            .unwrap();
        finished += 1;
    }
    finished
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeats_that_would_lie_in_other_months_find_the_first() {
    let harness = Postgres::new();
    let nodes = [harness.store().await, harness.store().await];
    for round in 0..10 {
        let campaign = campaign(round);
        nodes[0].insert_campaign(&campaign).await.unwrap();
        let mut calls = tokio::task::JoinSet::new();
        for repeat in 0..12 {
            let store = nodes[repeat as usize % 2].clone();
            // A request that was repeated hours later, or by a node whose clock is ahead.
            let new = NewDispatch {
                dispatch: living(dispatch(&campaign, round), 1 + repeat * 9),
                chunks: scans(2),
            };
            calls.spawn(async move { store.insert_dispatch(new, ANY).await.unwrap() });
        }
        let answers = calls.join_all().await;
        assert_eq!(answers.iter().filter(|(_, is_new)| *is_new).count(), 1);
        for (answer, _) in &answers {
            assert_eq!(*answer, answers[0].0);
        }
    }
    let database = harness.database().await;
    let rows = "SELECT count(*), count(DISTINCT id), (SELECT count(*) FROM chunk) FROM dispatch";
    assert_eq!(database.sql(rows).await, "10|10|20");
}

#[tokio::test]
async fn a_day_of_chunks_goes_when_none_of_it_is_open() {
    let harness = Postgres::new();
    let (store, database) = (harness.store().await, harness.database().await);
    let done = begin_campaign(&store, 1, scans(3)).await;
    assert_eq!(finish_all(&store, 10).await, 3);
    store.prune(at(DAY)).await.unwrap();
    assert!(has(database, "chunk", "20261121").await, "kept for a day");
    store.prune(at(2 * DAY)).await.unwrap();
    assert!(!has(database, "chunk", "20261121").await);
    // What was counted is in the dispatch.
    let progress = store.dispatch_progress(done.id).await.unwrap();
    assert_eq!((progress.chunks, progress.chunks_left), (3, 0));
    assert_eq!(progress.tally.targeted, 15);

    let campaign = campaign(2);
    store.insert_campaign(&campaign).await.unwrap();
    let late = living(dispatch(&campaign, 2 * DAY + 1), 20);
    begin(&store, &late, scans(2)).await;
    let held = claim(&store, 2 * DAY + 2).await.expect("a chunk");
    store.prune(at(9 * DAY)).await.unwrap();
    assert!(
        has(database, "chunk", "20261123").await,
        "it has open chunks"
    );
    // The holder goes on, and the other chunk is found.
    let none = Tally::default();
    store.finish_chunk(&held, &none, at(9 * DAY)).await.unwrap();
    store.prune(at(9 * DAY)).await.unwrap();
    assert_eq!(finish_all(&store, 9 * DAY).await, 1);
    assert_eq!(dispatch_state(&store, &late).await, DispatchState::Done);
    store.prune(at(9 * DAY)).await.unwrap();
    let left = parts(database, "chunk").await;
    assert_eq!(
        left.first().map(String::as_str),
        Some("20261130"),
        "{left:?}"
    );
}

#[tokio::test]
async fn a_month_of_dispatches_goes_with_its_definitions_when_all_is_over() {
    let harness = Postgres::new();
    let (store, database) = (harness.store().await, harness.database().await);
    let campaign = campaign(1);
    store.insert_campaign(&campaign).await.unwrap();
    let over = living(broadcast(&campaign, 1), 5);
    let in_force = living(dispatch(&campaign, 2), 5);
    for dispatch in [&over, &in_force] {
        begin(&store, dispatch, Vec::new()).await;
    }
    let much_later = at(300 * DAY);
    store.prune(much_later).await.unwrap();
    for table in ["dispatch", "frozen_definition"] {
        assert!(has(database, table, "202611").await, "{table}");
    }
    for dispatch in [&over, &in_force] {
        let found = store.find_dispatch(id(1), dispatch.id).await.unwrap();
        assert_eq!(found.as_ref(), Some(dispatch));
    }
    let done = store.finish_dispatch(in_force.id, DispatchState::Done, much_later);
    done.await.unwrap();
    store.prune(much_later).await.unwrap();
    for table in ["dispatch", "frozen_definition"] {
        assert!(!has(database, table, "202611").await, "{table}");
    }
    assert_eq!(store.find_dispatch(id(1), over.id).await.unwrap(), None);
}

#[tokio::test]
async fn what_is_planned_years_ahead_is_there_when_its_time_comes() {
    let harness = Postgres::new();
    let (store, database) = (harness.store().await, harness.database().await);
    let campaign = campaign(1);
    store.insert_campaign(&campaign).await.unwrap();
    // In a year no dispatch gets a month of its own beyond the next.
    let years = 3 * 366 * DAY;
    for number in 0..40 {
        let far = living(planned(&campaign, number, years + number * 31 * DAY), 10);
        begin(&store, &far, Vec::new()).await;
    }
    assert_eq!(parts(database, "dispatch").await, ["202711"]);
    let start = at(years);
    store
        .prune(start.minus(Duration::from_secs(40 * DAY)))
        .await
        .unwrap();
    let due = store.due_dispatches(start, 9).await.unwrap();
    assert_eq!(due.len(), 1);
    let started = store
        .start_dispatch(due[0].id, scans(2), false, start)
        .await;
    assert!(started.unwrap());
    assert_eq!(finish_all(&store, years).await, 2);
    // It is over, and of interest for 30 more days; then it waits for those that lie beside it.
    store.prune(due[0].expires_at).await.unwrap();
    let found = store.find_dispatch(id(1), due[0].id).await.unwrap();
    assert_eq!(found.map(|found| found.state), Some(DispatchState::Done));
    for number in 1..40 {
        store
            .finish_dispatch(id(number), DispatchState::Done, start)
            .await
            .unwrap();
    }
    let last = store.find_dispatch(id(1), id(39)).await.unwrap().unwrap();
    let month = Duration::from_secs(30 * DAY);
    store.prune(last.expires_at.plus(month)).await.unwrap();
    assert!(has(database, "dispatch", "202711").await);
    store.prune(last.expires_at.plus(month * 2)).await.unwrap();
    assert!(!has(database, "dispatch", "202711").await);
}

#[tokio::test]
async fn a_partition_that_was_detached_too_early_is_attached_again() {
    let harness = Postgres::new();
    let (store, database) = (harness.store().await, harness.database().await);
    let open = begin_campaign(&store, 1, scans(2)).await;
    let detach = "ALTER TABLE chunk DETACH PARTITION chunk_20261121 CONCURRENTLY";
    // A keeper looked, and was killed after it had detached what was written to meanwhile.
    database.sql(detach).await;
    assert_eq!(claim(&store, 10).await, None);
    store.prune(at(9 * DAY)).await.unwrap();
    assert_eq!(
        claim(&store, 9 * DAY).await.map(|chunk| chunk.chunk),
        Some(0)
    );

    // Somebody who needs the day is faster than the next pass.
    database.sql(detach).await;
    let campaign = campaign(2);
    store.insert_campaign(&campaign).await.unwrap();
    begin(&store, &dispatch(&campaign, 2), scans(1)).await;
    assert_eq!(finish_all(&store, 10 * DAY).await, 3);
    assert_eq!(dispatch_state(&store, &open).await, DispatchState::Done);
}

#[tokio::test]
async fn definitions_left_behind_by_their_dispatches_go_with_the_next_pass() {
    let harness = Postgres::new();
    let (store, database) = (harness.store().await, harness.database().await);
    let campaign = campaign(1);
    store.insert_campaign(&campaign).await.unwrap();
    begin(&store, &broadcast(&campaign, 1), Vec::new()).await;
    let killed =
        "ALTER TABLE dispatch DETACH PARTITION dispatch_202611; DROP TABLE dispatch_202611";
    database.sql(killed).await;
    store.prune(at(100 * DAY)).await.unwrap();
    assert!(!has(database, "frozen_definition", "202611").await);
}

/// What every table has of partitions, and whether any is half detached.
async fn state(database: &PgDatabase) -> String {
    let sql = "SELECT string_agg(c.relname || CASE WHEN i.inhrelid IS NULL THEN ' detached'
                                  WHEN i.inhdetachpending THEN ' pending' ELSE '' END,
                                  ',' ORDER BY c.relname)
               FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
               WHERE c.relkind = 'r' AND c.relname ~ '_[0-9]{6,8}$'";
    database.sql(sql).await
}

#[tokio::test]
async fn a_pass_that_is_cut_off_anywhere_is_finished_by_a_later_one() {
    let (whole, torn) = (Postgres::new(), Postgres::new());
    let (reference, store) = (whole.store().await, torn.store().await);
    let mut cut_off = 0;
    for step in 0..10 {
        let now = at(step * 60 * DAY);
        reference.prune(now).await.unwrap();
        let wanted = state(whole.database().await).await;
        // Going away closes the connection, whatever the server is doing for it.
        let patience = Duration::from_millis(step * 20);
        if timeout(patience, store.prune(now)).await.is_err() {
            cut_off += 1;
        }
        wait_until(LONG, "a later pass to finish", || async {
            store.prune(now).await.map_err(|error| error.to_string())?;
            match state(torn.database().await).await {
                found if found == wanted => Ok(()),
                found => Err(found),
            }
        })
        .await;
    }
    assert!(cut_off > 3, "{cut_off}");
}

#[tokio::test]
async fn a_reader_in_the_way_of_a_pass_is_in_nobody_elses() {
    let harness = Postgres::new();
    let (store, database) = (harness.store().await, harness.database().await);
    store.prune(at(0)).await.unwrap();
    let reader = database.sql("BEGIN; SELECT FROM chunk, dispatch; SELECT pg_sleep(20)");
    let count = async |of: &str, wanted: &str| {
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE {of} AND datname = current_database()"
        );
        wait_until(LONG, of, || async {
            match database.sql(&sql).await {
                found if found == wanted => Ok(()),
                found => Err(found),
            }
        })
        .await;
    };
    let pass = async {
        count("wait_event = 'PgSleep'", "1").await;
        store.prune(at(100 * DAY)).await
    };
    let others = async {
        count(
            "query LIKE '%CONCURRENTLY' AND wait_event_type = 'Lock'",
            "1",
        )
        .await;
        let began = Instant::now();
        let campaign = campaign(1);
        store.insert_campaign(&campaign).await.unwrap();
        let running = dispatch(&campaign, 100 * DAY);
        begin(&store, &running, scans(3)).await;
        assert_eq!(finish_all(&store, 100 * DAY).await, 3);
        assert_eq!(dispatch_state(&store, &running).await, DispatchState::Done);
        store.live_set(id(1), at(100 * DAY)).await.unwrap();
        assert!(
            began.elapsed() < Duration::from_secs(2),
            "{:?}",
            began.elapsed()
        );
    };
    tokio::select! {
        biased;
        () = others => {}
        done = pass => panic!("it did not wait: {done:?}"),
        _ = reader => panic!("the reader ended first"),
    }
}

/// A time that no node's clock shows yet, and one that none has shown for long.
#[tokio::test]
async fn a_missing_partition_is_made_by_whoever_needs_it() {
    let harness = Postgres::new();
    let (store, database) = (harness.store().await, harness.database().await);
    let campaign = campaign(1);
    store.insert_campaign(&campaign).await.unwrap();
    for (number, days) in [(1, 0), (2, 200), (3, 47)] {
        let of = living(dispatch(&campaign, number + days * DAY), 1);
        begin(&store, &of, scans(1)).await;
        let waiting = planned(&campaign, 10 + number, 0);
        begin(&store, &waiting, Vec::new()).await;
        let now: Timestamp = at((days + 1) * DAY);
        let started = store.start_dispatch(waiting.id, scans(1), false, now);
        assert!(started.await.unwrap());
    }
    assert_eq!(finish_all(&store, 300 * DAY).await, 6);
    let days = parts(database, "chunk").await;
    assert_eq!(days.len(), 6, "{days:?}");
    let gone = store.dispatch_progress(id(99)).await;
    assert!(matches!(gone, Err(StoreError::NotFound { .. })), "{gone:?}");
}
