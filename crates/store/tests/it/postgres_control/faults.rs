//! What callers see when the server hangs, is killed, or is too busy, and what is left when they
//! go away.

use std::sync::Arc;
use std::time::Duration;

use corkboard_store::postgres::{PgControlStore, PgOptions};
use corkboard_store::{ControlStore, StoreError};
use corkboard_testkit::{PgServer, PgSettings, wait_until};
use tokio::time::{Instant, timeout};

use super::{Postgres, migrated};
use crate::control::sample::{
    ANY, at, begin, begin_campaign, campaign, claim, dispatch, dispatch_state, id, scans, workspace,
};
use corkboard_core::dispatch::{DispatchState, Tally};
use corkboard_store::control_store::NewDispatch;

const LONG: Duration = Duration::from_secs(60);

/// Impatient, so that tests of time-outs are short.
fn impatient(connections: usize) -> PgOptions {
    PgOptions {
        connections,
        statement: Duration::from_millis(600),
        lock: Duration::from_millis(400),
        answer: Duration::from_millis(200),
        ..PgOptions::default()
    }
}

async fn is_back(store: &PgControlStore) {
    let found = wait_until(LONG, "the store to answer again", || async {
        match store.find_workspace(id(1)).await {
            Ok(found) => Ok(found),
            Err(error) => Err(format!("{error:?}")),
        }
    })
    .await;
    assert_eq!(found, Some(workspace(1)));
}

#[tokio::test]
async fn a_server_that_hangs_costs_callers_a_bounded_time() {
    let server = Arc::new(PgServer::start(PgSettings::quick()).await);
    let database = server.database().await;
    let store = migrated(database.url(), &impatient(2)).await;
    store.insert_workspace(&workspace(1)).await.unwrap();
    server.freeze();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let store = store.clone();
        calls.spawn(async move {
            let began = Instant::now();
            (store.find_workspace(id(1)).await, began.elapsed())
        });
    }
    for (answer, took) in calls.join_all().await {
        assert!(
            matches!(
                answer,
                Err(StoreError::Unavailable { .. } | StoreError::Overloaded)
            ),
            "{answer:?}"
        );
        // A turn (0.25 s) and an answer (0.8 s) at most; twice that for a busy machine.
        assert!(took < Duration::from_millis(2_100), "{took:?}");
    }
    server.thaw();
    is_back(&store).await;
}

#[tokio::test]
async fn a_server_that_was_killed_is_used_again_when_it_is_back() {
    let server = Arc::new(PgServer::start(PgSettings::durable()).await);
    let database = server.database().await;
    let store = migrated(database.url(), &PgOptions::default()).await;
    store.insert_workspace(&workspace(1)).await.unwrap();
    server.kill();
    let refused = store.find_workspace(id(1)).await;
    assert!(
        matches!(&refused, Err(StoreError::Unavailable { place, .. }) if place.starts_with("127.0.0.1:")),
        "{refused:?}"
    );
    server.resume().await;
    is_back(&store).await;
}

#[tokio::test]
async fn a_caller_is_refused_before_one_that_holds_the_only_connection_is_done() {
    let harness = Postgres::new();
    let database = harness.database().await;
    let options = PgOptions {
        connections: 1,
        warm: 1,
        lock: Duration::from_secs(20),
        statement: Duration::from_secs(20),
        ..PgOptions::default()
    };
    let store = migrated(database.url(), &options).await;
    store.insert_workspace(&workspace(1)).await.unwrap();
    let locked = database.sql("BEGIN; LOCK TABLE workspace; SELECT pg_sleep(15); COMMIT");
    let race = async {
        wait_until(LONG, "the table to be locked", || async {
            let waits = database.sql(
                "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock'
                                      AND granted AND relation = 'workspace'::regclass",
            );
            match waits.await.as_str() {
                "1" => Ok(()),
                other => Err(other.to_owned()),
            }
        })
        .await;
        let first = store.find_workspace(id(1));
        let second = async {
            let refused = store.list_workspaces().await;
            assert!(
                matches!(refused, Err(StoreError::Overloaded)),
                "{refused:?}"
            );
        };
        tokio::select! {
            biased;
            answer = first => panic!("the first came first: {answer:?}"),
            () = second => {}
        }
    };
    tokio::select! {
        _ = locked => panic!("the lock was too short"),
        () = race => {}
    }
}

