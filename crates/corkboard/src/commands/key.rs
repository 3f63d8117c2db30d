//! `corkboard key`: API keys of the server API.

use corkboard_api::auth::ApiKeySecret;
use corkboard_core::id::ApiKeyId;
use corkboard_core::tenancy::{ApiKey, Scope};
use corkboard_core::time::{Clock as _, SystemClock};
use serde_json::json;

use super::{with_control, workspace};
use crate::cli::{ConfigFile, KeyCommand, KeyCreate};
use crate::exit::{Failure, Outcome};
use crate::output::{self, Table};

pub(crate) fn run(config: &ConfigFile, command: KeyCommand) -> Outcome {
    match command {
        KeyCommand::Create(arguments) => create(config, arguments),
        KeyCommand::List { workspace, json } => list(config, workspace.as_deref(), json),
        KeyCommand::Revoke { id } => revoke(config, id),
    }
}

fn create(config: &ConfigFile, arguments: KeyCreate) -> Outcome {
    with_control(config, async |control| {
        let control = control.as_ref();
        let workspace = workspace::find(control, &arguments.workspace).await?;
        let now = SystemClock.now();
        let secret = ApiKeySecret::generate(ApiKeyId::generate(now));
        let mut scopes = arguments.scopes;
        scopes.sort_unstable();
        scopes.dedup();
        let key = ApiKey {
            id: secret.id(),
            workspace: workspace.id,
            secret_hash: secret.hash(),
            scopes: if scopes.is_empty() {
                Scope::ALL.to_vec()
            } else {
                scopes
            },
            created_at: now,
            revoked_at: None,
        };
        control.insert_api_key(&key).await?;
        Ok(output::field("api_key", &secret.reveal())?)
    })
}

fn list(config: &ConfigFile, workspace: Option<&str>, as_json: bool) -> Outcome {
    with_control(config, async |control| {
        let control = control.as_ref();
        let workspace = match workspace {
            Some(text) => Some(workspace::find(control, text).await?.id),
            None => None,
        };
        let keys = control.list_api_keys(workspace).await?;
        if as_json {
            let keys: Vec<_> = keys.iter().map(shown).collect();
            return Ok(output::json(&keys)?);
        }
        let mut table = Table::new(&["id", "workspace", "created", "revoked", "scopes"]);
        for key in keys {
            let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
            table.row(vec![
                key.id.to_string(),
                key.workspace.to_string(),
                key.created_at.to_string(),
                key.revoked_at
                    .map_or_else(|| "-".to_owned(), |at| at.to_string()),
                scopes.join(","),
            ]);
        }
        Ok(table.print()?)
    })
}

/// A key without its hash.
fn shown(key: &ApiKey) -> serde_json::Value {
    json!({
        "id": key.id,
        "workspace": key.workspace,
        "scopes": key.scopes,
        "created_at": key.created_at,
        "revoked_at": key.revoked_at,
    })
}

fn revoke(config: &ConfigFile, id: ApiKeyId) -> Outcome {
    with_control(config, async |control| {
        if control.revoke_api_key(id, SystemClock.now()).await? {
            return Ok(output::field("revoked", &id.to_string())?);
        }
        Err(Failure::usage(format!(
            "there is no key {id}; see 'corkboard key list'"
        )))
    })
}
