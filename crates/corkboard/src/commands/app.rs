//! `corkboard app`: the apps and sites whose users read feeds.

use std::fs;
use std::path::Path;

use corkboard_api::auth::check_token_key;
use corkboard_core::id::AppId;
use corkboard_core::story::story;
use corkboard_core::tenancy::{App, MAX_APP_KEYS, MIN_SECRET_BYTES, TokenAlgorithm, TokenKey};
use corkboard_core::time::{Clock as _, SystemClock};
use serde_json::json;

use super::{with_control, workspace};
use crate::cli::{AppCommand, AppCreate, ConfigFile, TokenKeyFiles};
use crate::exit::{Failure, Outcome};
use crate::output::{self, Table};

pub(crate) fn run(config: &ConfigFile, command: AppCommand) -> Outcome {
    match command {
        AppCommand::Create(arguments) => create(config, arguments),
        AppCommand::List { workspace, json } => list(config, &workspace, json),
        AppCommand::Rotate { id, keys } => rotate(config, id, &keys),
    }
}

fn create(config: &ConfigFile, arguments: AppCreate) -> Outcome {
    workspace::check_name("the app's name", &arguments.name)?;
    let keys = read_keys(&arguments.keys)?;
    with_control(config, async |control| {
        let control = control.as_ref();
        let workspace = workspace::find(control, &arguments.workspace).await?;
        let now = SystemClock.now();
        let app = App {
            id: AppId::generate(now),
            workspace: workspace.id,
            name: arguments.name,
            keys,
            created_at: now,
        };
        control.insert_app(&app).await?;
        Ok(output::field("app", &app.id.to_string())?)
    })
}

fn list(config: &ConfigFile, workspace: &str, as_json: bool) -> Outcome {
    with_control(config, async |control| {
        let control = control.as_ref();
        let workspace = workspace::find(control, workspace).await?;
        let apps = control.list_apps(workspace.id).await?;
        if as_json {
            let apps: Vec<_> = apps.iter().map(shown).collect();
            return Ok(output::json(&apps)?);
        }
        let mut table = Table::new(&["id", "name", "created", "keys"]);
        for app in apps {
            table.row(vec![
                app.id.to_string(),
                app.name.clone(),
                app.created_at.to_string(),
                algorithms(&app).join(","),
            ]);
        }
        Ok(table.print()?)
    })
}

/// An app without its keys, of which one may be a secret.
fn shown(app: &App) -> serde_json::Value {
    json!({
        "id": app.id,
        "workspace": app.workspace,
        "name": app.name,
        "created_at": app.created_at,
        "keys": algorithms(app),
    })
}

fn algorithms(app: &App) -> Vec<&'static str> {
    let keys = app.keys.iter();
    keys.map(|key| key.algorithm.as_str()).collect()
}

fn rotate(config: &ConfigFile, id: AppId, files: &TokenKeyFiles) -> Outcome {
    let keys = read_keys(files)?;
    with_control(config, async |control| {
        if control.replace_app_keys(id, &keys).await? {
            return Ok(output::field("rotated", &id.to_string())?);
        }
        Err(Failure::usage(format!(
            "there is no app {id}; see 'corkboard app list'"
        )))
    })
}

/// The keys that the command line names; everything that is wrong with them at once.
fn read_keys(files: &TokenKeyFiles) -> Outcome<Vec<TokenKey>> {
    let mut problems = Vec::new();
    let mut keys = Vec::new();
    let mut take = |key: Result<TokenKey, String>| match key {
        Ok(key) => keys.push(key),
        Err(problem) => problems.push(problem),
    };
    files
        .jwt_public_key
        .iter()
        .for_each(|file| take(public_key(file)));
    files
        .jwt_secret_file
        .iter()
        .for_each(|file| take(secret(file)));
    if files.jwt_public_key.len() > MAX_APP_KEYS {
        problems.push(format!("an app has at most {MAX_APP_KEYS} keys"));
    }
    if keys.is_empty() && problems.is_empty() {
        problems.push(
            "an app needs --jwt-public-key FILE or --jwt-secret-file FILE: without a key no user \
             token could be checked"
                .to_owned(),
        );
    }
    if problems.is_empty() {
        Ok(keys)
    } else {
        Err(Failure::Usage(problems))
    }
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))
}

fn public_key(file: &Path) -> Result<TokenKey, String> {
    check_token_key(&read(file)?).map_err(|error| format!("{}: {}", file.display(), story(&error)))
}

/// The file's bytes. One line end at the end is an editor's and not part of the secret.
fn secret(file: &Path) -> Result<TokenKey, String> {
    let mut material = read(file)?;
    if material.last() == Some(&b'\n') {
        material.pop();
        if material.last() == Some(&b'\r') {
            material.pop();
        }
    }
    if material.len() < MIN_SECRET_BYTES {
        return Err(format!(
            "{}: the secret has {} bytes; HS256 needs {MIN_SECRET_BYTES} or more",
            file.display(),
            material.len()
        ));
    }
    Ok(TokenKey {
        algorithm: TokenAlgorithm::Hs256,
        material,
    })
}
