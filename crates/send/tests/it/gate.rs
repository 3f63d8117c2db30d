//! Stores that stop working at a chosen call, as if the process had ended there.

use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use corkboard_core::audience::Audience;
use corkboard_core::campaign::{Campaign, CampaignState};
use corkboard_core::cohort::Cohort;
use corkboard_core::dispatch::{Dispatch, DispatchState, Tally};
use corkboard_core::id::{ApiKeyId, AppId, CampaignId, DispatchId, WorkspaceId};
use corkboard_core::tenancy::{ApiKey, App, TokenKey, Workspace};
use corkboard_core::time::Timestamp;
use corkboard_core::user::{AttributeChange, User, UserEvent, UserId};
use corkboard_send::Deps;
use corkboard_store::card_store::{
    CardBatch, CardEvent, CohortInfo, CountRow, Receipt, RecordedEvents, RetiredCohort, RowOutcome,
    ScanPosition, ScanRequest, UserCards, UserPage,
};
use corkboard_store::control_store::{
    CallFilter, CallRow, ChunkWork, ClaimRequest, ClaimedChunk, ContentBlock, ContentBlockHead,
    ContentBlockStore, CredentialStore, DispatchProgress, Idempotent, LiveSet, NewDispatch,
    StopOutcome, StoredCredential, StoredReply,
};
use corkboard_store::error::Result;
use corkboard_store::page::{Page, PageRequest};
use corkboard_store::{CardStore, ControlStore, StoreError};
use tokio::sync::watch;

/// What happens at the chosen call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Neither this call nor any later one happens.
    DiesBefore,
    /// The call happens, but nobody learns of it, and no later one happens.
    DiesAfter,
    /// The call fails and had no effect; later ones work.
    FailsBefore,
    /// The call has its effect and fails nevertheless; later ones work.
    FailsAfter,
    /// This call and every later one fail without effect.
    FailsForGood,
    /// This call and so many later ones find the database away.
    AwayFor(usize),
}

impl Fate {
    /// Those after which a dispatch is completed all the same.
    pub(crate) const SURVIVED: [Self; 4] = [
        Self::DiesBefore,
        Self::DiesAfter,
        Self::FailsBefore,
        Self::FailsAfter,
    ];
}

/// What a worker does with a chunk. Claims are left out: idle workers repeat them for ever.
const COUNTED: [&str; 9] = [
    "scan_users",
    "find_users",
    "campaign_receipts",
    "have_cards",
    "ensure_cohort",
    "write_cards",
    "checkpoint_chunk",
    "finish_chunk",
    "release_chunk",
];

/// What still works when nothing else does: giving the chunk back.
const LAST_WORDS: [&str; 1] = ["release_chunk"];

/// Counts the calls of one process to both stores.
#[derive(Debug)]
pub(crate) struct Gate {
    calls: AtomicUsize,
    at: usize,
    fate: Fate,
    /// Calls of this name wait.
    held: watch::Sender<Option<&'static str>>,
}

impl Gate {
    /// The first call is number 1.
    pub(crate) fn at(call: usize, fate: Fate) -> Arc<Self> {
        Arc::new(Self {
            calls: AtomicUsize::new(0),
            at: call,
            fate,
            held: watch::channel(None).0,
        })
    }

    /// Lets everything through.
    pub(crate) fn counting() -> Arc<Self> {
        Self::at(usize::MAX, Fate::FailsBefore)
    }

