//! A transaction that has read an ended cohort's tables and stays open: it may hold up the
//! retirement, and nobody else.

use std::sync::Arc;
use std::time::Duration;

use corkboard_core::state::Mark;
use corkboard_store::CardStore;
use corkboard_testkit::{PgDatabase, PgServer};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{number, open};
use crate::cards::sample::{DAY, HOUR, Sending, cards_of, inserted, noon, user, users, workspace};

/// A caller's lock time-out (2 s), and as much again for a machine that compiles beside it.
const BOUND: Duration = Duration::from_secs(4);
const PENDING: &str = "SELECT count(*) FROM pg_inherits WHERE inhdetachpending";

/// An open transaction that has run a statement.
struct Reader {
    client: tokio_postgres::Client,
    _connection: JoinSet<()>,
}

impl Reader {
    async fn of(database: &PgDatabase, statement: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(database.url(), tokio_postgres::NoTls)
            .await
            .unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { drop(connection.await) });
        let begin = format!("BEGIN; {statement}");
        client.batch_execute(&begin).await.unwrap();
        Self {
            client,
            _connection: tasks,
        }
    }

    async fn ends(self) {
        self.client.batch_execute("COMMIT").await.unwrap();
    }
}

async fn timed<T>(what: &str, work: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let done = work.await;
    let took = begun.elapsed();
    assert!(took < BOUND, "{what} took {took:?}");
    done
}

/// Passes over the cohort with a reader of `statement` there, then without.
async fn retirement_waits_alone(statement: &str) {
    let database = PgServer::shared().await.database().await;
    let store = Arc::new(open(&database).await);
    let ended = Sending {
        planned_at: noon().minus(2 * DAY),
        expires_at: noon().minus(DAY),
        ..Sending::new(1)
    };
    let card = ended.give(&*store, &user("ann")).await;
    let live = Sending::new(2);
    live.write(&*store, &users(0..3)).await.unwrap();
    // Another process, which does not hear of the retirement.
    let other = open(&database).await;
    assert_eq!(cards_of(&other, &user(0), noon()).await.len(), 1);

    let statement = statement.replace('@', &ended.cohort().to_string());
    let reader = Reader::of(&database, &statement).await;
    let mut retiring = JoinSet::new();
    let retire = {
        let store = store.clone();
        async move { store.retire_cohorts(noon(), HOUR, false).await }
    };
    retiring.spawn(retire);
    let mut rounds = 0;
    let first = loop {
        if let Some(retired) = retiring.try_join_next() {
            break retired.unwrap();
        }
        rounds += 1;
        let (ann, nobody) = (user("ann"), user("nobody"));
        for store in [&*store, &other] {
            let to = users(rounds * 10..rounds * 10 + 10);
            let written = timed("a batch", live.write(store, &to)).await.unwrap();
            assert!(inserted(&written) == 10 || inserted(&written) == 0);
            let cards = timed("a feed", cards_of(store, &user(0), noon())).await;
            assert_eq!(cards.len(), 1);
            let late = vec![ended.event(card, Mark::Seen, noon().minus(DAY))];
            let late = store.record_card_events(workspace(), &ann, late, noon());
            // Recorded or refused, but in time.
            let _ = timed("a late report", late).await;
            let erased = store.erase_user(workspace(), &nobody, noon());
            let _ = timed("an erasure", erased).await;
        }
        let all = database.try_sql("SET lock_timeout = '2s'; SELECT count(*) FROM card");
        timed("a reader of all cards", all).await.unwrap();
    };
    assert!(rounds > 1, "retiring did not wait for the reader");
    assert_eq!(first.unwrap(), [], "the reader is still there");
    // What was begun is found by the next pass, which cannot finish it either.
    let second = store.retire_cohorts(noon(), HOUR, false).await;
    assert!(second.map_or(true, |retired| retired.is_empty()));

    reader.ends().await;
    let retired = store.retire_cohorts(noon(), HOUR, false).await.unwrap();
    assert_eq!(retired.len(), 1);
    assert_eq!(number(&database, PENDING).await, 0);
    let tables = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relname ~ '^card(_state|_event)?_@$'";
    let tables = tables.replace('@', &ended.cohort().to_string());
    assert_eq!(number(&database, &tables).await, 0);
    assert_eq!(ended.counts(&other).await.sent, 1);
    assert_eq!(live.counts(&other).await.sent, u64::from(rounds) * 10 + 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_all_cards_and_stays_holds_up_the_retirement_only() {
    retirement_waits_alone("SELECT count(*) FROM card").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_the_cohorts_own_tables_and_stays_holds_up_the_retirement_only() {
    retirement_waits_alone("SELECT count(*) FROM card_@; SELECT count(*) FROM card_state_@").await;
}
