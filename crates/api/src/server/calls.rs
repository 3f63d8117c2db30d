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
    /// Only calls with this status: an HTTP status, 0 (refused) or 599 (no connection, time-out).
    status: Option<u16>,
    /// Only calls of this campaign.
    campaign_id: Option<String>,
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
    bytes: u64,
    /// `network`, `shared`, `cache` or `refused`.
    source: String,
    problem: Option<String>,
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
            bytes: row.bytes,
            source: row.source,
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
    let campaign = match parameters.campaign_id {
        None => None,
        Some(text) => Some(text.parse::<CampaignId>().map_err(|error| {
            Problem::new(Code::MalformedRequest, format!("campaign_id: {error}"))
        })?),
    };
    let filter = CallFilter {
        host: parameters.host,
        status: parameters.status,
        campaign,
    };
    let page = page(parameters.limit, parameters.cursor)?;
    let calls = state
        .control
        .list_calls(caller.workspace, &filter, &page)
        .await?;
    let data = calls.items.into_iter().map(Into::into).collect();
    Ok(Json(List {
        data,
        next_cursor: calls.next,
    }))
}
