//! Dispatches and the chunks they are cut into.

use std::time::Duration;

use corkboard_core::dispatch::{Dispatch, DispatchState, Recipient, Tally};
use corkboard_core::id::{DispatchId, WorkspaceId};
use corkboard_core::slot::{Slot, SlotRange};
use corkboard_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::card_store::ScanPosition;

/// A dispatch to be stored, with its chunks.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDispatch {
    pub dispatch: Dispatch,
    /// Empty for a planned dispatch, a broadcast, and one at first impression.
    pub chunks: Vec<ChunkWork>,
}

/// What one chunk covers. Stored as JSON with a `kind` tag, so that old rows stay readable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ChunkWork {
    /// The matching users of a slot range, page by page.
    Scan { slots: SlotRange },
    /// Named recipients, at most 1,000.
    Recipients { recipients: Vec<Recipient> },
}

impl ChunkWork {
    /// Slots outside of which nobody gets a card of it.
    #[must_use]
    pub fn slots(&self, workspace: WorkspaceId) -> SlotRange {
        match self {
            Self::Scan { slots } => *slots,
            Self::Recipients { recipients } => {
                let slots = || {
                    let users = recipients.iter().map(|recipient| &recipient.user_id);
                    users.map(|user| Slot::of(workspace, user))
                };
                match (slots().min(), slots().max()) {
                    (Some(first), Some(last)) => SlotRange { first, last },
                    _ => SlotRange::ALL,
                }
            }
        }
    }
}

/// The state of a dispatch whose time has come. One without chunks is done at once, unless it stays
/// in force.
pub(crate) fn state_at_start(work: &[ChunkWork], in_force: bool) -> DispatchState {
    if work.is_empty() && !in_force {
        DispatchState::Done
    } else {
        DispatchState::Running
    }
}

/// What a worker asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRequest {
    /// Who asks, for the operator's eyes.
    pub worker: String,
    pub now: Timestamp,
    pub lease: Duration,
    /// Dispatches whose chunks it has enough of, and leaves to others. A few.
    pub except: Vec<DispatchId>,
}

/// A leased chunk.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedChunk {
    pub dispatch: Dispatch,
    /// Number within the dispatch.
    pub chunk: u32,
    /// Grows with every claim of any chunk.
    pub token: u64,
    pub work: ChunkWork,
    /// Where an earlier holder left off.
    pub position: Option<ScanPosition>,
    /// Claims so far without progress, this one included.
    pub attempt: u32,
}

/// How far a dispatch has come, apart from what is counted where cards are written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DispatchProgress {
    pub tally: Tally,
    pub chunks: u32,
    pub chunks_left: u32,
}

/// What stopping did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopOutcome {
    /// Dispatches that were planned or running.
    pub stopped_dispatches: u32,
    /// Whether this call was the one that took the cards back.
    pub newly_cancelled: bool,
}
