//! Which operation each method of the trait is.

use std::time::Duration;

use async_trait::async_trait;
use corkboard_core::audience::Audience;
use corkboard_core::cohort::Cohort;
use corkboard_core::id::{CampaignId, DispatchId, WorkspaceId};
use corkboard_core::time::Timestamp;
use corkboard_core::user::{AttributeChange, User, UserEvent, UserId};

use super::card_events::Report;
use super::read::Question;
use super::{
    PgCardStore, card_events, cohorts, counts, erase, own, receipts, scan, user_events, users,
    write,
};
use crate::card_store::{
    CardBatch, CardEvent, CardStore, CohortInfo, CountRow, Receipt, RecordedEvents, RetiredCohort,
    RowOutcome, ScanRequest, UserCards, UserPage, check_storable,
};
use crate::error::Result;

#[async_trait]
impl CardStore for PgCardStore {
    /// One database.
    fn place(&self, _: WorkspaceId, _: &UserId) -> usize {
        0
    }

    async fn change_attributes(
        &self,
        workspace: WorkspaceId,
        changes: Vec<AttributeChange>,
        now: Timestamp,
    ) -> Result<()> {
        check_storable(&changes)?;
        users::change(&self.database, workspace, &changes, now).await
    }

    async fn find_user(&self, workspace: WorkspaceId, user: &UserId) -> Result<Option<User>> {
        let one = std::slice::from_ref(user);
        let mut found = users::find(&self.database, workspace, one).await?;
        Ok(found.pop().flatten())
    }

    async fn find_users(
        &self,
        workspace: WorkspaceId,
        users: &[UserId],
    ) -> Result<Vec<Option<User>>> {
        users::find(&self.database, workspace, users).await
    }

    async fn scan_users(&self, request: &ScanRequest<'_>) -> Result<UserPage> {
        scan::page(&self.database, request).await
    }

    async fn count_users(
        &self,
        workspace: WorkspaceId,
        audience: &Audience,
        now: Timestamp,
    ) -> Result<u64> {
        scan::count_users(&self.database, workspace, audience, now).await
    }

    async fn erase_user(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        now: Timestamp,
    ) -> Result<bool> {
        erase::user(&self.database, workspace, user, now).await
    }

    async fn record_user_events(
        &self,
        events: Vec<UserEvent>,
        now: Timestamp,
    ) -> Result<Vec<bool>> {
        user_events::record(&self.database, &events, now).await
    }

    async fn ensure_cohort(&self, cohort: Cohort) -> Result<()> {
        self.database.cohorts.ensure(cohort).await
    }

    async fn write_cards(&self, batch: CardBatch, now: Timestamp) -> Result<Vec<RowOutcome>> {
        write::write(&self.database, &batch, now).await
    }

    async fn user_cards(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        now: Timestamp,
        limit: usize,
    ) -> Result<UserCards> {
        let question = Question::new(workspace, user, now, limit);
        self.readers.read(question).await
    }

    async fn have_cards(
        &self,
        workspace: WorkspaceId,
        dispatch: DispatchId,
        cohort: Cohort,
        users: &[UserId],
    ) -> Result<Vec<bool>> {
        own::have(&self.database, workspace, dispatch, cohort, users).await
    }

    async fn receipts(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        campaigns: &[CampaignId],
    ) -> Result<Vec<Receipt>> {
        receipts::of_user(&self.database, workspace, user, campaigns).await
    }

    async fn campaign_receipts(
        &self,
        workspace: WorkspaceId,
        campaign: CampaignId,
        users: &[UserId],
    ) -> Result<Vec<Option<Receipt>>> {
        receipts::of_campaign(&self.database, workspace, campaign, users).await
    }

    async fn remove_cards(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        campaigns: &[CampaignId],
        now: Timestamp,
    ) -> Result<u64> {
        let (database, recorder) = (&*self.database, &self.recorder);
        card_events::remove(database, recorder, (workspace, user), campaigns, now).await
    }

    async fn record_card_events(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        events: Vec<CardEvent>,
        now: Timestamp,
    ) -> Result<RecordedEvents> {
        let user = user.clone();
        let report = Report {
            workspace,
            user,
            events,
            now,
        };
        self.recorder.record(report).await
    }

    async fn campaign_counts(
        &self,
        workspace: WorkspaceId,
        campaign: CampaignId,
    ) -> Result<Vec<CountRow>> {
        counts::of_campaign(&self.database, workspace, campaign).await
    }

    async fn dispatch_written(&self, dispatch: DispatchId) -> Result<u64> {
        counts::of_dispatch(&self.database, dispatch).await
    }

    /// The horizon is that of [`premake_cohorts`](Self::premake_cohorts), whatever is asked for.
    async fn prepare_cohorts(&self, now: Timestamp, _horizon: Duration) -> Result<u32> {
        let made = self.premake_cohorts(now).await?;
        Ok(u32::try_from(made.len()).unwrap_or(u32::MAX))
    }

    async fn list_cohorts(&self) -> Result<Vec<CohortInfo>> {
        cohorts::list(&self.database).await
    }

    async fn retire_cohorts(
        &self,
        now: Timestamp,
        grace: Duration,
        dry_run: bool,
    ) -> Result<Vec<RetiredCohort>> {
        self.database.cohorts.retire(now, grace, dry_run).await
    }

    async fn retire_receipts(&self, sending: &[CampaignId], now: Timestamp) -> Result<u32> {
        self.database
            .quarters
            .retire(&self.database, sending, now)
            .await
    }

    async fn prune(&self, now: Timestamp) -> Result<()> {
        erase::prune(&self.database, now).await
    }
}
