//! How users stand to a campaign before anything is decided: receipts, and cards that are there.
//!
//! A receipt says that a card was promised, not that it is there: a store may claim it first, and a
//! crash may come between the two. So when a chunk is repeated, the cards themselves are looked for.
//! A campaign with one dispatch has no receipts: its chunks are not looked at unless repeated.

use std::collections::HashMap;

use corkboard_core::dispatch::Dispatch;
use corkboard_core::user::UserId;
use corkboard_store::card_store::{Eligibility, Receipt};
use corkboard_store::{CardStore, StoreError};

/// One user's past with a campaign. No entry: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    /// The latest card that was promised.
    pub(super) receipt: Option<Receipt>,
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
    let keeps_receipts = Eligibility::of(dispatch).keeps_receipts();
    if users.is_empty() {
        return Ok(HashMap::new());
    }
    let (workspace, campaign) = (dispatch.workspace, dispatch.campaign);
    let receipts = if keeps_receipts {
        let found = cards.campaign_receipts(workspace, campaign, &users);
        found.await?
    } else {
        vec![None; users.len()]
    };
    let have = if repeated {
        let found = cards.have_cards(workspace, dispatch.id, dispatch.cohort, &users);
        found.await?
    } else {
        vec![false; users.len()]
    };
    let standings = users.into_iter().zip(receipts.into_iter().zip(have));
    let standings = standings.filter(|(_, (receipt, has))| receipt.is_some() || *has);
    Ok(standings
        .map(|(user, (receipt, has_card))| (user, Standing { receipt, has_card }))
        .collect())
}
