//! Setting campaigns off and stopping them.

use axum::extract::State;
use axum::{Extension, Json};
use corkboard_core::campaign::Invalid;
use corkboard_core::dispatch::{Recipient, Shape};
use corkboard_core::id::{CampaignId, DispatchId};
use corkboard_core::user::are_storable;
use corkboard_send::HostCalls;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::new_id;
use crate::extract::{ApiJson, ApiPath, Caller, scope};
use crate::idempotency::RequestKey;
use crate::problem::{Problem, ProblemDocument, Result};
use crate::schema::{RecipientSchema, ShapeName};
use crate::state::ApiState;

/// Most recipients of one trigger.
const MAX_RECIPIENTS: usize = 1_000;
/// Largest set of properties, of the trigger or of one recipient, in bytes of JSON.
const MAX_PROPERTIES: usize = 50 * 1024;

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct LaunchReply {
    #[schema(value_type = String)]
    dispatch_id: DispatchId,
    plan: PlanDocument,
}

/// What a launch is going to do.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Plan)]
pub(crate) struct PlanDocument {
    #[schema(value_type = ShapeName)]
    shape: Shape,
    /// Users in the audience now.
    audience_estimate: u64,
    /// Connected-content calls, before caching.
    fetches_estimate: u64,
    /// Hosts that will be called; `dynamic` where the template decides per user.
    hosts: Vec<String>,
    /// What each host will be asked; absent when nothing is fetched. No host is asked for this.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    calls: Vec<HostCallsDocument>,
    /// How many users of the audience `calls` was estimated on.
    #[serde(skip_serializing_if = "Option::is_none")]
    sample: Option<u64>,
}

/// What one host will be asked, as far as the first fetch of each text tells.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = HostCalls)]
pub(crate) struct HostCallsDocument {
    host: String,
    /// Requests of templates.
    calls: u64,
    /// Of them, those that the cache will absorb.
    cached: u64,
    /// How long the rest takes at the cap on calls per second; null without a cap.
    seconds: Option<u64>,
}

impl From<HostCalls> for HostCallsDocument {
    fn from(of: HostCalls) -> Self {
        Self {
            host: of.host,
            calls: of.calls,
            cached: of.cached,
            seconds: of.seconds,
        }
    }
}

