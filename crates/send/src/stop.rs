//! Stopping a campaign: no more cards, and on request none of those that were given.

use corkboard_core::id::{CampaignId, WorkspaceId};
use corkboard_store::control_store::StopOutcome;

use crate::error::Result;
use crate::sender::Sender;

impl Sender {
    /// Stops a campaign and its dispatches; with `remove_cards` its cards are in no feed from now
    /// on. Workers notice within a second; what they write until then is in no feed either when the
    /// cards were taken back. Repeating it is harmless.
    ///
    /// # Errors
    /// `NotFound` when there is no such campaign in the workspace.
    pub async fn stop(
        &self,
        workspace: WorkspaceId,
        campaign: CampaignId,
        remove_cards: bool,
    ) -> Result<StopOutcome> {
        let now = self.now();
        let outcome = self
            .control()
            .stop_campaign(workspace, campaign, remove_cards, now)
            .await?;
        tracing::info!(
            %workspace, %campaign, remove_cards,
            stopped_dispatches = outcome.stopped_dispatches, "campaign stopped"
        );
        self.changes().workspace_changed(workspace);
        Ok(outcome)
    }
}
