//! A card as one user would see it, with every fetch that went into it.

use axum::Json;
use axum::extract::State;
use corkboard_core::campaign::Invalid;
use corkboard_core::card::CardContent;
use corkboard_core::user::UserId;
use corkboard_feed::{Preview, PreviewRequest, PreviewUser};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::extract::{ApiJson, Caller, scope};
use crate::problem::{Problem, ProblemDocument, Result};
use crate::schema::{CardSchema, PreviewSchema};
use crate::state::ApiState;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewBody {
    #[schema(value_type = CardSchema)]
    card: CardContent,
    /// A tracked user (one nobody has tracked has no attributes, with a warning); or give `user`.
    #[schema(value_type = Option<String>)]
    user_id: Option<UserId>,
    /// Attributes of a made-up user.
    #[schema(value_type = Option<Object>)]
    user: Option<Map<String, Value>>,
    /// As a trigger would give them.
    #[serde(default)]
    #[schema(value_type = Object, required = false)]
    properties: Map<String, Value>,
}

/// Renders a card without storing anything. Fetches are real.
#[utoipa::path(
    post, path = "/v1/preview", tag = "Campaigns", request_body = PreviewBody, security(("api_key" = [])),
    responses(
        (status = 200, description = "The card, its fetches, size and warnings", body = PreviewSchema),
        (status = 422, description = "The card or its templates are invalid", body = ProblemDocument),
    ),
)]
pub(crate) async fn preview(
    State(state): State<ApiState>,
    caller: Caller<scope::CampaignsRead>,
    ApiJson(body): ApiJson<PreviewBody>,
) -> Result<Json<Preview>> {
    let user = match (body.user_id, body.user) {
        (Some(id), None) => PreviewUser::Stored(id),
        (None, Some(attributes)) => PreviewUser::Given(attributes),
        _ => {
            let message = "give either user_id or user";
            return Err(Problem::invalid(vec![Invalid::new("/user_id", message)]));
        }
    };
    let request = PreviewRequest {
        card: body.card,
        user,
        properties: body.properties,
    };
    Ok(Json(state.feeds.preview(caller.workspace, request).await?))
}
