//! One user: what is known, and erasing it.

use axum::Json;
use axum::extract::State;
use corkboard_core::user::{User, UserId};
use http::StatusCode;

use crate::extract::{ApiPath, Caller, ObjectPath, scope};
use crate::problem::{ProblemDocument, Result};
use crate::schema::UserSchema;
use crate::state::ApiState;

/// A user's attributes and a summary of their events.
#[utoipa::path(
    get, path = "/v1/users/{user_id}", tag = "Users", params(("user_id" = String, Path)), security(("api_key" = [])),
    responses(
        (status = 200, description = "The user", body = UserSchema),
        (status = 404, description = "No such user in this workspace", body = ProblemDocument),
    ),
)]
pub(crate) async fn get_user(
    State(state): State<ApiState>,
    caller: Caller<scope::UsersRead>,
    ApiPath(user): ApiPath<UserId>,
) -> Result<Json<User>> {
    let user = state
        .cards
        .find_user(caller.workspace, &user)
        .await?
        .ok_or_else(UserId::absent)?;
    Ok(Json(user))
}

/// Erases a user everywhere: attributes, events, cards and what they did with them.
#[utoipa::path(
    delete, path = "/v1/users/{user_id}", tag = "Users", params(("user_id" = String, Path)), security(("api_key" = [])),
    responses(
        (status = 204, description = "Erased"),
        (status = 404, description = "No such user in this workspace", body = ProblemDocument),
    ),
)]
pub(crate) async fn erase_user(
    State(state): State<ApiState>,
    caller: Caller<scope::UsersWrite>,
    ApiPath(user): ApiPath<UserId>,
) -> Result<StatusCode> {
    let now = state.clock.now();
    let existed = state.cards.erase_user(caller.workspace, &user, now).await?;
    if existed {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(UserId::absent())
    }
}
