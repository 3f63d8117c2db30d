//! Servers and databases of the kit: separate, gone when dropped, honest when hurt.

use std::time::Duration;

use corkboard_testkit::{PgServer, PgSettings, wait_until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(30);
/// Asks a server whether it speaks TLS; it answers with one letter.
const TLS_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

#[tokio::test]
async fn databases_of_one_server_are_separate_and_gone_when_dropped() {
    let server = PgServer::shared().await;
    let (first, second) = (server.database().await, server.database().await);
    first.sql("CREATE TABLE note AS SELECT 1 AS number").await;
    assert_eq!(first.sql("SELECT number FROM note").await, "1");
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(second.sql(tables).await, "0");
    let name = first.name().to_owned();
    drop(first);
    let left = format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'");
    assert_eq!(second.sql(&left).await, "0");
}

#[tokio::test]
async fn settings_are_those_asked_for() {
    let settings = PgSettings::durable().with("work_mem", "3MB");
    let server = std::sync::Arc::new(PgServer::start(settings).await);
    let database = server.database().await;
    let show = "SELECT current_setting('fsync') || current_setting('synchronous_commit')
                       || current_setting('work_mem') || current_setting('max_connections')";
    assert_eq!(database.sql(show).await, "onon3MB200");
}

#[tokio::test]
async fn a_killed_server_comes_back_with_what_was_committed() {
    let server = std::sync::Arc::new(PgServer::start(PgSettings::durable()).await);
    let database = server.database().await;
    database
        .sql("CREATE TABLE note AS SELECT 1 AS number")
        .await;
    server.kill();
    server.resume().await;
    assert_eq!(database.sql("SELECT number FROM note").await, "1");
    server.kill_postmaster();
    server.resume().await;
    assert_eq!(database.sql("SELECT number FROM note").await, "1");
    server.stop().await;
    server.resume().await;
    assert_eq!(database.sql("SELECT number FROM note").await, "1");
}

#[tokio::test]
async fn a_frozen_server_accepts_and_answers_only_once_thawed() {
    let server = PgServer::start(PgSettings::quick()).await;
    server.freeze();
    let mut connection = TcpStream::connect(("127.0.0.1", server.port()))
        .await
        .unwrap();
    connection.write_all(&TLS_REQUEST).await.unwrap();
    let mut answer = [0];
    let silence = timeout(Duration::from_millis(200), connection.read(&mut answer)).await;
    assert!(silence.is_err(), "{silence:?}");
    server.thaw();
    let answered = timeout(LONG, connection.read(&mut answer)).await.unwrap();
    assert_eq!((answered.unwrap(), answer), (1, *b"N"));
}

#[tokio::test]
async fn what_a_killed_run_left_behind_is_swept() {
    let left = PgServer::start(PgSettings::quick()).await;
    let folder = left.folder();
    std::fs::write(folder.join("owner"), format!("{} 1", u32::MAX)).unwrap();
    let another = PgServer::start(PgSettings::quick()).await;
    assert!(!folder.exists());
    wait_until(LONG, "the server to be gone", || async {
        match TcpStream::connect(("127.0.0.1", left.port())).await {
            Ok(_) => Err("it still accepts".to_owned()),
            Err(_) => Ok(()),
        }
    })
    .await;
    assert!(another.folder().exists());
    let folder = another.folder();
    drop(another);
    assert!(!folder.exists());
}

#[tokio::test]
async fn tables_of_a_full_disk_do_not_grow_and_can_be_read() {
    let server = std::sync::Arc::new(PgServer::start(PgSettings::quick().fragile()).await);
    let database = server.database().await;
    database
        .sql("CREATE TABLE note AS SELECT generate_series(1, 5000) AS number")
        .await;
    server.fill_disk();
    let grow = "INSERT INTO note SELECT generate_series(1, 5000)";
    let refused = database.try_sql(grow).await.unwrap_err();
    assert!(refused.contains("No space left on device"), "{refused}");
    assert_eq!(database.sql("SELECT count(*) FROM note").await, "5000");
    server.free_disk();
    database.sql(grow).await;
    assert_eq!(database.sql("SELECT count(*) FROM note").await, "10000");
}

#[tokio::test]
async fn a_sync_that_fails_ends_every_connection_and_the_server_recovers() {
    let server = std::sync::Arc::new(PgServer::start(PgSettings::durable().fragile()).await);
    let database = server.database().await;
    database
        .sql("CREATE TABLE note AS SELECT 1 AS number; CHECKPOINT")
        .await;
    server.fail_next_sync();
    database
        .try_sql("INSERT INTO note VALUES (2)")
        .await
        .unwrap_err();
    server.recovered_from_failed_sync().await;
    database.sql("INSERT INTO note VALUES (3)").await;
    assert!(
        database
            .sql("SELECT number FROM note ORDER BY 1")
            .await
            .ends_with('3')
    );
}
