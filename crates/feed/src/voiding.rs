//! A card store that voids the tiers after every write to a user's cards, whoever writes.
//!
//! The void comes after the write is durable and before its caller hears of it, also when the write
//! failed (it may have been done all the same) and when it was a repeat (the one before may have
//! ended between write and void). Interrupted in between, it is owed.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use corkboard_cache::Key;
use corkboard_core::audience::Audience;
use corkboard_core::cohort::Cohort;
use corkboard_core::id::{CampaignId, DispatchId, WorkspaceId};
use corkboard_core::time::Timestamp;
use corkboard_core::user::{AttributeChange, User, UserEvent, UserId};
use corkboard_store::card_store::{
    CardBatch, CardEvent, CohortInfo, CountRow, Receipt, RecordedEvents, RetiredCohort, RowOutcome,
    ScanRequest, UserCards, UserPage,
};
use corkboard_store::{CardStore, StoreError};

use crate::tier::{FeedTier, key};

type Result<T> = std::result::Result<T, StoreError>;

/// See the module's page.
#[derive(Debug)]
pub struct VoidingCardStore {
    store: Arc<dyn CardStore>,
    tier: FeedTier,
}

impl VoidingCardStore {
    /// Every writer of a node goes through here.
    #[must_use]
    pub fn new(store: Arc<dyn CardStore>, tier: FeedTier) -> Self {
        Self { store, tier }
    }

    /// Writes, then voids; `changed` says of a result whether anything did.
    async fn then_void<T>(
        &self,
        keys: Vec<Key>,
        write: impl Future<Output = Result<T>> + Send,
        changed: impl Fn(&T) -> bool + Send,
    ) -> Result<T> {
        let mut owing = Owing {
            tier: &self.tier,
            keys,
        };
        let written = write.await;
        let loud = written.as_ref().map_or(true, changed);
        self.tier.void(&owing.keys, loud).await;
        owing.keys.clear();
        written
    }
}

/// Keys that must be voided, even if nobody waits for it.
struct Owing<'a> {
    tier: &'a FeedTier,
    keys: Vec<Key>,
}

impl Drop for Owing<'_> {
    fn drop(&mut self) {
        if !self.keys.is_empty() {
            self.tier.void_later(&self.keys);
        }
    }
}

#[async_trait]
impl CardStore for VoidingCardStore {
    fn place(&self, workspace: WorkspaceId, user: &UserId) -> usize {
        self.store.place(workspace, user)
    }

    async fn write_cards(&self, batch: CardBatch, now: Timestamp) -> Result<Vec<RowOutcome>> {
        let workspace = batch.workspace;
        let keys = batch.cards.iter().map(|card| key(workspace, &card.user));
        let keys = keys.collect();
        let inserted = |outcome: &RowOutcome| matches!(outcome, RowOutcome::Inserted(_));
        let write = self.store.write_cards(batch, now);
        self.then_void(keys, write, |outcomes| outcomes.iter().any(inserted))
            .await
    }

    async fn record_card_events(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        events: Vec<CardEvent>,
        now: Timestamp,
    ) -> Result<RecordedEvents> {
        let write = self.store.record_card_events(workspace, user, events, now);
        let keys = vec![key(workspace, user)];
        self.then_void(keys, write, |recorded| recorded.changed)
            .await
    }

    async fn remove_cards(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        campaigns: &[CampaignId],
        now: Timestamp,
    ) -> Result<u64> {
        let write = self.store.remove_cards(workspace, user, campaigns, now);
        let keys = vec![key(workspace, user)];
        self.then_void(keys, write, |removed| *removed > 0).await
    }

    async fn erase_user(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        now: Timestamp,
    ) -> Result<bool> {
        let write = self.store.erase_user(workspace, user, now);
        let keys = vec![key(workspace, user)];
        self.then_void(keys, write, |erased| *erased).await
    }

    // --- what changes nobody's feed

    async fn change_attributes(
        &self,
        workspace: WorkspaceId,
        changes: Vec<AttributeChange>,
        now: Timestamp,
    ) -> Result<()> {
        self.store.change_attributes(workspace, changes, now).await
    }

    async fn find_user(&self, workspace: WorkspaceId, user: &UserId) -> Result<Option<User>> {
        self.store.find_user(workspace, user).await
    }

    async fn find_users(
        &self,
        workspace: WorkspaceId,
        users: &[UserId],
    ) -> Result<Vec<Option<User>>> {
        self.store.find_users(workspace, users).await
    }

    async fn scan_users(&self, request: &ScanRequest<'_>) -> Result<UserPage> {
        self.store.scan_users(request).await
    }

    async fn count_users(
        &self,
        workspace: WorkspaceId,
        audience: &Audience,
        now: Timestamp,
    ) -> Result<u64> {
        self.store.count_users(workspace, audience, now).await
    }

    async fn record_user_events(
        &self,
        events: Vec<UserEvent>,
        now: Timestamp,
    ) -> Result<Vec<bool>> {
        self.store.record_user_events(events, now).await
    }

    async fn ensure_cohort(&self, cohort: Cohort) -> Result<()> {
        self.store.ensure_cohort(cohort).await
    }

    async fn user_cards(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        now: Timestamp,
        limit: usize,
    ) -> Result<UserCards> {
        self.store.user_cards(workspace, user, now, limit).await
    }

    async fn have_cards(
        &self,
        workspace: WorkspaceId,
        dispatch: DispatchId,
        cohort: Cohort,
        users: &[UserId],
    ) -> Result<Vec<bool>> {
        self.store
            .have_cards(workspace, dispatch, cohort, users)
            .await
    }

    async fn receipts(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        campaigns: &[CampaignId],
    ) -> Result<Vec<Receipt>> {
        self.store.receipts(workspace, user, campaigns).await
    }

    async fn campaign_receipts(
        &self,
        workspace: WorkspaceId,
        campaign: CampaignId,
        users: &[UserId],
    ) -> Result<Vec<Option<Receipt>>> {
        self.store
            .campaign_receipts(workspace, campaign, users)
            .await
    }

    async fn campaign_counts(
        &self,
        workspace: WorkspaceId,
        campaign: CampaignId,
    ) -> Result<Vec<CountRow>> {
        self.store.campaign_counts(workspace, campaign).await
    }

    async fn dispatch_written(&self, dispatch: DispatchId) -> Result<u64> {
        self.store.dispatch_written(dispatch).await
    }

    async fn prepare_cohorts(&self, now: Timestamp, horizon: Duration) -> Result<u32> {
        self.store.prepare_cohorts(now, horizon).await
    }

    async fn list_cohorts(&self) -> Result<Vec<CohortInfo>> {
        self.store.list_cohorts().await
    }

    async fn retire_cohorts(
        &self,
        now: Timestamp,
        grace: Duration,
        dry_run: bool,
    ) -> Result<Vec<RetiredCohort>> {
        self.store.retire_cohorts(now, grace, dry_run).await
    }

    async fn retire_receipts(&self, sending: &[CampaignId], now: Timestamp) -> Result<u32> {
        self.store.retire_receipts(sending, now).await
    }

    async fn prune(&self, now: Timestamp) -> Result<()> {
        self.store.prune(now).await
    }
}
