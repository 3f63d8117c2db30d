//! Which operation each method of the trait is, and on which connection it runs.

use std::time::Duration;

use async_trait::async_trait;
use corkboard_core::campaign::{Campaign, CampaignState};
use corkboard_core::dispatch::{Dispatch, DispatchState, Tally};
use corkboard_core::id::{ApiKeyId, AppId, CampaignId, DispatchId, WorkspaceId};
use corkboard_core::tenancy::{ApiKey, App, TokenKey, Workspace};
use corkboard_core::time::Timestamp;

use super::chunks::Held;
use super::{
    PgControlStore, beginning, calls, campaigns, chunks, dispatches, housekeeping, idempotency,
    leases, live, sending, stopping, tenancy,
};
use crate::card_store::ScanPosition;
use crate::control_store::{
    CallFilter, CallRow, ChunkWork, ClaimRequest, ClaimedChunk, ControlStore, DispatchProgress,
    Idempotent, LiveSet, NewDispatch, StopOutcome, StoredReply,
};
use crate::error::{Result, StoreError};
use crate::page::{Page, PageRequest};

#[async_trait]
impl ControlStore for PgControlStore {
    async fn insert_workspace(&self, workspace: &Workspace) -> Result<()> {
        tenancy::insert_workspace(&self.pool.session().await?, workspace).await
    }

    async fn find_workspace(&self, id: WorkspaceId) -> Result<Option<Workspace>> {
        tenancy::find_workspace(&self.pool.session().await?, id).await
    }

    async fn find_workspace_by_name(&self, name: &str) -> Result<Option<Workspace>> {
        tenancy::find_workspace_by_name(&self.pool.session().await?, name).await
    }

    async fn list_workspaces(&self) -> Result<Vec<Workspace>> {
        tenancy::list_workspaces(&self.pool.session().await?).await
    }

    async fn insert_app(&self, app: &App) -> Result<()> {
        tenancy::insert_app(&self.pool.session().await?, app).await
    }

    async fn find_app(&self, id: AppId) -> Result<Option<App>> {
        tenancy::find_app(&self.pool.session().await?, id).await
    }

    async fn list_apps(&self, workspace: WorkspaceId) -> Result<Vec<App>> {
        tenancy::list_apps(&self.pool.session().await?, workspace).await
    }

    async fn replace_app_keys(&self, id: AppId, keys: &[TokenKey]) -> Result<bool> {
        tenancy::replace_app_keys(&self.pool.session().await?, id, keys).await
    }

    async fn insert_api_key(&self, key: &ApiKey) -> Result<()> {
        tenancy::insert_api_key(&self.pool.session().await?, key).await
    }

    async fn find_api_key(&self, id: ApiKeyId) -> Result<Option<ApiKey>> {
        tenancy::find_api_key(&self.pool.session().await?, id).await
    }

    async fn list_api_keys(&self, workspace: Option<WorkspaceId>) -> Result<Vec<ApiKey>> {
        tenancy::list_api_keys(&self.pool.session().await?, workspace).await
    }

    async fn revoke_api_key(&self, id: ApiKeyId, now: Timestamp) -> Result<bool> {
        tenancy::revoke_api_key(&self.pool.session().await?, id, now).await
    }

    async fn insert_campaign(&self, campaign: &Campaign) -> Result<(Campaign, bool)> {
        campaigns::insert(&self.pool.session().await?, campaign).await
    }

    async fn find_campaign(
        &self,
        workspace: WorkspaceId,
        id: CampaignId,
    ) -> Result<Option<Campaign>> {
        campaigns::find(&self.pool.session().await?, workspace, id).await
    }

    async fn list_campaigns(
        &self,
        workspace: WorkspaceId,
        page: &PageRequest,
    ) -> Result<Page<Campaign>> {
        campaigns::list(&self.pool.session().await?, workspace, page).await
    }

    async fn update_campaign(&self, campaign: &Campaign) -> Result<()> {
        campaigns::update(&self.pool.session().await?, campaign).await
    }

    async fn delete_campaign(&self, workspace: WorkspaceId, id: CampaignId) -> Result<()> {
        campaigns::delete(&self.pool.session().await?, workspace, id).await
    }

    async fn event_campaigns(
        &self,
        workspace: WorkspaceId,
        now: Timestamp,
    ) -> Result<Vec<Campaign>> {
        campaigns::heeding_events(&self.pool.session().await?, workspace, now).await
    }

    async fn sending_campaigns(&self) -> Result<Vec<CampaignId>> {
        let session = self.pool.session().await?;
        sending::campaigns(&session).await
    }

    async fn stop_campaign(
        &self,
        workspace: WorkspaceId,
        id: CampaignId,
        remove_cards: bool,
        now: Timestamp,
    ) -> Result<StopOutcome> {
        stopping::stop(
            &self.pool.session().await?,
            workspace,
            id,
            remove_cards,
            now,
        )
        .await
    }

