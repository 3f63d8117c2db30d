//! Stored credentials: by name, with what is sealed as it was given.

use corkboard_store::control_store::StoredCredential;
use corkboard_store::page::PageRequest;
use corkboard_store::{ControlStore, StoreError};

use super::Harness;
use super::sample::{at, id};

fn credential(workspace: u64, name: &str) -> StoredCredential {
    StoredCredential {
        workspace: id(workspace),
        name: name.to_owned(),
        kind: "basic".to_owned(),
        hosts: vec!["example.com".to_owned(), "*.example.com:8443".to_owned()],
        key: "k1".to_owned(),
        sealed: vec![0, 255, 7],
        created_at: at(1),
        updated_at: at(1),
    }
}

async fn find(store: &dyn ControlStore, name: &str) -> Option<StoredCredential> {
    store.find_credential(id(1), name).await.unwrap()
}

pub(crate) async fn a_credential_is_stored_once_by_its_name(harness: &dyn Harness) {
    let store = harness.open().await;
    let first = credential(1, "shop");
    let stored = store.insert_credential(&first).await.unwrap();
    assert_eq!(stored, (first.clone(), true));
    let second = StoredCredential {
        sealed: vec![1],
        ..credential(1, "shop")
    };
    let stored = store.insert_credential(&second).await.unwrap();
    assert_eq!(stored, (first.clone(), false));
    assert_eq!(find(&*store, "shop").await, Some(first));
    store.delete_credential(id(1), "shop").await.unwrap();
    assert_eq!(find(&*store, "shop").await, None);
}

pub(crate) async fn a_credential_is_absent_for_other_workspaces(harness: &dyn Harness) {
    let store = harness.open().await;
    store
        .insert_credential(&credential(1, "shop"))
        .await
        .unwrap();
    let found = store.find_credential(id(2), "shop").await.unwrap();
    assert_eq!(found, None);
    let listed = store.list_credentials(id(2), &PageRequest::default()).await;
    assert_eq!(listed.unwrap().items, []);
    let refused = [
        store.delete_credential(id(2), "shop").await,
        store
            .replace_credential(&credential(2, "shop"))
            .await
            .map(drop),
    ];
    for refused in refused {
        assert!(
            matches!(refused, Err(StoreError::NotFound { .. })),
            "{refused:?}"
        );
    }
    assert!(find(&*store, "shop").await.is_some());
}

pub(crate) async fn credentials_are_listed_by_name(harness: &dyn Harness) {
    let store = harness.open().await;
    for name in ["b", "a", "C"] {
        let stored = store.insert_credential(&credential(1, name)).await;
        assert!(stored.unwrap().1);
    }
    let page = PageRequest {
        limit: 2,
        after: None,
    };
    let first = store.list_credentials(id(1), &page).await.unwrap();
    assert_eq!(first.items, [credential(1, "C"), credential(1, "a")]);
    let page = PageRequest {
        after: first.next,
        ..page
    };
    let second = store.list_credentials(id(1), &page).await.unwrap();
    assert_eq!(second.items, [credential(1, "b")]);
    assert_eq!(second.next, None);
}

pub(crate) async fn a_replaced_credential_keeps_its_time_of_creation(harness: &dyn Harness) {
    let store = harness.open().await;
    store
        .insert_credential(&credential(1, "shop"))
        .await
        .unwrap();
    let new = StoredCredential {
        kind: "headers".to_owned(),
        hosts: vec!["other.example".to_owned()],
        key: "k2".to_owned(),
        sealed: vec![9; 2_000],
        created_at: at(5),
        updated_at: at(5),
        ..credential(1, "shop")
    };
    let expected = StoredCredential {
        created_at: at(1),
        ..new.clone()
    };
    assert_eq!(store.replace_credential(&new).await.unwrap(), expected);
    assert_eq!(find(&*store, "shop").await, Some(expected));
}

pub(crate) async fn all_credentials_are_walked_through_workspace_by_workspace(
    harness: &dyn Harness,
) {
    let store = harness.open().await;
    for (workspace, name) in [(2, "a"), (1, "b"), (1, "a"), (3, "a")] {
        let credential = credential(workspace, name);
        store.insert_credential(&credential).await.unwrap();
    }
    let mut walked: Vec<StoredCredential> = Vec::new();
    loop {
        let last = walked.last();
        let after = last.map(|last| (last.workspace, last.name.as_str()));
        let next = store.all_credentials(after, 3).await.unwrap();
        if next.is_empty() {
            break;
        }
        walked.extend(next);
    }
    let expected =
        [(1, "a"), (1, "b"), (2, "a"), (3, "a")].map(|(number, name)| credential(number, name));
    assert_eq!(walked, expected);
}

pub(crate) async fn sealing_anew_loses_no_change_that_came_first(harness: &dyn Harness) {
    let store = harness.open().await;
    let read = credential(1, "shop");
    store.insert_credential(&read).await.unwrap();
    let changed = StoredCredential {
        sealed: vec![5],
        ..read.clone()
    };
    store.replace_credential(&changed).await.unwrap();
    let late = store.reseal_credential(&read, "k2", &[1]).await;
    assert!(!late.unwrap(), "it was replaced meanwhile");
    assert_eq!(find(&*store, "shop").await, Some(changed.clone()));
    let done = store.reseal_credential(&changed, "k2", &[6]).await;
    assert!(done.unwrap());
    let expected = StoredCredential {
        key: "k2".to_owned(),
        sealed: vec![6],
        ..changed
    };
    assert_eq!(find(&*store, "shop").await, Some(expected));
}
