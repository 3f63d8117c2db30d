//! Short numbers that stand for long ids in rows that are many: workspaces and campaigns.
//!
//! A number never changes, so each is asked for once.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use corkboard_core::id::{CampaignId, WorkspaceId};
use tokio_postgres::Row;

use crate::error::Result;
use crate::postgres::session::Session;
use crate::postgres::statement::Statement;
use crate::postgres::values::{Uuid, get};

/// Most numbers remembered of each kind; then all are forgotten and asked for again.
const MOST: usize = 65_536;

pub(super) const WORKSPACE: Statement = Statement::new(
    "number of workspace",
    "SELECT workspace_no AS no FROM workspace_number WHERE workspace = $1",
);
const NEW_WORKSPACE: Statement = Statement::new(
    "number workspace",
    "INSERT INTO workspace_number (workspace) VALUES ($1) ON CONFLICT DO NOTHING",
);
pub(super) const CAMPAIGN: Statement = Statement::new(
    "number of campaign",
    "SELECT campaign_no AS no, quarter FROM campaign_number WHERE workspace = $1 AND campaign = $2",
);
const NEW_CAMPAIGN: Statement = Statement::new(
    "number campaign",
    "INSERT INTO campaign_number (workspace, campaign) VALUES ($1, $2) ON CONFLICT DO NOTHING",
);

/// A campaign, as rows name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CampaignNo {
    pub(super) no: i32,
    /// In which it got the number; where its receipts are.
    pub(super) quarter: i16,
}

/// The numbers that this process has seen.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    workspaces: Mutex<HashMap<WorkspaceId, i32>>,
    campaigns: Mutex<HashMap<(WorkspaceId, CampaignId), CampaignNo>>,
}

impl Numbers {
    /// A workspace's number; `None` when it has never had a user.
    pub(super) async fn known_workspace(
        &self,
        session: &Session,
        workspace: WorkspaceId,
    ) -> Result<Option<i32>> {
        if let Some(no) = lock(&self.workspaces).get(&workspace) {
            return Ok(Some(*no));
        }
        let row = session.first(&WORKSPACE, &[&Uuid::of(workspace)]).await?;
        let no: Option<i32> = row.map(|row| get(&row, "no")).transpose()?;
        if let Some(no) = no {
            remember(&self.workspaces, workspace, no);
        }
        Ok(no)
    }

    /// A workspace's number, given now if need be. Not within a transaction that may be undone.
    pub(super) async fn workspace(&self, session: &Session, workspace: WorkspaceId) -> Result<i32> {
        loop {
            if let Some(no) = self.known_workspace(session, workspace).await? {
                return Ok(no);
            }
            session
                .change(&NEW_WORKSPACE, &[&Uuid::of(workspace)])
                .await?;
        }
    }

    /// A campaign's number; `None` when nothing has been stored about it.
    pub(super) async fn known_campaign(
        &self,
        session: &Session,
        workspace: WorkspaceId,
        campaign: CampaignId,
    ) -> Result<Option<CampaignNo>> {
        let key = (workspace, campaign);
        if let Some(no) = lock(&self.campaigns).get(&key) {
            return Ok(Some(*no));
        }
        let params = (Uuid::of(workspace), Uuid::of(campaign));
        let row = session.first(&CAMPAIGN, &[&params.0, &params.1]).await?;
        let read = |row: &Row| -> Result<CampaignNo> {
            Ok(CampaignNo {
                no: get(row, "no")?,
                quarter: get(row, "quarter")?,
            })
        };
        let no = row.as_ref().map(read).transpose()?;
        if let Some(no) = no {
            remember(&self.campaigns, key, no);
        }
        Ok(no)
    }

    /// A campaign's number, given now if need be. Not within a transaction that may be undone.
    pub(super) async fn campaign(
        &self,
        session: &Session,
        workspace: WorkspaceId,
        campaign: CampaignId,
    ) -> Result<CampaignNo> {
        loop {
            let known = self.known_campaign(session, workspace, campaign);
            if let Some(no) = known.await? {
                return Ok(no);
            }
            let params = (Uuid::of(workspace), Uuid::of(campaign));
            session
                .change(&NEW_CAMPAIGN, &[&params.0, &params.1])
                .await?;
        }
    }
}

fn remember<K: std::hash::Hash + Eq, N>(numbers: &Mutex<HashMap<K, N>>, key: K, no: N) {
    let mut numbers = lock(numbers);
    if numbers.len() >= MOST {
        numbers.clear();
    }
    numbers.insert(key, no);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A map of numbers is whole whatever the holder did.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
