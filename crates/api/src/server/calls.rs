//! The connected-content call log.

use axum::Json;
use axum::extract::State;
use corkboard_core::id::CampaignId;
use corkboard_core::time::Timestamp;
use corkboard_store::control_store::{CallFilter, CallRow};
use serde::{Deserialize, Serialize};

use super::List;
use crate::extract::{ApiQuery, Caller, page, scope};
use crate::problem::{Code, Problem, ProblemDocument, Result};
use crate::state::ApiState;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CallParameters {
    /// Only calls to this host.
    host: Option<String>,
    /// Only calls with this status: an HTTP status, 0 (refused), 529 (held back), 598 (halted) or 599
    /// (no connection, time-out).
    status: Option<u16>,
    /// Only calls of this campaign.
    campaign_id: Option<String>,
    /// Only answers that came about so.
    outcome: Option<Outcome>,
    /// Only calls that did not end with a 2xx.
    #[serde(default)]
    failed: bool,
    /// Items a page, 1 to 250; 50 when absent.
    #[param(minimum = 1, maximum = 250)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// One call. Bodies and credentials are never kept.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Call)]
pub(crate) struct CallDocument {
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    #[schema(value_type = Option<String>)]
    campaign_id: Option<CampaignId>,
    method: String,
    url: String,
    host: String,
    status: u16,
    duration_ms: u32,
    /// The part of it that was spent waiting for leave to call.
    waited_ms: u32,
    bytes: u64,
    /// How the answer came about. `cache` and `shared` are recorded of previews only.
    #[schema(value_type = Outcome)]
    outcome: String,
    /// Which try this was, counted from 1.
    attempt: u32,
    problem: Option<String>,
}

/// How an answer came about.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CallOutcome)]
pub(crate) enum Outcome {
    /// A call of one's own.
    Network,
    /// Somebody else's call that was under way.
    Shared,
    /// The cache.
    Cache,
    /// The cache, too old but better than a failure.
    Stale,
    /// No call was made.
    Refused,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Shared => "shared",
            Self::Cache => "cache",
            Self::Stale => "stale",
            Self::Refused => "refused",
        }
    }
}

/// What to look for, as parameters say it.
pub(super) fn filter(
    host: Option<String>,
    status: Option<u16>,
    campaign_id: Option<&str>,
    outcome: Option<Outcome>,
    failed: bool,
) -> Result<CallFilter> {
    let campaign = campaign_id.map(str::parse::<CampaignId>).transpose();
    let campaign = campaign
        .map_err(|error| Problem::new(Code::MalformedRequest, format!("campaign_id: {error}")))?;
    Ok(CallFilter {
        host,
        status,
        campaign,
        outcome: outcome.map(|outcome| outcome.as_str().to_owned()),
        failed,
    })
}

impl From<CallRow> for CallDocument {
    fn from(row: CallRow) -> Self {
        Self {
            at: row.at,
            campaign_id: row.campaign,
            method: row.method,
            url: row.url,
            host: row.host,
            status: row.status,
            duration_ms: row.elapsed_ms,
            waited_ms: row.waited_ms,
            bytes: row.bytes,
            outcome: row.outcome,
            attempt: row.attempt,
            problem: row.problem,
        }
    }
}

/// Calls, newest first.
#[utoipa::path(
    get, path = "/v1/fetches", tag = "Connected content", params(CallParameters), security(("api_key" = [])),
    responses(
        (status = 200, description = "One page", body = List<CallDocument>),
        (status = 400, description = "Unreadable parameters", body = ProblemDocument),
    ),
)]
pub(crate) async fn list_fetches(
    State(state): State<ApiState>,
    caller: Caller<scope::FetchesRead>,
    ApiQuery(parameters): ApiQuery<CallParameters>,
) -> Result<Json<List<CallDocument>>> {
    let filter = filter(
        parameters.host,
        parameters.status,
        parameters.campaign_id.as_deref(),
        parameters.outcome,
        parameters.failed,
    )?;
    let page = page(parameters.limit, parameters.cursor)?;
    let calls = state
        .control
        .list_calls(caller.workspace, &filter, &page)
        .await?;
    Ok(Json(calls.into()))
}
