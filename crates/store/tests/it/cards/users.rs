//! Users, their attributes, and what they did elsewhere.

use corkboard_store::StoreError;
use corkboard_store::card_store::unseen_attributes;
use serde_json::json;

use super::Harness;
use super::sample::{
    DAY, HOUR, attributes, noon, other_workspace, user, user_event, users, workspace,
};

pub(crate) async fn attributes_are_set_merged_and_removed(harness: &dyn Harness) {
    let store = harness.open().await;
    let ann = user("ann");
    let first = attributes(
        &ann,
        &json!({"plan": "pro", "age": 30, "deep": {"a": [1, null]}}),
    );
    let second = attributes(&ann, &json!({"plan": "free", "age": null, "new": true}));
    store
        .change_attributes(workspace(), vec![first], noon())
        .await
        .unwrap();
    let later = noon().plus(HOUR);
    store
        .change_attributes(workspace(), vec![second], later)
        .await
        .unwrap();
    let found = store.find_user(workspace(), &ann).await.unwrap().unwrap();
    let expected = json!({"plan": "free", "deep": {"a": [1, null]}, "new": true});
    assert_eq!(serde_json::Value::Object(found.attributes), expected);
    assert_eq!((found.created_at, found.updated_at), (noon(), later));
    assert!(found.events.is_empty());
}

pub(crate) async fn changes_in_one_call_happen_all_or_not_at_all(harness: &dyn Harness) {
    let store = harness.open().await;
    let (ann, ben) = (user("ann"), user("ben"));
    let half = attributes(&ben, &json!({"text": "x".repeat(40_000)}));
    let rest = attributes(&ben, &json!({"more": "x".repeat(40_000)}));
    let changes = vec![attributes(&ann, &json!({"a": 1})), half.clone(), rest];
    let refused = store.change_attributes(workspace(), changes, noon()).await;
    assert!(
        matches!(refused, Err(StoreError::Conflict { what }) if what.contains("64 KiB")),
        "{refused:?}"
    );
    assert_eq!(store.find_user(workspace(), &ann).await.unwrap(), None);
    let everyone = corkboard_core::audience::Audience::Everyone;
    let count = store.count_users(workspace(), &everyone, noon()).await;
    assert_eq!(count.unwrap(), 0);
    store
        .change_attributes(workspace(), vec![half], noon())
        .await
        .unwrap();
}

pub(crate) async fn a_text_that_not_every_database_keeps_is_refused(harness: &dyn Harness) {
    let store = harness.open().await;
    let (ann, ben) = (user("ann"), user("ben"));
    for value in [
        json!({"a": "x\0y"}),
        json!({"a": ["\0"]}),
        json!({"a": {"b": {"\0": 1}}}),
        json!({"\0": 1}),
    ] {
        let good = attributes(&ann, &json!({"a": 1}));
        let changes = vec![good, attributes(&ben, &value)];
        let refused = store.change_attributes(workspace(), changes, noon()).await;
        assert!(
            matches!(refused, Err(StoreError::Conflict { what }) if what.contains("NUL")),
            "{value}: {refused:?}"
        );
    }
    let others = [ann, ben];
    let found = store.find_users(workspace(), &others).await.unwrap();
    assert_eq!(found, [None, None]);
    // What a report says about an event besides its name is no row's.
    let mut event = user_event(1, &others[0], "bought", noon());
    event.properties.insert("note".to_owned(), json!("\0"));
    let recorded = store.record_user_events(vec![event], noon()).await;
    assert_eq!(recorded.unwrap(), [true]);
    let every = "\u{1}\u{7f}\u{fffd}\u{10ffff}\"\\";
    let kept = attributes(&others[1], &json!({"a": every}));
    store
        .change_attributes(workspace(), vec![kept], noon())
        .await
        .unwrap();
    let found = store.find_user(workspace(), &others[1]).await.unwrap();
    assert_eq!(found.unwrap().attributes["a"], every);
}

pub(crate) async fn a_user_belongs_to_one_workspace(harness: &dyn Harness) {
    let store = harness.open().await;
    let ann = user("ann");
    let change = attributes(&ann, &json!({"a": 1}));
    store
        .change_attributes(workspace(), vec![change], noon())
        .await
        .unwrap();
    assert!(store.find_user(workspace(), &ann).await.unwrap().is_some());
    let elsewhere = store.find_user(other_workspace(), &ann).await.unwrap();
    assert_eq!(elsewhere, None);
}

