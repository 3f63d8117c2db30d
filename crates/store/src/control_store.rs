//! Everything that is keyed by a workspace: tenants, campaigns, content blocks, credentials,
//! dispatches, chunks, idempotency, the call log. One installation has one control store.

mod calls;
mod content_blocks;
mod credentials;
mod dispatches;
mod idempotency;
mod live;

use async_trait::async_trait;
use corkboard_core::campaign::{Campaign, CampaignState};
use corkboard_core::dispatch::{Dispatch, DispatchState, Tally};
use corkboard_core::id::{ApiKeyId, AppId, CampaignId, DispatchId, WorkspaceId};
use corkboard_core::tenancy::{ApiKey, App, TokenKey, Workspace};
use corkboard_core::time::Timestamp;

pub use calls::{CallFilter, CallRow};
pub use content_blocks::{
    ContentBlock, ContentBlockHead, ContentBlockStore, MOST_CONTENT_BLOCKS, NamedBlocks,
};
pub use credentials::{CredentialStore, MOST_CREDENTIALS, StoredCredential};
pub(crate) use dispatches::state_at_start;
pub use dispatches::{
    ChunkWork, ClaimRequest, ClaimedChunk, DispatchProgress, NewDispatch, StopOutcome,
};
pub use idempotency::{Idempotent, StoredReply};
pub(crate) use idempotency::{KEPT_REPLIES, KnownKey};
pub use live::{LiveDispatch, LiveSet};

use crate::card_store::ScanPosition;
use crate::error::Result;
use crate::page::{Page, PageRequest};

