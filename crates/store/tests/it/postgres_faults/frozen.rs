//! One of several card databases is stopped: it accepts connections and never answers. Users on the
//! others notice nothing.

use std::sync::Arc;
use std::time::Duration;

use corkboard_core::dispatch::Recipient;
use corkboard_core::slot::{Slot, SlotRange};
use corkboard_core::user::UserId;
use corkboard_store::card_store::{CardBatch, ChunkFence};
use corkboard_store::control_store::ChunkWork;
use corkboard_store::routed::RoutedCardStore;
use corkboard_store::{CardStore, StoreError};
use corkboard_testkit::{PgServer, PgSettings, wait_until};
use serde_json::Map;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{PATIENCE, alone, more_often, number, open};
use crate::cards::sample::{Sending, cards_of, inserted, noon, users, workspace};

/// Of each phase, on the databases that are well. One failure is more than 0.05 %.
const CALLS: usize = 2_000;
const CLIENTS: usize = 8;
/// Clients of the database that is stopped: more than its pool has connections.
const STRANDED: usize = 24;
/// Half of the slots belong to a database that answers nothing; what its callers cost, waiting and
/// being refused, is processor time that the others share on a small machine.
const SLOWER: f64 = 3.0;
const SLACK: Duration = Duration::from_millis(20);

/// Reads feeds and writes cards of these users; returns how long each call took.
async fn serve(store: Arc<RoutedCardStore>, to: Arc<[UserId]>, round: u8) -> Vec<Duration> {
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (store, to) = (store.clone(), to.clone());
        clients.spawn(async move {
            let mut took = Vec::new();
            for call in 0..CALLS * more_often() / CLIENTS {
                let user = &to[(client * 31 + call) % to.len()];
                let begun = Instant::now();
                if call % 10 == 0 {
                    // A campaign of its own for each call: every write is a new card.
                    let batch = CardBatch {
                        dispatch: corkboard_core::id::Id::from_bytes([round; 16]),
                        ..Sending::new(2 + round).batch(std::slice::from_ref(user))
                    };
                    store.write_cards(batch, noon()).await.unwrap();
                } else {
                    store
                        .user_cards(workspace(), user, noon(), 100)
                        .await
                        .unwrap();
                }
                took.push(begun.elapsed());
            }
            took
        });
    }
    let mut took: Vec<Duration> = clients.join_all().await.into_iter().flatten().collect();
    took.sort_unstable();
    took
}

