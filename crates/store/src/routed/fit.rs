//! Whether changes of attributes would be refused, before any database makes its part of them.

use std::collections::BTreeMap;

use corkboard_core::id::WorkspaceId;
use corkboard_core::user::{AttributeChange, Attributes, MAX_ATTRIBUTES_BYTES, UserId};

use crate::card_store::CardStore;
use crate::error::{Result, StoreError};

/// Fails as the database would, should these changes make a user's attributes too large.
pub(super) async fn would_fit(
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
