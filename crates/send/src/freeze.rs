//! Freezing: everything that decides what a dispatch writes is copied into it when it is stored.

use corkboard_core::campaign::{Campaign, Invalid};
use corkboard_core::cohort::Cohort;
use corkboard_core::dispatch::{Cause, Dispatch, DispatchState, Shape};
use corkboard_core::id::DispatchId;
use corkboard_core::time::Timestamp;
use serde_json::Map;

use crate::error::SendError;

/// A dispatch of the campaign's present version, running, of the dearest shape, for nobody yet.
/// Expiry and cohort follow from `planned_at`, so a retry at another hour arrives at the same ones.
///
/// # Errors
/// `Invalid` when the cards would have expired, or would live too long.
pub(crate) fn frozen(
    campaign: &Campaign,
    id: DispatchId,
    cause: Cause,
    planned_at: Timestamp,
    now: Timestamp,
) -> Result<Dispatch, SendError> {
    let expiry = &campaign.definition.expiry;
    if let Some(problem) = expiry.problem(planned_at) {
        return Err(SendError::Invalid(vec![Invalid::new("/expiry", problem)]));
    }
    let expires_at = expiry.latest(planned_at);
    Ok(Dispatch {
        id,
        workspace: campaign.workspace,
        campaign: campaign.id,
        campaign_version: campaign.version,
        definition: campaign.definition.clone(),
        cause,
        shape: Shape::Personal,
        state: DispatchState::Running,
        planned_at,
        expires_at,
        cohort: Cohort::of(planned_at, expires_at),
        occurrence: 0,
        audience_estimate: 0,
        properties: Map::new(),
        created_at: now,
        started_at: None,
        finished_at: None,
    })
}
