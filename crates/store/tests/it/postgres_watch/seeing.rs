//! What a look sees: ids and their rate, old tables, holders of the horizon, partitions.

use corkboard_core::time::{Clock as _, Timestamp};
use corkboard_store::ControlStore as _;
use corkboard_store::postgres::watch::HolderKind;
use corkboard_store::postgres::{CardLayout, PgCardStore, PgControlStore, PgOptions};
use corkboard_testkit::{HeldClock, PgServer, PgSettings, wait_until};

use super::*;

/// Uses this many transaction ids.
fn burn(ids: u32) -> String {
    format!(
        "DO $$ BEGIN FOR i IN 1..{ids} LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"
    )
}

#[tokio::test]
async fn looking_uses_no_ids_and_sees_the_rate_of_those_who_do() {
    let server = Arc::new(PgServer::start(PgSettings::quick().with("autovacuum", "off")).await);
    let database = server.database().await;
    let clock = HeldClock::at(Timestamp::from_seconds(1_795_255_200));
    let mut watch =
        DatabaseWatch::new("cards-0", database.url(), CARDS, Arc::new(clock.clone())).unwrap();
    let first = watch.sample().await.unwrap();
    assert_eq!(first.at, clock.now());
    for _ in 0..20 {
        clock.advance(Duration::from_secs(1));
        watch.sample().await.unwrap();
    }
    assert_eq!(watch.rate().unwrap().per_second, 0.0);

    database.sql(&burn(1_000)).await;
    clock.advance(Duration::from_secs(80));
    let last = watch.sample().await.unwrap();
    let used = last.ages.next - first.ages.next;
    assert!((1_000..1_010).contains(&used), "{used}");
    let rate = watch.rate().unwrap();
    assert_eq!(rate.over, Duration::from_secs(100));
    assert!((10.0..10.2).contains(&rate.per_second), "{rate:?}");
    assert!(last.ages.own >= 1_000 && last.ages.xid.ids >= last.ages.own);
    watch.close();
}

#[tokio::test]
async fn the_oldest_table_is_found_even_when_it_is_a_toast_table() {
    // Of its own: others would make everything older.
    let server = Arc::new(PgServer::start(PgSettings::quick()).await);
    let database = server.database().await;
    database
        .sql("CREATE TABLE note (body text); CREATE TABLE other (n int)")
        .await;
    database.sql(&burn(1_000)).await;
    database.sql("VACUUM (FREEZE)").await;
    let (sample, _) = look(database.url()).await;
    assert!(
        sample.ages.tables[0].xids < 1_000,
        "{:?}",
        sample.ages.tables
    );

    database.sql("CREATE TABLE late (body text)").await;
    database.sql(&burn(1_000)).await;
    database.sql("VACUUM (FREEZE)").await;
    database.sql("CREATE TABLE latest (body text)").await;
    database.sql(&burn(1_000)).await;
    // The main parts are young, what they keep elsewhere is not.
    for table in database
        .sql("SELECT oid::regclass FROM pg_class WHERE relkind = 'r'")
        .await
        .lines()
    {
        let toast = if table == "latest" {
            "(FREEZE, PROCESS_TOAST false)"
        } else {
            "(FREEZE)"
        };
        database.sql(&format!("VACUUM {toast} {table}")).await;
    }
    let (sample, _) = look(database.url()).await;
    let oldest = &sample.ages.tables[0];
    assert_eq!(oldest.name, "latest", "{:?}", sample.ages.tables);
    assert!(oldest.xids >= 1_000);
}

#[tokio::test]
async fn holders_of_the_horizon_are_seen() {
    let settings = PgSettings::quick().with("max_prepared_transactions", "2");
    let server = Arc::new(PgServer::start(settings).await);
    let database = server.database().await;
    let (client, _connection) = connect(database.url()).await;
    let begin = "SET application_name = 'report';
                 BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1";
    client.batch_execute(begin).await.unwrap();
    database
        .sql("BEGIN; CREATE TABLE t (n int); PREPARE TRANSACTION 'forgotten'")
        .await;
    database
        .sql("SELECT pg_create_physical_replication_slot('standby_1', true)")
        .await;
    database.sql(&burn(500)).await;

    let (sample, findings) = look(database.url()).await;
    let find = |kind| {
        let mut holders = sample.holders.iter();
        holders.find(|holder| holder.kind == kind).unwrap().clone()
    };
    let session = find(HolderKind::Session);
    assert!(session.who.ends_with("(report)"), "{session:?}");
    assert!(session.ids.unwrap() >= 500 && session.since.is_some());
    let prepared = find(HolderKind::Prepared);
    assert_eq!(prepared.who, "forgotten");
    assert!(prepared.ids.unwrap() >= 500 && prepared.since.is_some());
    let slot = find(HolderKind::Slot);
    assert_eq!((slot.who.as_str(), slot.active), ("standby_1", false));
    let wrong = wrong(&findings, "horizon");
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert!(
        wrong[0]
            .1
            .starts_with("replication slot 'standby_1' is inactive"),
        "{wrong:?}"
    );
    database.sql("ROLLBACK PREPARED 'forgotten'").await;
}

