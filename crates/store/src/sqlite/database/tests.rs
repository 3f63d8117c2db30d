//! Group commit, savepoints, locks and migrations, on real files.

use rusqlite::params;

use super::*;

const ONE: &[&str] = &["CREATE TABLE thing (id INTEGER PRIMARY KEY, text TEXT NOT NULL)"];
const TWO: &[&str] = &[ONE[0], "ALTER TABLE thing ADD COLUMN more TEXT"];

fn open(folder: &tempfile::TempDir) -> Database {
    Database::open(
        &folder.path().join("things.db"),
        ONE,
        &SqliteOptions::default(),
    )
    .unwrap()
}

async fn insert(database: &Database, id: i64) -> Result<()> {
    database
        .write("insert thing", move |connection| {
            connection.execute("INSERT INTO thing VALUES (?1, 'x')", params![id])?;
            Ok(())
        })
        .await
}

async fn count(database: &Database) -> i64 {
    let count = database.read("count things", |connection| {
        Ok(connection.query_row("SELECT count(*) FROM thing", [], |row| row.get(0))?)
    });
    count.await.unwrap()
}

/// Keeps the writer busy from the moment this returns until it is released or dropped, so that
/// what follows waits together.
async fn hold(database: &Database) -> Held {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (running, runs) = tokio::sync::oneshot::channel();
    let database = database.clone();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        let wait = move |_: &Connection| {
            running.send(()).unwrap();
            // Ends with an error when the sender is dropped, which is a release too.
            let _ = released.recv();
            Ok(())
        };
        database.write("hold", wait).await
    });
    runs.await.unwrap();
    Held { release, tasks }
}

struct Held {
    release: std::sync::mpsc::Sender<()>,
    tasks: tokio::task::JoinSet<Result<()>>,
}

