//! Stored credentials as fetches find them: opened, and remembered for a few seconds.
//!
//! A render may name a credential for each of a million users, and asks here each time. So what was
//! found is kept, but briefly: every node notices a replaced or deleted credential within
//! [`GOOD_FOR`], without being told.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use corkboard_core::id::WorkspaceId;
use corkboard_core::story::story;
use corkboard_fetch::credential::CredentialsUnavailable;
use corkboard_fetch::{Credential, Credentials, Sealed, Vault};
use corkboard_store::ControlStore;
use tokio::time::Instant;

/// How long a credential is used without looking again.
const GOOD_FOR: Duration = Duration::from_secs(5);
/// And how long a name that there is none for.
const ABSENT_FOR: Duration = Duration::from_secs(1);
/// Remembered at a time. When there are more, the ones that are no longer good go first, then all.
const MOST: usize = 1_024;

type Name = (WorkspaceId, String);
type Found = Option<Arc<Credential>>;

/// The credentials of the control store.
pub(super) struct StoredCredentials {
    control: Arc<dyn ControlStore>,
    vault: Option<Arc<Vault>>,
    remembered: Mutex<HashMap<Name, (Found, Instant)>>,
}

impl fmt::Debug for StoredCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredCredentials")
            .field("vault", &self.vault)
            .finish_non_exhaustive()
    }
}

impl StoredCredentials {
    pub(super) fn new(control: Arc<dyn ControlStore>, vault: Option<Arc<Vault>>) -> Self {
        Self {
            control,
            vault,
            remembered: Mutex::default(),
        }
    }

    fn remembered(&self, name: &Name) -> Option<Found> {
        let remembered = self.remembered.lock();
        let remembered = remembered.unwrap_or_else(PoisonError::into_inner);
        let (found, until) = remembered.get(name)?;
        (*until > Instant::now()).then(|| found.clone())
    }

    fn remember(&self, name: Name, found: &Found) {
        let now = Instant::now();
        let good_for = if found.is_some() {
            GOOD_FOR
        } else {
            ABSENT_FOR
        };
        let remembered = self.remembered.lock();
        let mut remembered = remembered.unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= MOST {
            remembered.retain(|_, (_, until)| *until > now);
        }
        if remembered.len() >= MOST {
            remembered.clear();
        }
        remembered.insert(name, (found.clone(), now + good_for));
    }

    async fn look_up(
        &self,
        workspace: WorkspaceId,
        name: &str,
    ) -> Result<Found, CredentialsUnavailable> {
        let unavailable = |problem: &dyn std::error::Error| {
            tracing::error!(%workspace, name, problem = story(problem), "a credential cannot be used");
            CredentialsUnavailable
        };
        let stored = self.control.find_credential(workspace, name).await;
        let Some(stored) = stored.map_err(|error| unavailable(&error))? else {
            return Ok(None);
        };
        let Some(vault) = &self.vault else {
            tracing::error!(%workspace, name, "a credential cannot be used: secrets.keys is not set");
            return Err(CredentialsUnavailable);
        };
        let sealed = Sealed {
            key: stored.key,
            bytes: stored.sealed,
        };
        let secret = vault
            .open(workspace, name, &stored.hosts, &sealed)
            .map_err(|error| unavailable(&error))?;
        let credential = secret.credential(&stored.hosts);
        Ok(Some(Arc::new(
            credential.map_err(|error| unavailable(&error))?,
        )))
    }
}

#[async_trait]
impl Credentials for StoredCredentials {
    async fn find(
        &self,
        workspace: WorkspaceId,
        name: &str,
    ) -> Result<Found, CredentialsUnavailable> {
        let key = (workspace, name.to_owned());
        if let Some(found) = self.remembered(&key) {
            return Ok(found);
        }
        let found = self.look_up(workspace, name).await?;
        self.remember(key, &found);
        Ok(found)
    }
}

#[cfg(test)]
mod tests;
