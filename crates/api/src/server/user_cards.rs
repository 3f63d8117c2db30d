//! A user's cards, as support staff need to see them, and taking one away.

use std::str::FromStr as _;

use axum::Json;
use axum::extract::State;
use corkboard_core::id::CardId;
use corkboard_core::user::UserId;
use corkboard_feed::InspectedCard;
use corkboard_store::StoreError;
use corkboard_store::page::PageRequest;
use http::StatusCode;

use super::List;
use crate::extract::{ApiPath, ApiQuery, Caller, ObjectPath, PageQuery, scope};
use crate::problem::{ProblemDocument, Result};
use crate::schema::InspectedCardSchema;
use crate::state::ApiState;

/// Every card of the user with its state: dismissed and removed ones, too, and those that expired
/// within the last day.
#[utoipa::path(
    get, path = "/v1/users/{user_id}/cards", tag = "Users", params(("user_id" = String, Path), PageQuery), security(("api_key" = [])),
    responses((status = 200, description = "One page, newest first", body = List<InspectedCardSchema>)),
)]
pub(crate) async fn list_user_cards(
    State(state): State<ApiState>,
    caller: Caller<scope::UsersRead>,
    ApiPath(user): ApiPath<UserId>,
    ApiQuery(page): ApiQuery<PageQuery>,
) -> Result<Json<List<InspectedCard>>> {
    let page = page.request()?;
    let cards = state.feeds.user_cards(caller.workspace, &user).await?;
    cut(cards, &page).map(Json)
}

/// The page of `cards` that `page` asks for. A user's cards are few and known as a whole, so the
/// cursor is the id of the last card shown; one that has gone meanwhile cannot be gone on from.
fn cut(mut cards: Vec<InspectedCard>, page: &PageRequest) -> Result<List<InspectedCard>> {
    if let Some(cursor) = &page.after {
        let place = CardId::from_str(cursor)
            .ok()
            .and_then(|last| cards.iter().position(|card| card.id == last))
            .ok_or(StoreError::BadCursor)?;
        cards.drain(..=place);
    }
    let size = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = cards.len() > size;
    cards.truncate(size);
    let next_cursor = cards
        .last()
        .filter(|_| more)
        .map(|card| card.id.to_string());
    Ok(List {
        data: cards,
        next_cursor,
    })
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
        Err(<(UserId, CardId)>::absent())
    }
}
