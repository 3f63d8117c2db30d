//! Which operation each method of the trait is, and whether the writer runs it or a reader.

use std::time::Duration;

use async_trait::async_trait;
use corkboard_core::campaign::{Campaign, CampaignState};
use corkboard_core::dispatch::{Dispatch, DispatchState, Tally};
use corkboard_core::id::{ApiKeyId, AppId, CampaignId, DispatchId, WorkspaceId};
use corkboard_core::tenancy::{ApiKey, App, TokenKey, Workspace};
use corkboard_core::time::Timestamp;

use super::chunks::Held;
use super::{
    SqliteControlStore, calls, campaigns, chunks, dispatches, housekeeping, idempotency, live,
    sending, tenancy,
};
use crate::card_store::ScanPosition;
use crate::control_store::{
    CallFilter, CallRow, ChunkWork, ClaimRequest, ClaimedChunk, ControlStore, DispatchProgress,
    Idempotent, LiveSet, NewDispatch, StopOutcome, StoredReply,
};
use crate::error::{Result, StoreError};
use crate::page::{Page, PageRequest};

#[async_trait]
impl ControlStore for SqliteControlStore {
    async fn insert_workspace(&self, workspace: &Workspace) -> Result<()> {
        let workspace = workspace.clone();
        let op = move |db: &_| tenancy::insert_workspace(db, &workspace);
        self.database.write("insert workspace", op).await
    }

    async fn find_workspace(&self, id: WorkspaceId) -> Result<Option<Workspace>> {
        let op = move |db: &_| tenancy::find_workspace(db, id);
        self.database.read("find workspace", op).await
    }

    async fn find_workspace_by_name(&self, name: &str) -> Result<Option<Workspace>> {
        let name = name.to_owned();
        let op = move |db: &_| tenancy::find_workspace_by_name(db, &name);
        self.database.read("find workspace by name", op).await
    }

    async fn list_workspaces(&self) -> Result<Vec<Workspace>> {
        let op = |db: &_| tenancy::list_workspaces(db);
        self.database.read("list workspaces", op).await
    }

    async fn insert_app(&self, app: &App) -> Result<()> {
        let app = app.clone();
        let op = move |db: &_| tenancy::insert_app(db, &app);
        self.database.write("insert app", op).await
    }

    async fn find_app(&self, id: AppId) -> Result<Option<App>> {
        let op = move |db: &_| tenancy::find_app(db, id);
        self.database.read("find app", op).await
    }

    async fn list_apps(&self, workspace: WorkspaceId) -> Result<Vec<App>> {
        let op = move |db: &_| tenancy::list_apps(db, workspace);
        self.database.read("list apps", op).await
    }

    async fn replace_app_keys(&self, id: AppId, keys: &[TokenKey]) -> Result<bool> {
        let keys = keys.to_vec();
        let op = move |db: &_| tenancy::replace_app_keys(db, id, &keys);
        self.database.write("replace an app's keys", op).await
    }

    async fn insert_api_key(&self, key: &ApiKey) -> Result<()> {
        let key = key.clone();
        let op = move |db: &_| tenancy::insert_api_key(db, &key);
        self.database.write("insert API key", op).await
    }

    async fn find_api_key(&self, id: ApiKeyId) -> Result<Option<ApiKey>> {
        let op = move |db: &_| tenancy::find_api_key(db, id);
        self.database.read("find API key", op).await
    }

    async fn list_api_keys(&self, workspace: Option<WorkspaceId>) -> Result<Vec<ApiKey>> {
        let op = move |db: &_| tenancy::list_api_keys(db, workspace);
        self.database.read("list API keys", op).await
    }

    async fn revoke_api_key(&self, id: ApiKeyId, now: Timestamp) -> Result<bool> {
        let op = move |db: &_| tenancy::revoke_api_key(db, id, now);
        self.database.write("revoke API key", op).await
    }

