//! Sessions against a real server: what is undone, what is closed, what errors mean.

use std::time::Duration;

use corkboard_testkit::{PgDatabase, PgServer};

use super::*;
use crate::error::StoreError;
use crate::postgres::options::PgOptions;
use crate::postgres::pool::Pool;
use crate::postgres::values::get;

const COUNT: Statement = Statement::new("count", "SELECT count(*) AS notes FROM note");
const INSERT: Statement = Statement::new("insert", "INSERT INTO note VALUES ($1)");
const BACKEND: Statement = Statement::new("backend", "SELECT pg_backend_pid() AS pid");

/// A pool of one connection to a database with one table.
async fn single() -> (PgDatabase, Pool) {
    let database = PgServer::shared().await.database().await;
    let options = PgOptions {
        connections: 1,
        acquire: Duration::from_secs(10),
        statement: Duration::from_millis(400),
        lock: Duration::from_millis(200),
        answer: Duration::from_millis(400),
        ..PgOptions::default()
    };
    let pool = Pool::new(database.url(), &options).unwrap();
    let session = pool.session().await.unwrap();
    let create = "CREATE TABLE note (number integer PRIMARY KEY)";
    session.run("create", create).await.unwrap();
    (database, pool)
}

async fn pid(session: &Session) -> i32 {
    let row = session.first(&BACKEND, &[]).await.unwrap().unwrap();
    get(&row, "pid").unwrap()
}

async fn notes(session: &Session) -> i64 {
    let row = session.first(&COUNT, &[]).await.unwrap().unwrap();
    get(&row, "notes").unwrap()
}

#[tokio::test]
async fn what_was_not_committed_is_undone_on_the_same_connection() {
    let (_database, pool) = single().await;
    let session = pool.session().await.unwrap();
    let before = pid(&session).await;
    session.begin().await.unwrap();
    session.change(&INSERT, &[&1]).await.unwrap();
    drop(session);
    let session = pool.session().await.unwrap();
    assert_eq!((notes(&session).await, pid(&session).await), (0, before));
    session.begin().await.unwrap();
    session.change(&INSERT, &[&1]).await.unwrap();
    session.commit().await.unwrap();
    drop(session);
    assert_eq!(notes(&pool.session().await.unwrap()).await, 1);
}

#[tokio::test]
async fn a_transaction_with_a_failed_statement_is_not_committed() {
    let (_database, pool) = single().await;
    let session = pool.session().await.unwrap();
    session.begin().await.unwrap();
    session.change(&INSERT, &[&1]).await.unwrap();
    session.change(&INSERT, &[&1]).await.unwrap_err();
    session.commit().await.unwrap_err();
    session.roll_back().await.unwrap();
    session.begin().await.unwrap();
    session.change(&INSERT, &[&2]).await.unwrap();
    session.commit().await.unwrap();
    assert_eq!(notes(&session).await, 1);
}

#[tokio::test]
async fn a_connection_that_owes_an_answer_is_not_given_to_the_next() {
    let (_database, pool) = single().await;
    let session = pool.session().await.unwrap();
    let before = pid(&session).await;
    let slow = session.run("sleep", "SELECT pg_sleep(0.3)");
    let gone = tokio::time::timeout(Duration::from_millis(20), slow).await;
    assert!(gone.is_err());
    drop(session);
    let session = pool.session().await.unwrap();
    assert_ne!(pid(&session).await, before);
}

#[tokio::test]
async fn a_maintenance_connection_has_its_own_time_outs_and_is_not_given_back() {
    let (_database, pool) = single().await;
    let slow = pool.maintenance(Duration::ZERO, Duration::ZERO).await;
    let slow = slow.unwrap();
    let before = pid(&slow).await;
    slow.run("sleep", "SELECT pg_sleep(0.9)").await.unwrap();
    drop(slow);
    let session = pool.session().await.unwrap();
    assert_ne!(pid(&session).await, before);
    let given_up = session.run("sleep", "SELECT pg_sleep(0.9)").await;
    assert!(
        matches!(given_up, Err(StoreError::Overloaded)),
        "{given_up:?}"
    );
}