/// Tenants, campaigns, dispatches, chunks, idempotency and the call log.
#[async_trait]
pub trait ControlStore:
    ContentBlockStore + CredentialStore + Send + Sync + std::fmt::Debug
{
    // --- tenancy

    /// Fails with `Conflict` when the name is taken.
    async fn insert_workspace(&self, workspace: &Workspace) -> Result<()>;
    async fn find_workspace(&self, id: WorkspaceId) -> Result<Option<Workspace>>;
    async fn find_workspace_by_name(&self, name: &str) -> Result<Option<Workspace>>;
    async fn list_workspaces(&self) -> Result<Vec<Workspace>>;
    /// Fails with `NotFound` when the workspace does not exist.
    async fn insert_app(&self, app: &App) -> Result<()>;
    async fn find_app(&self, id: AppId) -> Result<Option<App>>;
    async fn list_apps(&self, workspace: WorkspaceId) -> Result<Vec<App>>;
    /// From now on the app has these keys and no others. Returns whether there is such an app.
    async fn replace_app_keys(&self, id: AppId, keys: &[TokenKey]) -> Result<bool>;
    /// Fails with `NotFound` when the workspace does not exist.
    async fn insert_api_key(&self, key: &ApiKey) -> Result<()>;
    /// Also finds revoked keys: the caller looks at `revoked_at`.
    async fn find_api_key(&self, id: ApiKeyId) -> Result<Option<ApiKey>>;
    /// All keys, or those of one workspace.
    async fn list_api_keys(&self, workspace: Option<WorkspaceId>) -> Result<Vec<ApiKey>>;
    /// Returns whether there was such a key. Revoking twice keeps the first time.
    async fn revoke_api_key(&self, id: ApiKeyId, now: Timestamp) -> Result<bool>;

    // --- campaigns

    /// Inserting the same id again returns the stored campaign instead: the second value is false.
    async fn insert_campaign(&self, campaign: &Campaign) -> Result<(Campaign, bool)>;
    async fn find_campaign(
        &self,
        workspace: WorkspaceId,
        id: CampaignId,
    ) -> Result<Option<Campaign>>;
    /// Newest first.
    async fn list_campaigns(
        &self,
        workspace: WorkspaceId,
        page: &PageRequest,
    ) -> Result<Page<Campaign>>;
    /// Stores a changed campaign if the stored version is one less, and the stored campaign is a draft
    /// (which may become active by losing its launch) or has the same state and no launch: what was
    /// launched stays as it was launched. Otherwise `Stale`.
    async fn update_campaign(&self, campaign: &Campaign) -> Result<()>;
    /// Removes a campaign that never had a dispatch; otherwise `Stale`.
    async fn delete_campaign(&self, workspace: WorkspaceId, id: CampaignId) -> Result<()>;
    /// Campaigns in a workspace that some event sets off or takes away: active ones, and stopped
    /// ones whose cards are still in feeds at `now`.
    async fn event_campaigns(
        &self,
        workspace: WorkspaceId,
        now: Timestamp,
    ) -> Result<Vec<Campaign>>;
    /// The campaigns of all workspaces that are not stopped: those that may still give cards.
    async fn sending_campaigns(&self) -> Result<Vec<CampaignId>>;
    /// Stops a campaign and its dispatches, and takes its cards back if asked: from then on
    /// `cancelled_at` is set. Repeating is harmless.
    async fn stop_campaign(
        &self,
        workspace: WorkspaceId,
        id: CampaignId,
        remove_cards: bool,
        now: Timestamp,
    ) -> Result<StopOutcome>;

    // --- dispatches

    /// Stores a dispatch with its chunks, and moves the campaign from one of `from` to `Active`,
    /// all at once. When the dispatch id exists already, returns it unchanged (second value false).
    /// `Stale` when the campaign is in none of the states or has another version.
    async fn insert_dispatch(
        &self,
        dispatch: NewDispatch,
        from: &[CampaignState],
    ) -> Result<(Dispatch, bool)>;
    async fn find_dispatch(
        &self,
        workspace: WorkspaceId,
        id: DispatchId,
    ) -> Result<Option<Dispatch>>;
    /// Newest first.
    async fn list_dispatches(
        &self,
        workspace: WorkspaceId,
        campaign: CampaignId,
        page: &PageRequest,
    ) -> Result<Page<Dispatch>>;
    /// Planned dispatches whose time has come, oldest first.
    async fn due_dispatches(&self, now: Timestamp, limit: u32) -> Result<Vec<Dispatch>>;
    /// Gives a planned dispatch its chunks and moves it to `Running` (or `Done` with no chunks and
    /// `in_force` false). Returns false when someone else has.
    async fn start_dispatch(
        &self,
        id: DispatchId,
        chunks: Vec<ChunkWork>,
        in_force: bool,
        now: Timestamp,
    ) -> Result<bool>;
    /// Targeted and skipped counts over all chunks, and how many chunks are left.
    async fn dispatch_progress(&self, id: DispatchId) -> Result<DispatchProgress>;
    /// Moves a dispatch to `Failed` (or another final state).
    async fn finish_dispatch(
        &self,
        id: DispatchId,
        state: DispatchState,
        now: Timestamp,
    ) -> Result<()>;

    // --- chunks

    /// Leases one chunk that nobody holds (or whose lease has lapsed), of a running dispatch.
    /// Every claim gets a larger token than any before it.
    async fn claim_chunk(&self, request: &ClaimRequest) -> Result<Option<ClaimedChunk>>;
    /// Saves how far a chunk has come and renews its lease. Adds `tally`. `Fenced` when another
    /// worker has claimed it; `Stale` when the dispatch was stopped.
    async fn checkpoint_chunk(
        &self,
        chunk: &ClaimedChunk,
        position: &ScanPosition,
        tally: &Tally,
        now: Timestamp,
        lease: std::time::Duration,
    ) -> Result<()>;
    /// Adds `tally` and closes the chunk; closes the dispatch with the last one. `Fenced` as above.
    async fn finish_chunk(&self, chunk: &ClaimedChunk, tally: &Tally, now: Timestamp)
    -> Result<()>;
    /// Gives the lease back without progress, to be claimed again at `retry_at` or later. After
    /// `max_attempts` claims without progress the chunk and its dispatch fail. With `u32::MAX` this
    /// claim does not count: nobody is to blame, as when a database is away or a process ends.
    async fn release_chunk(
        &self,
        chunk: &ClaimedChunk,
        retry_at: Timestamp,
        max_attempts: u32,
    ) -> Result<()>;

    // --- what feeds must know without asking per user

    /// Dispatches that take effect when a feed is read (broadcasts, first impressions), and
    /// cancelled campaigns, as of `now`.
    async fn live_set(&self, workspace: WorkspaceId, now: Timestamp) -> Result<LiveSet>;

    // --- idempotency

    /// Takes the key for a request, or says what became of an earlier one. A key whose holder has
    /// not answered within `stale_after` is taken over.
    async fn begin_idempotent(
        &self,
        workspace: WorkspaceId,
        key: &str,
        request_hash: [u8; 32],
        now: Timestamp,
        stale_after: std::time::Duration,
    ) -> Result<Idempotent>;
    /// Stores the reply, to be replayed for 24 hours.
    async fn finish_idempotent(
        &self,
        workspace: WorkspaceId,
        key: &str,
        reply: &StoredReply,
    ) -> Result<()>;
    /// Gives the key back without a reply: the request had no effect and may be tried again.
    async fn abandon_idempotent(&self, workspace: WorkspaceId, key: &str) -> Result<()>;

    // --- the connected-content call log

    async fn append_calls(&self, calls: Vec<CallRow>) -> Result<()>;
    /// Newest first.
    async fn list_calls(
        &self,
        workspace: WorkspaceId,
        filter: &CallFilter,
        page: &PageRequest,
    ) -> Result<Page<CallRow>>;

    // --- housekeeping

    /// Takes or renews the lease `name` for `holder`, so that one process at a time does a kind of
    /// work. Returns whether `holder` has it now. A store that belongs to one process always says
    /// yes.
    async fn hold_lease(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        lease: std::time::Duration,
    ) -> Result<bool> {
        let _ = (name, holder, now, lease);
        Ok(true)
    }

    /// Forgets expired idempotency keys, calls beyond their retention (30 days, bounded rows), and
    /// finished dispatches whose cards expired more than 30 days ago.
    async fn prune(&self, now: Timestamp) -> Result<()>;
    /// Name, version and anything else worth knowing about the database, for the doctor.
    async fn describe(&self) -> Result<Vec<(String, String)>>;
}