#[tokio::test]
async fn a_detachment_that_was_interrupted_is_seen() {
    let database = PgServer::shared().await.database().await;
    database
        .sql(
            "CREATE TABLE card (cohort_no int) PARTITION BY LIST (cohort_no);
             CREATE TABLE card_d20261122 PARTITION OF card FOR VALUES IN (1);
             CREATE TABLE card_d20261123 PARTITION OF card FOR VALUES IN (2)",
        )
        .await;
    let (reader, _reading) = connect(database.url()).await;
    reader
        .batch_execute("BEGIN; SELECT * FROM card")
        .await
        .unwrap();
    let (keeper, mut keeping) = connect(database.url()).await;
    let interrupt = keeper.cancel_token();
    let detach = "ALTER TABLE card DETACH PARTITION card_d20261122 CONCURRENTLY";
    let detaching = keeping.spawn(async move {
        keeper.batch_execute(detach).await.unwrap_err();
    });
    wait_until(
        Duration::from_secs(30),
        "the detachment to begin",
        async || {
            let (sample, _) = look(database.url()).await;
            if sample.partitions.pending.is_empty() {
                return Err(format!("{:?}", sample.partitions));
            }
            Ok(())
        },
    )
    .await;
    interrupt.cancel_query(NoTls).await.unwrap();
    wait_until(Duration::from_secs(30), "the interruption", async || {
        detaching
            .is_finished()
            .then_some(())
            .ok_or_else(|| "it waits".to_owned())
    })
    .await;

    let (sample, findings) = look(database.url()).await;
    assert_eq!(sample.partitions.pending, ["card_d20261122"]);
    let cohorts: Vec<String> = sample.partitions.leaves["card"]
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(cohorts, ["card_d20261122", "card_d20261123"]);
    assert_eq!(wrong(&findings, "partitions")[0].0, Severity::Fail);

    reader.batch_execute("COMMIT").await.unwrap();
    database
        .sql(&detach.replace("CONCURRENTLY", "FINALIZE"))
        .await;
    let (_, findings) = look(database.url()).await;
    assert_eq!(wrong(&findings, "partitions"), []);
    // Cards are not in lock step with states and events here.
    let steps = wrong(&findings, "cohorts");
    assert!(
        steps[0]
            .1
            .contains("card and card_state are out of step in d20261123"),
        "{steps:?}"
    );
}

#[tokio::test]
async fn a_default_partition_and_a_flat_table_are_seen() {
    let database = PgServer::shared().await.database().await;
    database
        .sql(
            "CREATE TABLE card (cohort_no int) PARTITION BY LIST (cohort_no);
             CREATE TABLE card_rest PARTITION OF card DEFAULT",
        )
        .await;
    let (sample, findings) = look(database.url()).await;
    assert_eq!(sample.partitions.defaults, ["card_rest"]);
    assert!(
        wrong(&findings, "partitions")[0]
            .1
            .starts_with("default partition card_rest")
    );

    database
        .sql("DROP TABLE card; CREATE TABLE card (cohort_no int)")
        .await;
    let (sample, findings) = look(database.url()).await;
    assert_eq!(sample.partitions.layout, Some(Layout::Flat));
    let layout = wrong(&findings, "cohorts");
    assert_eq!(layout[0].1, "the layout is flat, configured is cohorts");
}

#[tokio::test]
async fn the_reads_of_a_migrated_control_database_are_within_their_budgets() {
    let database = PgServer::shared().await.database().await;
    let options = PgOptions::default();
    let control = PgControlStore::connect(database.url(), &options)
        .await
        .unwrap();
    control.migrate().await.unwrap();
    let clock = Arc::new(SystemClock);
    let expected = Expected {
        purpose: Purpose::Control,
        ..CARDS
    };
    let mut watch = DatabaseWatch::new("control", database.url(), expected, clock).unwrap();
    let sample = watch.sample().await.unwrap();
    assert_eq!(wrong(&watch.judge(&sample), "schema"), []);
    let missing = wrong(&watch.judge(&sample), "partitions");
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert!(missing[0].1.starts_with("not made ahead: chunk_"));
    control.prune(SystemClock.now()).await.unwrap();
    let sample = watch.sample().await.unwrap();
    assert_eq!(wrong(&watch.judge(&sample), "partitions"), []);
    watch.close();

    let findings = control.explain_reads(SystemClock.now()).await.unwrap();
    assert!(findings.len() >= 10, "{findings:?}");
    assert_eq!(wrong(&findings, "plans"), []);
    control.close();
}

#[tokio::test]
async fn nothing_is_wrong_with_a_card_database_that_the_keeper_has_been_at() {
    let server = PgServer::shared().await;
    let layouts = [
        (CardLayout::Cohorts, Layout::Cohorts),
        (CardLayout::Flat, Layout::Flat),
    ];
    for (layout, expected) in layouts {
        let database = server.database().await;
        let options = PgOptions::default();
        let store = PgCardStore::connect("cards-0", database.url(), layout, &options);
        let store = store.await.unwrap();
        store.migrate().await.unwrap();
        let expected = Expected {
            purpose: Purpose::Cards(expected),
            ..CARDS
        };
        let clock = Arc::new(SystemClock);
        let mut watch = DatabaseWatch::new("cards-0", database.url(), expected, clock).unwrap();
        let sample = watch.sample().await.unwrap();
        let missing = wrong(&watch.judge(&sample), "cohorts");
        assert_eq!(
            missing.is_empty(),
            layout == CardLayout::Flat,
            "{missing:?}"
        );

        store.premake_cohorts(SystemClock.now()).await.unwrap();
        let sample = watch.sample().await.unwrap();
        let findings = watch.judge(&sample);
        for check in [
            "schema",
            "cohorts",
            "partitions",
            "rights",
            "clock",
            "version",
        ] {
            assert_eq!(wrong(&findings, check), [], "{layout:?}");
        }
        if layout == CardLayout::Cohorts {
            assert!(sample.partitions.headroom_days(sample.at) >= 14);
        }
        watch.close();
        store.close();
    }
}
