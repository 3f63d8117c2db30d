//! Workspaces, apps and API keys.

use corkboard_core::id::{ApiKeyId, AppId, WorkspaceId};
use corkboard_core::tenancy::{ApiKey, App, TokenKey, Workspace};
use corkboard_core::time::Timestamp;
use tokio_postgres::Row;

use super::columns::{corrupt, document, text};
use crate::error::{Result, StoreError};
use crate::postgres::session::Session;
use crate::postgres::statement::Statement;
use crate::postgres::values::{Json, Time, Uuid, get, id, optional_time, time};

const INSERT_WORKSPACE: Statement = Statement::new(
    "insert workspace",
    "INSERT INTO workspace (id, name, created_at) VALUES ($1, $2, $3)",
);
pub(super) const FIND_WORKSPACE: Statement = Statement::new(
    "find workspace",
    "SELECT id, name, created_at FROM workspace WHERE id = $1",
);
pub(super) const FIND_WORKSPACE_BY_NAME: Statement = Statement::new(
    "find workspace by name",
    "SELECT id, name, created_at FROM workspace WHERE name = $1",
);
const LIST_WORKSPACES: Statement = Statement::new(
    "list workspaces",
    "SELECT id, name, created_at FROM workspace ORDER BY created_at, id",
);

/// A taken name or id is told by the constraint that the server names.
pub(super) async fn insert_workspace(session: &Session, workspace: &Workspace) -> Result<()> {
    let Workspace {
        id,
        name,
        created_at,
    } = workspace;
    let (id, created_at) = (Uuid::of(*id), Time(*created_at));
    session
        .change(&INSERT_WORKSPACE, &[&id, name, &created_at])
        .await?;
    Ok(())
}

pub(super) async fn find_workspace(
    session: &Session,
    workspace: WorkspaceId,
) -> Result<Option<Workspace>> {
    let found = session
        .first(&FIND_WORKSPACE, &[&Uuid::of(workspace)])
        .await?;
    found.as_ref().map(read_workspace).transpose()
}

pub(super) async fn find_workspace_by_name(
    session: &Session,
    name: &str,
) -> Result<Option<Workspace>> {
    let found = session.first(&FIND_WORKSPACE_BY_NAME, &[&name]).await?;
    found.as_ref().map(read_workspace).transpose()
}

pub(super) async fn list_workspaces(session: &Session) -> Result<Vec<Workspace>> {
    let rows = session.all(&LIST_WORKSPACES, &[]).await?;
    rows.iter().map(read_workspace).collect()
}

fn read_workspace(row: &Row) -> Result<Workspace> {
    Ok(Workspace {
        id: id(row, "id")?,
        name: get(row, "name")?,
        created_at: time(row, "created_at")?,
    })
}

/// Nothing is inserted when there is no such workspace; workspaces are never removed.
const INSERT_APP: Statement = Statement::new(
    "insert app",
    "INSERT INTO app (id, workspace, name, token_keys, created_at)
     SELECT $1, id, $3, $4, $5 FROM workspace WHERE id = $2",
);
pub(super) const FIND_APP: Statement = Statement::new(
    "find app",
    "SELECT id, workspace, name, token_keys, created_at FROM app WHERE id = $1",
);
pub(super) const LIST_APPS: Statement = Statement::new(
    "list apps",
    "SELECT id, workspace, name, token_keys, created_at FROM app
     WHERE workspace = $1 ORDER BY created_at, id",
);
const REPLACE_APP_KEYS: Statement = Statement::new(
    "replace an app's keys",
    "UPDATE app SET token_keys = $2 WHERE id = $1",
);

pub(super) async fn insert_app(session: &Session, app: &App) -> Result<()> {
    let (id, workspace) = (Uuid::of(app.id), Uuid::of(app.workspace));
    let keys = Json(text(&app.keys, "app")?);
    let created_at = Time(app.created_at);
    let inserted = session
        .change(
            &INSERT_APP,
            &[&id, &workspace, &app.name, &keys, &created_at],
        )
        .await?;
    need_workspace(inserted)
}

pub(super) async fn find_app(session: &Session, app: AppId) -> Result<Option<App>> {
    let found = session.first(&FIND_APP, &[&Uuid::of(app)]).await?;
    found.as_ref().map(read_app).transpose()
}

