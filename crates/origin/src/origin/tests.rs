//! Really concurrent readers of one key, without sockets in between.

use std::sync::Arc;
use std::time::Duration;

use corkboard_core::time::Timestamp;
use corkboard_testkit::{HeldClock, PgDatabase, PgServer};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Origin, OriginOptions, Parts, Place, Tier, Unavailable};
use crate::endpoint::{Content, EndpointSpec};
use crate::source::describe;

const READERS: usize = 10_000;

/// An origin over a query that counts how often it is asked.
async fn counted(query: &str) -> (PgDatabase, Origin, Place) {
    let database = PgServer::shared().await.database().await;
    database.sql("CREATE SEQUENCE asked").await;
    let spec = EndpointSpec {
        path: "/counted/{id}".to_owned(),
        key: "id".to_owned(),
        content: Content::Query(query.to_owned()),
        ttl: Duration::from_secs(60),
        prefix: "counted:".to_owned(),
    };
    let options = OriginOptions::default();
    let described = describe(database.url(), std::slice::from_ref(&spec), &options.source);
    let described = described.await.unwrap();
    let parts = Parts {
        source: database.url().to_owned(),
        endpoints: std::iter::zip([spec], described).collect(),
        rows: None,
        clock: Arc::new(HeldClock::at(Timestamp::from_seconds(1_800_000_000))),
        options,
    };
    let origin = Origin::new(parts, &TaskTracker::new(), &CancellationToken::new()).unwrap();
    let place = origin.place(0, "1").unwrap();
    (database, origin, place)
}

async fn asked(database: &PgDatabase) -> String {
    let sql = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM asked";
    database.sql(sql).await.trim().to_owned()
}

async fn all_at_once(origin: &Origin, place: &Place) -> Vec<Result<Tier, Unavailable>> {
    let mut readers = JoinSet::new();
    for _ in 0..READERS {
        let (origin, place) = (origin.clone(), place.clone());
        readers.spawn(async move {
            let served = match origin.look(&place) {
                Some(served) => Ok(served),
                None => origin.fetch(place).await,
            };
            served.map(|served| served.tier)
        });
    }
    readers.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_thousand_misses_of_one_key_on_several_threads_are_one_question() {
    let (database, origin, place) = counted(
        "select n from (select nextval('asked') as n, pg_sleep(0.2)) as slow where $1::int > 0",
    )
    .await;
    let served = all_at_once(&origin, &place).await;
    assert!(served.iter().all(Result::is_ok));
    assert_eq!(
        (served.len(), asked(&database).await),
        (READERS, "1".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_thousand_misses_that_fail_are_one_question() {
    let (database, origin, place) = counted(
        "select 1 / (n - n) from (select nextval('asked') as n, pg_sleep(0.2)) as slow \
         where $1::int > 0",
    )
    .await;
    let served = all_at_once(&origin, &place).await;
    let failed = |one: &Result<Tier, _>| one == &Err(Unavailable::Source);
    assert!(served.iter().all(failed));
    assert_eq!(asked(&database).await, "1");
}

#[tokio::test]
async fn a_reader_that_looked_too_early_does_not_ask_again() {
    let (database, origin, place) = counted("select nextval('asked') as n where $1::int > 0").await;
    assert!(origin.look(&place).is_none());
    // Somebody else is quicker.
    origin.fetch(place.clone()).await.unwrap();
    origin.fetch(place).await.unwrap();
    assert_eq!(asked(&database).await, "1");
}
