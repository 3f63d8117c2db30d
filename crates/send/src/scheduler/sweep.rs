//! Ending what nobody works on: a campaign at first impression is in force until its cards would
//! have expired.

use std::time::Duration;

use corkboard_core::campaign::Creation;
use corkboard_core::dispatch::DispatchState;
use corkboard_core::id::WorkspaceId;

use crate::error::Result;
use crate::sender::Sender;

/// How long after its expiry a dispatch is still found, should every process have been down.
const LOOK_BACK: Duration = Duration::from_hours(30 * 24);

impl Sender {
    /// Finishes the dispatches at first impression whose cards would have expired. Feeds have
    /// stopped giving their cards at that time by themselves; this only says so.
    pub(super) async fn sweep(&self) -> Result<()> {
        for workspace in self.control().list_workspaces().await? {
            self.sweep_workspace(workspace.id).await?;
        }
        Ok(())
    }

    async fn sweep_workspace(&self, workspace: WorkspaceId) -> Result<()> {
        let now = self.now();
        let live = self
            .control()
            .live_set(workspace, now.minus(LOOK_BACK))
            .await?;
        let over = live
            .dispatches
            .iter()
            .map(|live| &live.dispatch)
            .filter(|dispatch| {
                dispatch.definition.creation == Creation::AtFirstImpression
                    && dispatch.state == DispatchState::Running
                    && dispatch.expires_at <= now
            });
        for dispatch in over {
            self.control()
                .finish_dispatch(dispatch.id, DispatchState::Done, now)
                .await?;
        }
        Ok(())
    }
}
