//! What the card suite's behaviours are tried with.

use std::time::Duration;

use corkboard_core::card::{CardContent, Presentation};
use corkboard_core::cohort::Cohort;
use corkboard_core::id::{CampaignId, CardId, DispatchId, Id, WorkspaceId};
use corkboard_core::state::Mark;
use corkboard_core::time::Timestamp;
use corkboard_core::user::{AttributeChange, UserEvent, UserId};
use corkboard_store::card_store::{
    CardBatch, CardEvent, ChunkFence, Durability, Eligibility, EventCounts, NewCard, RowOutcome,
    SharedContent,
};
use corkboard_store::{CardStore, StoreError};
use serde_json::Value;

pub(crate) const HOUR: Duration = Duration::from_secs(3_600);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// Noon of a Saturday.
pub(crate) fn noon() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

pub(crate) fn workspace() -> WorkspaceId {
    WorkspaceId::from_bytes([1; 16])
}

pub(crate) fn other_workspace() -> WorkspaceId {
    WorkspaceId::from_bytes([2; 16])
}

pub(crate) fn campaign(number: u8) -> CampaignId {
    CampaignId::from_bytes([number; 16])
}

pub(crate) fn dispatch(number: u8) -> DispatchId {
    DispatchId::from_bytes([number; 16])
}

pub(crate) fn user(name: impl std::fmt::Display) -> UserId {
    UserId::parse(format!("u-{name}")).unwrap()
}

pub(crate) fn users(range: std::ops::Range<u32>) -> Vec<UserId> {
    range.map(user).collect()
}

pub(crate) fn attributes(user: &UserId, attributes: &Value) -> AttributeChange {
    AttributeChange {
        user: user.clone(),
        attributes: attributes.as_object().cloned().unwrap(),
    }
}

pub(crate) fn user_event(number: u8, user: &UserId, name: &str, at: Timestamp) -> UserEvent {
    UserEvent {
        id: Id::from_bytes([number; 16]),
        workspace: workspace(),
        user: user.clone(),
        name: name.to_owned(),
        at,
        properties: serde_json::Map::new(),
    }
}

pub(crate) fn content(title: &str) -> CardContent {
    CardContent {
        title: Some(title.to_owned()),
        ..CardContent::default()
    }
}

pub(crate) fn presentation() -> Presentation {
    Presentation {
        feed: "main".to_owned(),
        priority: 3,
        pinned: true,
        dismissible: false,
    }
}

/// One dispatch of a campaign, and what it writes.
#[derive(Debug, Clone)]
pub(crate) struct Sending {
    pub(crate) campaign: CampaignId,
    pub(crate) dispatch: DispatchId,
    pub(crate) planned_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) eligibility: Eligibility,
    pub(crate) fence: Option<ChunkFence>,
    /// Each card carries its own content, or points at the shared one.
    pub(crate) personal: bool,
}

impl Sending {
    /// Planned at noon, for two days, one card per user.
    pub(crate) fn new(number: u8) -> Self {
        Self {
            campaign: campaign(number),
            dispatch: dispatch(number),
            planned_at: noon(),
            expires_at: noon().plus(2 * DAY),
            eligibility: Eligibility::Once,
            fence: None,
            personal: false,
        }
    }

    /// Of a campaign that never has another dispatch.
    pub(crate) fn only(number: u8) -> Self {
        Self {
            eligibility: Eligibility::OneDispatch,
            ..Self::new(number)
        }
    }

    pub(crate) fn cohort(&self) -> Cohort {
        Cohort::of(self.planned_at, self.expires_at)
    }

    pub(crate) fn batch(&self, users: &[UserId]) -> CardBatch {
        let card = |user: &UserId| NewCard {
            user: user.clone(),
            variant: 0,
            expires_at: self.expires_at,
            content: self.personal.then(|| content(&format!("Hi {user}"))),
        };
        CardBatch {
            workspace: workspace(),
            campaign: self.campaign,
            dispatch: self.dispatch,
            cohort: self.cohort(),
            planned_at: self.planned_at,
            eligibility: self.eligibility,
            fence: self.fence,
            durability: Durability::Now,
            shared: vec![SharedContent {
                variant: 0,
                presentation: presentation(),
                content: (!self.personal).then(|| content("Hello")),
            }],
            cards: users.iter().map(card).collect(),
        }
    }

    /// Writes cards as of the time they were planned.
    pub(crate) async fn write(
        &self,
        store: &dyn CardStore,
        users: &[UserId],
    ) -> Result<Vec<RowOutcome>, StoreError> {
        store.write_cards(self.batch(users), self.planned_at).await
    }

    /// Writes one card that must be new.
    pub(crate) async fn give(&self, store: &dyn CardStore, user: &UserId) -> CardId {
        let outcomes = self.write(store, std::slice::from_ref(user)).await.unwrap();
        match outcomes.as_slice() {
            [RowOutcome::Inserted(id)] => *id,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn event(&self, card: CardId, mark: Mark, at: Timestamp) -> CardEvent {
        CardEvent {
            card,
            campaign: self.campaign,
            variant: 0,
            cohort: self.cohort(),
            mark,
            at,
        }
    }

    /// All counts of the campaign, days together.
    pub(crate) async fn counts(&self, store: &dyn CardStore) -> EventCounts {
        let mut all = EventCounts::default();
        let rows = store.campaign_counts(workspace(), self.campaign).await;
        for row in rows.unwrap() {
            all.add(&row.counts);
        }
        all
    }
}

pub(crate) fn inserted(outcomes: &[RowOutcome]) -> usize {
    let is_new = |outcome: &&RowOutcome| matches!(outcome, RowOutcome::Inserted(_));
    outcomes.iter().filter(is_new).count()
}

/// Ids of a user's cards, newest first.
pub(crate) async fn cards_of(store: &dyn CardStore, user: &UserId, now: Timestamp) -> Vec<CardId> {
    let cards = store.user_cards(workspace(), user, now, 100).await.unwrap();
    cards.cards.iter().map(|card| card.id).collect()
}
