//! Content blocks: a table in the order of names.

use std::collections::BTreeMap;

use async_trait::async_trait;
use corkboard_core::campaign::Campaign;
use corkboard_core::id::WorkspaceId;
use corkboard_core::time::Timestamp;
use tokio_postgres::Row;

use super::columns::{small, stored_small};
use super::{PgControlStore, campaigns};
use crate::control_store::{
    ContentBlock, ContentBlockHead, ContentBlockStore, MOST_CONTENT_BLOCKS,
};
use crate::cursor::{cut_by_name, name_before, rows_wanted};
use crate::error::{Result, StoreError};
use crate::page::{Page, PageRequest};
use crate::postgres::session::Session;
use crate::postgres::statement::Statement;
use crate::postgres::values::{Time, Uuid, get, id, time};

const WHAT: &str = "content block";

/// Nodes that insert at the same moment may go past the bound, by as many.
const INSERT: Statement = Statement::new(
    "insert content block",
    "INSERT INTO content_block (workspace, name, version, created_at, updated_at, bytes, source)
     SELECT $1, $2, $3, $4, $5, $6, $7
     WHERE (SELECT count(*) FROM content_block WHERE workspace = $1) < $8::integer
     ON CONFLICT DO NOTHING",
);
pub(super) const FIND: Statement = Statement::new(
    "find content block",
    "SELECT workspace, name, version, created_at, updated_at, source
     FROM content_block WHERE workspace = $1 AND name = $2",
);
pub(super) const LIST: Statement = Statement::new(
    "list content blocks",
    "SELECT name, version, created_at, updated_at, bytes FROM content_block
     WHERE workspace = $1 AND name > $2 ORDER BY name LIMIT $3",
);
const REPLACE: Statement = Statement::new(
    "replace content block",
    "UPDATE content_block
     SET version = version + 1, updated_at = $3, bytes = $4, source = $5
     WHERE workspace = $1 AND name = $2
     RETURNING workspace, name, version, created_at, updated_at, source",
);
const DELETE: Statement = Statement::new(
    "delete content block",
    "DELETE FROM content_block WHERE workspace = $1 AND name = $2",
);
/// Asked for every dispatch of a campaign that uses blocks.
pub(super) const SOURCES: Statement = Statement::new(
    "read content blocks",
    // The bound of one keeps the planner from walking through all blocks for a few names.
    "SELECT wanted.name, block.source FROM unnest($2::text[]) AS wanted (name)
     CROSS JOIN LATERAL (
         SELECT source FROM content_block
         WHERE workspace = $1 AND name = wanted.name COLLATE \"C\" LIMIT 1
     ) AS block",
);
const NAMES: Statement = Statement::new(
    "name content blocks",
    "SELECT name FROM content_block WHERE workspace = $1 ORDER BY name",
);

#[async_trait]
impl ContentBlockStore for PgControlStore {
    async fn insert_content_block(&self, block: &ContentBlock) -> Result<(ContentBlock, bool)> {
        insert(&self.pool.session().await?, block).await
    }

    async fn find_content_block(
        &self,
        workspace: WorkspaceId,
        name: &str,
    ) -> Result<Option<ContentBlock>> {
        find(&self.pool.session().await?, workspace, name).await
    }

    async fn list_content_blocks(
        &self,
        workspace: WorkspaceId,
        page: &PageRequest,
    ) -> Result<Page<ContentBlockHead>> {
        let before = name_before(page)?;
        let session = self.pool.session().await?;
        let values = (Uuid::of(workspace), before, rows_wanted(page));
        let rows = session
            .all(&LIST, &[&values.0, &values.1, &values.2])
            .await?;
        let heads: Result<Vec<ContentBlockHead>> = rows.iter().map(read_head).collect();
        Ok(cut_by_name(heads?, page, |head| &head.name))
    }

    async fn replace_content_block(
        &self,
        workspace: WorkspaceId,
        name: &str,
        source: &str,
        now: Timestamp,
    ) -> Result<ContentBlock> {
        let session = self.pool.session().await?;
        let key = Uuid::of(workspace);
        let replaced = session
            .first(
                &REPLACE,
                &[&key, &name, &Time(now), &bytes(source), &source],
            )
            .await?;
        let replaced = replaced.ok_or(StoreError::NotFound { what: WHAT })?;
        read(&replaced)
    }

    async fn delete_content_block(&self, workspace: WorkspaceId, name: &str) -> Result<()> {
        let session = self.pool.session().await?;
        let key = Uuid::of(workspace);
        match session.change(&DELETE, &[&key, &name]).await? {
            0 => Err(StoreError::NotFound { what: WHAT }),
            _ => Ok(()),
        }
    }

    async fn content_block_sources(
        &self,
        workspace: WorkspaceId,
        names: &[String],
    ) -> Result<BTreeMap<String, String>> {
        let session = self.pool.session().await?;
        let rows = session
            .all(&SOURCES, &[&Uuid::of(workspace), &names])
            .await?;
        let read = |row: &Row| Ok((get(row, "name")?, get(row, "source")?));
        rows.iter().map(read).collect()
    }

    async fn content_block_names(&self, workspace: WorkspaceId) -> Result<Vec<String>> {
        let session = self.pool.session().await?;
        let rows = session.all(&NAMES, &[&Uuid::of(workspace)]).await?;
        rows.iter().map(|row| get(row, "name")).collect()
    }

    async fn campaigns_with_content_blocks(&self, workspace: WorkspaceId) -> Result<Vec<Campaign>> {
        campaigns::with_content_blocks(&self.pool.session().await?, workspace).await
    }
}

fn bytes(source: &str) -> i32 {
    i32::try_from(source.len()).unwrap_or(i32::MAX)
}

async fn insert(session: &Session, block: &ContentBlock) -> Result<(ContentBlock, bool)> {
    let inserted = session
        .change(
            &INSERT,
            &[
                &Uuid::of(block.workspace),
                &block.name,
                &stored_small(block.version),
                &Time(block.created_at),
                &Time(block.updated_at),
                &bytes(&block.source),
                &block.source,
                &stored_small(MOST_CONTENT_BLOCKS),
            ],
        )
        .await?;
    if inserted == 1 {
        return Ok((block.clone(), true));
    }
    let stored = find(session, block.workspace, &block.name).await?;
    let stored = stored.ok_or(StoreError::Full {
        what: "content blocks",
        most: MOST_CONTENT_BLOCKS,
    })?;
    Ok((stored, false))
}

async fn find(
    session: &Session,
    workspace: WorkspaceId,
    name: &str,
) -> Result<Option<ContentBlock>> {
    let found = session.first(&FIND, &[&Uuid::of(workspace), &name]).await?;
    found.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<ContentBlock> {
    Ok(ContentBlock {
        workspace: id(row, "workspace")?,
        name: get(row, "name")?,
        source: get(row, "source")?,
        version: small(row, "version")?,
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
    })
}

fn read_head(row: &Row) -> Result<ContentBlockHead> {
    Ok(ContentBlockHead {
        name: get(row, "name")?,
        bytes: small(row, "bytes")?,
        version: small(row, "version")?,
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
    })
}
