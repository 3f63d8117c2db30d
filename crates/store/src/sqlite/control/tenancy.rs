//! Workspaces, apps and API keys.

use corkboard_core::id::{ApiKeyId, AppId, Id, WorkspaceId};
use corkboard_core::tenancy::{ApiKey, App, TokenKey, Workspace};
use corkboard_core::time::Timestamp;
use rusqlite::{Connection, Row, params};

use super::columns::{document, id, optional_time, text, time};
use super::query::{all, change, exists, first};
use crate::error::{Result, StoreError};

const WORKSPACE_EXISTS: &str = "SELECT 1 FROM workspace WHERE id = ?1";

const INSERT_WORKSPACE: &str = "
    INSERT INTO workspace (id, name, created_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
const FIND_WORKSPACE: &str = "SELECT id, name, created_at FROM workspace WHERE id = ?1";
const FIND_WORKSPACE_BY_NAME: &str = "SELECT id, name, created_at FROM workspace WHERE name = ?1";
const LIST_WORKSPACES: &str = "SELECT id, name, created_at FROM workspace ORDER BY created_at, id";

pub(super) fn insert_workspace(connection: &Connection, workspace: &Workspace) -> Result<()> {
    let Workspace {
        id,
        name,
        created_at,
    } = workspace;
    let inserted = change(
        connection,
        INSERT_WORKSPACE,
        params![id.to_bytes(), name, created_at.as_micros()],
    )?;
    if inserted == 1 {
        return Ok(());
    }
    let what = if exists(connection, WORKSPACE_EXISTS, [id.to_bytes()])? {
        "workspace id"
    } else {
        "workspace name"
    };
    Err(StoreError::Conflict { what })
}

pub(super) fn find_workspace(
    connection: &Connection,
    workspace: WorkspaceId,
) -> Result<Option<Workspace>> {
    first(
        connection,
        FIND_WORKSPACE,
        [workspace.to_bytes()],
        read_workspace,
    )
}

pub(super) fn find_workspace_by_name(
    connection: &Connection,
    name: &str,
) -> Result<Option<Workspace>> {
    first(connection, FIND_WORKSPACE_BY_NAME, [name], read_workspace)
}

pub(super) fn list_workspaces(connection: &Connection) -> Result<Vec<Workspace>> {
    all(connection, LIST_WORKSPACES, [], read_workspace)
}

fn read_workspace(row: &Row<'_>) -> Result<Workspace> {
    Ok(Workspace {
        id: id(row, "id")?,
        name: row.get("name")?,
        created_at: time(row, "created_at")?,
    })
}

const INSERT_APP: &str = "
    INSERT INTO app (id, workspace, name, token_keys, created_at) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT DO NOTHING";
const FIND_APP: &str = "
    SELECT id, workspace, name, token_keys, created_at FROM app WHERE id = ?1";
const LIST_APPS: &str = "
    SELECT id, workspace, name, token_keys, created_at FROM app
    WHERE workspace = ?1 ORDER BY created_at, id";
const REPLACE_APP_KEYS: &str = "UPDATE app SET token_keys = ?2 WHERE id = ?1";

pub(super) fn insert_app(connection: &Connection, app: &App) -> Result<()> {
    need_workspace(connection, app.workspace)?;
    let inserted = change(
        connection,
        INSERT_APP,
        params![
            app.id.to_bytes(),
            app.workspace.to_bytes(),
            app.name,
            text(&app.keys, "app")?,
            app.created_at.as_micros(),
        ],
    )?;
    taken_unless(inserted == 1, "app id")
}

pub(super) fn find_app(connection: &Connection, app: AppId) -> Result<Option<App>> {
    first(connection, FIND_APP, [app.to_bytes()], read_app)
}

pub(super) fn list_apps(connection: &Connection, workspace: WorkspaceId) -> Result<Vec<App>> {
    all(connection, LIST_APPS, [workspace.to_bytes()], read_app)
}

pub(super) fn replace_app_keys(
    connection: &Connection,
    app: AppId,
    keys: &[TokenKey],
) -> Result<bool> {
    let keys = text(&keys, "app")?;
    let replaced = change(connection, REPLACE_APP_KEYS, params![app.to_bytes(), keys])?;
    Ok(replaced == 1)
}

fn read_app(row: &Row<'_>) -> Result<App> {
    let app = id(row, "id")?;
    Ok(App {
        id: app,
        workspace: id(row, "workspace")?,
        name: row.get("name")?,
        keys: document(row, "token_keys", "app", &app)?,
        created_at: time(row, "created_at")?,
    })
}

const INSERT_API_KEY: &str = "
    INSERT INTO api_key (id, workspace, secret_hash, scopes, created_at, revoked_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
const FIND_API_KEY: &str = "
    SELECT id, workspace, secret_hash, scopes, created_at, revoked_at FROM api_key WHERE id = ?1";
const LIST_API_KEYS: &str = "
    SELECT id, workspace, secret_hash, scopes, created_at, revoked_at FROM api_key
    ORDER BY created_at, id";
const LIST_API_KEYS_OF_WORKSPACE: &str = "
    SELECT id, workspace, secret_hash, scopes, created_at, revoked_at FROM api_key
    WHERE workspace = ?1 ORDER BY created_at, id";
const REVOKE_API_KEY: &str = "
    UPDATE api_key SET revoked_at = coalesce(revoked_at, ?2) WHERE id = ?1";

pub(super) fn insert_api_key(connection: &Connection, key: &ApiKey) -> Result<()> {
    need_workspace(connection, key.workspace)?;
    let inserted = change(
        connection,
        INSERT_API_KEY,
        params![
            key.id.to_bytes(),
            key.workspace.to_bytes(),
            key.secret_hash,
            text(&key.scopes, "API key")?,
            key.created_at.as_micros(),
            key.revoked_at.map(Timestamp::as_micros),
        ],
    )?;
    taken_unless(inserted == 1, "API key id")
}

pub(super) fn find_api_key(connection: &Connection, key: ApiKeyId) -> Result<Option<ApiKey>> {
    first(connection, FIND_API_KEY, [key.to_bytes()], read_api_key)
}

pub(super) fn list_api_keys(
    connection: &Connection,
    workspace: Option<WorkspaceId>,
) -> Result<Vec<ApiKey>> {
    match workspace {
        None => all(connection, LIST_API_KEYS, [], read_api_key),
        Some(workspace) => all(
            connection,
            LIST_API_KEYS_OF_WORKSPACE,
            [workspace.to_bytes()],
            read_api_key,
        ),
    }
}

pub(super) fn revoke_api_key(
    connection: &Connection,
    key: ApiKeyId,
    now: Timestamp,
) -> Result<bool> {
    let revoked = change(
        connection,
        REVOKE_API_KEY,
        params![key.to_bytes(), now.as_micros()],
    )?;
    Ok(revoked == 1)
}

fn read_api_key(row: &Row<'_>) -> Result<ApiKey> {
    let key = id(row, "id")?;
    Ok(ApiKey {
        id: key,
        workspace: id(row, "workspace")?,
        secret_hash: row.get("secret_hash")?,
        scopes: document(row, "scopes", "API key", &key)?,
        created_at: time(row, "created_at")?,
        revoked_at: optional_time(row, "revoked_at")?,
    })
}

fn need_workspace(connection: &Connection, workspace: WorkspaceId) -> Result<()> {
    if exists(connection, WORKSPACE_EXISTS, [workspace.to_bytes()])? {
        return Ok(());
    }
    Err(StoreError::NotFound { what: "workspace" })
}

fn taken_unless(inserted: bool, what: &'static str) -> Result<()> {
    if inserted {
        return Ok(());
    }
    Err(StoreError::Conflict { what })
}