    async fn insert_dispatch(
        &self,
        dispatch: NewDispatch,
        from: &[CampaignState],
    ) -> Result<(Dispatch, bool)> {
        beginning::insert(&self.pool, &self.partitions, &dispatch, from).await
    }

    async fn find_dispatch(
        &self,
        workspace: WorkspaceId,
        id: DispatchId,
    ) -> Result<Option<Dispatch>> {
        dispatches::find(&self.pool.session().await?, workspace, id).await
    }

    async fn list_dispatches(
        &self,
        workspace: WorkspaceId,
        campaign: CampaignId,
        page: &PageRequest,
    ) -> Result<Page<Dispatch>> {
        dispatches::list(&self.pool.session().await?, workspace, campaign, page).await
    }

    async fn due_dispatches(&self, now: Timestamp, limit: u32) -> Result<Vec<Dispatch>> {
        dispatches::due(&self.pool.session().await?, now, limit).await
    }

    async fn start_dispatch(
        &self,
        id: DispatchId,
        chunks: Vec<ChunkWork>,
        in_force: bool,
        now: Timestamp,
    ) -> Result<bool> {
        dispatches::start(&self.pool, &self.partitions, id, &chunks, in_force, now).await
    }

    async fn dispatch_progress(&self, id: DispatchId) -> Result<DispatchProgress> {
        let session = self.pool.session().await?;
        let progress = dispatches::progress(&session, id).await?;
        progress.ok_or(StoreError::NotFound { what: "dispatch" })
    }

    async fn finish_dispatch(
        &self,
        id: DispatchId,
        state: DispatchState,
        now: Timestamp,
    ) -> Result<()> {
        dispatches::finish(&self.pool.session().await?, id, state, now).await
    }

    async fn claim_chunk(&self, request: &ClaimRequest) -> Result<Option<ClaimedChunk>> {
        chunks::claim(&self.pool.session().await?, request).await
    }

    async fn checkpoint_chunk(
        &self,
        chunk: &ClaimedChunk,
        position: &ScanPosition,
        tally: &Tally,
        now: Timestamp,
        lease: Duration,
    ) -> Result<()> {
        let (held, until) = (Held::of(chunk), now.plus(lease));
        let session = self.pool.session().await?;
        chunks::checkpoint(&session, &held, position, tally, now, until).await
    }

    async fn finish_chunk(
        &self,
        chunk: &ClaimedChunk,
        tally: &Tally,
        now: Timestamp,
    ) -> Result<()> {
        chunks::finish(&self.pool.session().await?, &Held::of(chunk), tally, now).await
    }

    async fn release_chunk(
        &self,
        chunk: &ClaimedChunk,
        retry_at: Timestamp,
        max_attempts: u32,
    ) -> Result<()> {
        chunks::release(
            &self.pool.session().await?,
            &Held::of(chunk),
            retry_at,
            max_attempts,
        )
        .await
    }

    async fn live_set(&self, workspace: WorkspaceId, now: Timestamp) -> Result<LiveSet> {
        live::live_set(&self.pool.session().await?, workspace, now).await
    }

    async fn begin_idempotent(
        &self,
        workspace: WorkspaceId,
        key: &str,
        request_hash: [u8; 32],
        now: Timestamp,
        stale_after: Duration,
    ) -> Result<Idempotent> {
        let request = idempotency::Request {
            workspace,
            key,
            hash: request_hash,
            now,
            stale_after,
        };
        idempotency::begin(&self.pool, &self.partitions, request).await
    }

    async fn finish_idempotent(
        &self,
        workspace: WorkspaceId,
        key: &str,
        reply: &StoredReply,
    ) -> Result<()> {
        idempotency::finish(&self.pool.session().await?, workspace, key, reply).await
    }

    async fn abandon_idempotent(&self, workspace: WorkspaceId, key: &str) -> Result<()> {
        idempotency::abandon(&self.pool.session().await?, workspace, key).await
    }

    async fn append_calls(&self, calls: Vec<CallRow>) -> Result<()> {
        if calls.is_empty() {
            return Ok(());
        }
        calls::append(&self.pool, &self.partitions, &calls).await
    }

    async fn list_calls(
        &self,
        workspace: WorkspaceId,
        filter: &CallFilter,
        page: &PageRequest,
    ) -> Result<Page<CallRow>> {
        calls::list(&self.pool.session().await?, workspace, filter, page).await
    }

    async fn hold_lease(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        lease: Duration,
    ) -> Result<bool> {
        leases::hold(&self.pool.session().await?, name, holder, now, lease).await
    }

    async fn prune(&self, now: Timestamp) -> Result<()> {
        housekeeping::prune(&self.pool, now).await
    }

    async fn describe(&self) -> Result<Vec<(String, String)>> {
        housekeeping::describe(&self.pool).await
    }
}
