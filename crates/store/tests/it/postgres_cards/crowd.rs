//! Many who read at once: few statements, never more than allowed, and each gets what is theirs,
//! also when another's rows cannot be read or another does not wait.

use std::sync::Arc;
use std::time::Duration;

use corkboard_store::postgres::{CardLayout, PgCardStore, PgOptions};
use corkboard_store::{CardStore, StoreError};
use corkboard_testkit::{PgDatabase, wait_until};
use futures_util::future::join_all;
use tokio::task::JoinSet;

use super::{Postgres, options};
use crate::cards::sample::{Sending, noon, user, users, workspace};

const SOON: Duration = Duration::from_secs(30);
/// Statements under way that read cards.
const READS: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                     AND state = 'active' AND query ~ 'FROM card_d[^ ]* WHERE slot ='";

/// A transaction that nobody can read a cohort's cards beside.
struct Held {
    client: tokio_postgres::Client,
    _connection: JoinSet<()>,
}

impl Held {
    async fn on(database: &PgDatabase, sending: &Sending) -> Self {
        let connected = tokio_postgres::connect(database.url(), tokio_postgres::NoTls).await;
        let (client, connection) = connected.unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { drop(connection.await) });
        let hold = format!("BEGIN; LOCK TABLE card_{}", sending.cohort());
        client.batch_execute(&hold).await.unwrap();
        Self {
            client,
            _connection: tasks,
        }
    }

    async fn ends(self) {
        self.client.batch_execute("COMMIT").await.unwrap();
    }
}

async fn store(database: &PgDatabase, reads: usize, read_wait: Duration) -> Arc<PgCardStore> {
    let options = PgOptions {
        reads,
        read_wait,
        // A lock that a test holds is waited for.
        statement: SOON,
        lock: SOON,
        ..options()
    };
    let name = database.name();
    let layout = CardLayout::Cohorts;
    Arc::new(
        PgCardStore::connect(name, database.url(), layout, &options)
            .await
            .unwrap(),
    )
}

async fn reads(database: &PgDatabase) -> usize {
    database.sql(READS).await.trim().parse().unwrap()
}

async fn reading(database: &PgDatabase, expected: usize) {
    wait_until(SOON, "reads under way", || async {
        match reads(database).await {
            count if count == expected => Ok(()),
            other => Err(format!("{other} statements")),
        }
    })
    .await;
}

/// Cards of each of these, asked for at once.
fn crowd(
    store: &Arc<PgCardStore>,
    asking: std::ops::Range<u32>,
) -> JoinSet<(u32, Result<usize, StoreError>)> {
    let mut crowd = JoinSet::new();
    for number in asking {
        let store = Arc::clone(store);
        crowd.spawn(async move {
            let read = store
                .user_cards(workspace(), &user(number), noon(), 10)
                .await;
            (number, read.map(|cards| cards.cards.len()))
        });
    }
    crowd
}

#[tokio::test]
async fn a_spike_is_read_by_few_statements_and_whoever_left_is_in_nobodys_way() {
    let postgres = Postgres::cohorts();
    let sending = Sending::new(1);
    sending
        .write(&postgres.store().await, &users(0..300))
        .await
        .unwrap();
    let database = postgres.database().await;
    let store = store(database, 2, SOON).await;
    // Learns the contents, so that all that follow are reads of cards.
    assert_eq!(
        crowd(&store, 0..1)
            .join_next()
            .await
            .unwrap()
            .unwrap()
            .1
            .unwrap(),
        1
    );
    let held = Held::on(database, &sending).await;
    let mut first = crowd(&store, 0..1);
    reading(database, 1).await;
    let mut leaving = crowd(&store, 1..20);
    reading(database, 2).await;
    let staying = crowd(&store, 20..300);
    // 300 ask; two statements are under way, one for one and one for nineteen.
    leaving.abort_all();
    while leaving.join_next().await.is_some() {}
    assert_eq!(reads(database).await, 2);
    held.ends().await;
    assert_eq!(first.join_next().await.unwrap().unwrap().1.unwrap(), 1);
    let found = staying.join_all().await;
    assert_eq!(found.len(), 280);
    for (number, cards) in found {
        assert_eq!(cards.unwrap(), 1, "{number}");
    }
}

