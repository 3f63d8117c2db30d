//! Fills a new demo, or completes one whose first start was interrupted. Every step may be repeated.

use std::path::Path;

use corkboard_core::campaign::CampaignState;
use corkboard_core::identity;
use corkboard_core::story::story;
use corkboard_core::tenancy::{ApiKey, App, Scope, TokenAlgorithm, TokenKey, Workspace};
use corkboard_core::time::{Clock as _, SystemClock, Timestamp};
use corkboard_store::ControlStore;

use super::files::Remembered;
use super::{campaigns, users};
use crate::exit::{Failure, Outcome};
use crate::node::Node;
use crate::progress;

/// Users of one transaction.
const BATCH: u32 = 500;

/// Makes sure that everything the demo promises is in the store.
pub(super) async fn complete(node: &Node, remembered: &mut Remembered, dir: &Path) -> Outcome {
    let known = node
        .stores
        .control
        .find_workspace(remembered.workspace)
        .await?
        .is_some();
    if remembered.seeded && known {
        return Ok(());
    }
    let now = SystemClock.now();
    tenancy(&*node.stores.control, remembered, now).await?;
    insert_users(node, remembered, now).await?;
    start_campaigns(node, remembered, now).await?;
    remembered.seeded = true;
    remembered.save(dir)
}

async fn tenancy(control: &dyn ControlStore, remembered: &Remembered, now: Timestamp) -> Outcome {
    let workspace = remembered.workspace;
    if control.find_workspace(workspace).await?.is_none() {
        let name = "demo".to_owned();
        control
            .insert_workspace(&Workspace {
                id: workspace,
                name,
                created_at: now,
            })
            .await?;
    }
    if control.find_app(remembered.app).await?.is_none() {
        let material = remembered.secret()?;
        let app = App {
            id: remembered.app,
            workspace,
            name: "demo app".to_owned(),
            keys: vec![TokenKey {
                algorithm: TokenAlgorithm::Hs256,
                material,
            }],
            created_at: now,
        };
        control.insert_app(&app).await?;
    }
    let secret = remembered.key()?;
    if control.find_api_key(secret.id()).await?.is_none() {
        let key = ApiKey {
            id: secret.id(),
            workspace,
            secret_hash: secret.hash(),
            scopes: Scope::ALL.to_vec(),
            created_at: now,
            revoked_at: None,
        };
        control.insert_api_key(&key).await?;
    }
    Ok(())
}

async fn insert_users(node: &Node, remembered: &Remembered, now: Timestamp) -> Outcome {
    let bar = progress::bar("sample users", users::COUNT.into());
    for first in (1..=users::COUNT).step_by(BATCH as usize) {
        let last = (first + BATCH - 1).min(users::COUNT);
        let batch = (first..=last)
            .map(|number| users::user(number, now))
            .collect::<Outcome<_>>()?;
        node.stores
            .cards
            .change_attributes(remembered.workspace, batch, now)
            .await?;
        bar.set_position(last.into());
    }
    bar.finish_and_clear();
    tracing::info!(users = users::COUNT, "sample users are in");
    Ok(())
}

async fn start_campaigns(node: &Node, remembered: &Remembered, now: Timestamp) -> Outcome {
    let workspace = remembered.workspace;
    let port = remembered.endpoint_port;
    for campaign in campaigns::all(workspace, remembered.campaigns, port, now)? {
        if let Some(problem) = node.sender.check(&campaign.definition).first() {
            let name = &campaign.definition.name;
            let (path, message) = (&problem.path, &problem.message);
            return Err(Failure::Internal(format!(
                "sample campaign {name}: {path} {message}"
            )));
        }
        let (stored, _) = node.stores.control.insert_campaign(&campaign).await?;
        if stored.state == CampaignState::Draft {
            let dispatch = identity::from_request(workspace, "demo", &stored.id.to_string());
            let launched = node.sender.launch(workspace, stored.id, dispatch).await;
            launched.map_err(|error| Failure::Internal(story(&error)))?;
        }
        tracing::info!(
            campaign = stored.definition.name,
            "sample campaign is running"
        );
    }
    Ok(())
}