    async fn insert_campaign(&self, campaign: &Campaign) -> Result<(Campaign, bool)> {
        let campaign = campaign.clone();
        let op = move |db: &_| campaigns::insert(db, &campaign);
        self.database.write("insert campaign", op).await
    }

    async fn find_campaign(
        &self,
        workspace: WorkspaceId,
        id: CampaignId,
    ) -> Result<Option<Campaign>> {
        let op = move |db: &_| campaigns::find(db, workspace, id);
        self.database.read("find campaign", op).await
    }

    async fn list_campaigns(
        &self,
        workspace: WorkspaceId,
        page: &PageRequest,
    ) -> Result<Page<Campaign>> {
        let page = page.clone();
        let op = move |db: &_| campaigns::list(db, workspace, &page);
        self.database.read("list campaigns", op).await
    }

    async fn update_campaign(&self, campaign: &Campaign) -> Result<()> {
        let campaign = campaign.clone();
        let op = move |db: &_| campaigns::update(db, &campaign);
        self.database.write("update campaign", op).await
    }

    async fn delete_campaign(&self, workspace: WorkspaceId, id: CampaignId) -> Result<()> {
        let op = move |db: &_| campaigns::delete(db, workspace, id);
        self.database.write("delete campaign", op).await
    }

    async fn event_campaigns(
        &self,
        workspace: WorkspaceId,
        now: Timestamp,
    ) -> Result<Vec<Campaign>> {
        let op = move |db: &_| campaigns::heeding_events(db, workspace, now);
        self.database
            .read("list campaigns heeding events", op)
            .await
    }

    async fn sending_campaigns(&self) -> Result<Vec<CampaignId>> {
        self.database
            .read("list sending campaigns", sending::campaigns)
            .await
    }

    async fn stop_campaign(
        &self,
        workspace: WorkspaceId,
        id: CampaignId,
        remove_cards: bool,
        now: Timestamp,
    ) -> Result<StopOutcome> {
        let op = move |db: &_| campaigns::stop(db, workspace, id, remove_cards, now);
        self.database.write("stop campaign", op).await
    }

    async fn insert_dispatch(
        &self,
        dispatch: NewDispatch,
        from: &[CampaignState],
    ) -> Result<(Dispatch, bool)> {
        let from = from.to_vec();
        let op = move |db: &_| dispatches::insert(db, &dispatch, &from);
        self.database.write("insert dispatch", op).await
    }

    async fn find_dispatch(
        &self,
        workspace: WorkspaceId,
        id: DispatchId,
    ) -> Result<Option<Dispatch>> {
        let op = move |db: &_| dispatches::find(db, workspace, id);
        self.database.read("find dispatch", op).await
    }

    async fn list_dispatches(
        &self,
        workspace: WorkspaceId,
        campaign: CampaignId,
        page: &PageRequest,
    ) -> Result<Page<Dispatch>> {
        let page = page.clone();
        let op = move |db: &_| dispatches::list(db, workspace, campaign, &page);
        self.database.read("list dispatches", op).await
    }

    async fn due_dispatches(&self, now: Timestamp, limit: u32) -> Result<Vec<Dispatch>> {
        let op = move |db: &_| dispatches::due(db, now, limit);
        self.database.read("list due dispatches", op).await
    }

    async fn start_dispatch(
        &self,
        id: DispatchId,
        chunks: Vec<ChunkWork>,
        in_force: bool,
        now: Timestamp,
    ) -> Result<bool> {
        let op = move |db: &_| dispatches::start(db, id, &chunks, in_force, now);
        self.database.write("start dispatch", op).await
    }

    async fn dispatch_progress(&self, id: DispatchId) -> Result<DispatchProgress> {
        let op = move |db: &_| dispatches::progress(db, id);
        let progress = self.database.read("read dispatch progress", op).await?;
        progress.ok_or(StoreError::NotFound { what: "dispatch" })
    }