#[tokio::test]
async fn who_finds_no_reader_in_time_is_refused_and_who_found_one_is_not() {
    let postgres = Postgres::cohorts();
    let sending = Sending::new(1);
    sending
        .write(&postgres.store().await, &users(0..300))
        .await
        .unwrap();
    let database = postgres.database().await;
    let store = store(database, 1, Duration::from_millis(200)).await;
    let held = Held::on(database, &sending).await;
    let mut found = crowd(&store, 0..1);
    reading(database, 1).await;
    for (number, refused) in crowd(&store, 1..300).join_all().await {
        assert!(
            matches!(refused, Err(StoreError::Overloaded)),
            "{number}: {refused:?}"
        );
    }
    held.ends().await;
    assert_eq!(found.join_next().await.unwrap().unwrap().1.unwrap(), 1);
    // Those who were refused are not read for any more.
    assert_eq!(
        crowd(&store, 7..8)
            .join_next()
            .await
            .unwrap()
            .unwrap()
            .1
            .unwrap(),
        1
    );
}

#[tokio::test]
async fn who_waits_for_a_connection_that_is_long_in_coming_is_served_when_it_is_there() {
    let postgres = Postgres::cohorts();
    let sending = Sending::new(1);
    sending
        .write(&postgres.store().await, &users(0..2))
        .await
        .unwrap();
    let database = postgres.database().await;
    let options = PgOptions {
        connections: 1,
        reads: 1,
        warm: 1,
        acquire: Duration::from_millis(20),
        read_wait: SOON,
        statement: SOON,
        lock: SOON,
        ..options()
    };
    let layout = CardLayout::Cohorts;
    let store = PgCardStore::connect(database.name(), database.url(), layout, &options).await;
    let store = Arc::new(store.unwrap());
    // Somebody else has the only connection, and a lock before it.
    let held = Held::on(database, &sending).await;
    held.client
        .batch_execute("LOCK TABLE tracked_user, workspace_number")
        .await
        .unwrap();
    let mut other = {
        let store = Arc::clone(&store);
        JoinSet::from_iter([async move { store.find_user(workspace(), &user(1)).await.map(drop) }])
    };
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    wait_until(SOON, "the connection is taken", || async {
        match database.sql(waits).await.trim() {
            "1" => Ok(()),
            other => Err(format!("{other} wait")),
        }
    })
    .await;
    let mut reader = crowd(&store, 0..1);
    // Ten times as long as anybody waits for a connection.
    let early = tokio::time::timeout(Duration::from_millis(200), reader.join_next()).await;
    assert!(early.is_err(), "{early:?}");
    held.ends().await;
    other.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(reader.join_next().await.unwrap().unwrap().1.unwrap(), 1);
}

#[tokio::test]
async fn rows_that_cannot_be_read_are_their_owners_trouble_alone() {
    let postgres = Postgres::cohorts();
    let (fine, broken) = (Sending::new(1), Sending::new(2));
    let own = Sending {
        personal: true,
        ..Sending::new(3)
    };
    let migrated = postgres.store().await;
    fine.write(&migrated, &users(0..100)).await.unwrap();
    // One user's own text, and a content that two others share.
    own.write(&migrated, &users(7..8)).await.unwrap();
    broken.write(&migrated, &users(40..42)).await.unwrap();
    let database = postgres.database().await;
    let cohort = fine.cohort();
    let spoil = format!(
        "UPDATE card_{cohort} SET content = '{{' WHERE content IS NOT NULL; \
         UPDATE card_content_{cohort} SET presentation = '{{' WHERE dispatch = '{}'",
        uuid(&broken)
    );
    database.sql(&spoil).await;
    let store = store(database, 1, SOON).await;
    let found = join_all((0..100).map(|number| {
        let store = Arc::clone(&store);
        async move {
            store
                .user_cards(workspace(), &user(number), noon(), 10)
                .await
        }
    }));
    for (number, cards) in found.await.into_iter().enumerate() {
        match (number, cards) {
            (7 | 40 | 41, Err(StoreError::Corrupt { .. })) => {}
            (7 | 40 | 41, other) => panic!("{number}: {other:?}"),
            (_, cards) => assert_eq!(cards.unwrap().cards.len(), 1, "{number}"),
        }
    }
}

fn uuid(sending: &Sending) -> String {
    use corkboard_core::id::Id as _;
    let bytes = sending.dispatch.to_bytes();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
