//! Content blocks: by name, bounded, and found for the templates that name them.

use std::collections::BTreeMap;

use corkboard_core::campaign::CampaignState;
use corkboard_store::StoreError;
use corkboard_store::control_store::{ContentBlock, MOST_CONTENT_BLOCKS};
use corkboard_store::page::PageRequest;
use futures_util::{StreamExt as _, stream};
use serde_json::json;

use super::Harness;
use super::sample::{at, campaign, campaign_with, id};

fn block(name: &str) -> ContentBlock {
    ContentBlock {
        workspace: id(1),
        name: name.to_owned(),
        source: format!("Dear {{{{ user.name }}}}, ü {name}"),
        version: 1,
        created_at: at(1),
        updated_at: at(1),
    }
}

pub(crate) async fn a_block_is_stored_once_by_its_name(harness: &dyn Harness) {
    let store = harness.open().await;
    let first = block("footer");
    let stored = store.insert_content_block(&first).await.unwrap();
    assert_eq!(stored, (first.clone(), true));
    let second = ContentBlock {
        source: "another".to_owned(),
        ..block("footer")
    };
    let stored = store.insert_content_block(&second).await.unwrap();
    assert_eq!(stored, (first.clone(), false));
    let found = store.find_content_block(id(1), "footer").await.unwrap();
    assert_eq!(found, Some(first));
    // Letters count as they are.
    let found = store.find_content_block(id(1), "Footer").await.unwrap();
    assert_eq!(found, None);
}

pub(crate) async fn a_block_is_absent_for_other_workspaces(harness: &dyn Harness) {
    let store = harness.open().await;
    store.insert_content_block(&block("footer")).await.unwrap();
    let found = store.find_content_block(id(2), "footer").await.unwrap();
    assert_eq!(found, None);
    let page = PageRequest::default();
    let listed = store.list_content_blocks(id(2), &page).await.unwrap();
    assert_eq!(listed.items, []);
    let names = vec!["footer".to_owned()];
    let found = store.content_block_sources(id(2), &names).await.unwrap();
    assert_eq!(found, BTreeMap::new());
    assert_eq!(
        store.content_block_names(id(2)).await.unwrap(),
        Vec::<String>::new()
    );
    let replaced = store.replace_content_block(id(2), "footer", "x", at(2));
    let replaced = replaced.await;
    assert!(
        matches!(replaced, Err(StoreError::NotFound { .. })),
        "{replaced:?}"
    );
    let deleted = store.delete_content_block(id(2), "footer").await;
    assert!(
        matches!(deleted, Err(StoreError::NotFound { .. })),
        "{deleted:?}"
    );
    let foreign = ContentBlock {
        workspace: id(2),
        ..block("footer")
    };
    let stored = store.insert_content_block(&foreign).await.unwrap();
    assert!(stored.1, "the same name in another workspace is free");
}

pub(crate) async fn blocks_are_listed_by_name_without_their_sources(harness: &dyn Harness) {
    let store = harness.open().await;
    for name in ["b", "a", "C", "c", "a-1", "a_1", "B"] {
        store.insert_content_block(&block(name)).await.unwrap();
    }
    let mut names = Vec::new();
    let mut page = PageRequest {
        limit: 3,
        after: None,
    };
    loop {
        let answer = store.list_content_blocks(id(1), &page).await.unwrap();
        for head in answer.items {
            assert_eq!(head.bytes as usize, block(&head.name).source.len());
            names.push(head.name);
        }
        page.after = answer.next;
        if page.after.is_none() {
            break;
        }
    }
    assert_eq!(names, ["B", "C", "a", "a-1", "a_1", "b", "c"]);
    assert_eq!(store.content_block_names(id(1)).await.unwrap(), names);
    let unreadable = PageRequest {
        limit: 3,
        after: Some("!".to_owned()),
    };
    let refused = store.list_content_blocks(id(1), &unreadable).await;
    assert!(matches!(refused, Err(StoreError::BadCursor)), "{refused:?}");
}