#[tokio::test]
async fn callers_that_go_away_leave_whole_dispatches_or_none() {
    let harness = Postgres::new();
    let store = harness.store().await;
    let campaign = campaign(1);
    store.insert_campaign(&campaign).await.unwrap();
    for number in 1..120 {
        let new = NewDispatch {
            dispatch: dispatch(&campaign, number),
            chunks: scans(3),
        };
        let patience = Duration::from_micros(number * 60);
        let _ = timeout(patience, store.insert_dispatch(new, ANY)).await;
    }
    // Somebody who stays is not disturbed by what the others left on their connections.
    begin(&store, &dispatch(&campaign, 1_000), scans(3)).await;
    let torn = "SELECT count(*) FROM dispatch d
                WHERE (SELECT count(*) FROM chunk WHERE dispatch = d.id) <> 3";
    let database = harness.database().await;
    assert_eq!(database.sql(torn).await, "0");
    let open = "SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
    wait_until(LONG, "transactions to be undone", || async {
        match database.sql(open).await.as_str() {
            "0" => Ok(()),
            left => Err(left.to_owned()),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_of_several_nodes_share_one_dispatch_and_count_every_chunk_once() {
    let harness = Postgres::new();
    let (one, two) = (harness.store().await, harness.store().await);
    let dispatch = begin_campaign(&one, 1, scans(400)).await;
    let mut workers = tokio::task::JoinSet::new();
    for number in 0..12 {
        let store = if number % 2 == 0 {
            one.clone()
        } else {
            two.clone()
        };
        workers.spawn(async move {
            let mut done = 0;
            while let Some(chunk) = claim(&store, 10).await {
                let seven = Tally {
                    targeted: 7,
                    ..Tally::default()
                };
                store.finish_chunk(&chunk, &seven, at(11)).await.unwrap();
                done += 1;
            }
            done
        });
    }
    assert_eq!(workers.join_all().await.into_iter().sum::<u32>(), 400);
    let progress = one.dispatch_progress(dispatch.id).await.unwrap();
    assert_eq!((progress.chunks_left, progress.tally.targeted), (0, 2_800));
    assert_eq!(dispatch_state(&one, &dispatch).await, DispatchState::Done);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_runs_on_after_a_stop_whatever_began_at_the_same_moment() {
    let harness = Postgres::new();
    let store = harness.store().await;
    for number in 1..30 {
        let campaign = campaign(number);
        store.insert_campaign(&campaign).await.unwrap();
        let mut calls = tokio::task::JoinSet::new();
        for trigger in 0..6 {
            let (store, campaign) = (store.clone(), campaign.clone());
            calls.spawn(async move {
                let new = NewDispatch {
                    dispatch: dispatch(&campaign, number * 100 + trigger),
                    chunks: scans(2),
                };
                match store.insert_dispatch(new, ANY).await {
                    Ok(_) | Err(StoreError::Stale { .. }) => {}
                    Err(other) => panic!("{other:?}"),
                }
            });
        }
        let stopper = store.clone();
        calls.spawn(async move {
            stopper
                .stop_campaign(id(1), campaign.id, true, at(50))
                .await
                .unwrap();
        });
        calls.join_all().await;
    }
    let database = harness.database().await;
    let running = "SELECT count(*) FROM dispatch WHERE state <> 'stopped'";
    assert_eq!(database.sql(running).await, "0");
    let open = "SELECT count(*) FROM chunk WHERE open";
    assert_eq!(database.sql(open).await, "0");
}

#[tokio::test]
async fn looking_for_work_in_vain_takes_no_transaction_id() {
    let settings = PgSettings::quick().with("autovacuum", "off");
    let server = Arc::new(PgServer::start(settings).await);
    let database = server.database().await;
    let store = migrated(database.url(), &PgOptions::default()).await;
    let next = "SELECT pg_snapshot_xmax(pg_current_snapshot())";
    let before = database.sql(next).await;
    for seconds in 0..20 {
        assert_eq!(claim(&store, seconds).await, None);
        store.live_set(id(1), at(seconds)).await.unwrap();
    }
    assert_eq!(database.sql(next).await, before);
}

#[tokio::test]
async fn an_unreadable_chunk_fails_its_dispatch_and_nobody_elses() {
    for damage in [
        "UPDATE chunk SET work = '{\"kind\": \"unheard of\"}' WHERE dispatch = $",
        "UPDATE dispatch SET cause = 'unheard of' WHERE id = $",
        "DELETE FROM frozen_definition USING dispatch d WHERE d.campaign = frozen_definition.campaign AND d.id = $",
    ] {
        let harness = Postgres::new();
        let store = harness.store().await;
        let broken = begin_campaign(&store, 1, scans(2)).await;
        let sound = begin_campaign(&store, 2, scans(1)).await;
        let database = harness.database().await;
        let uuid = database
            .sql("SELECT id FROM dispatch ORDER BY created_at LIMIT 1")
            .await;
        database
            .sql(&damage.replace('$', &format!("'{uuid}'")))
            .await;
        let claimed = claim(&store, 10).await.expect("the sound one");
        assert_eq!(claimed.dispatch.id, sound.id);
        assert_eq!(claim(&store, 10).await, None);
        let state = format!("SELECT state FROM dispatch WHERE id = '{uuid}'");
        assert_eq!(database.sql(&state).await, "failed", "{}", broken.id);
    }
}

#[tokio::test]
async fn a_server_that_dies_while_partitions_are_dropped_loses_nothing_that_is_open() {
    const DAY: u64 = 86_400;
    // What is committed is in the hands of the host, which does not die.
    let settings = PgSettings::quick().with("synchronous_commit", "on");
    let server = Arc::new(PgServer::start(settings).await);
    let database = server.database().await;
    let store = migrated(database.url(), &PgOptions::default()).await;
    let open = begin_campaign(&store, 1, scans(2)).await;
    let oldest = |table: &str| {
        format!("SELECT min(relname) FROM pg_class WHERE relkind = 'r' AND relname ~ '^{table}_'")
    };
    // As soon as something is made, as soon as keys are dropped, and calls.
    let made = "SELECT max(relname) FROM pg_class WHERE relname ~ '^chunk_[0-9]*$'".to_owned();
    for (step, changes) in (1..).zip([made, oldest("idempotency"), oldest("call")]) {
        let now = at(step * 70 * DAY);
        let before = now.minus(Duration::from_secs(69 * DAY));
        store.prune(before).await.unwrap();
        let before = database.sql(&changes).await;
        let death = async {
            wait_until(LONG, &changes, || async {
                match database.sql(&changes).await {
                    same if same == before => Err(same),
                    _ => Ok(()),
                }
            })
            .await;
            server.kill();
        };
        let _ = tokio::join!(store.prune(now), death);
        server.resume().await;
        wait_until(LONG, "a later pass to end", || async {
            store.prune(now).await.map_err(|error| format!("{error:?}"))
        })
        .await;
        let torn = "SELECT count(*) FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
                    WHERE c.relkind = 'r' AND c.relname ~ '_[0-9]{6,8}$'
                      AND (i.inhrelid IS NULL OR i.inhdetachpending)";
        assert_eq!(database.sql(torn).await, "0", "{step}");
        assert_eq!(dispatch_state(&store, &open).await, DispatchState::Running);
    }
    let mut left = 0;
    while let Some(chunk) = claim(&store, 300 * DAY).await {
        let none = Tally::default();
        store
            .finish_chunk(&chunk, &none, at(300 * DAY))
            .await
            .unwrap();
        left += 1;
    }
    assert_eq!(left, 2);
    assert_eq!(dispatch_state(&store, &open).await, DispatchState::Done);
}
