//! Content blocks: named pieces of template that the campaigns of a workspace share.
//!
//! A dispatch freezes the text of the blocks that its templates name. So a block may be replaced at
//! any time: what was launched stays as it was launched.

use std::collections::BTreeMap;

use async_trait::async_trait;
use corkboard_core::campaign::Campaign;
use corkboard_core::id::WorkspaceId;
use corkboard_core::time::Timestamp;

use crate::error::Result;
use crate::page::{Page, PageRequest};

/// Most content blocks of a workspace.
pub const MOST_CONTENT_BLOCKS: u32 = 1_000;

/// A content block as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentBlock {
    pub workspace: WorkspaceId,
    /// Unique in the workspace.
    pub name: String,
    /// Liquid.
    pub source: String,
    /// Grows with every change.
    pub version: u32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A content block in a list: all but its source, of which a page would have megabytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentBlockHead {
    pub name: String,
    /// Of the source.
    pub bytes: u32,
    pub version: u32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What became of the names that templates name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NamedBlocks {
    /// The sources of those that exist.
    pub found: BTreeMap<String, String>,
    /// When some do not: all names that there are, to suggest the near ones.
    pub known: Option<Vec<String>>,
}

/// The content blocks of workspaces.
#[async_trait]
pub trait ContentBlockStore: Send + Sync {
    /// Stores a new block. When its name is taken, returns the stored one instead (second value
    /// false). `Full` when the workspace has [`MOST_CONTENT_BLOCKS`].
    async fn insert_content_block(&self, block: &ContentBlock) -> Result<(ContentBlock, bool)>;
    async fn find_content_block(
        &self,
        workspace: WorkspaceId,
        name: &str,
    ) -> Result<Option<ContentBlock>>;
    /// By name.
    async fn list_content_blocks(
        &self,
        workspace: WorkspaceId,
        page: &PageRequest,
    ) -> Result<Page<ContentBlockHead>>;
    /// Gives a block another source, and the next version. Fails with `NotFound`.
    async fn replace_content_block(
        &self,
        workspace: WorkspaceId,
        name: &str,
        source: &str,
        now: Timestamp,
    ) -> Result<ContentBlock>;
    /// Fails with `NotFound`.
    async fn delete_content_block(&self, workspace: WorkspaceId, name: &str) -> Result<()>;
    /// The sources of those of these blocks that exist, all as of one instant.
    async fn content_block_sources(
        &self,
        workspace: WorkspaceId,
        names: &[String],
    ) -> Result<BTreeMap<String, String>>;
    /// All names, in order.
    async fn content_block_names(&self, workspace: WorkspaceId) -> Result<Vec<String>>;
    /// The campaigns that are not stopped and have the words `content_blocks` in their definition:
    /// those among which the users of a block are.
    async fn campaigns_with_content_blocks(&self, workspace: WorkspaceId) -> Result<Vec<Campaign>>;

    /// Looks up what templates name. Asks nothing when they name nothing.
    async fn named_content_blocks(
        &self,
        workspace: WorkspaceId,
        names: &[String],
    ) -> Result<NamedBlocks> {
        if names.is_empty() {
            return Ok(NamedBlocks::default());
        }
        let found = self.content_block_sources(workspace, names).await?;
        let known = if names.iter().all(|name| found.contains_key(name)) {
            None
        } else {
            Some(self.content_block_names(workspace).await?)
        };
        Ok(NamedBlocks { found, known })
    }
}
