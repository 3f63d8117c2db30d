//! What became of a campaign, in numbers and for one user.

use axum::Json;
use axum::extract::State;
use corkboard_core::id::CampaignId;
use corkboard_core::user::UserId;
use corkboard_feed::{Explanation, Stats};
use serde::Deserialize;

use crate::extract::{ApiPath, ApiQuery, Caller, ObjectPath, scope};
use crate::problem::{Code, Problem, ProblemDocument, Result};
use crate::schema::{ExplanationSchema, StatsSchema};
use crate::state::ApiState;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StatsParameters {
    /// `day`: also by UTC day.
    #[param(pattern = "^day$")]
    by: Option<String>,
}

/// Exact counts by variant.
#[utoipa::path(
    get, path = "/v1/campaigns/{id}/stats", tag = "Campaigns", security(("api_key" = [])),
    params(("id" = String, Path), StatsParameters),
    responses(
        (status = 200, description = "The counts", body = StatsSchema),
        (status = 404, description = "No such campaign in this workspace", body = ProblemDocument),
    ),
)]
pub(crate) async fn get_stats(
    State(state): State<ApiState>,
    caller: Caller<scope::CampaignsRead>,
    ApiPath(campaign): ApiPath<CampaignId>,
    ApiQuery(parameters): ApiQuery<StatsParameters>,
) -> Result<Json<Stats>> {
    let by_day = match parameters.by.as_deref() {
        None => false,
        Some("day") => true,
        Some(_) => return Err(Problem::new(Code::MalformedRequest, "by can only be 'day'")),
    };
    Ok(Json(
        state
            .feeds
            .stats(caller.workspace, campaign, by_day)
            .await?,
    ))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExplainParameters {
    #[param(min_length = 1, max_length = 256)]
    user_id: String,
    campaign_id: String,
}

/// Why a user has, or has not, a card of a campaign.
#[utoipa::path(
    get, path = "/v1/explain", tag = "Campaigns", params(ExplainParameters), security(("api_key" = [])),
    responses(
        (status = 200, description = "The reason", body = ExplanationSchema),
        (status = 404, description = "No such campaign in this workspace", body = ProblemDocument),
    ),
)]
pub(crate) async fn explain(
    State(state): State<ApiState>,
    caller: Caller<scope::CampaignsRead>,
    ApiQuery(parameters): ApiQuery<ExplainParameters>,
) -> Result<Json<Explanation>> {
    let user = UserId::parse(parameters.user_id)
        .map_err(|error| Problem::new(Code::MalformedRequest, format!("user_id: {error}")))?;
    let campaign: CampaignId = parameters
        .campaign_id
        .parse()
        .map_err(|_| CampaignId::absent())?;
    Ok(Json(
        state
            .feeds
            .explain(caller.workspace, &user, campaign)
            .await?,
    ))
}