fn at(percent: usize, sorted: &[Duration]) -> Duration {
    sorted[sorted.len() * percent / 100]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_of_other_databases_do_not_notice_one_that_hangs() {
    let (frozen, hanging) = alone(PgSettings::quick()).await;
    let shared = PgServer::shared().await;
    let well = [shared.database().await, shared.database().await];
    let mut stores: Vec<Arc<dyn CardStore>> = vec![Arc::new(open(&hanging).await)];
    for database in &well {
        stores.push(Arc::new(open(database).await));
    }
    let store = Arc::new(RoutedCardStore::even(stores).unwrap());
    let (stranded, others): (Vec<UserId>, Vec<UserId>) = users(0..600)
        .into_iter()
        .partition(|user| Slot::of(workspace(), user).number() <= 4_096 / 3);
    assert!(stranded.len() > 100);
    let others: Arc<[UserId]> = others.into();
    Sending::new(1)
        .write(&*store, &users(0..600))
        .await
        .unwrap();
    serve(store.clone(), others.clone(), 0).await;

    let before = serve(store.clone(), others.clone(), 1).await;
    frozen.freeze();
    let stop = CancellationToken::new();
    let mut callers = JoinSet::new();
    for user in stranded.iter().take(STRANDED) {
        let (store, user, stop) = (store.clone(), user.clone(), stop.clone());
        callers.spawn(async move {
            let mut longest = Duration::ZERO;
            while !stop.is_cancelled() {
                let begun = Instant::now();
                let refused = store.user_cards(workspace(), &user, noon(), 100).await;
                assert!(
                    matches!(
                        refused,
                        Err(StoreError::Overloaded | StoreError::Unavailable { .. })
                    ),
                    "{refused:?}"
                );
                longest = longest.max(begun.elapsed());
            }
            longest
        });
    }
    // Every call for the others succeeds (`serve` says so), as fast as before.
    let during = serve(store.clone(), others.clone(), 2).await;
    for percent in [50, 99] {
        let (before, during) = (at(percent, &before), at(percent, &during));
        assert!(
            during <= before.mul_f64(SLOWER) + SLACK,
            "{percent} %: before {before:?}, during {during:?}"
        );
    }
    let in_use = connections_to(frozen.port());
    assert!(
        in_use <= 16,
        "{in_use} connections to a database that hangs"
    );
    stop.cancel();
    for longest in callers.join_all().await {
        // A turn (0.25 s) and an answer that never comes (6 s), and some for a busy machine.
        assert!(longest < Duration::from_secs(10), "{longest:?}");
    }

    frozen.thaw();
    for user in &stranded {
        let cards = wait_until(PATIENCE, "the database to be used again", || async {
            let cards = store.user_cards(workspace(), user, noon(), 100).await;
            cards.map_err(|error| format!("{error:?}"))
        });
        assert_eq!(cards.await.cards.len(), 1);
    }
    let sql = "SELECT count(*) FROM pg_stat_activity
               WHERE datname = current_database() AND application_name = 'corkboard'";
    wait_until(PATIENCE, "abandoned connections to end", || async {
        match number(&hanging, sql).await {
            open if open <= 16 => Ok(()),
            open => Err(format!("{open} connections")),
        }
    })
    .await;
    assert!(!cards_of(&*store, &others[0], noon()).await.is_empty());
}

/// A chunk whose users live on two databases, while a third one hangs: neither its cards nor the
/// raising of its lease wait for that one, also where the cohort is new to this process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chunk_waits_for_no_database_without_its_users() {
    let (frozen, hanging) = alone(PgSettings::quick()).await;
    let shared = PgServer::shared().await;
    let well = [shared.database().await, shared.database().await];
    let mut stores: Vec<Arc<dyn CardStore>> = vec![Arc::new(open(&hanging).await)];
    for database in &well {
        stores.push(Arc::new(open(database).await));
    }
    let store = RoutedCardStore::even(stores).unwrap();
    let of = |user: &UserId| store.place(workspace(), user);
    let (stranded, others): (Vec<UserId>, Vec<UserId>) =
        users(0..60).into_iter().partition(|user| of(user) == 0);
    assert!(others.iter().any(|user| of(user) == 1) && others.iter().any(|user| of(user) == 2));
    let slots = |to: &[UserId]| {
        let recipients = to.iter().map(|user| Recipient {
            user_id: user.clone(),
            properties: Map::new(),
        });
        let recipients = recipients.collect();
        ChunkWork::Recipients { recipients }.slots(workspace())
    };
    let held = |token, slots| Sending {
        fence: Some(ChunkFence {
            chunk: 0,
            token,
            slots,
        }),
        ..Sending::new(1)
    };
    frozen.freeze();
    let here = slots(&others);
    let written = held(1, here).write(&store, &others[..20]).await.unwrap();
    assert_eq!(inserted(&written), 20);
    // Another worker takes over.
    assert_eq!(held(2, here).write(&store, &[]).await.unwrap(), []);
    let stale = held(1, here).write(&store, &others[20..]).await;
    assert!(matches!(stale, Err(StoreError::Fenced { .. })), "{stale:?}");
    let written = held(2, here).write(&store, &others).await.unwrap();
    assert_eq!(inserted(&written), others.len() - 20);
    // Whoever does not know better asks all of them.
    let everywhere = held(3, SlotRange::ALL).write(&store, &[]).await;
    assert!(everywhere.is_err());
    frozen.thaw();
    let cards = wait_until(PATIENCE, "the database to be used again", || async {
        let written = held(3, slots(&stranded)).write(&store, &stranded).await;
        written.map_err(|error| format!("{error:?}"))
    });
    assert_eq!(inserted(&cards.await), stranded.len());
}

/// Established connections of this machine to a port, as their client end sees them.
fn connections_to(port: u16) -> usize {
    const ESTABLISHED: &str = "01";
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let remote = format!(":{port:04X}");
    table
        .lines()
        .filter(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            fields.get(2).is_some_and(|to| to.ends_with(&remote))
                && fields.get(3) == Some(&ESTABLISHED)
        })
        .count()
}