pub(super) async fn list_apps(session: &Session, workspace: WorkspaceId) -> Result<Vec<App>> {
    let rows = session.all(&LIST_APPS, &[&Uuid::of(workspace)]).await?;
    rows.iter().map(read_app).collect()
}

pub(super) async fn replace_app_keys(
    session: &Session,
    app: AppId,
    keys: &[TokenKey],
) -> Result<bool> {
    let keys = Json(text(&keys, "app")?);
    let replaced = session
        .change(&REPLACE_APP_KEYS, &[&Uuid::of(app), &keys])
        .await?;
    Ok(replaced == 1)
}

fn read_app(row: &Row) -> Result<App> {
    let app = id(row, "id")?;
    Ok(App {
        id: app,
        workspace: id(row, "workspace")?,
        name: get(row, "name")?,
        keys: document(row, "token_keys", "app", &app)?,
        created_at: time(row, "created_at")?,
    })
}

const INSERT_API_KEY: Statement = Statement::new(
    "insert API key",
    "INSERT INTO api_key (id, workspace, secret_hash, scopes, created_at, revoked_at)
     SELECT $1, id, $3, $4, $5, $6 FROM workspace WHERE id = $2",
);
pub(super) const FIND_API_KEY: Statement = Statement::new(
    "find API key",
    "SELECT id, workspace, secret_hash, scopes, created_at, revoked_at FROM api_key WHERE id = $1",
);
const LIST_API_KEYS: Statement = Statement::new(
    "list API keys",
    "SELECT id, workspace, secret_hash, scopes, created_at, revoked_at FROM api_key
     WHERE $1::uuid IS NULL OR workspace = $1 ORDER BY created_at, id",
);
pub(super) const REVOKE_API_KEY: Statement = Statement::new(
    "revoke API key",
    "UPDATE api_key SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1",
);

pub(super) async fn insert_api_key(session: &Session, key: &ApiKey) -> Result<()> {
    let (id, workspace) = (Uuid::of(key.id), Uuid::of(key.workspace));
    let scopes = Json(text(&key.scopes, "API key")?);
    let (created_at, revoked_at) = (Time(key.created_at), key.revoked_at.map(Time));
    let hash = key.secret_hash.as_slice();
    let inserted = session
        .change(
            &INSERT_API_KEY,
            &[&id, &workspace, &hash, &scopes, &created_at, &revoked_at],
        )
        .await?;
    need_workspace(inserted)
}

pub(super) async fn find_api_key(session: &Session, key: ApiKeyId) -> Result<Option<ApiKey>> {
    let found = session.first(&FIND_API_KEY, &[&Uuid::of(key)]).await?;
    found.as_ref().map(read_api_key).transpose()
}

pub(super) async fn list_api_keys(
    session: &Session,
    workspace: Option<WorkspaceId>,
) -> Result<Vec<ApiKey>> {
    let workspace = workspace.map(Uuid::of);
    let rows = session.all(&LIST_API_KEYS, &[&workspace]).await?;
    rows.iter().map(read_api_key).collect()
}

pub(super) async fn revoke_api_key(
    session: &Session,
    key: ApiKeyId,
    now: Timestamp,
) -> Result<bool> {
    let revoked = session
        .change(&REVOKE_API_KEY, &[&Uuid::of(key), &Time(now)])
        .await?;
    Ok(revoked == 1)
}

fn read_api_key(row: &Row) -> Result<ApiKey> {
    let key: ApiKeyId = id(row, "id")?;
    let hash: &[u8] = get(row, "secret_hash")?;
    Ok(ApiKey {
        id: key,
        workspace: id(row, "workspace")?,
        secret_hash: hash
            .try_into()
            .map_err(|error| corrupt("API key", key, error))?,
        scopes: document(row, "scopes", "API key", &key)?,
        created_at: time(row, "created_at")?,
        revoked_at: optional_time(row, "revoked_at")?,
    })
}

fn need_workspace(inserted: u64) -> Result<()> {
    if inserted == 1 {
        return Ok(());
    }
    Err(StoreError::NotFound { what: "workspace" })
}
