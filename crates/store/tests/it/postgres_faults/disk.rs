//! A full disk: what needs space is refused by name, what needs none goes on.

use corkboard_core::state::Mark;
use corkboard_store::{CardStore, StoreError};
use corkboard_testkit::{PgSettings, wait_until};
use serde_json::json;

use super::{PATIENCE, alone, number, open};
use crate::cards::sample::{Sending, attributes, cards_of, inserted, noon, user, users, workspace};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_writes_by_name_and_reads_go_on() {
    let (server, database) = alone(PgSettings::quick().fragile()).await;
    let store = open(&database).await;
    let sending = Sending::new(1);
    let there = users(0..50);
    sending.write(&store, &there).await.unwrap();

    server.fill_disk();
    // Pages may have room for some more cards. Whatever was said to be written must be there later.
    let mut acknowledged = 50;
    let mut refused = None;
    for batch in 1..50 {
        let to = users(batch * 1_000..batch * 1_000 + 500);
        match sending.write(&store, &to).await {
            Ok(outcomes) => acknowledged += inserted(&outcomes),
            Err(error) => {
                refused = Some((to, error));
                break;
            }
        }
    }
    let (left, refused) = refused.expect("a full disk takes no 25,000 cards");
    assert!(matches!(refused, StoreError::DiskFull(_)), "{refused:?}");
    // So is what else needs space, each by the same name.
    let wide = json!({"note": "x".repeat(30_000)});
    let track = |batch: u32| {
        let users = users(batch * 100..batch * 100 + 100);
        users.iter().map(|user| attributes(user, &wide)).collect()
    };
    let mut refused = Ok(());
    for batch in 0..20 {
        refused = store
            .change_attributes(workspace(), track(batch), noon())
            .await;
        if refused.is_err() {
            break;
        }
    }
    assert!(
        matches!(refused, Err(StoreError::DiskFull(_))),
        "{refused:?}"
    );

    // Reads go on, also of those whose cards were refused.
    for user in &there {
        assert_eq!(cards_of(&store, user, noon()).await.len(), 1);
    }
    assert!(cards_of(&store, &left[0], noon()).await.is_empty());
    let counts = sending.counts(&store).await;
    assert_eq!(counts.sent, acknowledged as u64);

    // The same store goes on when there is space: nothing is opened again.
    server.free_disk();
    assert_eq!(inserted(&sending.write(&store, &left).await.unwrap()), 500);
    store
        .change_attributes(workspace(), track(0), noon())
        .await
        .unwrap();
    let ann = user("ann");
    let card = sending.give(&store, &ann).await;
    let seen = vec![sending.event(card, Mark::Seen, noon())];
    let recorded = store.record_card_events(workspace(), &ann, seen, noon());
    assert_eq!(recorded.await.unwrap().new, 1);
    let rows = number(&database, "SELECT count(*) FROM card").await;
    assert_eq!(rows, acknowledged as u64 + 501);
    assert_eq!(sending.counts(&store).await.sent, rows);
    assert_eq!(
        store.dispatch_written(sending.dispatch).await.unwrap(),
        rows
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_on_a_full_disk_are_refused_by_name_and_count_once_when_repeated() {
    let (server, database) = alone(PgSettings::quick().fragile()).await;
    let store = open(&database).await;
    let sending = Sending::new(1);
    let to = users(0..2_000);
    sending.write(&store, &to).await.unwrap();
    server.fill_disk();
    let report = async |user| {
        let card = corkboard_core::identity::card_id(sending.campaign, user, 0);
        let seen = vec![sending.event(card, Mark::Seen, noon())];
        store
            .record_card_events(workspace(), user, seen, noon())
            .await
    };
    let mut reports = Vec::new();
    for part in to.chunks(200) {
        let part = futures_util::future::join_all(part.iter().map(report)).await;
        reports.extend(part);
    }
    let refused = reports.iter().filter(|report| {
        let is_full = matches!(report, Err(StoreError::DiskFull(_)));
        assert!(is_full || report.is_ok(), "{report:?}");
        is_full
    });
    assert!(refused.count() > 0);
    server.free_disk();
    for user in &to {
        let user = wait_until(PATIENCE, "a report to be taken", || async {
            report(user).await.map_err(|error| format!("{error:?}"))
        });
        user.await;
    }
    let counts = sending.counts(&store).await;
    assert_eq!(
        (counts.impressions, counts.unique_impressions),
        (2_000, 2_000)
    );
    assert_eq!(
        number(&database, "SELECT count(*) FROM card_state").await,
        2_000
    );
}
