//! Launching: freezing a dispatch of a campaign that says itself whom it is for.

use std::time::Duration;

use corkboard_core::campaign::{Campaign, CampaignState, Delivery};
use corkboard_core::dispatch::{Cause, Dispatch, DispatchState, Shape};
use corkboard_core::id::{CampaignId, DispatchId, WorkspaceId};
use corkboard_core::time::Timestamp;
use corkboard_store::StoreError;
use corkboard_store::control_store::{ChunkWork, NewDispatch};
use corkboard_store::page::PageRequest;

use crate::error::{Result, SendError, WrongState};
use crate::freeze::frozen;
use crate::plan::{Plan, scan_chunks};
use crate::sender::Sender;

/// Attempts to store a dispatch while its campaign is being changed under our hands.
pub(crate) const RACES: usize = 5;

/// A stored dispatch and what it will do.
#[derive(Debug, Clone, PartialEq)]
pub struct Launched {
    pub dispatch: Dispatch,
    pub plan: Plan,
}

impl Sender {
    /// Launches a campaign, at once or at its time. Durable when it returns; repeating it with the
    /// same dispatch id returns the same dispatch.
    ///
    /// A campaign that is set off by API or by an event has nothing to launch: its dispatch is done
    /// at once.
    ///
    /// # Errors
    /// `NotFound`, `WrongState` and `Invalid` (an expiry that has passed, a template that does not
    /// compile) mean that nothing was stored.
    pub async fn launch(
        &self,
        workspace: WorkspaceId,
        campaign: CampaignId,
        dispatch: DispatchId,
    ) -> Result<Launched> {
        for _ in 0..RACES {
            if let Some(found) = self.earlier(workspace, campaign, dispatch).await? {
                return self.launched(found);
            }
            match self.try_launch(workspace, campaign, dispatch).await {
                // Somebody changed or launched it meanwhile: look again.
                Err(SendError::Store(StoreError::Stale { .. })) => {}
                Err(SendError::WrongState(state)) => {
                    // Perhaps because the same request came twice, and the other one was faster.
                    let found = self.earlier(workspace, campaign, dispatch).await?;
                    return self.launched(found.ok_or(state)?);
                }
                outcome => return outcome,
            }
        }
        Err(SendError::Store(StoreError::Stale { what: "campaign" }))
    }

    async fn try_launch(
        &self,
        workspace: WorkspaceId,
        campaign: CampaignId,
        dispatch: DispatchId,
    ) -> Result<Launched> {
        let campaign = self.campaign(workspace, campaign).await?;
        let _relaunching = match campaign.state {
            CampaignState::Draft => None,
            CampaignState::Active => Some(self.inner.relaunch.lock().await),
            CampaignState::Stopped => return Err(WrongState::CampaignStopped.into()),
        };
        let campaign = &*self.with_blocks(&campaign).await?;
        let (new, plan) = self.freeze(campaign, dispatch).await?;
        let (dispatch, fresh) = self
            .control()
            .insert_dispatch(new, &[campaign.state])
            .await?;
        if fresh {
            self.announce(&dispatch);
        }
        Ok(Launched { dispatch, plan })
    }

    /// The dispatch that an earlier attempt of the same request stored.
    pub(crate) async fn earlier(
        &self,
        workspace: WorkspaceId,
        campaign: CampaignId,
        dispatch: DispatchId,
    ) -> Result<Option<Dispatch>> {
        let found = self.control().find_dispatch(workspace, dispatch).await?;
        match found {
            Some(found) if found.campaign != campaign => {
                Err(SendError::Store(StoreError::Conflict {
                    what: "dispatch id",
                }))
            }
            found => Ok(found),
        }
    }

    fn launched(&self, dispatch: Dispatch) -> Result<Launched> {
        let compiled = self.compiled(
            dispatch.campaign,
            dispatch.campaign_version,
            &dispatch.definition,
        )?;
        let plan = Plan::of(&dispatch.definition, &compiled, dispatch.audience_estimate);
        Ok(Launched {
            plan: Plan {
                shape: dispatch.shape,
                ..plan
            },
            dispatch,
        })
    }

