//! Cards on their way in and out of the store.

use std::sync::Arc;

use corkboard_core::card::{CardContent, Presentation};
use corkboard_core::cohort::Cohort;
use corkboard_core::id::{CampaignId, CardId, DispatchId, WorkspaceId};
use corkboard_core::identity::Occurrence;
use corkboard_core::slot::SlotRange;
use corkboard_core::state::CardState;
use corkboard_core::time::Timestamp;
use corkboard_core::user::UserId;

use super::eligibility::Eligibility;
use super::series::Durability;
use crate::error::{Result, StoreError};

/// Proof that the writer holds a chunk: a token that grows with every lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkFence {
    pub chunk: u32,
    pub token: u64,
    /// Nobody writes a card of the chunk to a user outside of these: databases that own none of them
    /// are not asked, and may be away.
    pub slots: SlotRange,
}

/// What all cards of a dispatch's variant have in common; stored once.
#[derive(Debug, Clone, PartialEq)]
pub struct SharedContent {
    /// Index into the definition's variants.
    pub variant: u8,
    pub presentation: Presentation,
    /// The content itself for pointer cards; absent when each card carries its own.
    pub content: Option<CardContent>,
}

/// One user's card on its way in.
#[derive(Debug, Clone, PartialEq)]
pub struct NewCard {
    pub user: UserId,
    /// The same in every attempt of a dispatch, as it is part of the card's key.
    pub variant: u8,
    pub expires_at: Timestamp,
    /// Rendered content; absent for a pointer card, whose content is shared.
    pub content: Option<CardContent>,
}

/// Cards of one dispatch, written together.
#[derive(Debug, Clone, PartialEq)]
pub struct CardBatch {
    pub workspace: WorkspaceId,
    pub campaign: CampaignId,
    pub dispatch: DispatchId,
    pub cohort: Cohort,
    /// The dispatch's `planned_at`: re-eligibility and tombstones compare with it.
    pub planned_at: Timestamp,
    pub eligibility: Eligibility,
    /// Absent for a card written at a user's first impression.
    pub fence: Option<ChunkFence>,
    pub durability: Durability,
    /// One per variant that `cards` mentions.
    pub shared: Vec<SharedContent>,
    pub cards: Vec<NewCard>,
}

impl CardBatch {
    /// A card whose content nobody has stored could never be read again.
    pub(crate) fn check_readable(&self) -> Result<()> {
        let readable = |card: &NewCard| {
            self.shared.iter().any(|shared| {
                shared.variant == card.variant
                    && (shared.content.is_some() || card.content.is_some())
            })
        };
        if self.cards.iter().all(readable) {
            return Ok(());
        }
        Err(StoreError::NotFound {
            what: "content for a card of the batch",
        })
    }
}

/// What became of one card of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowOutcome {
    Inserted(CardId),
    /// Written by an earlier attempt of the same dispatch, and counted then.
    Repeated(CardId),
    /// The campaign allows one card per user and the user has had it.
    AlreadyReceived,
    /// The user's last card is more recent than the campaign allows.
    NotYetReeligible,
    /// The user was erased after the dispatch was planned.
    Erased,
}

/// Proof that a user has had a card of a campaign that may have several dispatches; outlives the
/// card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    pub campaign: CampaignId,
    /// The dispatch that gave the latest card.
    pub dispatch: DispatchId,
    pub occurrence: Occurrence,
    /// `planned_at` of that dispatch.
    pub at: Timestamp,
}

/// A card as stored, with its state.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredCard {
    pub id: CardId,
    pub campaign: CampaignId,
    pub dispatch: DispatchId,
    pub variant: u8,
    pub cohort: Cohort,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub presentation: Arc<Presentation>,
    pub content: Arc<CardContent>,
    pub state: CardState,
}

/// Everything a feed needs to know about one user.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UserCards {
    /// Newest first.
    pub cards: Vec<StoredCard>,
    /// States of cards that have no row of their own: broadcasts.
    pub broadcast_states: Vec<(CardId, CardState)>,
}
