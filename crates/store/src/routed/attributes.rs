//! Changes of users' attributes in several databases: all or none, as far as can be seen before.

use std::collections::BTreeMap;

use corkboard_core::id::WorkspaceId;
use corkboard_core::time::Timestamp;
use corkboard_core::user::{AttributeChange, Attributes, MAX_ATTRIBUTES_BYTES, UserId};
use futures_util::future::try_join_all;

use super::routes::Routes;
use crate::card_store::CardStore;
use crate::error::{Result, StoreError};

/// All or none of each database's; whether any would be refused is looked at before.
pub(super) async fn change(
    routes: &Routes,
    workspace: WorkspaceId,
    changes: Vec<AttributeChange>,
    now: Timestamp,
) -> Result<()> {
    let parts = routes
        .divide(changes, |change| (workspace, &change.user))
        .parts;
    if parts.len() > 1 {
        for part in &parts {
            would_fit(part.database, workspace, &part.items).await?;
        }
    }
    let changes = parts
        .into_iter()
        .map(|part| part.database.change_attributes(workspace, part.items, now));
    try_join_all(changes).await.map(drop)
}

/// Fails as the database would, should these changes make a user's attributes too large.
async fn would_fit(
    database: &dyn CardStore,
    workspace: WorkspaceId,
    changes: &[AttributeChange],
) -> Result<()> {
    let users: Vec<UserId> = changes.iter().map(|change| change.user.clone()).collect();
    let known = database.find_users(workspace, &users).await?;
    let known = users.iter().zip(known);
    let mut after: BTreeMap<&UserId, Attributes> = known
        .map(|(user, known)| {
            (
                user,
                known.map(|known| known.attributes).unwrap_or_default(),
            )
        })
        .collect();
    for change in changes {
        let attributes = after.entry(&change.user).or_default();
        for (name, value) in &change.attributes {
            attributes.insert(name.clone(), value.clone());
        }
        attributes.retain(|_, value| !value.is_null());
        if serde_json::Value::Object(attributes.clone())
            .to_string()
            .len()
            > MAX_ATTRIBUTES_BYTES
        {
            return Err(StoreError::Conflict {
                what: "user attributes (over 64 KiB)",
            });
        }
    }
    Ok(())
}
