//! How far a sending has come.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use corkboard_core::dispatch::{Cause, DispatchState, Shape, SkipReason};
use corkboard_core::id::{CampaignId, DispatchId};
use corkboard_core::time::Timestamp;
use serde::Serialize;

use crate::extract::{ApiPath, Caller, scope};
use crate::problem::{ProblemDocument, Result};
use crate::schema::{CauseName, DispatchStateName, ShapeName};
use crate::state::ApiState;

/// A dispatch and its counts: `targeted` is `written` plus everything in `skipped` once it is done.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Dispatch)]
pub(crate) struct DispatchDocument {
    #[schema(value_type = String)]
    id: DispatchId,
    #[schema(value_type = String)]
    campaign_id: CampaignId,
    #[schema(value_type = DispatchStateName)]
    state: DispatchState,
    #[schema(value_type = ShapeName)]
    shape: Shape,
    #[schema(value_type = CauseName)]
    cause: Cause,
    targeted: u64,
    written: u64,
    /// Users without a card, by reason.
    #[schema(value_type = std::collections::HashMap<String, u64>)]
    skipped: BTreeMap<SkipReason, u64>,
    audience_estimate: u64,
    /// Users handled a second since the start; null before there is anything to divide.
    per_second: Option<f64>,
    eta_seconds: Option<u64>,
    #[schema(value_type = String, format = DateTime)]
    planned_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
}

/// One dispatch.
#[utoipa::path(
    get, path = "/v1/dispatches/{id}", tag = "Campaigns", params(("id" = String, Path)), security(("api_key" = [])),
    responses(
        (status = 200, description = "The dispatch", body = DispatchDocument),
        (status = 404, description = "No such dispatch in this workspace", body = ProblemDocument),
    ),
)]
pub(crate) async fn get_dispatch(
    State(state): State<ApiState>,
    caller: Caller<scope::CampaignsRead>,
    ApiPath(id): ApiPath<DispatchId>,
) -> Result<Json<DispatchDocument>> {
    let report = state.sender.report(caller.workspace, id).await?;
    let dispatch = report.dispatch;
    Ok(Json(DispatchDocument {
        id: dispatch.id,
        campaign_id: dispatch.campaign,
        state: dispatch.state,
        shape: dispatch.shape,
        cause: dispatch.cause,
        targeted: report.tally.targeted,
        written: report.written,
        skipped: report.tally.skipped,
        audience_estimate: dispatch.audience_estimate,
        per_second: report.per_second,
        eta_seconds: report.eta_seconds,
        planned_at: dispatch.planned_at,
        started_at: dispatch.started_at,
        finished_at: dispatch.finished_at,
    }))
}
