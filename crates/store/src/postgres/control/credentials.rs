//! Stored credentials: a table in the order of names. What is sealed is opened elsewhere.

use async_trait::async_trait;
use corkboard_core::id::WorkspaceId;
use tokio_postgres::Row;

use super::PgControlStore;
use super::columns::{document, stored_small, text};
use crate::control_store::{CredentialStore, MOST_CREDENTIALS, StoredCredential};
use crate::cursor::{cut_by_name, name_before, rows_wanted};
use crate::error::{Result, StoreError};
use crate::page::{Page, PageRequest};
use crate::postgres::session::Session;
use crate::postgres::statement::Statement;
use crate::postgres::values::{Json, Time, Uuid, get, id, time};

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

/// Nodes that insert at the same moment may go past the bound, by as many.
const INSERT: Statement = Statement::new(
    "insert credential",
    "INSERT INTO credential (workspace, name, kind, hosts, created_at, updated_at, key, sealed)
     SELECT $1, $2, $3, $4, $5, $6, $7, $8
     WHERE (SELECT count(*) FROM credential WHERE workspace = $1) < $9::integer
     ON CONFLICT DO NOTHING",
);
pub(super) const FIND: Statement = Statement::new(
    "find credential",
    select_credential!("WHERE workspace = $1 AND name = $2"),
);
pub(super) const LIST: Statement = Statement::new(
    "list credentials",
    select_credential!("WHERE workspace = $1 AND name > $2 ORDER BY name LIMIT $3"),
);
const REPLACE: Statement = Statement::new(
    "replace credential",
    "UPDATE credential SET kind = $3, hosts = $4, updated_at = $5, key = $6, sealed = $7
     WHERE workspace = $1 AND name = $2
     RETURNING workspace, name, kind, hosts, created_at, updated_at, key, sealed",
);
const DELETE: Statement = Statement::new(
    "delete credential",
    "DELETE FROM credential WHERE workspace = $1 AND name = $2",
);
const ALL: Statement = Statement::new(
    "read all credentials",
    select_credential!("WHERE (workspace, name) > ($1, $2) ORDER BY workspace, name LIMIT $3"),
);
const RESEAL: Statement = Statement::new(
    "reseal credential",
    "UPDATE credential SET key = $4, sealed = $5
     WHERE workspace = $1 AND name = $2 AND sealed = $3",
);

#[async_trait]
impl CredentialStore for PgControlStore {
    async fn insert_credential(
        &self,
        credential: &StoredCredential,
    ) -> Result<(StoredCredential, bool)> {
        insert(&self.pool.session().await?, credential).await
    }

    async fn find_credential(
        &self,
        workspace: WorkspaceId,
        name: &str,
    ) -> Result<Option<StoredCredential>> {
        find(&self.pool.session().await?, workspace, name).await
    }

    async fn list_credentials(
        &self,
        workspace: WorkspaceId,
        page: &PageRequest,
    ) -> Result<Page<StoredCredential>> {
        let before = name_before(page)?;
        let session = self.pool.session().await?;
        let values = (Uuid::of(workspace), before, rows_wanted(page));
        let rows = session
            .all(&LIST, &[&values.0, &values.1, &values.2])
            .await?;
        let credentials: Result<Vec<StoredCredential>> = rows.iter().map(read).collect();
        Ok(cut_by_name(credentials?, page, |credential| {
            &credential.name
        }))
    }

    async fn replace_credential(&self, credential: &StoredCredential) -> Result<StoredCredential> {
        let session = self.pool.session().await?;
        let replaced = session
            .first(
                &REPLACE,
                &[
                    &Uuid::of(credential.workspace),
                    &credential.name,
                    &credential.kind,
                    &Json(text(&credential.hosts, WHAT)?),
                    &Time(credential.updated_at),
                    &credential.key,
                    &credential.sealed,
                ],
            )
            .await?;
        let replaced = replaced.ok_or(StoreError::NotFound { what: WHAT })?;
        read(&replaced)
    }

    async fn delete_credential(&self, workspace: WorkspaceId, name: &str) -> Result<()> {
        let session = self.pool.session().await?;
        let key = Uuid::of(workspace);
        match session.change(&DELETE, &[&key, &name]).await? {
            0 => Err(StoreError::NotFound { what: WHAT }),
            _ => Ok(()),
        }
    }

    async fn all_credentials(
        &self,
        after: Option<(WorkspaceId, &str)>,
        limit: u32,
    ) -> Result<Vec<StoredCredential>> {
        let (workspace, name) = after.map_or((Uuid([0; 16]), ""), |(workspace, name)| {
            (Uuid::of(workspace), name)
        });
        let session = self.pool.session().await?;
        let rows = session
            .all(&ALL, &[&workspace, &name, &i64::from(limit)])
            .await?;
        rows.iter().map(read).collect()
    }

    async fn reseal_credential(
        &self,
        old: &StoredCredential,
        key: &str,
        sealed: &[u8],
    ) -> Result<bool> {
        let session = self.pool.session().await?;
        let workspace = Uuid::of(old.workspace);
        let changed = session
            .change(
                &RESEAL,
                &[&workspace, &old.name, &old.sealed, &key, &sealed],
            )
            .await?;
        Ok(changed == 1)
    }
}

async fn insert(
    session: &Session,
    credential: &StoredCredential,
) -> Result<(StoredCredential, bool)> {
    let inserted = session
        .change(
            &INSERT,
            &[
                &Uuid::of(credential.workspace),
                &credential.name,
                &credential.kind,
                &Json(text(&credential.hosts, WHAT)?),
                &Time(credential.created_at),
                &Time(credential.updated_at),
                &credential.key,
                &credential.sealed,
                &stored_small(MOST_CREDENTIALS),
            ],
        )
        .await?;
    if inserted == 1 {
        return Ok((credential.clone(), true));
    }
    let stored = find(session, credential.workspace, &credential.name).await?;
    let stored = stored.ok_or(StoreError::Full {
        what: "credentials",
        most: MOST_CREDENTIALS,
    })?;
    Ok((stored, false))
}

async fn find(
    session: &Session,
    workspace: WorkspaceId,
    name: &str,
) -> Result<Option<StoredCredential>> {
    let found = session.first(&FIND, &[&Uuid::of(workspace), &name]).await?;
    found.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<StoredCredential> {
    let name: String = get(row, "name")?;
    Ok(StoredCredential {
        workspace: id(row, "workspace")?,
        kind: get(row, "kind")?,
        hosts: document(row, "hosts", WHAT, &name)?,
        key: get(row, "key")?,
        sealed: get(row, "sealed")?,
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
        name,
    })
}
