//! Which way each method goes: to the user's database, to the parts of what is asked, or to all.

use std::time::Duration;

use async_trait::async_trait;
use corkboard_core::audience::Audience;
use corkboard_core::cohort::Cohort;
use corkboard_core::id::{CampaignId, DispatchId, WorkspaceId};
use corkboard_core::time::Timestamp;
use corkboard_core::user::{AttributeChange, User, UserEvent, UserId};

use super::{RoutedCardStore, attributes, cohorts, counts, scan, write};
use crate::card_store::{
    CardBatch, CardEvent, CardStore, CohortInfo, CountRow, Receipt, RecordedEvents, RetiredCohort,
    RowOutcome, ScanRequest, UserCards, UserPage, check_storable,
};
use crate::error::Result;

#[async_trait]
impl CardStore for RoutedCardStore {
    fn place(&self, workspace: WorkspaceId, user: &UserId) -> usize {
        self.routes.place(workspace, user)
    }

    // --- to the database that owns the user

    async fn find_user(&self, workspace: WorkspaceId, user: &UserId) -> Result<Option<User>> {
        let owner = self.routes.owner(workspace, user);
        owner.find_user(workspace, user).await
    }

    async fn erase_user(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        now: Timestamp,
    ) -> Result<bool> {
        let owner = self.routes.owner(workspace, user);
        owner.erase_user(workspace, user, now).await
    }

    async fn user_cards(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        now: Timestamp,
        limit: usize,
    ) -> Result<UserCards> {
        let owner = self.routes.owner(workspace, user);
        owner.user_cards(workspace, user, now, limit).await
    }

    async fn receipts(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        campaigns: &[CampaignId],
    ) -> Result<Vec<Receipt>> {
        let owner = self.routes.owner(workspace, user);
        owner.receipts(workspace, user, campaigns).await
    }

    async fn remove_cards(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        campaigns: &[CampaignId],
        now: Timestamp,
    ) -> Result<u64> {
        let owner = self.routes.owner(workspace, user);
        owner.remove_cards(workspace, user, campaigns, now).await
    }

    async fn record_card_events(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        events: Vec<CardEvent>,
        now: Timestamp,
    ) -> Result<RecordedEvents> {
        let owner = self.routes.owner(workspace, user);
        owner.record_card_events(workspace, user, events, now).await
    }

    // --- to each database its part

    async fn change_attributes(
        &self,
        workspace: WorkspaceId,
        changes: Vec<AttributeChange>,
        now: Timestamp,
    ) -> Result<()> {
        check_storable(&changes)?;
        attributes::change(&self.routes, workspace, changes, now).await
    }

    async fn find_users(
        &self,
        workspace: WorkspaceId,
        users: &[UserId],
    ) -> Result<Vec<Option<User>>> {
        let divided = self.routes.divide_users(workspace, users);
        let find = divided.ask(|part| async move {
            let (database, users) = (part.database, part.items);
            database.find_users(workspace, &users).await
        });
        find.await
    }

    async fn record_user_events(
        &self,
        events: Vec<UserEvent>,
        now: Timestamp,
    ) -> Result<Vec<bool>> {
        let routes = &self.routes;
        let divided = routes.divide(events, |event| (event.workspace, &event.user));
        let record = divided.ask(|part| part.database.record_user_events(part.items, now));
        record.await
    }

    async fn write_cards(&self, batch: CardBatch, now: Timestamp) -> Result<Vec<RowOutcome>> {
        write::write(self, batch, now).await
    }

    async fn have_cards(
        &self,
        workspace: WorkspaceId,
        dispatch: DispatchId,
        cohort: Cohort,
        users: &[UserId],
    ) -> Result<Vec<bool>> {
        let divided = self.routes.divide_users(workspace, users);
        let find = divided.ask(|part| async move {
            let (database, users) = (part.database, part.items);
            database
                .have_cards(workspace, dispatch, cohort, &users)
                .await
        });
        find.await
    }

    async fn campaign_receipts(
        &self,
        workspace: WorkspaceId,
        campaign: CampaignId,
        users: &[UserId],
    ) -> Result<Vec<Option<Receipt>>> {
        let divided = self.routes.divide_users(workspace, users);
        let find = divided.ask(|part| async move {
            let (database, users) = (part.database, part.items);
            database
                .campaign_receipts(workspace, campaign, &users)
                .await
        });
        find.await
    }

    // --- to all

    async fn scan_users(&self, request: &ScanRequest<'_>) -> Result<UserPage> {
        scan::page(&self.routes, request).await
    }

    async fn count_users(
        &self,
        workspace: WorkspaceId,
        audience: &Audience,
        now: Timestamp,
    ) -> Result<u64> {
        counts::of_audience(&self.routes, workspace, audience, now).await
    }

    async fn campaign_counts(
        &self,
        workspace: WorkspaceId,
        campaign: CampaignId,
    ) -> Result<Vec<CountRow>> {
        counts::of_campaign(&self.routes, workspace, campaign).await
    }

    async fn dispatch_written(&self, dispatch: DispatchId) -> Result<u64> {
        counts::of_dispatch(&self.routes, dispatch).await
    }

    async fn ensure_cohort(&self, cohort: Cohort) -> Result<()> {
        cohorts::ask_everyone_for(&self.routes, cohort)
            .await
            .map(drop)
    }

    async fn prepare_cohorts(&self, now: Timestamp, horizon: Duration) -> Result<u32> {
        cohorts::prepare(&self.routes, now, horizon).await
    }

    async fn list_cohorts(&self) -> Result<Vec<CohortInfo>> {
        cohorts::list(&self.routes).await
    }

    async fn retire_cohorts(
        &self,
        now: Timestamp,
        grace: Duration,
        dry_run: bool,
    ) -> Result<Vec<RetiredCohort>> {
        cohorts::retire(&self.routes, now, grace, dry_run).await
    }

    /// One database after the other: retiring is never urgent.
    async fn retire_receipts(&self, sending: &[CampaignId], now: Timestamp) -> Result<u32> {
        let mut dropped = 0;
        for database in self.routes.all() {
            dropped += database.retire_receipts(sending, now).await?;
        }
        Ok(dropped)
    }

    async fn prune(&self, now: Timestamp) -> Result<()> {
        for database in self.routes.all() {
            database.prune(now).await?;
        }
        Ok(())
    }
}
