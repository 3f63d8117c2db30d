//! How users stand to a campaign before anything is decided: receipts, and cards that are there.
//!
//! A receipt says that a card was promised, not that it is there: the store claims it first, and a
//! crash may come between the two. So when a chunk is repeated, the cards themselves are looked for.

use std::collections::HashMap;

use corkboard_core::dispatch::Dispatch;
use corkboard_core::time::Timestamp;
use corkboard_core::user::UserId;
use corkboard_store::card_store::Receipt;
use corkboard_store::{CardStore, StoreError};
use futures_util::{StreamExt, TryStreamExt, stream};

/// Users whose cards are looked through at a time.
const LOOKS_AT_ONCE: usize = 8;
/// More cards than a user can have of the dispatches that are being sent at one time.
const MOST_CARDS: usize = 1_000;

/// One user's past with a campaign. No entry: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    /// The latest card that was promised.
    pub(super) receipt: Receipt,
    /// Whether this very dispatch's card is there. Only ever so when a chunk is repeated.
    pub(super) has_card: bool,
}

/// How these users stand to the dispatch's campaign. `repeated`: whether anybody may have written
/// cards of this chunk before.
pub(super) async fn look_up(
    cards: &dyn CardStore,
    dispatch: &Dispatch,
    users: Vec<UserId>,
    repeated: bool,
) -> Result<HashMap<UserId, Standing>, StoreError> {
    if users.is_empty() {
        return Ok(HashMap::new());
    }
    let found = cards
        .campaign_receipts(dispatch.workspace, dispatch.campaign, &users)
        .await?;
    let received = users
        .into_iter()
        .zip(found)
        .filter_map(|(user, receipt)| Some((user, receipt?)));
    let looks = received.map(|(user, receipt)| async move {
        let has_card = repeated && has_card(cards, dispatch, &user).await?;
        Ok((user, Standing { receipt, has_card }))
    });
    stream::iter(looks)
        .buffer_unordered(LOOKS_AT_ONCE)
        .try_collect()
        .await
}

async fn has_card(
    cards: &dyn CardStore,
    dispatch: &Dispatch,
    user: &UserId,
) -> Result<bool, StoreError> {
    // As of the beginning of time, so that a card that has expired meanwhile is found, too.
    let since = Timestamp::EPOCH;
    let found = cards
        .user_cards(dispatch.workspace, user, since, MOST_CARDS)
        .await?;
    Ok(found.cards.iter().any(|card| card.dispatch == dispatch.id))
}