pub(crate) async fn a_replaced_block_has_the_next_version(harness: &dyn Harness) {
    let store = harness.open().await;
    store.insert_content_block(&block("footer")).await.unwrap();
    let replaced = store.replace_content_block(id(1), "footer", "new", at(5));
    let expected = ContentBlock {
        source: "new".to_owned(),
        version: 2,
        updated_at: at(5),
        ..block("footer")
    };
    assert_eq!(replaced.await.unwrap(), expected);
    let found = store.find_content_block(id(1), "footer").await.unwrap();
    assert_eq!(found, Some(expected));
    store.delete_content_block(id(1), "footer").await.unwrap();
    let again = store.delete_content_block(id(1), "footer").await;
    assert!(
        matches!(again, Err(StoreError::NotFound { .. })),
        "{again:?}"
    );
}

pub(crate) async fn what_templates_name_is_found_and_the_rest_is_known_by_its_absence(
    harness: &dyn Harness,
) {
    let store = harness.open().await;
    for name in ["footer", "header", "legal"] {
        store.insert_content_block(&block(name)).await.unwrap();
    }
    let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let names: Vec<String> = named(&["header", "footer"]);
    let all = store.named_content_blocks(id(1), &names).await.unwrap();
    let expected = ["footer", "header"].map(|name| (name.to_owned(), block(name).source));
    assert_eq!(all.found, BTreeMap::from(expected));
    assert_eq!(all.known, None);
    let names: Vec<String> = named(&["footr", "header"]);
    let some = store.named_content_blocks(id(1), &names).await.unwrap();
    assert_eq!(some.found.len(), 1);
    assert_eq!(some.known, Some(named(&["footer", "header", "legal"])));
}

pub(crate) async fn beyond_the_bound_no_block_is_stored(harness: &dyn Harness) {
    let store = harness.open().await;
    let storing = (0..MOST_CONTENT_BLOCKS).map(|n| {
        let (store, block) = (&store, block(&format!("n{n}")));
        async move { store.insert_content_block(&block).await.unwrap() }
    });
    stream::iter(storing.collect::<Vec<_>>())
        .buffer_unordered(4)
        .for_each(async |(_, fresh)| assert!(fresh))
        .await;
    let full = store.insert_content_block(&block("one-more")).await;
    let most = MOST_CONTENT_BLOCKS;
    assert!(
        matches!(full, Err(StoreError::Full { most: said, .. }) if said == most),
        "{full:?}"
    );
    // One that is there is still found, and another workspace has room of its own.
    let (_, fresh) = store.insert_content_block(&block("n1")).await.unwrap();
    assert!(!fresh);
    let foreign = ContentBlock {
        workspace: id(2),
        ..block("one-more")
    };
    assert!(store.insert_content_block(&foreign).await.unwrap().1);
    store.delete_content_block(id(1), "n1").await.unwrap();
    let (_, fresh) = store
        .insert_content_block(&block("one-more"))
        .await
        .unwrap();
    assert!(fresh);
}

pub(crate) async fn campaigns_that_may_use_blocks_are_those_that_are_not_stopped(
    harness: &dyn Harness,
) {
    let store = harness.open().await;
    let uses = json!({"variants": [
        {"name": "A", "card": {"title": "{{ content_blocks.${footer} }}"}},
    ]});
    let draft = campaign_with(1, uses.clone());
    let mut stopped = campaign_with(2, uses.clone());
    stopped.state = CampaignState::Stopped;
    let mut foreign = campaign_with(3, uses);
    foreign.workspace = id(2);
    for campaign in [&draft, &stopped, &foreign, &campaign(4)] {
        store.insert_campaign(campaign).await.unwrap();
    }
    let found = store.campaigns_with_content_blocks(id(1)).await.unwrap();
    assert_eq!(found, [draft]);
}
