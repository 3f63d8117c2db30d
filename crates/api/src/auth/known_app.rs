//! An app with its keys made ready, which costs more than reading them.

use std::sync::Arc;

use corkboard_core::id::WorkspaceId;
use corkboard_core::tenancy::{App, TokenKey};
use jsonwebtoken::{Algorithm, DecodingKey};

use super::token_key::decoding_key;

/// An app as it was when it was read. The same object as long as nothing about it changes.
pub(super) struct KnownApp {
    pub(super) workspace: WorkspaceId,
    pub(super) keys: Vec<(Algorithm, DecodingKey)>,
    /// What `keys` were made of.
    stored: Vec<TokenKey>,
}

impl From<&App> for KnownApp {
    fn from(app: &App) -> Self {
        // A key that cannot be read was refused when the app was created; here it fits nothing.
        let keys = app
            .keys
            .iter()
            .filter_map(|key| decoding_key(key).ok())
            .collect();
        Self {
            workspace: app.workspace,
            keys,
            stored: app.keys.clone(),
        }
    }
}

impl KnownApp {
    /// What was known, if the app is still that; else the app as it is now.
    pub(super) fn renewed(known: Option<Arc<Self>>, app: &App) -> Arc<Self> {
        let same = |known: &Arc<Self>| known.workspace == app.workspace && known.stored == app.keys;
        known
            .filter(same)
            .unwrap_or_else(|| Arc::new(Self::from(app)))
    }
}