/// Launches a campaign, now or at its time. The work goes on after the reply.
#[utoipa::path(
    post, path = "/v1/campaigns/{id}/launch", tag = "Campaigns", params(("id" = String, Path)), security(("api_key" = [])),
    responses(
        (status = 202, description = "Durably planned", body = LaunchReply),
        (status = 404, description = "No such campaign in this workspace", body = ProblemDocument),
        (status = 409, description = "Launched already, or stopped", body = ProblemDocument),
    ),
)]
pub(crate) async fn launch_campaign(
    State(state): State<ApiState>,
    caller: Caller<scope::CampaignsLaunch>,
    key: Option<Extension<RequestKey>>,
    ApiPath(campaign): ApiPath<CampaignId>,
) -> Result<(StatusCode, Json<LaunchReply>)> {
    let operation = format!("launch {campaign}");
    let now = state.clock.now();
    let dispatch = new_id(
        caller.workspace,
        &operation,
        key.as_deref(),
        DispatchId::generate,
        now,
    );
    let launched = state
        .sender
        .launch(caller.workspace, campaign, dispatch)
        .await?;
    let reply = LaunchReply {
        dispatch_id: launched.dispatch.id,
        plan: PlanDocument {
            shape: launched.plan.shape,
            audience_estimate: launched.plan.audience_estimate,
            fetches_estimate: launched.plan.fetches_estimate,
            hosts: launched.plan.hosts,
            sample: (!launched.plan.calls.is_empty()).then_some(launched.plan.sample),
            calls: launched.plan.calls.into_iter().map(Into::into).collect(),
        },
    };
    Ok((StatusCode::ACCEPTED, Json(reply)))
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TriggerBody {
    /// 1 to 1,000.
    #[schema(value_type = Vec<RecipientSchema>, min_items = 1, max_items = 1000)]
    recipients: Vec<RecipientBody>,
    /// For all recipients; a recipient's own properties come before these.
    #[serde(default)]
    #[schema(value_type = Object, required = false)]
    properties: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecipientBody {
    user_id: corkboard_core::user::UserId,
    #[serde(default)]
    properties: Map<String, Value>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct TriggerReply {
    #[schema(value_type = String)]
    dispatch_id: DispatchId,
}

/// Sends an API-triggered campaign to the named users.
#[utoipa::path(
    post, path = "/v1/campaigns/{id}/trigger", tag = "Campaigns", params(("id" = String, Path)),
    request_body = TriggerBody, security(("api_key" = [])),
    responses(
        (status = 202, description = "Durably accepted", body = TriggerReply),
        (status = 404, description = "No such campaign in this workspace", body = ProblemDocument),
        (status = 409, description = "Stopped, or not triggered by API", body = ProblemDocument),
        (status = 422, description = "Every invalid field", body = ProblemDocument),
    ),
)]
pub(crate) async fn trigger_campaign(
    State(state): State<ApiState>,
    caller: Caller<scope::CampaignsTrigger>,
    key: Option<Extension<RequestKey>>,
    ApiPath(campaign): ApiPath<CampaignId>,
    ApiJson(body): ApiJson<TriggerBody>,
) -> Result<(StatusCode, Json<TriggerReply>)> {
    let problems = trigger_problems(&body);
    if !problems.is_empty() {
        return Err(Problem::invalid(problems));
    }
    let operation = format!("trigger {campaign}");
    let now = state.clock.now();
    let dispatch = new_id(
        caller.workspace,
        &operation,
        key.as_deref(),
        DispatchId::generate,
        now,
    );
    let recipients = body
        .recipients
        .into_iter()
        .map(|recipient| Recipient {
            user_id: recipient.user_id,
            properties: recipient.properties,
        })
        .collect();
    let dispatch = state
        .sender
        .trigger(
            caller.workspace,
            campaign,
            dispatch,
            recipients,
            body.properties,
        )
        .await?;
    Ok((
        StatusCode::ACCEPTED,
        Json(TriggerReply {
            dispatch_id: dispatch.id,
        }),
    ))
}

fn trigger_problems(body: &TriggerBody) -> Vec<Invalid> {
    let mut problems = Vec::new();
    if !(1..=MAX_RECIPIENTS).contains(&body.recipients.len()) {
        problems.push(Invalid::new(
            "/recipients",
            format!("must be 1 to {MAX_RECIPIENTS} users"),
        ));
    }
    let too_large = |properties: &Map<String, Value>| {
        serde_json::to_vec(properties).map_or(0, |json| json.len()) > MAX_PROPERTIES
    };
    let own = body.recipients.iter().enumerate();
    let all = own
        .map(|(place, one)| (format!("/recipients/{place}/properties"), &one.properties))
        .chain([("/properties".to_owned(), &body.properties)]);
    for (path, properties) in all {
        if too_large(properties) {
            problems.push(Invalid::new(path, "must be at most 50 KiB of JSON"));
        } else if !are_storable(properties) {
            problems.push(Invalid::new(path, "contains a NUL character"));
        }
    }
    problems
}

#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StopBody {
    /// Also take the campaign's cards out of every feed.
    #[serde(default)]
    remove_cards: bool,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct StopReply {
    /// Dispatches that were planned or running.
    stopped_dispatches: u32,
}

/// Stops a campaign for good. Repeating is harmless.
#[utoipa::path(
    post, path = "/v1/campaigns/{id}/stop", tag = "Campaigns", params(("id" = String, Path)),
    request_body = Option<StopBody>, security(("api_key" = [])),
    responses(
        (status = 200, description = "Stopped", body = StopReply),
        (status = 404, description = "No such campaign in this workspace", body = ProblemDocument),
    ),
)]
pub(crate) async fn stop_campaign(
    State(state): State<ApiState>,
    caller: Caller<scope::CampaignsLaunch>,
    ApiPath(campaign): ApiPath<CampaignId>,
    body: Option<ApiJson<StopBody>>,
) -> Result<Json<StopReply>> {
    let body = body.map(|ApiJson(body)| body).unwrap_or_default();
    let outcome = state
        .sender
        .stop(caller.workspace, campaign, body.remove_cards)
        .await?;
    Ok(Json(StopReply {
        stopped_dispatches: outcome.stopped_dispatches,
    }))
}
