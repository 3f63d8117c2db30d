//! Stored credentials of connected content, sealed before they come here.
//!
//! The store knows what may be shown (name, kind, hosts) and keeps the rest as bytes that only the
//! holder of the installation's key can open.

use std::fmt;

use async_trait::async_trait;
use corkboard_core::id::WorkspaceId;
use corkboard_core::time::Timestamp;

use crate::error::Result;
use crate::page::{Page, PageRequest};

/// Most credentials of a workspace.
pub const MOST_CREDENTIALS: u32 = 1_000;

/// A credential as stored.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredCredential {
    pub workspace: WorkspaceId,
    /// Unique in the workspace.
    pub name: String,
    /// What is sealed: `basic`, `bearer` or `headers`.
    pub kind: String,
    /// Where it may be sent.
    pub hosts: Vec<String>,
    /// Which of the installation's keys sealed it.
    pub key: String,
    /// Nonce, ciphertext and tag.
    pub sealed: Vec<u8>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl fmt::Debug for StoredCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredCredential")
            .field("workspace", &self.workspace)
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("hosts", &self.hosts)
            .finish_non_exhaustive()
    }
}

/// The credentials of workspaces.
#[async_trait]
pub trait CredentialStore: Send + Sync {
    /// Stores a new credential. When its name is taken, returns the stored one instead (second value
    /// false). `Full` when the workspace has [`MOST_CREDENTIALS`].
    async fn insert_credential(
        &self,
        credential: &StoredCredential,
    ) -> Result<(StoredCredential, bool)>;
    async fn find_credential(
        &self,
        workspace: WorkspaceId,
        name: &str,
    ) -> Result<Option<StoredCredential>>;
    /// By name.
    async fn list_credentials(
        &self,
        workspace: WorkspaceId,
        page: &PageRequest,
    ) -> Result<Page<StoredCredential>>;
    /// Replaces everything but the time of creation, which the stored one has. Fails with
    /// `NotFound`.
    async fn replace_credential(&self, credential: &StoredCredential) -> Result<StoredCredential>;
    /// Fails with `NotFound`.
    async fn delete_credential(&self, workspace: WorkspaceId, name: &str) -> Result<()>;
    /// Of all workspaces, at most `limit` after that one, in a fixed order: for sealing them with
    /// another key.
    async fn all_credentials(
        &self,
        after: Option<(WorkspaceId, &str)>,
        limit: u32,
    ) -> Result<Vec<StoredCredential>>;
    /// Stores the same content sealed anew, unless it was replaced since `old` was read. Returns
    /// whether it did.
    async fn reseal_credential(
        &self,
        old: &StoredCredential,
        key: &str,
        sealed: &[u8],
    ) -> Result<bool>;
}
