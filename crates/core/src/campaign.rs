//! Campaigns: what to say to whom, when, for how long, in which variants.

mod delivery;
mod validate;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use delivery::Delivery;
pub use validate::{Invalid, MAX_VARIANTS};

use crate::audience::Audience;
use crate::card::{CardContent, CardType, Presentation};
use crate::expiry::Expiry;
use crate::id::{CampaignId, WorkspaceId};
use crate::time::Timestamp;

/// A campaign as its author writes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CampaignDefinition {
    pub name: String,
    #[serde(default = "main_feed")]
    pub feed: String,
    /// Higher comes first, after pinned cards.
    #[serde(default)]
    pub priority: i32,
    #[serde(default)]
    pub pinned: bool,
    #[serde(default = "yes")]
    pub dismissible: bool,
    #[serde(default)]
    pub audience: Audience,
    #[serde(default)]
    pub delivery: Delivery,
    #[serde(default)]
    pub creation: Creation,
    pub expiry: Expiry,
    /// How long after a card a user may get another one; `null`: never.
    #[serde(default)]
    pub reeligible_after_seconds: Option<u64>,
    /// Names of events that take the card away.
    #[serde(default)]
    pub remove_on: Vec<String>,
    pub variants: Vec<Variant>,
    /// The sources of the content blocks that the texts name, as a dispatch has frozen them. Empty
    /// in what an author writes, who names stored ones.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub content_blocks: BTreeMap<String, String>,
}

fn main_feed() -> String {
    "main".to_owned()
}

fn yes() -> bool {
    true
}

/// When audience and templates are evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Creation {
    /// When the dispatch runs.
    #[default]
    AtLaunch,
    /// When the user next opens a feed.
    AtFirstImpression,
}

/// One way the campaign may look; users are spread by weight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    pub name: String,
    /// Relative to the sum of all weights.
    #[serde(default = "one")]
    pub weight: u32,
    /// Members see nothing; their impressions are counted for comparison.
    #[serde(default, skip_serializing_if = "is_false")]
    pub control: bool,
    /// Absent for a control group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<CardContent>,
}

fn one() -> u32 {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde asks for"
)]
fn is_false(value: &bool) -> bool {
    !*value
}

impl Variant {
    /// Whether members of this variant see nothing.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.control
            || self
                .card
                .as_ref()
                .is_some_and(|card| card.card_type == CardType::Control)
    }
}

impl CampaignDefinition {
    /// What all cards of the campaign have in common.
    #[must_use]
    pub fn presentation(&self) -> Presentation {
        Presentation {
            feed: self.feed.clone(),
            priority: self.priority,
            pinned: self.pinned,
            dismissible: self.dismissible,
        }
    }

    /// Whether some event sets it off or takes its cards away.
    #[must_use]
    pub fn heeds_events(&self) -> bool {
        self.delivery.event().is_some() || !self.remove_on.is_empty()
    }
}

/// Where a campaign is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CampaignState {
    /// May be changed; nothing has been sent.
    Draft,
    /// Launched, or waiting for triggers or events.
    Active,
    /// Sends no more.
    Stopped,
}

impl CampaignState {
    /// As in JSON and SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Active => "active",
            Self::Stopped => "stopped",
        }
    }
}

/// A campaign as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Campaign {
    pub id: CampaignId,
    pub workspace: WorkspaceId,
    pub state: CampaignState,
    /// Grows with every change of the definition; a dispatch freezes one version.
    pub version: u32,
    pub definition: CampaignDefinition,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// When its cards were taken back, if they were: they are in no feed from then on.
    pub cancelled_at: Option<Timestamp>,
}
