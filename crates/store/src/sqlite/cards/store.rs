//! Which operation each method of the trait is, and which file it is about.

use std::time::Duration;

use async_trait::async_trait;
use corkboard_core::audience::Audience;
use corkboard_core::cohort::Cohort;
use corkboard_core::id::{CampaignId, DispatchId, WorkspaceId};
use corkboard_core::time::Timestamp;
use corkboard_core::user::{AttributeChange, User, UserEvent, UserId};

use super::owner::Owner;
use super::{
    SqliteCardStore, card_events, counts, erase, read, receipts, scan, user_events, users, write,
};
use crate::card_store::{
    CardBatch, CardEvent, CardStore, CohortInfo, CountRow, Receipt, RecordedEvents, RetiredCohort,
    RowOutcome, ScanRequest, UserCards, UserPage, check_storable,
};
use crate::error::Result;

#[async_trait]
impl CardStore for SqliteCardStore {
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
        self.users
            .write("change attributes", move |connection| {
                users::change(connection, workspace, changes, now)
            })
            .await
    }

    async fn find_user(&self, workspace: WorkspaceId, user: &UserId) -> Result<Option<User>> {
        let owner = Owner::new(workspace, user);
        self.users
            .read("find user", move |connection| {
                users::find(connection, &owner)
            })
            .await
    }

    async fn find_users(
        &self,
        workspace: WorkspaceId,
        users: &[UserId],
    ) -> Result<Vec<Option<User>>> {
        let owners = owners(workspace, users);
        self.users
            .read("find users", move |connection| {
                let find = |owner| users::find(connection, owner);
                owners.iter().map(find).collect()
            })
            .await
    }

    async fn scan_users(&self, request: &ScanRequest<'_>) -> Result<UserPage> {
        let scan = scan::Scan::from(request);
        self.users
            .read("scan users", move |connection| scan.page(connection))
            .await
    }

    async fn count_users(
        &self,
        workspace: WorkspaceId,
        audience: &Audience,
        now: Timestamp,
    ) -> Result<u64> {
        let count = scan::Count::new(audience, now);
        self.users
            .read("count users", move |connection| {
                count.users(connection, workspace)
            })
            .await
    }

    async fn erase_user(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        now: Timestamp,
    ) -> Result<bool> {
        erase::user(self, Owner::new(workspace, user), now).await
    }

    async fn record_user_events(
        &self,
        events: Vec<UserEvent>,
        now: Timestamp,
    ) -> Result<Vec<bool>> {
        self.users
            .write("record user events", move |connection| {
                user_events::record(connection, &events, now)
            })
            .await
    }

    async fn ensure_cohort(&self, cohort: Cohort) -> Result<()> {
        self.cohorts.for_writing(cohort).await.map(drop)
    }

    async fn write_cards(&self, batch: CardBatch, now: Timestamp) -> Result<Vec<RowOutcome>> {
        write::write(self, batch, now).await
    }

    async fn user_cards(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        now: Timestamp,
        limit: usize,
    ) -> Result<UserCards> {
        read::user_cards(self, Owner::new(workspace, user), now, limit).await
    }

    async fn have_cards(
        &self,
        workspace: WorkspaceId,
        dispatch: DispatchId,
        cohort: Cohort,
        users: &[UserId],
    ) -> Result<Vec<bool>> {
        read::have_cards(self, owners(workspace, users), dispatch, cohort).await
    }

    async fn receipts(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        campaigns: &[CampaignId],
    ) -> Result<Vec<Receipt>> {
        let (owner, campaigns) = (Owner::new(workspace, user), campaigns.to_vec());
        self.users
            .read("read receipts", move |connection| {
                let latest =
                    |campaign: &CampaignId| receipts::latest(connection, &owner, *campaign);
                let found: Result<Vec<_>> = campaigns.iter().map(latest).collect();
                Ok(found?.into_iter().flatten().collect())
            })
            .await
    }

    async fn campaign_receipts(
        &self,
        workspace: WorkspaceId,
        campaign: CampaignId,
        users: &[UserId],
    ) -> Result<Vec<Option<Receipt>>> {
        let owners = owners(workspace, users);
        self.users
            .read("read receipts", move |connection| {
                let latest = |owner| receipts::latest(connection, owner, campaign);
                owners.iter().map(latest).collect()
            })
            .await
    }

    async fn remove_cards(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        campaigns: &[CampaignId],
        now: Timestamp,
    ) -> Result<u64> {
        card_events::remove(self, Owner::new(workspace, user), campaigns, now).await
    }

    async fn record_card_events(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        events: Vec<CardEvent>,
        now: Timestamp,
    ) -> Result<RecordedEvents> {
        card_events::record(self, workspace, Owner::new(workspace, user), events, now).await
    }

    async fn campaign_counts(
        &self,
        workspace: WorkspaceId,
        campaign: CampaignId,
    ) -> Result<Vec<CountRow>> {
        counts::of_campaign(self, workspace, campaign).await
    }

    async fn dispatch_written(&self, dispatch: DispatchId) -> Result<u64> {
        counts::of_dispatch(self, dispatch).await
    }

    async fn list_cohorts(&self) -> Result<Vec<CohortInfo>> {
        let mut files = self.cohorts.live(|_| true).await?;
        files.sort_by_key(|file| (file.cohort.ends_at(), file.cohort));
        let job = move || {
            let infos: Result<Vec<_>> = files.iter().map(|file| file.info()).collect();
            Ok(infos?.into_iter().flatten().collect())
        };
        self.readers.run(job).await?
    }

    async fn retire_cohorts(
        &self,
        now: Timestamp,
        grace: Duration,
        dry_run: bool,
    ) -> Result<Vec<RetiredCohort>> {
        self.cohorts.retire(&self.users, now, grace, dry_run).await
    }

    async fn prune(&self, now: Timestamp) -> Result<()> {
        erase::prune(self, now).await
    }
}

fn owners(workspace: WorkspaceId, users: &[UserId]) -> Vec<Owner> {
    users
        .iter()
        .map(|user| Owner::new(workspace, user))
        .collect()
}
