//! Databases that are not what the configuration says: each mistake has a name.

use corkboard_core::time::Clock as _;
use corkboard_testkit::{HeldClock, PgServer, PgSettings};
use tokio::net::TcpListener;

use super::*;

/// What is said about a database that cannot be looked at.
async fn refused(url: &str) -> Finding {
    let mut watch = watch(url);
    let error = watch.sample().await.unwrap_err();
    let finding = watch.judge_failure(&error);
    assert_eq!(
        (finding.name, finding.severity),
        ("connection", Severity::Fail)
    );
    finding
}

#[track_caller]
fn assert_says(finding: &Finding, what: &str, remedy: &str) {
    assert!(finding.what.contains(what), "{what}: {finding:?}");
    assert!(finding.remedy.contains(remedy), "{remedy}: {finding:?}");
}

#[tokio::test]
async fn wrong_urls_are_told_apart() {
    let server = PgServer::shared().await;
    let database = server.database().await;
    let missing = refused(&server.url("nowhere")).await;
    assert_says(
        &missing,
        "\"nowhere\" does not exist",
        "create the database",
    );
    let stranger = database.url().replace("postgres@", "stranger:secret@");
    let stranger = refused(&stranger).await;
    assert_says(
        &stranger,
        "\"stranger\" does not exist",
        "user and password",
    );
    assert!(!format!("{stranger:?}").contains("secret"));

    // A port that nobody listens on, and one where somebody else does.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = format!("postgres://postgres@127.0.0.1:{port}/cards");
    let (other, ()) = tokio::join!(refused(&url), async {
        drop(listener.accept().await.unwrap());
    });
    assert_says(&other, &format!("127.0.0.1:{port}/cards"), "host and port");
    drop(listener);
    assert_says(&refused(&url).await, "refused", "host and port");
}

#[tokio::test]
async fn a_server_that_accepts_and_never_answers_is_given_up() {
    let server = PgServer::start(PgSettings::quick()).await;
    server.freeze();
    let finding = refused(&server.url("postgres")).await;
    assert_says(&finding, "gave no connection in time", "host and port");
    server.thaw();
}

#[tokio::test]
async fn missing_rights_are_named() {
    let server = Arc::new(PgServer::start(PgSettings::quick()).await);
    let database = server.database().await;
    database
        .sql(
            "CREATE ROLE plain LOGIN CONNECTION LIMIT 5;
             CREATE TABLE card (cohort_no int) PARTITION BY LIST (cohort_no);
             CREATE TABLE schema_version (schema text, version int)",
        )
        .await;
    let plain = database.url().replace("postgres@", "plain@");
    let (_, findings) = look(&plain).await;
    let rights = wrong(&findings, "rights");
    let says = |what: &str| rights.iter().any(|(_, found)| found.contains(what));
    assert!(says("may not create tables in schema public"), "{rights:?}");
    assert!(says("does not own card, schema_version"), "{rights:?}");
    assert!(says("does not see how long transactions"), "{rights:?}");
    let connections = wrong(&findings, "connections");
    assert!(
        connections[0].1.contains("of 5, a node opens up to 16"),
        "{connections:?}"
    );

    database
        .sql("REVOKE USAGE ON SCHEMA public FROM public")
        .await;
    let (_, findings) = look(&plain).await;
    let rights = wrong(&findings, "rights");
    assert!(rights[0].1.contains("may use no schema"), "{rights:?}");

    database
        .sql(
            "GRANT USAGE, CREATE ON SCHEMA public TO plain; GRANT pg_monitor TO plain;
             ALTER TABLE card OWNER TO plain; ALTER TABLE schema_version OWNER TO plain",
        )
        .await;
    let (_, findings) = look(&plain).await;
    assert_eq!(wrong(&findings, "rights"), []);
}

#[tokio::test]
async fn settings_that_endanger_data_are_named() {
    let quick = Arc::new(PgServer::start(PgSettings::quick()).await);
    let database = quick.database().await;
    let (_, findings) = look(database.url()).await;
    let settings: Vec<String> = wrong(&findings, "durability")
        .into_iter()
        .map(|(_, what)| what.split(':').next().unwrap().to_owned())
        .collect();
    let expected = [
        "fsync is off",
        "full_page_writes is off",
        "synchronous_commit is off",
    ];
    assert_eq!(settings, expected);

    let durable = PgSettings::durable()
        .with("autovacuum", "off")
        .with("data_sync_retry", "on");
    let durable = Arc::new(PgServer::start(durable).await);
    let database = durable.database().await;
    let (_, findings) = look(database.url()).await;
    assert!(
        wrong(&findings, "durability")[0]
            .1
            .starts_with("data_sync_retry is on")
    );
    assert!(
        wrong(&findings, "autovacuum")[0]
            .1
            .starts_with("autovacuum is off")
    );

    // For one database only, as somebody might have set it to make a test faster.
    let name = database.name();
    database
        .sql(&format!(
            "ALTER DATABASE {name} SET synchronous_commit = off"
        ))
        .await;
    let (_, findings) = look(database.url()).await;
    assert!(
        wrong(&findings, "durability")[0]
            .1
            .starts_with("synchronous_commit is off")
    );
    database
        .sql(&format!(
            "ALTER DATABASE {name} SET default_transaction_read_only = on"
        ))
        .await;
    let (_, findings) = look(database.url()).await;
    assert!(
        wrong(&findings, "server")[0]
            .1
            .starts_with("default_transaction_read_only")
    );
}

#[tokio::test]
async fn a_clock_five_minutes_off_is_named() {
    let database = PgServer::shared().await.database().await;
    let off = Duration::from_secs(300);
    for (ours, side) in [
        (SystemClock.now().plus(off), "behind"),
        (SystemClock.now().minus(off), "ahead of"),
    ] {
        let clock = Arc::new(HeldClock::at(ours));
        let mut watch = DatabaseWatch::new("cards-0", database.url(), CARDS, clock).unwrap();
        let sample = watch.sample().await.unwrap();
        let clock = wrong(&watch.judge(&sample), "clock");
        assert_eq!(clock[0].0, Severity::Fail);
        let minutes = clock[0]
            .1
            .split(' ')
            .nth(4)
            .unwrap()
            .parse::<f64>()
            .unwrap()
            / 60.0;
        assert!((4.5..5.5).contains(&minutes), "{clock:?}");
        assert!(clock[0].1.contains(side), "{clock:?}");
        watch.close();
    }
    let (_, findings) = look(database.url()).await;
    assert_eq!(wrong(&findings, "clock"), []);
}

#[tokio::test]
async fn schemas_that_are_missing_old_or_of_another_database_are_named() {
    let database = PgServer::shared().await.database().await;
    let schema = async || wrong(&look(database.url()).await.1, "schema").remove(0).1;
    assert_eq!(schema().await, "there is no schema cards");
    database
        .sql(
            "CREATE TABLE schema_version (schema text, version int);
             INSERT INTO schema_version VALUES ('control', 1)",
        )
        .await;
    assert_eq!(schema().await, "no schema cards, but control");
    database
        .sql("UPDATE schema_version SET schema = 'cards', version = 0")
        .await;
    assert!(
        schema()
            .await
            .starts_with("cards has version 0, this program needs")
    );
    database.sql("UPDATE schema_version SET version = 99").await;
    assert!(
        schema()
            .await
            .starts_with("cards has version 99, this program knows")
    );
}