    /// Calls of this name wait until it is `None`.
    pub(crate) fn hold(&self, name: Option<&'static str>) {
        self.held.send_replace(name);
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub(crate) fn was_reached(&self) -> bool {
        self.calls() >= self.at
    }

    async fn pass<T: Send>(
        &self,
        name: &'static str,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let mut held = self.held.subscribe();
        held.wait_for(|held| *held != Some(name)).await.unwrap();
        if !COUNTED.contains(&name) {
            let is_dead = matches!(self.fate, Fate::DiesBefore | Fate::DiesAfter);
            return if is_dead && self.was_reached() {
                pending().await
            } else {
                call.await
            };
        }
        let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        match self.fate {
            Fate::DiesBefore if number >= self.at => pending().await,
            Fate::DiesAfter if number > self.at => pending().await,
            Fate::DiesAfter if number == self.at => {
                drop(call.await);
                pending().await
            }
            Fate::FailsBefore if number == self.at => Err(StoreError::Overloaded),
            Fate::FailsForGood if number >= self.at && !LAST_WORDS.contains(&name) => {
                Err(StoreError::Database {
                    statement: name,
                    source: "it is broken".into(),
                })
            }
            Fate::AwayFor(calls)
                if (self.at..=self.at + calls).contains(&number) && !LAST_WORDS.contains(&name) =>
            {
                Err(StoreError::Unavailable {
                    place: "the other side".to_owned(),
                    source: "it is away".into(),
                })
            }
            Fate::FailsAfter if number == self.at => {
                call.await?;
                Err(StoreError::Overloaded)
            }
            _ => call.await,
        }
    }
}

/// The same neighbours, with both stores behind one gate.
pub(crate) fn gated(deps: Deps, gate: &Arc<Gate>) -> Deps {
    let gate = || Arc::clone(gate);
    Deps {
        cards: Arc::new(GatedCards {
            inner: deps.cards,
            gate: gate(),
        }),
        control: Arc::new(GatedControl {
            inner: deps.control,
            gate: gate(),
        }),
        ..deps
    }
}

#[derive(Debug)]
struct GatedCards {
    inner: Arc<dyn CardStore>,
    gate: Arc<Gate>,
}

#[derive(Debug)]
struct GatedControl {
    inner: Arc<dyn ControlStore>,
    gate: Arc<Gate>,
}

macro_rules! gated {
    ($trait:ident for $type:ident { $(=> $there:item)? $(fn $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty;)* }) => {
        #[async_trait]
        impl $trait for $type {
            $($there)?
            $(async fn $name(&self, $($arg: $ty),*) -> Result<$ret> {
                self.gate.pass(stringify!($name), self.inner.$name($($arg),*)).await
            })*
        }
    };
}

gated! { CardStore for GatedCards {
    => fn place(&self, workspace: WorkspaceId, user: &UserId) -> usize {
        self.inner.place(workspace, user)
    }
    fn change_attributes(workspace: WorkspaceId, changes: Vec<AttributeChange>, now: Timestamp) -> ();
    fn find_user(workspace: WorkspaceId, user: &UserId) -> Option<User>;
    fn find_users(workspace: WorkspaceId, users: &[UserId]) -> Vec<Option<User>>;
    fn scan_users(request: &ScanRequest<'_>) -> UserPage;
    fn count_users(workspace: WorkspaceId, audience: &Audience, now: Timestamp) -> u64;
    fn erase_user(workspace: WorkspaceId, user: &UserId, now: Timestamp) -> bool;
    fn record_user_events(events: Vec<UserEvent>, now: Timestamp) -> Vec<bool>;
    fn ensure_cohort(cohort: Cohort) -> ();
    fn write_cards(batch: CardBatch, now: Timestamp) -> Vec<RowOutcome>;
    fn user_cards(workspace: WorkspaceId, user: &UserId, now: Timestamp, limit: usize) -> UserCards;
    fn have_cards(workspace: WorkspaceId, dispatch: DispatchId, cohort: Cohort, users: &[UserId]) -> Vec<bool>;
    fn receipts(workspace: WorkspaceId, user: &UserId, campaigns: &[CampaignId]) -> Vec<Receipt>;
    fn campaign_receipts(workspace: WorkspaceId, campaign: CampaignId, users: &[UserId]) -> Vec<Option<Receipt>>;
    fn remove_cards(workspace: WorkspaceId, user: &UserId, campaigns: &[CampaignId], now: Timestamp) -> u64;
    fn record_card_events(workspace: WorkspaceId, user: &UserId, events: Vec<CardEvent>, now: Timestamp) -> RecordedEvents;
    fn campaign_counts(workspace: WorkspaceId, campaign: CampaignId) -> Vec<CountRow>;
    fn dispatch_written(dispatch: DispatchId) -> u64;
    fn list_cohorts() -> Vec<CohortInfo>;
    fn retire_cohorts(now: Timestamp, grace: Duration, dry_run: bool) -> Vec<RetiredCohort>;
    fn retire_receipts(sending: &[CampaignId], now: Timestamp) -> u32;
    fn prune(now: Timestamp) -> ();
} }

gated! { ContentBlockStore for GatedControl {
    fn insert_content_block(block: &ContentBlock) -> (ContentBlock, bool);
    fn find_content_block(workspace: WorkspaceId, name: &str) -> Option<ContentBlock>;
    fn list_content_blocks(workspace: WorkspaceId, page: &PageRequest) -> Page<ContentBlockHead>;
    fn replace_content_block(workspace: WorkspaceId, name: &str, source: &str, now: Timestamp) -> ContentBlock;
    fn delete_content_block(workspace: WorkspaceId, name: &str) -> ();
    fn content_block_sources(workspace: WorkspaceId, names: &[String]) -> BTreeMap<String, String>;
    fn content_block_names(workspace: WorkspaceId) -> Vec<String>;
    fn campaigns_with_content_blocks(workspace: WorkspaceId) -> Vec<Campaign>;
} }

gated! { CredentialStore for GatedControl {
    fn insert_credential(credential: &StoredCredential) -> (StoredCredential, bool);
    fn find_credential(workspace: WorkspaceId, name: &str) -> Option<StoredCredential>;
    fn list_credentials(workspace: WorkspaceId, page: &PageRequest) -> Page<StoredCredential>;
    fn replace_credential(credential: &StoredCredential) -> StoredCredential;
    fn delete_credential(workspace: WorkspaceId, name: &str) -> ();
    fn all_credentials(after: Option<(WorkspaceId, &str)>, limit: u32) -> Vec<StoredCredential>;
    fn reseal_credential(old: &StoredCredential, key: &str, sealed: &[u8]) -> bool;
} }

gated! { ControlStore for GatedControl {
    fn insert_workspace(workspace: &Workspace) -> ();
    fn find_workspace(id: WorkspaceId) -> Option<Workspace>;
    fn find_workspace_by_name(name: &str) -> Option<Workspace>;
    fn list_workspaces() -> Vec<Workspace>;
    fn insert_app(app: &App) -> ();
    fn find_app(id: AppId) -> Option<App>;
    fn list_apps(workspace: WorkspaceId) -> Vec<App>;
    fn replace_app_keys(id: AppId, keys: &[TokenKey]) -> bool;
    fn insert_api_key(key: &ApiKey) -> ();
    fn find_api_key(id: ApiKeyId) -> Option<ApiKey>;
    fn list_api_keys(workspace: Option<WorkspaceId>) -> Vec<ApiKey>;
    fn revoke_api_key(id: ApiKeyId, now: Timestamp) -> bool;
    fn insert_campaign(campaign: &Campaign) -> (Campaign, bool);
    fn find_campaign(workspace: WorkspaceId, id: CampaignId) -> Option<Campaign>;
    fn list_campaigns(workspace: WorkspaceId, page: &PageRequest) -> Page<Campaign>;
    fn update_campaign(campaign: &Campaign) -> ();
    fn delete_campaign(workspace: WorkspaceId, id: CampaignId) -> ();
    fn event_campaigns(workspace: WorkspaceId, now: Timestamp) -> Vec<Campaign>;
    fn sending_campaigns() -> Vec<CampaignId>;
    fn stop_campaign(workspace: WorkspaceId, id: CampaignId, remove_cards: bool, now: Timestamp) -> StopOutcome;
    fn insert_dispatch(dispatch: NewDispatch, from: &[CampaignState]) -> (Dispatch, bool);
    fn find_dispatch(workspace: WorkspaceId, id: DispatchId) -> Option<Dispatch>;
    fn list_dispatches(workspace: WorkspaceId, campaign: CampaignId, page: &PageRequest) -> Page<Dispatch>;
    fn due_dispatches(now: Timestamp, limit: u32) -> Vec<Dispatch>;
    fn start_dispatch(id: DispatchId, chunks: Vec<ChunkWork>, in_force: bool, now: Timestamp) -> bool;
    fn dispatch_progress(id: DispatchId) -> DispatchProgress;
    fn finish_dispatch(id: DispatchId, state: DispatchState, now: Timestamp) -> ();
    fn claim_chunk(request: &ClaimRequest) -> Option<ClaimedChunk>;
    fn checkpoint_chunk(chunk: &ClaimedChunk, position: &ScanPosition, tally: &Tally, now: Timestamp, lease: Duration) -> ();
    fn finish_chunk(chunk: &ClaimedChunk, tally: &Tally, now: Timestamp) -> ();
    fn release_chunk(chunk: &ClaimedChunk, retry_at: Timestamp, max_attempts: u32) -> ();
    fn live_set(workspace: WorkspaceId, now: Timestamp) -> LiveSet;
    fn begin_idempotent(workspace: WorkspaceId, key: &str, request_hash: [u8; 32], now: Timestamp, stale_after: Duration) -> Idempotent;
    fn finish_idempotent(workspace: WorkspaceId, key: &str, reply: &StoredReply) -> ();
    fn abandon_idempotent(workspace: WorkspaceId, key: &str) -> ();
    fn append_calls(calls: Vec<CallRow>) -> ();
    fn list_calls(workspace: WorkspaceId, filter: &CallFilter, page: &PageRequest) -> Page<CallRow>;
    fn prune(now: Timestamp) -> ();
    fn describe() -> Vec<(String, String)>;
} }
