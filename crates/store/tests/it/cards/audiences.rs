//! Scanning and counting audiences.

use std::collections::BTreeSet;

use corkboard_core::audience::Audience;
use corkboard_core::slot::SlotRange;
use corkboard_core::user::UserId;
use corkboard_store::CardStore;
use corkboard_store::card_store::{ScanDetail, ScanRequest};
use serde_json::json;

use super::Harness;
use super::sample::{attributes, noon, other_workspace, user, user_event, users, workspace};

async fn fill(store: &dyn CardStore) -> Vec<UserId> {
    let all = users(0..200);
    let changes = all.iter().enumerate().map(|(place, user)| {
        let plan = if place % 4 == 0 { "pro" } else { "free" };
        attributes(user, &json!({"plan": plan, "age": place}))
    });
    store
        .change_attributes(workspace(), changes.collect(), noon())
        .await
        .unwrap();
    let elsewhere = attributes(&user("elsewhere"), &json!({"plan": "pro"}));
    store
        .change_attributes(other_workspace(), vec![elsewhere], noon())
        .await
        .unwrap();
    all
}

/// All pages of all ranges; every user must come once, and within the range.
async fn scan(
    store: &dyn CardStore,
    audience: &Audience,
    parts: u16,
    limit: usize,
) -> BTreeSet<UserId> {
    let mut found = BTreeSet::new();
    for slots in SlotRange::split(parts) {
        let mut after = None;
        loop {
            let request = ScanRequest {
                workspace: workspace(),
                slots,
                after: after.take(),
                audience,
                detail: ScanDetail::Ids,
                now: noon(),
                limit,
            };
            let page = store.scan_users(&request).await.unwrap();
            assert!(page.users.len() <= limit);
            for user in page.users {
                let slot = corkboard_core::slot::Slot::of(workspace(), &user.id);
                assert!(slots.contains(slot));
                assert!(found.insert(user.id), "a user came twice");
            }
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }
    found
}

pub(crate) async fn a_scan_in_pages_and_ranges_finds_every_user_once(harness: &dyn Harness) {
    let store = harness.open().await;
    let all: BTreeSet<UserId> = fill(&*store).await.into_iter().collect();
    for (parts, limit) in [(1, 1_000), (1, 7), (16, 3), (4_096, 1), (3, 200)] {
        let found = scan(&*store, &Audience::Everyone, parts, limit).await;
        assert_eq!(found, all, "{parts} parts, pages of {limit}");
    }
}

pub(crate) async fn a_filter_is_scanned_and_counted_alike(harness: &dyn Harness) {
    let store = harness.open().await;
    let all = fill(&*store).await;
    store
        .record_user_events(vec![user_event(1, &all[8], "bought", noon())], noon())
        .await
        .unwrap();
    let cases = [
        (json!({"attribute": "plan", "op": "eq", "value": "pro"}), 50),
        (
            json!({"all": [{"attribute": "plan", "op": "eq", "value": "pro"},
                           {"attribute": "age", "op": "lt", "value": 40}]}),
            10,
        ),
        (
            json!({"event": "bought", "op": "within_seconds", "value": 0}),
            1,
        ),
        (
            json!({"attribute": "plan", "op": "exists", "value": false}),
            0,
        ),
    ];
    for (tree, expected) in cases {
        let audience = Audience::from_json(&tree).unwrap();
        let found = scan(&*store, &audience, 4, 8).await;
        assert_eq!(found.len(), expected, "{tree}");
        let count = store.count_users(workspace(), &audience, noon()).await;
        assert_eq!(count.unwrap(), expected as u64, "{tree}");
    }
    let count = store.count_users(workspace(), &Audience::Everyone, noon());
    assert_eq!(count.await.unwrap(), 200);
}

pub(crate) async fn a_scanned_user_comes_with_attributes_if_they_are_wanted(harness: &dyn Harness) {
    let store = harness.open().await;
    let all = fill(&*store).await;
    store
        .record_user_events(vec![user_event(1, &all[8], "bought", noon())], noon())
        .await
        .unwrap();
    let tree = json!({"event": "bought", "op": "exists"});
    let audience = Audience::from_json(&tree).unwrap();
    let request = ScanRequest {
        workspace: workspace(),
        slots: SlotRange::ALL,
        after: None,
        audience: &audience,
        detail: ScanDetail::Attributes,
        now: noon(),
        limit: 10,
    };
    let page = store.scan_users(&request).await.unwrap();
    let found = store.find_user(workspace(), &all[8]).await.unwrap();
    let mut found = found.unwrap();
    found.events.clear();
    assert_eq!(page.users, [found]);
    assert_eq!(page.next, None);
    let request = ScanRequest {
        detail: ScanDetail::Ids,
        ..request
    };
    let page = store.scan_users(&request).await.unwrap();
    assert_eq!(page.users.len(), 1);
    assert_eq!(
        (&page.users[0].id, page.users[0].attributes.len()),
        (&all[8], 0)
    );
}