pub(crate) async fn several_users_are_found_in_the_order_asked_for(harness: &dyn Harness) {
    let store = harness.open().await;
    let known = users(0..3);
    let changes = known.iter().map(|user| attributes(user, &json!({})));
    store
        .change_attributes(workspace(), changes.collect(), noon())
        .await
        .unwrap();
    let asked = [
        user("nobody"),
        known[2].clone(),
        known[0].clone(),
        known[2].clone(),
    ];
    let found = store.find_users(workspace(), &asked).await.unwrap();
    let names: Vec<_> = found
        .iter()
        .map(|user| user.as_ref().map(|user| user.id.as_str()))
        .collect();
    assert_eq!(names, [None, Some("u-2"), Some("u-0"), Some("u-2")]);
}

pub(crate) async fn events_are_summarised_and_create_their_users(harness: &dyn Harness) {
    let store = harness.open().await;
    let ann = user("ann");
    let (early, late) = (noon(), noon().plus(HOUR));
    let events = vec![
        user_event(1, &ann, "bought", late),
        user_event(2, &ann, "bought", early),
        user_event(3, &ann, "opened", early),
    ];
    let new = store.record_user_events(events, late).await.unwrap();
    assert_eq!(new, [true, true, true]);
    let found = store.find_user(workspace(), &ann).await.unwrap().unwrap();
    let bought = found.events["bought"];
    assert_eq!(
        (bought.count, bought.first_at, bought.last_at),
        (2, early, late)
    );
    assert_eq!(found.events["opened"].count, 1);
    let everyone = corkboard_core::audience::Audience::Everyone;
    let count = store.count_users(workspace(), &everyone, noon()).await;
    assert_eq!(count.unwrap(), 1);
}

pub(crate) async fn a_repeated_event_counts_once_within_its_window(harness: &dyn Harness) {
    let store = harness.open().await;
    let ann = user("ann");
    let event = || user_event(1, &ann, "bought", noon());
    let twice = vec![event(), event()];
    assert_eq!(
        store.record_user_events(twice, noon()).await.unwrap(),
        [true, false]
    );
    // Pruning forgets nothing that is younger than the window.
    let within = noon().plus(2 * DAY - HOUR);
    store.prune(within).await.unwrap();
    assert_eq!(
        store
            .record_user_events(vec![event()], within)
            .await
            .unwrap(),
        [false]
    );
    let found = store.find_user(workspace(), &ann).await.unwrap().unwrap();
    assert_eq!(found.events["bought"].count, 1);
    store.prune(noon().plus(2 * DAY)).await.unwrap();
    assert_eq!(
        store
            .record_user_events(vec![event()], within)
            .await
            .unwrap(),
        [true]
    );
}

pub(crate) async fn attributes_that_no_user_has_are_known(harness: &dyn Harness) {
    let store = harness.open().await;
    let unseen = |names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        unseen_attributes(&*store, workspace(), names, noon())
    };
    let nothing = unseen(&["plan"]).await.unwrap();
    assert!(nothing.is_empty(), "without users nothing is known");
    // Most of them, so that one user's attribute is outside of the sample.
    let mut changes: Vec<_> = (0..400)
        .map(|n| attributes(&user(format!("u{n}")), &json!({"plan": "pro", "gone": 1})))
        .collect();
    changes.extend(
        (0..400)
            .step_by(399)
            .map(|n| attributes(&user(format!("u{n}")), &json!({"rare": true}))),
    );
    let gone = (0..400).map(|n| attributes(&user(format!("u{n}")), &json!({"gone": null})));
    store
        .change_attributes(workspace(), changes, noon())
        .await
        .unwrap();
    store
        .change_attributes(workspace(), gone.collect(), noon())
        .await
        .unwrap();
    let found = unseen(&["plan", "rare", "gone", "plann"]).await.unwrap();
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["gone", "plann"]);
    let elsewhere = ["plan".to_owned()].into();
    let elsewhere = unseen_attributes(&*store, other_workspace(), elsewhere, noon()).await;
    assert!(elsewhere.unwrap().is_empty());
}
