//! Everything that is keyed by a user: users, their events, cards, states and receipts.
//!
//! One implementation of this trait is one card database. All methods are safe to repeat: a caller
//! that does not learn the outcome calls again with the same arguments.

mod cards;
mod cohorts;
mod eligibility;
mod events;
mod series;
mod unseen;
mod users;

use std::time::Duration;

use async_trait::async_trait;
use corkboard_core::audience::Audience;
use corkboard_core::cohort::Cohort;
use corkboard_core::id::{CampaignId, DispatchId, WorkspaceId};
use corkboard_core::time::Timestamp;
use corkboard_core::user::{AttributeChange, User, UserEvent, UserId};

pub use cards::{
    CardBatch, ChunkFence, NewCard, Receipt, RowOutcome, SharedContent, StoredCard, UserCards,
};
pub use cohorts::{CohortInfo, CohortStage, RetiredCohort};
pub use eligibility::Eligibility;
pub use events::{CardEvent, CountRow, EventCounts, RecordedEvents};
pub(crate) use series::Life;
pub use series::{Durability, Series};
pub use unseen::unseen_attributes;
pub(crate) use users::check_storable;
pub use users::{ScanDetail, ScanPosition, ScanRequest, UserPage};

use crate::error::Result;

/// Users, events, cards, states and receipts of one card database.
#[async_trait]
pub trait CardStore: Send + Sync + std::fmt::Debug {
    /// In which of several databases the user is, counted from 0. What concerns users of one place
    /// waits for no other database.
    fn place(&self, workspace: WorkspaceId, user: &UserId) -> usize;

    // --- users

    /// Sets and removes attributes, creating users as needed. All of them or none. Fails with
    /// `Conflict { what: "user attributes (over 64 KiB)" }` when a user's set would grow too large, and
    /// with `Conflict { what: "user attributes (a NUL character)" }` when a text has one.
    async fn change_attributes(
        &self,
        workspace: WorkspaceId,
        changes: Vec<AttributeChange>,
        now: Timestamp,
    ) -> Result<()>;

    /// One user, with a summary of their events.
    async fn find_user(&self, workspace: WorkspaceId, user: &UserId) -> Result<Option<User>>;

    /// Several users at once, in the order asked for; `None` where unknown.
    async fn find_users(
        &self,
        workspace: WorkspaceId,
        users: &[UserId],
    ) -> Result<Vec<Option<User>>>;

    /// The next users of a slot range that the audience matches, in a stable order. The filter is
    /// evaluated by the database.
    async fn scan_users(&self, request: &ScanRequest<'_>) -> Result<UserPage>;

    /// How many users the audience has. For `Everyone` the cost does not grow with the users.
    async fn count_users(
        &self,
        workspace: WorkspaceId,
        audience: &Audience,
        now: Timestamp,
    ) -> Result<u64>;

    /// Removes everything kept about a user: attributes, events, cards, states, receipts. Leaves a
    /// tombstone, so that a dispatch planned before `now` writes no more cards for them.
    /// Returns whether there was anything.
    async fn erase_user(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        now: Timestamp,
    ) -> Result<bool>;

    // --- what users did elsewhere

    /// Records events, creating users as needed. Returns, in order, whether each was new: an event
    /// with an id that was recorded before (within 48 hours at least) is not counted again.
    async fn record_user_events(&self, events: Vec<UserEvent>, now: Timestamp)
    -> Result<Vec<bool>>;

    // --- cards

    /// Makes sure that cards of the cohort can be written. Fails for a cohort that was retired.
    async fn ensure_cohort(&self, cohort: Cohort) -> Result<()>;

    /// Writes a batch of cards and counts what was really inserted, atomically: a repeat inserts
    /// nothing and counts nothing. One outcome per card, in order. Decides by the batch's
    /// [`Eligibility`]: between dispatches by the users' receipts. Fails with `Fenced` when a later
    /// token has been seen for the chunk, and with `Unavailable` when a batch of its series that was
    /// to become durable with it is gone.
    async fn write_cards(&self, batch: CardBatch, now: Timestamp) -> Result<Vec<RowOutcome>>;

    /// All of a user's cards that have not expired at `now`, dismissed and removed ones included,
    /// newest first, at most `limit`; the user's states (also those of broadcasts); the receipts.
    async fn user_cards(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        now: Timestamp,
        limit: usize,
    ) -> Result<UserCards>;

    /// For each user, in order: whether the dispatch has written a card for them, expired or not.
    /// Nobody has one when the cohort is gone.
    async fn have_cards(
        &self,
        workspace: WorkspaceId,
        dispatch: DispatchId,
        cohort: Cohort,
        users: &[UserId],
    ) -> Result<Vec<bool>>;

    /// A user's receipts of some campaigns: which of them the user has had, and when. Campaigns
    /// with [`Eligibility::OneDispatch`] leave none.
    async fn receipts(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        campaigns: &[CampaignId],
    ) -> Result<Vec<Receipt>>;

    /// For each user, in order: the receipt of one campaign, if any. A cheap look before rendering;
    /// `write_cards` decides.
    async fn campaign_receipts(
        &self,
        workspace: WorkspaceId,
        campaign: CampaignId,
        users: &[UserId],
    ) -> Result<Vec<Option<Receipt>>>;

    /// Marks cards of a user as removed: the live cards of these campaigns that were written for
    /// the user. Returns how many were not removed before.
    async fn remove_cards(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        campaigns: &[CampaignId],
        now: Timestamp,
    ) -> Result<u64>;

    // --- what users did with cards

    /// Records impressions, clicks and dismissals of one user (and removals of broadcasts), and
    /// counts them: each (card, kind, time) once, and each (card, kind) once as unique. Durable
    /// when it returns.
    async fn record_card_events(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        events: Vec<CardEvent>,
        now: Timestamp,
    ) -> Result<RecordedEvents>;

    /// Exact counts of a campaign by variant and UTC day, live and retired cohorts together.
    async fn campaign_counts(
        &self,
        workspace: WorkspaceId,
        campaign: CampaignId,
    ) -> Result<Vec<CountRow>>;

    /// How many cards a dispatch has really written.
    async fn dispatch_written(&self, dispatch: DispatchId) -> Result<u64>;

    // --- time

    /// Makes the cohorts that dispatches planned until `now` plus `horizon` can need, ahead of time.
    /// Returns how many were new. A store that makes a cohort when it is first written to, at no
    /// cost to others, has nothing to do here.
    async fn prepare_cohorts(&self, now: Timestamp, horizon: Duration) -> Result<u32> {
        let _ = (now, horizon);
        Ok(0)
    }

    /// Every cohort that exists, oldest first.
    async fn list_cohorts(&self) -> Result<Vec<CohortInfo>>;

    /// Drops the cohorts that ended more than `grace` before `now`, after folding their counts into
    /// what is kept. With `dry_run` only says which.
    async fn retire_cohorts(
        &self,
        now: Timestamp,
        grace: Duration,
        dry_run: bool,
    ) -> Result<Vec<RetiredCohort>>;

    /// Drops the receipts of campaigns none of which can give cards any more; `sending` are those
    /// that can. Receipts go by whole periods: returns how many are gone. A store that keeps
    /// receipts in one file has nothing to do here.
    async fn retire_receipts(&self, sending: &[CampaignId], now: Timestamp) -> Result<u32> {
        let _ = (sending, now);
        Ok(0)
    }

    /// Forgets event ids older than their dedupe window and other bounded side records.
    async fn prune(&self, now: Timestamp) -> Result<()>;
}
