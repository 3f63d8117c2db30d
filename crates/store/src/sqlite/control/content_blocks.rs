//! Content blocks: a table in the order of names.

use std::collections::BTreeMap;

use async_trait::async_trait;
use corkboard_core::campaign::Campaign;
use corkboard_core::id::{Id, WorkspaceId};
use corkboard_core::time::Timestamp;
use rusqlite::{Connection, Row, params};

use super::columns::{id, time};
use super::query::{all, change, first};
use super::{SqliteControlStore, campaigns};
use crate::control_store::{
    ContentBlock, ContentBlockHead, ContentBlockStore, MOST_CONTENT_BLOCKS,
};
use crate::cursor::{cut_by_name, name_before, rows_wanted};
use crate::error::{Result, StoreError};
use crate::page::{Page, PageRequest};

const WHAT: &str = "content block";

const INSERT: &str = "
    INSERT INTO content_block (workspace, name, version, created_at, updated_at, bytes, source)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7
    WHERE (SELECT count(*) FROM content_block WHERE workspace = ?1) < ?8
    ON CONFLICT DO NOTHING";
pub(super) const FIND: &str = "
    SELECT workspace, name, version, created_at, updated_at, source
    FROM content_block WHERE workspace = ?1 AND name = ?2";
pub(super) const LIST: &str = "
    SELECT name, version, created_at, updated_at, bytes FROM content_block
    WHERE workspace = ?1 AND name > ?2 ORDER BY name LIMIT ?3";
const REPLACE: &str = "
    UPDATE content_block
    SET version = version + 1, updated_at = ?3, bytes = ?4, source = ?5
    WHERE workspace = ?1 AND name = ?2";
const DELETE: &str = "DELETE FROM content_block WHERE workspace = ?1 AND name = ?2";
/// Asked for every dispatch of a campaign that uses blocks.
pub(super) const SOURCES: &str = "
    SELECT name, source FROM content_block
    WHERE workspace = ?1 AND name IN (SELECT value FROM json_each(?2))";
const NAMES: &str = "SELECT name FROM content_block WHERE workspace = ?1 ORDER BY name";

#[async_trait]
impl ContentBlockStore for SqliteControlStore {
    async fn insert_content_block(&self, block: &ContentBlock) -> Result<(ContentBlock, bool)> {
        let block = block.clone();
        let op = move |db: &_| insert(db, &block);
        self.database.write("insert content block", op).await
    }

    async fn find_content_block(
        &self,
        workspace: WorkspaceId,
        name: &str,
    ) -> Result<Option<ContentBlock>> {
        let name = name.to_owned();
        let op = move |db: &_| find(db, workspace, &name);
        self.database.read("find content block", op).await
    }

    async fn list_content_blocks(
        &self,
        workspace: WorkspaceId,
        page: &PageRequest,
    ) -> Result<Page<ContentBlockHead>> {
        let page = page.clone();
        let op = move |db: &_| list(db, workspace, &page);
        self.database.read("list content blocks", op).await
    }

    async fn replace_content_block(
        &self,
        workspace: WorkspaceId,
        name: &str,
        source: &str,
        now: Timestamp,
    ) -> Result<ContentBlock> {
        let (name, source) = (name.to_owned(), source.to_owned());
        let op = move |db: &_| replace(db, workspace, &name, &source, now);
        self.database.write("replace content block", op).await
    }

    async fn delete_content_block(&self, workspace: WorkspaceId, name: &str) -> Result<()> {
        let name = name.to_owned();
        let op = move |db: &_| delete(db, workspace, &name);
        self.database.write("delete content block", op).await
    }

    async fn content_block_sources(
        &self,
        workspace: WorkspaceId,
        names: &[String],
    ) -> Result<BTreeMap<String, String>> {
        let names = crate::document::text(&names, WHAT)?;
        let op = move |db: &_| sources(db, workspace, &names);
        self.database.read("read content blocks", op).await
    }

    async fn content_block_names(&self, workspace: WorkspaceId) -> Result<Vec<String>> {
        let name = |row: &Row<'_>| Ok(row.get("name")?);
        let op = move |db: &_| all(db, NAMES, [workspace.to_bytes()], name);
        self.database.read("name content blocks", op).await
    }

    async fn campaigns_with_content_blocks(&self, workspace: WorkspaceId) -> Result<Vec<Campaign>> {
        let op = move |db: &_| campaigns::with_content_blocks(db, workspace);
        self.database
            .read("list campaigns with content blocks", op)
            .await
    }
}

fn bytes(source: &str) -> u32 {
    u32::try_from(source.len()).unwrap_or(u32::MAX)
}

fn insert(connection: &Connection, block: &ContentBlock) -> Result<(ContentBlock, bool)> {
    let values = params![
        block.workspace.to_bytes(),
        block.name,
        block.version,
        block.created_at.as_micros(),
        block.updated_at.as_micros(),
        bytes(&block.source),
        block.source,
        MOST_CONTENT_BLOCKS,
    ];
    if change(connection, INSERT, values)? == 1 {
        return Ok((block.clone(), true));
    }
    let stored = find(connection, block.workspace, &block.name)?;
    let stored = stored.ok_or(StoreError::Full {
        what: "content blocks",
        most: MOST_CONTENT_BLOCKS,
    })?;
    Ok((stored, false))
}

fn find(
    connection: &Connection,
    workspace: WorkspaceId,
    name: &str,
) -> Result<Option<ContentBlock>> {
    first(connection, FIND, params![workspace.to_bytes(), name], read)
}

fn list(
    connection: &Connection,
    workspace: WorkspaceId,
    page: &PageRequest,
) -> Result<Page<ContentBlockHead>> {
    let before = name_before(page)?;
    let values = params![workspace.to_bytes(), before, rows_wanted(page)];
    let heads = all(connection, LIST, values, |row| {
        Ok(ContentBlockHead {
            name: row.get("name")?,
            bytes: row.get("bytes")?,
            version: row.get("version")?,
            created_at: time(row, "created_at")?,
            updated_at: time(row, "updated_at")?,
        })
    })?;
    Ok(cut_by_name(heads, page, |head| &head.name))
}

fn replace(
    connection: &Connection,
    workspace: WorkspaceId,
    name: &str,
    source: &str,
    now: Timestamp,
) -> Result<ContentBlock> {
    let key = workspace.to_bytes();
    let values = params![key, name, now.as_micros(), bytes(source), source];
    change(connection, REPLACE, values)?;
    let replaced = find(connection, workspace, name)?;
    replaced.ok_or(StoreError::NotFound { what: WHAT })
}

fn delete(connection: &Connection, workspace: WorkspaceId, name: &str) -> Result<()> {
    let deleted = change(connection, DELETE, params![workspace.to_bytes(), name])?;
    if deleted == 0 {
        return Err(StoreError::NotFound { what: WHAT });
    }
    Ok(())
}

fn sources(
    connection: &Connection,
    workspace: WorkspaceId,
    names: &str,
) -> Result<BTreeMap<String, String>> {
    let values = params![workspace.to_bytes(), names];
    let found = all(connection, SOURCES, values, |row| {
        Ok((row.get("name")?, row.get("source")?))
    })?;
    Ok(found.into_iter().collect())
}

fn read(row: &Row<'_>) -> Result<ContentBlock> {
    Ok(ContentBlock {
        workspace: id(row, "workspace")?,
        name: row.get("name")?,
        source: row.get("source")?,
        version: row.get("version")?,
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
    })
}
