//! What is stored is found, soon forgotten, and refused when it was tampered with.

use corkboard_core::id::Id as _;
use corkboard_core::time::Timestamp;
use corkboard_fetch::Secret;
use corkboard_store::control_store::StoredCredential;
use corkboard_store::sqlite::{SqliteControlStore, SqliteOptions};

use super::*;

fn workspace() -> WorkspaceId {
    WorkspaceId::from_bytes([1; 16])
}

fn sealed(vault: &Vault, name: &str, token: &str) -> StoredCredential {
    let hosts = vec!["a.example".to_owned()];
    let secret = Secret::Bearer {
        token: token.to_owned(),
    };
    let sealed = vault.seal(workspace(), name, &hosts, &secret).unwrap();
    StoredCredential {
        workspace: workspace(),
        name: name.to_owned(),
        kind: secret.kind().to_owned(),
        hosts,
        key: sealed.key,
        sealed: sealed.bytes,
        created_at: Timestamp::EPOCH,
        updated_at: Timestamp::EPOCH,
    }
}

struct World {
    control: Arc<dyn ControlStore>,
    vault: Arc<Vault>,
    found: StoredCredentials,
    _folder: tempfile::TempDir,
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let control = SqliteControlStore::open(folder.path(), &SqliteOptions::default()).unwrap();
    let control: Arc<dyn ControlStore> = Arc::new(control);
    let vault = Arc::new(Vault::new(&[Vault::generate("k").unwrap()]).unwrap());
    World {
        found: StoredCredentials::new(Arc::clone(&control), Some(Arc::clone(&vault))),
        control,
        vault,
        _folder: folder,
    }
}

#[tokio::test]
async fn a_deleted_credential_is_noticed_after_a_few_seconds() {
    let world = world();
    let stored = sealed(&world.vault, "shop", "one");
    world.control.insert_credential(&stored).await.unwrap();
    let one = world.found.find(workspace(), "shop").await.unwrap();
    assert!(one.is_some());
    world
        .control
        .delete_credential(workspace(), "shop")
        .await
        .unwrap();
    assert_eq!(world.found.find(workspace(), "shop").await.unwrap(), one);
    forget(&world.found);
    assert_eq!(world.found.find(workspace(), "shop").await.unwrap(), None);
}

/// As if the time that they are good for were over.
fn forget(credentials: &StoredCredentials) {
    let mut remembered = credentials.remembered.lock().unwrap();
    for (_, until) in remembered.values_mut() {
        assert!(*until <= Instant::now() + GOOD_FOR);
        *until = Instant::now();
    }
}

#[tokio::test]
async fn a_row_that_was_moved_or_given_other_hosts_is_refused() {
    let world = world();
    let good = sealed(&world.vault, "shop", "one");
    let moved = StoredCredential {
        name: "other".to_owned(),
        ..good.clone()
    };
    let redirected = StoredCredential {
        hosts: vec!["evil.example".to_owned()],
        ..good
    };
    for stored in [moved, redirected] {
        world.control.insert_credential(&stored).await.unwrap();
        let refused = world.found.find(workspace(), &stored.name).await;
        assert_eq!(refused, Err(CredentialsUnavailable));
    }
}

#[tokio::test]
async fn no_more_names_are_remembered_than_there_is_room_for() {
    let world = world();
    for number in 0..MOST + 10 {
        let name = format!("n{number}");
        world.found.remember((workspace(), name), &None);
    }
    let remembered = world.found.remembered.lock().unwrap().len();
    assert!(remembered <= MOST, "{remembered}");
}

#[tokio::test]
async fn without_a_key_what_is_stored_cannot_be_used() {
    let world = world();
    let stored = sealed(&world.vault, "shop", "one");
    world.control.insert_credential(&stored).await.unwrap();
    let keyless = StoredCredentials::new(Arc::clone(&world.control), None);
    let refused = keyless.find(workspace(), "shop").await;
    assert_eq!(refused, Err(CredentialsUnavailable));
    assert_eq!(keyless.find(workspace(), "unknown").await.unwrap(), None);
}
