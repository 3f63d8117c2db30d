//! Dispatches: one frozen sending of a campaign, and how far it has come.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::campaign::{CampaignDefinition, Creation};
use crate::cohort::Cohort;
use crate::id::{CampaignId, DispatchId, WorkspaceId};
use crate::time::Timestamp;
use crate::user::UserId;

/// What a dispatch writes, from cheap to dear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// One row for everybody; feeds compose it when they are read.
    Broadcast,
    /// A small row per user that points at content stored once.
    Pointer,
    /// A row per user that carries its rendered content.
    Personal,
}

impl Shape {
    /// As in JSON and SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Broadcast => "broadcast",
            Self::Pointer => "pointer",
            Self::Personal => "personal",
        }
    }
}

/// What set a dispatch off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    Launch,
    Trigger,
    Event,
}

impl Cause {
    /// As in JSON and SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Launch => "launch",
            Self::Trigger => "trigger",
            Self::Event => "event",
        }
    }
}

/// Where a dispatch is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DispatchState {
    /// Waiting for its time.
    Planned,
    /// Being worked on; for a campaign at first impression: in force.
    Running,
    Done,
    Stopped,
    Failed,
}

impl DispatchState {
    /// As in JSON and SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Running => "running",
            Self::Done => "done",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing can happen any more.
    #[must_use]
    pub fn is_over(self) -> bool {
        match self {
            Self::Planned | Self::Running => false,
            Self::Done | Self::Stopped | Self::Failed => true,
        }
    }
}

/// Why a targeted user got no card. The names are stable: they are shown in `skipped`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// Has had a card of this campaign, which allows only one.
    AlreadyReceived,
    /// Has had a card too recently.
    NotYetReeligible,
    /// Named in a trigger, but not in the campaign's audience.
    NotInAudience,
    /// The template called `abort_message`.
    Aborted,
    /// A fetch that the template asked to be retried went on failing.
    FetchFailed,
    /// The template failed for this user.
    RenderFailed,
    /// The rendered card is larger than a card may be.
    CardTooLarge,
    /// The card would have expired before it was written.
    Expired,
    /// The user was erased after the dispatch was planned.
    Erased,
}

/// Counts of one dispatch or a part of one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Users looked at for whom a card was wanted.
    pub targeted: u64,
    pub skipped: BTreeMap<SkipReason, u64>,
}

impl Tally {
    /// Counts one skipped user.
    pub fn skip(&mut self, reason: SkipReason) {
        *self.skipped.entry(reason).or_default() += 1;
    }

    /// Adds another part's counts.
    pub fn add(&mut self, other: &Self) {
        self.targeted += other.targeted;
        for (reason, count) in &other.skipped {
            *self.skipped.entry(*reason).or_default() += count;
        }
    }
}

/// A dispatch as stored. Everything that decides what is written is frozen in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dispatch {
    pub id: DispatchId,
    pub workspace: WorkspaceId,
    pub campaign: CampaignId,
    pub campaign_version: u32,
    pub definition: CampaignDefinition,
    pub cause: Cause,
    pub shape: Shape,
    pub state: DispatchState,
    /// The time that expiry and re-eligibility count from; in the future while `Planned`.
    pub planned_at: Timestamp,
    /// The latest expiry of any of its cards.
    pub expires_at: Timestamp,
    pub cohort: Cohort,
    /// Which broadcast of the campaign this is; 0 for other shapes.
    pub occurrence: u32,
    /// Users the audience was estimated to have when planned.
    pub audience_estimate: u64,
    /// Properties given with a trigger, for all recipients.
    pub properties: Map<String, Value>,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
}

impl Dispatch {
    /// Whether it takes effect when a feed is read, instead of being worked off.
    #[must_use]
    pub fn is_read_by_feeds(&self) -> bool {
        self.shape == Shape::Broadcast || self.definition.creation == Creation::AtFirstImpression
    }
}

/// A recipient named by a trigger or an event, with properties of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipient {
    pub user_id: UserId,
    #[serde(default)]
    pub properties: Map<String, Value>,
}