    /// What the campaign's dispatch would be, as of now.
    async fn freeze(&self, campaign: &Campaign, id: DispatchId) -> Result<(NewDispatch, Plan)> {
        let now = self.now();
        let definition = &campaign.definition;
        let Delivery::Launch { at } = definition.delivery else {
            return self.nothing_to_launch(campaign, id, now);
        };
        if campaign.state == CampaignState::Active && definition.reeligible_after_seconds.is_none()
        {
            return Err(WrongState::CampaignLaunched.into());
        }
        let planned_at = at.map_or(now, |at| at.max(now));
        let mut dispatch = frozen(campaign, id, Cause::Launch, planned_at, now)?;
        let plan = self.plan(campaign.workspace, campaign).await?;
        dispatch.shape = plan.shape;
        dispatch.audience_estimate = plan.audience_estimate;
        dispatch.occurrence = self.broadcast_occurrence(campaign, &dispatch).await?;
        let mut chunks = Vec::new();
        if planned_at > now {
            dispatch.state = DispatchState::Planned;
        } else {
            dispatch.started_at = Some(now);
            (dispatch.state, chunks) = beginning(&dispatch, plan.audience_estimate);
            dispatch.finished_at = (dispatch.state == DispatchState::Done).then_some(now);
        }
        Ok((NewDispatch { dispatch, chunks }, plan))
    }

    fn nothing_to_launch(
        &self,
        campaign: &Campaign,
        id: DispatchId,
        now: Timestamp,
    ) -> Result<(NewDispatch, Plan)> {
        let mut dispatch = frozen(campaign, id, Cause::Launch, now, now)?;
        let compiled = self.compiled(campaign.id, campaign.version, &campaign.definition)?;
        let plan = Plan::of(&campaign.definition, &compiled, 0);
        dispatch.shape = plan.shape;
        dispatch.state = DispatchState::Done;
        (dispatch.started_at, dispatch.finished_at) = (Some(now), Some(now));
        Ok((
            NewDispatch {
                dispatch,
                chunks: Vec::new(),
            },
            plan,
        ))
    }

    /// Which broadcast of its campaign this is. A broadcast leaves no receipts, so the time between
    /// two of them is checked here.
    async fn broadcast_occurrence(&self, campaign: &Campaign, dispatch: &Dispatch) -> Result<u32> {
        if dispatch.shape != Shape::Broadcast || campaign.state == CampaignState::Draft {
            return Ok(0);
        }
        let newest = PageRequest {
            limit: 1,
            after: None,
        };
        let page = self
            .control()
            .list_dispatches(campaign.workspace, campaign.id, &newest)
            .await?;
        let Some(last) = page.items.into_iter().next() else {
            return Ok(0);
        };
        let after = campaign
            .definition
            .reeligible_after_seconds
            .unwrap_or(u64::MAX);
        let until = last.planned_at.plus(Duration::from_secs(after));
        if dispatch.planned_at < until {
            return Err(WrongState::TooSoon { until }.into());
        }
        Ok(last.occurrence.saturating_add(1))
    }

    /// Tells whoever must act on a dispatch that has just been stored or started.
    pub(crate) fn announce(&self, dispatch: &Dispatch) {
        tracing::info!(
            workspace = %dispatch.workspace, campaign = %dispatch.campaign, dispatch = %dispatch.id,
            shape = dispatch.shape.as_str(), state = dispatch.state.as_str(),
            audience_estimate = dispatch.audience_estimate, "dispatch stored"
        );
        if dispatch.state == DispatchState::Planned {
            return;
        }
        if dispatch.is_read_by_feeds() {
            self.changes().workspace_changed(dispatch.workspace);
        } else {
            self.wake();
        }
    }
}

/// The state and the chunks with which a launch begins.
pub(crate) fn beginning(dispatch: &Dispatch, audience: u64) -> (DispatchState, Vec<ChunkWork>) {
    if dispatch.shape == Shape::Broadcast {
        (DispatchState::Done, Vec::new())
    } else if dispatch.is_read_by_feeds() {
        (DispatchState::Running, Vec::new())
    } else {
        (DispatchState::Running, scan_chunks(audience))
    }
}
