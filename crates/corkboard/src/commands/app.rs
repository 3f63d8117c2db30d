//! `corkboard app`: the apps and sites whose users read feeds.

use std::fs;
use std::path::Path;

use corkboard_api::auth::check_token_key;
use corkboard_core::id::AppId;
use corkboard_core::story::story;
use corkboard_core::tenancy::{App, MAX_APP_KEYS, MIN_SECRET_BYTES, TokenAlgorithm, TokenKey};
use corkboard_core::time::{Clock as _, SystemClock};

use super::{with_control, workspace};
use crate::cli::{AppCommand, AppCreate, ConfigFile};
use crate::exit::{Failure, Outcome};
use crate::output;

pub(crate) fn run(config: &ConfigFile, command: AppCommand) -> Outcome {
    let AppCommand::Create(arguments) = command;
    workspace::check_name("the app's name", &arguments.name)?;
    let keys = keys(&arguments)?;
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

/// The keys that the command line names; everything that is wrong with them at once.
fn keys(arguments: &AppCreate) -> Outcome<Vec<TokenKey>> {
    let mut problems = Vec::new();
    let mut keys = Vec::new();
    let mut take = |key: Result<TokenKey, String>| match key {
        Ok(key) => keys.push(key),
        Err(problem) => problems.push(problem),
    };
    arguments
        .jwt_public_key
        .iter()
        .for_each(|file| take(public_key(file)));
    arguments
        .jwt_secret_file
        .iter()
        .for_each(|file| take(secret(file)));
    if arguments.jwt_public_key.len() > MAX_APP_KEYS {
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
