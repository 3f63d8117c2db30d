//! What was acknowledged is there when the store is opened again, exactly as it was given.

use corkboard_core::campaign::{Campaign, CampaignDefinition};
use corkboard_store::control_store::{CallFilter, Idempotent, StoredReply};
use corkboard_store::page::PageRequest;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::json;
use std::time::Duration;

use super::Harness;
use super::sample::{
    at, begin, begin_campaign, broadcast, campaign, claim, definition, dispatch, id, recipients,
    scans, workspace,
};

pub(crate) async fn everything_is_there_after_opening_again(harness: &dyn Harness) {
    let store = harness.open().await;
    store.insert_workspace(&workspace(1)).await.unwrap();
    let work = vec![recipients(&["ada"]), recipients(&["bob"])];
    let running = begin_campaign(&*store, 1, work).await;
    let everybody = campaign(2);
    store.insert_campaign(&everybody).await.unwrap();
    begin(&*store, &broadcast(&everybody, 2), Vec::new()).await;
    let held = claim(&*store, 10).await.expect("a chunk");
    let long = Duration::from_secs(600);
    let begun = store
        .begin_idempotent(id(1), "key", [1; 32], at(0), long)
        .await
        .unwrap();
    assert_eq!(begun, Idempotent::Begun);
    let reply = StoredReply {
        status: 201,
        content_type: "application/json".to_owned(),
        body: b"{}".to_vec(),
    };
    store.finish_idempotent(id(1), "key", &reply).await.unwrap();
    let live = store.live_set(id(1), at(10)).await.unwrap();
    drop(store);

    let store = harness.open().await;
    assert_eq!(store.list_workspaces().await.unwrap(), [workspace(1)]);
    assert_eq!(
        store.find_dispatch(id(1), running.id).await.unwrap(),
        Some(running)
    );
    assert_eq!(store.live_set(id(1), at(10)).await.unwrap(), live);
    let again = store
        .begin_idempotent(id(1), "key", [1; 32], at(1), long)
        .await
        .unwrap();
    assert_eq!(again, Idempotent::Replay(reply));
    // A store may know that the holder is gone and lease its chunk again at once; the order of
    // tokens holds across the restart in any case.
    let next = claim(&*store, 11).await.expect("a chunk");
    assert!(next.token > held.token);
    let calls = store
        .list_calls(id(1), &CallFilter::default(), &PageRequest::default())
        .await;
    assert_eq!(calls.unwrap().items, []);
}

pub(crate) async fn the_database_describes_itself(harness: &dyn Harness) {
    let store = harness.open().await;
    let facts = store.describe().await.unwrap();
    assert!(facts.len() >= 3, "{facts:?}");
    assert!(
        facts
            .iter()
            .all(|(name, value)| !name.is_empty() && !value.is_empty()),
        "{facts:?}"
    );
}

pub(crate) async fn any_definition_comes_back_as_it_was(harness: &dyn Harness) {
    let store = harness.open().await;
    let mut runner = TestRunner::deterministic();
    for number in 0..64 {
        let definition = definitions().new_tree(&mut runner).unwrap().current();
        let campaign = Campaign {
            definition,
            ..campaign(number)
        };
        store.insert_campaign(&campaign).await.unwrap();
        let dispatch = dispatch(&campaign, number);
        begin(&*store, &dispatch, scans(1)).await;
        let stored = store.find_campaign(id(1), campaign.id).await.unwrap();
        assert_eq!(
            stored.map(|stored| stored.definition),
            Some(campaign.definition)
        );
        let stored = store.find_dispatch(id(1), dispatch.id).await.unwrap();
        assert_eq!(stored, Some(dispatch));
    }
}

/// Definitions of any text, number and tree, sensible or not.
fn definitions() -> impl Strategy<Value = CampaignDefinition> {
    let leaf =
        ("[a-z]{1,8}", any::<String>(), any::<i64>()).prop_flat_map(|(name, text, number)| {
            prop_oneof![
                Just(json!({"attribute": name, "op": "eq", "value": text})),
                Just(json!({"attribute": name, "op": "gte", "value": number})),
                Just(json!({"event": name, "op": "exists"})),
            ]
        });
    let audience = leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(|all| json!({"all": all})),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|any| json!({"any": any})),
            inner.prop_map(|not| json!({"not": not})),
        ]
    });
    let texts = (any::<String>(), any::<String>(), any::<f64>());
    let numbers = (any::<i32>(), any::<Option<u64>>(), 1_u64..7_776_000);
    (texts, numbers, audience).prop_map(
        |((name, title, score), (priority, again, ttl), audience)| {
            definition(json!({
                "name": name, "priority": priority, "audience": audience,
                "expiry": {"ttl_seconds": ttl}, "reeligible_after_seconds": again,
                "variants": [{"name": title, "weight": 3, "card":
                    {"title": title, "extras": {"score": score, "nested": [{"text": name}]}}}],
            }))
        },
    )
}
