//! Leases by name: one holder at a time, whoever asks.

use std::time::Duration;

use corkboard_store::ControlStore;
use corkboard_store::postgres::PgControlStore;

use super::Postgres;
use crate::control::sample::at;

const LEASE: Duration = Duration::from_secs(30);

async fn hold(store: &PgControlStore, name: &str, holder: &str, seconds: u64) -> bool {
    let held = store.hold_lease(name, holder, at(seconds), LEASE).await;
    held.unwrap()
}

#[tokio::test]
async fn a_lease_is_renewed_by_its_holder_and_passes_on_when_it_lapses() {
    let harness = Postgres::new();
    let store = harness.store().await;
    assert!(hold(&store, "keeper", "a", 0).await);
    assert!(!hold(&store, "keeper", "b", 29).await);
    assert!(hold(&store, "other work", "b", 29).await);
    assert!(hold(&store, "keeper", "a", 20).await);
    assert!(!hold(&store, "keeper", "b", 49).await);
    assert!(hold(&store, "keeper", "b", 50).await);
    assert!(!hold(&store, "keeper", "a", 51).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_want_a_lease_one_gets_it() {
    let harness = Postgres::new();
    let store = harness.store().await;
    for lapse in 0..5 {
        let mut nodes = tokio::task::JoinSet::new();
        for node in 0..20 {
            let store = store.clone();
            let name = format!("{lapse}-{node}");
            nodes.spawn(async move { hold(&store, "keeper", &name, lapse * 30).await });
        }
        let held = nodes.join_all().await.into_iter().filter(|held| *held);
        assert_eq!(held.count(), 1);
    }
}
