//! Workspaces, apps and API keys.

use corkboard_core::id::{Id, WorkspaceId};
use corkboard_core::tenancy::{ApiKey, App, Scope, TokenAlgorithm, TokenKey, Workspace};
use corkboard_store::StoreError;

use super::Harness;
use super::sample::{at, id, workspace};

fn app(number: u64, workspace: u64) -> App {
    let key = |algorithm| TokenKey {
        algorithm,
        material: (0..=255).collect(),
    };
    App {
        id: id(number),
        workspace: id(workspace),
        name: format!("app {number}"),
        keys: vec![key(TokenAlgorithm::Hs256), key(TokenAlgorithm::Es256)],
        created_at: at(number),
    }
}

fn api_key(number: u64, workspace: u64) -> ApiKey {
    ApiKey {
        id: id(number),
        workspace: id(workspace),
        secret_hash: [number as u8; 32],
        scopes: Scope::ALL.to_vec(),
        created_at: at(number),
        revoked_at: None,
    }
}

pub(crate) async fn workspaces_are_found_by_id_and_name(harness: &dyn Harness) {
    let store = harness.open().await;
    for number in [2, 1] {
        store.insert_workspace(&workspace(number)).await.unwrap();
    }
    let found = store.find_workspace(id(1)).await.unwrap();
    assert_eq!(found, Some(workspace(1)));
    let found = store.find_workspace_by_name("workspace 2").await.unwrap();
    assert_eq!(found, Some(workspace(2)));
    assert_eq!(store.find_workspace(id(3)).await.unwrap(), None);
    assert_eq!(
        store.find_workspace_by_name("WORKSPACE 2").await.unwrap(),
        None
    );
    let listed = store.list_workspaces().await.unwrap();
    assert_eq!(listed, [workspace(1), workspace(2)]);
}

pub(crate) async fn a_taken_workspace_name_is_refused(harness: &dyn Harness) {
    let store = harness.open().await;
    store.insert_workspace(&workspace(1)).await.unwrap();
    let namesake = Workspace {
        id: id(2),
        ..workspace(1)
    };
    let refused = store.insert_workspace(&namesake).await;
    assert!(
        matches!(
            refused,
            Err(StoreError::Conflict {
                what: "workspace name"
            })
        ),
        "{refused:?}"
    );
    assert_eq!(store.list_workspaces().await.unwrap(), [workspace(1)]);
}

pub(crate) async fn apps_belong_to_one_workspace(harness: &dyn Harness) {
    let store = harness.open().await;
    for number in [1, 2] {
        store.insert_workspace(&workspace(number)).await.unwrap();
    }
    for app in [app(10, 1), app(11, 1), app(20, 2)] {
        store.insert_app(&app).await.unwrap();
    }
    assert_eq!(store.find_app(id(20)).await.unwrap(), Some(app(20, 2)));
    assert_eq!(store.find_app(id(30)).await.unwrap(), None);
    let first = store.list_apps(id(1)).await.unwrap();
    assert_eq!(first, [app(10, 1), app(11, 1)]);
    assert_eq!(store.list_apps(id(2)).await.unwrap(), [app(20, 2)]);
}

pub(crate) async fn an_apps_keys_are_replaced_all_at_once(harness: &dyn Harness) {
    let store = harness.open().await;
    store.insert_workspace(&workspace(1)).await.unwrap();
    for app in [app(10, 1), app(11, 1)] {
        store.insert_app(&app).await.unwrap();
    }
    let key = |algorithm, byte| TokenKey {
        algorithm,
        material: vec![byte; 32],
    };
    let keys = [key(TokenAlgorithm::Es256, 1), key(TokenAlgorithm::Hs256, 2)];
    assert!(store.replace_app_keys(id(10), &keys).await.unwrap());
    assert!(!store.replace_app_keys(id(30), &keys).await.unwrap());
    let changed = App {
        keys: keys.to_vec(),
        ..app(10, 1)
    };
    assert_eq!(store.find_app(id(10)).await.unwrap(), Some(changed));
    assert_eq!(store.find_app(id(11)).await.unwrap(), Some(app(11, 1)));
}

pub(crate) async fn apps_and_keys_need_a_workspace(harness: &dyn Harness) {
    let store = harness.open().await;
    let refused = [
        store.insert_app(&app(10, 9)).await,
        store.insert_api_key(&api_key(10, 9)).await,
    ];
    for refused in refused {
        assert!(
            matches!(refused, Err(StoreError::NotFound { what: "workspace" })),
            "{refused:?}"
        );
    }
    assert_eq!(store.list_apps(id(9)).await.unwrap(), []);
    assert_eq!(store.list_api_keys(None).await.unwrap(), []);
}

pub(crate) async fn api_keys_are_listed_for_one_workspace_or_all(harness: &dyn Harness) {
    let store = harness.open().await;
    for number in [1, 2] {
        store.insert_workspace(&workspace(number)).await.unwrap();
    }
    let limited = ApiKey {
        scopes: vec![Scope::CampaignsTrigger],
        ..api_key(11, 1)
    };
    for key in [&api_key(10, 1), &limited, &api_key(20, 2)] {
        store.insert_api_key(key).await.unwrap();
    }
    assert_eq!(
        store.find_api_key(id(11)).await.unwrap(),
        Some(limited.clone())
    );
    assert_eq!(store.find_api_key(id(12)).await.unwrap(), None);
    let all = store.list_api_keys(None).await.unwrap();
    assert_eq!(all, [api_key(10, 1), limited, api_key(20, 2)]);
    let second = store
        .list_api_keys(Some(id::<WorkspaceId>(2)))
        .await
        .unwrap();
    assert_eq!(second, [api_key(20, 2)]);
    let nobodys = WorkspaceId::from_bytes([9; 16]);
    assert_eq!(store.list_api_keys(Some(nobodys)).await.unwrap(), []);
}

pub(crate) async fn revoking_twice_keeps_the_first_time(harness: &dyn Harness) {
    let store = harness.open().await;
    store.insert_workspace(&workspace(1)).await.unwrap();
    store.insert_api_key(&api_key(10, 1)).await.unwrap();
    store.insert_api_key(&api_key(11, 1)).await.unwrap();
    assert!(store.revoke_api_key(id(10), at(100)).await.unwrap());
    assert!(store.revoke_api_key(id(10), at(200)).await.unwrap());
    assert!(!store.revoke_api_key(id(12), at(200)).await.unwrap());
    let revoked = store
        .find_api_key(id(10))
        .await
        .unwrap()
        .expect("still found");
    assert_eq!(revoked.revoked_at, Some(at(100)));
    let other = store
        .find_api_key(id(11))
        .await
        .unwrap()
        .expect("untouched");
    assert_eq!(other.revoked_at, None);
}