impl Held {
    /// Lets the writer go on; returns what became of the holding operation.
    async fn end(mut self) -> Result<()> {
        self.release.send(()).unwrap();
        self.tasks.join_next().await.unwrap().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_that_wait_together_share_a_commit() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder);
    let mut tasks = tokio::task::JoinSet::new();
    for id in 0..640 {
        let database = database.clone();
        tasks.spawn(async move { insert(&database, id).await });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
    assert_eq!(count(&database).await, 640);
    assert!(database.commits() <= 64, "{} commits", database.commits());
    database.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_or_panicking_operation_undoes_only_itself() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder);
    let held = hold(&database).await;
    let failing = database.write("half", |connection| {
        connection.execute("INSERT INTO thing VALUES (10, 'half')", [])?;
        connection.execute("INSERT INTO thing VALUES (11, NULL)", [])?;
        Ok(())
    });
    let panicking = database.write("panic", |connection| -> Result<()> {
        connection.execute("INSERT INTO thing VALUES (20, 'half')", [])?;
        panic!("on purpose");
    });
    let (first, failed, panicked, last, held) = tokio::join!(
        insert(&database, 1),
        failing,
        panicking,
        insert(&database, 2),
        held.end()
    );
    held.unwrap();
    first.unwrap();
    last.unwrap();
    assert!(
        matches!(
            failed,
            Err(StoreError::Database {
                statement: "half",
                ..
            })
        ),
        "{failed:?}"
    );
    assert!(
        matches!(
            panicked,
            Err(StoreError::Database {
                statement: "panic",
                ..
            })
        ),
        "{panicked:?}"
    );
    assert_eq!(count(&database).await, 2);
    insert(&database, 3).await.unwrap();
    assert_eq!(count(&database).await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_fails_everyone_in_the_transaction_and_nobody_is_told_ok() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder);
    let limit = |pages: i64| {
        database.write("limit", move |connection| {
            connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
            Ok(())
        })
    };
    limit(8).await.unwrap();
    let held = hold(&database).await;
    let large = database.write("fill", |connection| {
        for id in 100..1_000_000 {
            connection.execute(
                "INSERT INTO thing VALUES (?1, ?2)",
                params![id, "x".repeat(4_000)],
            )?;
        }
        Ok(())
    });
    let (small, large, held) = tokio::join!(insert(&database, 1), large, held.end());
    assert!(matches!(small, Err(StoreError::DiskFull(_))), "{small:?}");
    assert!(matches!(held, Err(StoreError::DiskFull(_))), "{held:?}");
    assert!(matches!(large, Err(StoreError::DiskFull(_))), "{large:?}");
    assert_eq!(count(&database).await, 0);
    limit(1_000_000).await.unwrap();
    insert(&database, 2).await.unwrap();
    assert_eq!(count(&database).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_commit_is_nobodys_success() {
    const REFERRING: &[&str] = &["CREATE TABLE thing (id INTEGER PRIMARY KEY, text TEXT); \
         CREATE TABLE part (thing INTEGER REFERENCES thing (id) DEFERRABLE INITIALLY DEFERRED)"];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("things.db");
    let database = Database::open(&path, REFERRING, &SqliteOptions::default()).unwrap();
    let held = hold(&database).await;
    // Nothing is wrong until the commit looks at the reference.
    let breaking = database.write("refer to nothing", |connection| {
        connection.set_db_config(
            rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY,
            true,
        )?;
        connection.execute("INSERT INTO part VALUES (7)", [])?;
        Ok(())
    });
    let (fine, broken, held) = tokio::join!(insert(&database, 1), breaking, held.end());
    for answer in [fine, broken, held] {
        assert!(
            matches!(answer, Err(StoreError::Database { .. })),
            "{answer:?}"
        );
    }
    assert_eq!(count(&database).await, 0);
    insert(&database, 2).await.unwrap();
    assert_eq!(count(&database).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_refuses_instead_of_growing() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions {
        queue: 1,
        wait: std::time::Duration::from_millis(10),
        ..SqliteOptions::default()
    };
    let database = Database::open(&folder.path().join("things.db"), ONE, &options).unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    let held = hold(&database).await;
    for id in 0..8 {
        let database = database.clone();
        tasks.spawn(async move { insert(&database, id).await });
    }
    // One finds room to wait; the other seven are refused while nothing moves.
    for _ in 0..7 {
        let refused = tasks.join_next().await.unwrap().unwrap();
        assert!(
            matches!(refused, Err(StoreError::Overloaded)),
            "{refused:?}"
        );
    }
    held.end().await.unwrap();
    tasks.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(count(&database).await, 1);
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder);
    insert(&database, 1).await.unwrap();
    drop(database);
    let database = open(&folder);
    assert_eq!(count(&database).await, 1);
    database.close().await;
    database.close().await;
    let refused = insert(&database, 2).await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_second_opener_is_told_that_the_file_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder);
    let path = folder.path().join("things.db");
    let error = Database::open(&path, ONE, &SqliteOptions::default()).unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("in use by another process"), "{source}");
    drop(database);
    open(&folder);
}

#[tokio::test]
async fn migrations_run_once_and_a_newer_schema_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("things.db");
    let options = SqliteOptions::default();
    insert(&open(&folder), 1).await.unwrap();
    let newer = Database::open(&path, TWO, &options).unwrap();
    assert_eq!(count(&newer).await, 1);
    drop(newer);
    Database::open(&path, TWO, &options).unwrap();
    let error = Database::open(&path, ONE, &options).unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::SchemaTooNew {
                found: 2,
                known: 1,
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("things.db");
    std::fs::write(
        &path,
        "not a database, but long enough to be read as one".repeat(100),
    )
    .unwrap();
    let error = Database::open(&path, ONE, &SqliteOptions::default()).unwrap_err();
    assert!(error.to_string().contains("things.db"), "{error}");
}

#[tokio::test]
async fn readers_cannot_write() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder);
    let attempt = database.read("write anyway", |connection| {
        connection.execute("DELETE FROM thing", [])?;
        Ok(())
    });
    assert!(attempt.await.is_err());
}
