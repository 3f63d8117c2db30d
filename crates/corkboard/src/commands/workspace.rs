//! `corkboard workspace`: tenants.

use corkboard_core::id::WorkspaceId;
use corkboard_core::tenancy::Workspace;
use corkboard_core::time::{Clock as _, SystemClock};
use corkboard_store::ControlStore;

use super::with_control;
use crate::cli::{ConfigFile, WorkspaceCommand};
use crate::exit::{Failure, Outcome};
use crate::output::{self, Table};

const LONGEST_NAME: usize = 128;

pub(crate) fn run(config: &ConfigFile, command: WorkspaceCommand) -> Outcome {
    match command {
        WorkspaceCommand::Create { name } => create(config, name),
        WorkspaceCommand::List { json } => list(config, json),
    }
}

fn create(config: &ConfigFile, name: String) -> Outcome {
    check_name("the workspace's name", &name)?;
    let now = SystemClock.now();
    let workspace = Workspace {
        id: WorkspaceId::generate(now),
        name,
        created_at: now,
    };
    with_control(config, async |control| {
        control.insert_workspace(&workspace).await?;
        Ok(output::field("workspace", &workspace.id.to_string())?)
    })
}

fn list(config: &ConfigFile, json: bool) -> Outcome {
    with_control(config, async |control| {
        let workspaces = control.list_workspaces().await?;
        if json {
            return Ok(output::json(&workspaces)?);
        }
        let mut table = Table::new(&["id", "name", "created"]);
        for workspace in workspaces {
            let id = workspace.id.to_string();
            table.row(vec![id, workspace.name, workspace.created_at.to_string()]);
        }
        Ok(table.print()?)
    })
}

/// A name that people give to something.
pub(super) fn check_name(what: &str, name: &str) -> Outcome {
    if (1..=LONGEST_NAME).contains(&name.len()) && !name.chars().any(char::is_control) {
        return Ok(());
    }
    let rule = format!("must be 1 to {LONGEST_NAME} bytes without control characters");
    Err(Failure::usage(format!("{what} {rule}")))
}

/// The workspace that `text` means: an id, otherwise a name.
pub(super) async fn find(control: &dyn ControlStore, text: &str) -> Outcome<Workspace> {
    let by_id = match text.parse() {
        Ok(id) => control.find_workspace(id).await?,
        Err(_) => None,
    };
    let found = match by_id {
        Some(workspace) => Some(workspace),
        None => control.find_workspace_by_name(text).await?,
    };
    found.ok_or_else(|| {
        Failure::usage(format!(
            "there is no workspace with the id or name '{text}'; see 'corkboard workspace list'"
        ))
    })
}
