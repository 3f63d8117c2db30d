//! Credentials held in memory: for tests and tools.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use corkboard_core::id::WorkspaceId;

use super::{Credential, Credentials, CredentialsUnavailable};

type Page = BTreeMap<String, Arc<Credential>>;

/// Credentials held in memory. Clones are the same book.
#[derive(Debug, Clone, Default)]
pub struct CredentialBook {
    pages: Arc<Mutex<HashMap<WorkspaceId, Page>>>,
}

impl CredentialBook {
    fn pages(&self) -> MutexGuard<'_, HashMap<WorkspaceId, Page>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds or replaces one.
    pub fn put(&self, workspace: WorkspaceId, name: &str, credential: Credential) {
        let mut pages = self.pages();
        let page = pages.entry(workspace).or_default();
        page.insert(name.to_owned(), Arc::new(credential));
    }

    /// Takes one out; calls that name it are refused from then on.
    pub fn remove(&self, workspace: WorkspaceId, name: &str) {
        if let Some(page) = self.pages().get_mut(&workspace) {
            page.remove(name);
        }
    }
}

#[async_trait]
impl Credentials for CredentialBook {
    async fn find(
        &self,
        workspace: WorkspaceId,
        name: &str,
    ) -> Result<Option<Arc<Credential>>, CredentialsUnavailable> {
        let pages = self.pages();
        Ok(pages
            .get(&workspace)
            .and_then(|page| page.get(name))
            .cloned())
    }
}
