//! A server that takes longer to open a connection than any caller waits for one: far away, or busy
//! with opening others. Callers are refused at first, and not for ever.

use corkboard_store::CardStore;
use corkboard_testkit::{PgDatabase, PgSettings, wait_until};

use super::{PATIENCE, alone, number, open};
use crate::cards::sample::{Sending, noon, user, users, workspace};

/// From now on opening a connection takes a second, and nobody has one.
async fn slow_down(database: &PgDatabase) {
    database.sql("ALTER SYSTEM SET pre_auth_delay = 1").await;
    database.sql("SELECT pg_reload_conf()").await;
    wait_until(PATIENCE, "the server to hear of it", || async {
        match database.sql("SHOW pre_auth_delay").await.trim() {
            "1s" => Ok(()),
            other => Err(other.to_owned()),
        }
    })
    .await;
    database
        .sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND application_name = 'corkboard'",
        )
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_take_long_to_open_are_opened_nevertheless() {
    let (_server, database) = alone(PgSettings::quick()).await;
    let store = open(&database).await;
    Sending::new(1).write(&store, &users(0..1)).await.unwrap();

    slow_down(&database).await;
    wait_until(PATIENCE, "cards to be read", || async {
        let read = store.user_cards(workspace(), &user(0), noon(), 100).await;
        read.map(drop).map_err(|error| error.to_string())
    })
    .await;

    slow_down(&database).await;
    wait_until(PATIENCE, "a user to be looked for", || async {
        let found = store.find_user(workspace(), &user(0)).await;
        found.map(drop).map_err(|error| error.to_string())
    })
    .await;
    let open = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'corkboard'";
    assert!(number(&database, open).await <= 16);
}
