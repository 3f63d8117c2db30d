//! The card store on SQLite: `users.db` and one `cards-<cohort>.db` for each period of expiry.
//!
//! A transaction cannot span two files. What needs both is written as steps that may be repeated;
//! `write` and `erase` say in which order, and why.

mod card_events;
mod cohorts;
mod counts;
mod erase;
mod owner;
mod plans;
mod read;
mod receipts;
mod scan;
mod states;
#[cfg(test)]
mod tests;
mod user_events;
mod users;
mod write;

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use corkboard_core::audience::Audience;
use corkboard_core::cohort::Cohort;
use corkboard_core::id::{CampaignId, DispatchId, WorkspaceId};
use corkboard_core::time::Timestamp;
use corkboard_core::user::{AttributeChange, User, UserEvent, UserId};

use super::database::{Database, Readers};
use super::failure;
use super::options::SqliteOptions;
use crate::card_store::{
    CardBatch, CardEvent, CardStore, CohortInfo, CountRow, Receipt, RecordedEvents, RetiredCohort,
    RowOutcome, ScanRequest, UserCards, UserPage, check_storable,
};
use crate::error::Result;
use cohorts::Cohorts;
use owner::Owner;

const MIGRATIONS: &[&str] = &[include_str!("schema/users_0001.sql")];

/// Users, events, cards, states and receipts in the files of one folder.
#[derive(Debug)]
pub struct SqliteCardStore {
    users: Database,
    cohorts: Cohorts,
    readers: Readers,
}

impl SqliteCardStore {
    /// Opens or creates the store in `folder`. Fails at once when another process has it open.
    /// Blocks on disk: for start-up.
    pub fn open(folder: &Path, options: &SqliteOptions) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(|error| failure::unavailable(folder, error))?;
        let users = Database::open(&folder.join("users.db"), MIGRATIONS, options)?;
        let retired = users.read_here("read retired cohorts", counts::retired)?;
        let readers = users.readers().clone();
        let cohorts = Cohorts::find(folder, options, &readers, retired)?;
        Ok(Self {
            users,
            cohorts,
            readers,
        })
    }

    /// Finishes what was accepted and closes all files.
    pub async fn close(&self) {
        for file in self.cohorts.opened() {
            file.database.close().await;
        }
        self.users.close().await;
    }

    /// How SQLite runs the statements that are run often, by name; those of cohorts as they run in
    /// one of them.
    pub async fn plans(&self, cohort: Cohort) -> Result<Vec<(&'static str, Vec<String>)>> {
        let mut plans = self.users.read("explain", plans::of_users).await?;
        let file = self.cohorts.for_writing(cohort).await?;
        plans.extend(file.database.read("explain", plans::of_cohort).await?);
        Ok(plans)
    }

    /// How many transactions the open files have committed: for measurements.
    #[must_use]
    pub fn commits(&self) -> u64 {
        let files = self.cohorts.opened();
        let cards: u64 = files.iter().map(|file| file.database.commits()).sum();
        cards + self.users.commits()
    }
}

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
