//! Stored credentials: a table in the order of names. What is sealed is opened elsewhere.

use async_trait::async_trait;
use corkboard_core::id::{Id, WorkspaceId};
use rusqlite::{Connection, Row, params};

use super::SqliteControlStore;
use super::columns::{document, id, text, time};
use super::query::{all, change, first};
use crate::control_store::{CredentialStore, MOST_CREDENTIALS, StoredCredential};
use crate::cursor::{cut_by_name, name_before, rows_wanted};
use crate::error::{Result, StoreError};
use crate::page::{Page, PageRequest};

const WHAT: &str = "credential";

macro_rules! select_credential {
    ($rest:literal) => {
        concat!(
            "SELECT workspace, name, kind, hosts, created_at, updated_at, key, sealed
             FROM credential ",
            $rest
        )
    };
}

const INSERT: &str = "
    INSERT INTO credential (workspace, name, kind, hosts, created_at, updated_at, key, sealed)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
    WHERE (SELECT count(*) FROM credential WHERE workspace = ?1) < ?9
    ON CONFLICT DO NOTHING";
pub(super) const FIND: &str = select_credential!("WHERE workspace = ?1 AND name = ?2");
pub(super) const LIST: &str =
    select_credential!("WHERE workspace = ?1 AND name > ?2 ORDER BY name LIMIT ?3");
const REPLACE: &str = "
    UPDATE credential SET kind = ?3, hosts = ?4, updated_at = ?5, key = ?6, sealed = ?7
    WHERE workspace = ?1 AND name = ?2";
const DELETE: &str = "DELETE FROM credential WHERE workspace = ?1 AND name = ?2";
const ALL: &str =
    select_credential!("WHERE (workspace, name) > (?1, ?2) ORDER BY workspace, name LIMIT ?3");
const RESEAL: &str = "
    UPDATE credential SET key = ?4, sealed = ?5
    WHERE workspace = ?1 AND name = ?2 AND sealed = ?3";

#[async_trait]
impl CredentialStore for SqliteControlStore {
    async fn insert_credential(
        &self,
        credential: &StoredCredential,
    ) -> Result<(StoredCredential, bool)> {
        let credential = credential.clone();
        let op = move |db: &_| insert(db, &credential);
        self.database.write("insert credential", op).await
    }

    async fn find_credential(
        &self,
        workspace: WorkspaceId,
        name: &str,
    ) -> Result<Option<StoredCredential>> {
        let name = name.to_owned();
        let op = move |db: &_| find(db, workspace, &name);
        self.database.read("find credential", op).await
    }

    async fn list_credentials(
        &self,
        workspace: WorkspaceId,
        page: &PageRequest,
    ) -> Result<Page<StoredCredential>> {
        let page = page.clone();
        let op = move |db: &_| list(db, workspace, &page);
        self.database.read("list credentials", op).await
    }

    async fn replace_credential(&self, credential: &StoredCredential) -> Result<StoredCredential> {
        let credential = credential.clone();
        let op = move |db: &_| replace(db, &credential);
        self.database.write("replace credential", op).await
    }

    async fn delete_credential(&self, workspace: WorkspaceId, name: &str) -> Result<()> {
        let name = name.to_owned();
        let op = move |db: &_| delete(db, workspace, &name);
        self.database.write("delete credential", op).await
    }

    async fn all_credentials(
        &self,
        after: Option<(WorkspaceId, &str)>,
        limit: u32,
    ) -> Result<Vec<StoredCredential>> {
        let (workspace, name) = after.map_or(([0; 16], String::new()), |(workspace, name)| {
            (workspace.to_bytes(), name.to_owned())
        });
        let op = move |db: &_| all(db, ALL, params![workspace, name, limit], read);
        self.database.read("read all credentials", op).await
    }

    async fn reseal_credential(
        &self,
        old: &StoredCredential,
        key: &str,
        sealed: &[u8],
    ) -> Result<bool> {
        let (old, key, sealed) = (old.clone(), key.to_owned(), sealed.to_vec());
        let op = move |db: &_| {
            let workspace = old.workspace.to_bytes();
            let values = params![workspace, old.name, old.sealed, key, sealed];
            Ok(change(db, RESEAL, values)? == 1)
        };
        self.database.write("reseal credential", op).await
    }
}

fn insert(
    connection: &Connection,
    credential: &StoredCredential,
) -> Result<(StoredCredential, bool)> {
    let values = params![
        credential.workspace.to_bytes(),
        credential.name,
        credential.kind,
        text(&credential.hosts, WHAT)?,
        credential.created_at.as_micros(),
        credential.updated_at.as_micros(),
        credential.key,
        credential.sealed,
        MOST_CREDENTIALS,
    ];
    if change(connection, INSERT, values)? == 1 {
        return Ok((credential.clone(), true));
    }
    let stored = find(connection, credential.workspace, &credential.name)?;
    let stored = stored.ok_or(StoreError::Full {
        what: "credentials",
        most: MOST_CREDENTIALS,
    })?;
    Ok((stored, false))
}

fn find(
    connection: &Connection,
    workspace: WorkspaceId,
    name: &str,
) -> Result<Option<StoredCredential>> {
    first(connection, FIND, params![workspace.to_bytes(), name], read)
}

fn list(
    connection: &Connection,
    workspace: WorkspaceId,
    page: &PageRequest,
) -> Result<Page<StoredCredential>> {
    let before = name_before(page)?;
    let values = params![workspace.to_bytes(), before, rows_wanted(page)];
    let credentials = all(connection, LIST, values, read)?;
    Ok(cut_by_name(credentials, page, |credential| {
        &credential.name
    }))
}

fn replace(connection: &Connection, credential: &StoredCredential) -> Result<StoredCredential> {
    let values = params![
        credential.workspace.to_bytes(),
        credential.name,
        credential.kind,
        text(&credential.hosts, WHAT)?,
        credential.updated_at.as_micros(),
        credential.key,
        credential.sealed,
    ];
    change(connection, REPLACE, values)?;
    let replaced = find(connection, credential.workspace, &credential.name)?;
    replaced.ok_or(StoreError::NotFound { what: WHAT })
}

fn delete(connection: &Connection, workspace: WorkspaceId, name: &str) -> Result<()> {
    let deleted = change(connection, DELETE, params![workspace.to_bytes(), name])?;
    if deleted == 0 {
        return Err(StoreError::NotFound { what: WHAT });
    }
    Ok(())
}

fn read(row: &Row<'_>) -> Result<StoredCredential> {
    let name: String = row.get("name")?;
    Ok(StoredCredential {
        workspace: id(row, "workspace")?,
        kind: row.get("kind")?,
        hosts: document(row, "hosts", WHAT, &name)?,
        key: row.get("key")?,
        sealed: row.get("sealed")?,
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
        name,
    })
}