#[tokio::test]
async fn every_connection_has_the_settings() {
    let (_database, pool) = single().await;
    let session = pool.session().await.unwrap();
    const SETTINGS: Statement = Statement::new(
        "settings",
        "SELECT concat_ws(' ', current_setting('statement_timeout'),
             current_setting('lock_timeout'), current_setting('idle_in_transaction_session_timeout'),
             current_setting('default_transaction_isolation'), current_setting('application_name'))
             AS settings",
    );
    let row = session.first(&SETTINGS, &[]).await.unwrap().unwrap();
    let settings: &str = get(&row, "settings").unwrap();
    assert_eq!(settings, "400ms 200ms 10s read committed corkboard");
}

#[tokio::test]
async fn errors_are_told_apart_by_what_the_caller_can_do() {
    let (_database, pool) = single().await;
    let session = pool.session().await.unwrap();
    let raise = async |state: &str| {
        let sql = format!("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{state}'; END $$");
        session.run("raise", &sql).await.unwrap_err()
    };
    for state in ["57014", "55P03", "40P01", "40001", "53200", "53300"] {
        let error = raise(state).await;
        assert!(
            matches!(error, StoreError::Overloaded),
            "{state}: {error:?}"
        );
    }
    for state in [
        "57P01", "57P03", "25006", "28000", "08006", "58030", "3D000",
    ] {
        let error = raise(state).await;
        let StoreError::Unavailable { place, .. } = &error else {
            panic!("{state}: {error:?}");
        };
        assert!(place.contains("/test_"), "{place}");
    }
    let full = raise("53100").await;
    assert!(matches!(full, StoreError::DiskFull(_)), "{full:?}");
    let mistake = raise("42P01").await;
    assert!(
        matches!(
            mistake,
            StoreError::Database {
                statement: "raise",
                ..
            }
        ),
        "{mistake:?}"
    );
}

#[tokio::test]
async fn a_row_without_a_partition_names_its_cohort() {
    let (_database, pool) = single().await;
    let session = pool.session().await.unwrap();
    let create = "CREATE TABLE leaf (cohort integer) PARTITION BY LIST (cohort)";
    session.run("create", create).await.unwrap();
    let error = session.run("insert", "INSERT INTO leaf VALUES (41556)");
    let error = error.await.unwrap_err();
    let StoreError::NoSuchCohort(cohort) = error else {
        panic!("{error:?}");
    };
    assert_eq!(cohort.number(), 41_556);
}

#[tokio::test]
async fn an_unreachable_server_is_named_without_its_password() {
    let pool = Pool::new(
        "postgres://ann:secret@127.0.0.1:1/cards",
        &PgOptions::default(),
    );
    let error = pool.unwrap().session().await.unwrap_err();
    let StoreError::Unavailable { place, source } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(place, "127.0.0.1:1/cards");
    assert!(!format!("{error:?} {source}").contains("secret"));
    let broken = Pool::new("postgres://ann:secret@:x:/", &PgOptions::default());
    assert!(!format!("{:?}", broken.unwrap_err()).contains("secret"));
}

#[tokio::test]
async fn an_advisory_lock_is_waited_for_and_ends_with_its_transaction() {
    let (database, pool) = single().await;
    let lock = Lock::only(crate::postgres::lock::Protects::Schema);
    let holder = Pool::new(database.url(), &PgOptions::default()).unwrap();
    let holder = holder.session().await.unwrap();
    holder.begin_holding(lock).await.unwrap();
    let session = pool.session().await.unwrap();
    let refused = session.begin_holding(lock).await;
    assert!(
        matches!(refused, Err(StoreError::Overloaded)),
        "{refused:?}"
    );
    session.roll_back().await.unwrap();
    holder.commit().await.unwrap();
    session.begin_holding(lock).await.unwrap();
    session.roll_back().await.unwrap();
    session.begin_holding(lock.shared()).await.unwrap();
    holder.begin_holding(lock.shared()).await.unwrap();
}
