//! Statements whose failure decides about the next attempt, against a real server.

use corkboard_testkit::PgServer;

use super::*;
use crate::postgres::options::PgOptions;
use crate::postgres::pool::Pool;
use crate::postgres::values::get;

async fn one(session: &Session, number: i32) -> i32 {
    let rows = all(session, "answer", "SELECT $1::int AS number", &[&number]).await;
    get(&rows.unwrap()[0], "number").unwrap()
}

async fn copy_five(session: &Session) -> Attempt<u64> {
    let mut rows = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    for _ in 0..5 {
        rows.extend([0, 1, 0, 0, 0, 4, 0, 0, 0, 5]);
    }
    rows.extend([0xff, 0xff]);
    let statement = prepare(session, "copy", "COPY note FROM STDIN BINARY").await?;
    let copy = begin_copy(session, "copy", &statement).await?;
    finish_copy(session, "copy", copy, rows.into()).await
}

#[tokio::test]
async fn a_copy_that_is_refused_before_it_begins_leaves_no_answer_for_the_next_caller() {
    let database = PgServer::shared().await.database().await;
    let options = PgOptions {
        connections: 1,
        acquire: Duration::from_secs(10),
        ..PgOptions::default()
    };
    let pool = Pool::new(database.url(), &options).unwrap();
    database.sql("CREATE TABLE note (number int)").await;
    let session = pool.session().await.unwrap();
    session.begin().await.unwrap();
    assert_eq!(copy_five(&session).await.unwrap(), 5);
    session.commit().await.unwrap();
    assert_eq!(one(&session, 1).await, 1);

    database.sql("DROP TABLE note").await;
    session.begin().await.unwrap();
    let refused = copy_five(&session).await;
    assert!(matches!(refused, Err(Stop::Gone)), "{refused:?}");
    drop(session);
    for number in 2..6 {
        let session = pool.session().await.unwrap();
        assert_eq!(one(&session, number).await, number);
    }
}

#[tokio::test]
async fn a_copy_that_a_key_refuses_leaves_the_connection_as_it_was() {
    let database = PgServer::shared().await.database().await;
    let pool = Pool::new(database.url(), &PgOptions::default()).unwrap();
    database
        .sql("CREATE TABLE note (number int PRIMARY KEY)")
        .await;
    let session = pool.session().await.unwrap();
    session.begin().await.unwrap();
    let refused = copy_five(&session).await;
    assert!(matches!(refused, Err(Stop::Taken)), "{refused:?}");
    session.roll_back().await.unwrap();
    for number in 2..6 {
        assert_eq!(one(&session, number).await, number);
    }
}
