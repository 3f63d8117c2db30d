//! A user's cards, as support staff need to see them, and taking one away.

use axum::Json;
use axum::extract::State;
use corkboard_core::id::CardId;
use corkboard_core::user::UserId;
use corkboard_feed::InspectedCard;
use http::StatusCode;

use super::List;
use crate::extract::{ApiPath, Caller, scope};
use crate::problem::{Code, Problem, ProblemDocument, Result};
use crate::schema::InspectedCardSchema;
use crate::state::ApiState;

/// Every card of the user with its state: dismissed and removed ones, too, and those that expired
/// within the last day.
#[utoipa::path(
    get, path = "/v1/users/{user_id}/cards", tag = "Users", params(("user_id" = String, Path)), security(("api_key" = [])),
    responses((status = 200, description = "All of them: there is no next page", body = List<InspectedCardSchema>)),
)]
pub(crate) async fn list_user_cards(
    State(state): State<ApiState>,
    caller: Caller<scope::UsersRead>,
    ApiPath(user): ApiPath<UserId>,
) -> Result<Json<List<InspectedCard>>> {
    let data = state.feeds.user_cards(caller.workspace, &user).await?;
    Ok(Json(List {
        data,
        next_cursor: None,
    }))
}

/// Takes one card away from one user.
#[utoipa::path(
    delete, path = "/v1/users/{user_id}/cards/{card_id}", tag = "Users", security(("api_key" = [])),
    params(("user_id" = String, Path), ("card_id" = String, Path)),
    responses(
        (status = 204, description = "Gone from the user's feed"),
        (status = 404, description = "The user has no such card", body = ProblemDocument),
    ),
)]
pub(crate) async fn remove_user_card(
    State(state): State<ApiState>,
    caller: Caller<scope::CampaignsWrite>,
    ApiPath((user, card)): ApiPath<(UserId, CardId)>,
) -> Result<StatusCode> {
    if state
        .feeds
        .remove_card(caller.workspace, &user, card)
        .await?
    {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::new(Code::NotFound, "the user has no such card"))
    }
}