    async fn finish_dispatch(
        &self,
        id: DispatchId,
        state: DispatchState,
        now: Timestamp,
    ) -> Result<()> {
        let op = move |db: &_| dispatches::finish(db, id, state, now);
        self.database.write("finish dispatch", op).await
    }

    async fn claim_chunk(&self, request: &ClaimRequest) -> Result<Option<ClaimedChunk>> {
        let (request, asked) = (request.clone(), request.clone());
        let look = move |db: &_| chunks::any_free(db, &asked);
        if !self.database.read("look for a free chunk", look).await? {
            return Ok(None);
        }
        let op = move |db: &_| chunks::claim(db, &request);
        self.database.write("claim chunk", op).await
    }

    async fn checkpoint_chunk(
        &self,
        chunk: &ClaimedChunk,
        position: &ScanPosition,
        tally: &Tally,
        now: Timestamp,
        lease: Duration,
    ) -> Result<()> {
        let (held, position, tally) = (Held::of(chunk), position.clone(), tally.clone());
        let until = now.plus(lease);
        let op = move |db: &_| chunks::checkpoint(db, &held, &position, &tally, now, until);
        self.database.write("checkpoint chunk", op).await
    }

    async fn finish_chunk(
        &self,
        chunk: &ClaimedChunk,
        tally: &Tally,
        now: Timestamp,
    ) -> Result<()> {
        let (held, tally) = (Held::of(chunk), tally.clone());
        let op = move |db: &_| chunks::finish(db, &held, &tally, now);
        self.database.write("finish chunk", op).await
    }

    async fn release_chunk(
        &self,
        chunk: &ClaimedChunk,
        retry_at: Timestamp,
        max_attempts: u32,
    ) -> Result<()> {
        let held = Held::of(chunk);
        let op = move |db: &_| chunks::release(db, &held, retry_at, max_attempts);
        self.database.write("release chunk", op).await
    }

    async fn live_set(&self, workspace: WorkspaceId, now: Timestamp) -> Result<LiveSet> {
        let op = move |db: &_| live::live_set(db, workspace, now);
        self.database.read("read live set", op).await
    }

    async fn begin_idempotent(
        &self,
        workspace: WorkspaceId,
        key: &str,
        request_hash: [u8; 32],
        now: Timestamp,
        stale_after: Duration,
    ) -> Result<Idempotent> {
        let key = key.to_owned();
        let op =
            move |db: &_| idempotency::begin(db, workspace, &key, request_hash, now, stale_after);
        self.database.write("begin idempotent request", op).await
    }

    async fn finish_idempotent(
        &self,
        workspace: WorkspaceId,
        key: &str,
        reply: &StoredReply,
    ) -> Result<()> {
        let (key, reply) = (key.to_owned(), reply.clone());
        let op = move |db: &_| idempotency::finish(db, workspace, &key, &reply);
        self.database.write("finish idempotent request", op).await
    }

    async fn abandon_idempotent(&self, workspace: WorkspaceId, key: &str) -> Result<()> {
        let key = key.to_owned();
        let op = move |db: &_| idempotency::abandon(db, workspace, &key);
        self.database.write("abandon idempotent request", op).await
    }

    async fn append_calls(&self, calls: Vec<CallRow>) -> Result<()> {
        if calls.is_empty() {
            return Ok(());
        }
        let op = move |db: &_| calls::append(db, &calls, calls::MAX_ROWS);
        self.database.write("append calls", op).await
    }

    async fn list_calls(
        &self,
        workspace: WorkspaceId,
        filter: &CallFilter,
        page: &PageRequest,
    ) -> Result<Page<CallRow>> {
        let (filter, page) = (filter.clone(), page.clone());
        let op = move |db: &_| calls::list(db, workspace, &filter, &page);
        self.database.read("list calls", op).await
    }

    async fn prune(&self, now: Timestamp) -> Result<()> {
        housekeeping::prune(&self.database, now).await
    }

    async fn describe(&self) -> Result<Vec<(String, String)>> {
        housekeeping::describe(&self.database).await
    }
}
