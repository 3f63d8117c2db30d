//! The feed's tiers: where personal parts are kept between the card store and its readers, how they
//! are voided, and how changes reach the listeners of every node.

use std::sync::Arc;
use std::time::Duration;

use corkboard_cache::{Ears, Key, Memory, ReadError, Redis, TierOptions, Tiers};
use corkboard_core::hint::FeedChanges;
use corkboard_core::id::{Id as _, WorkspaceId};
use corkboard_core::slot::{SLOT_COUNT, Slot};
use corkboard_core::user::UserId;
use corkboard_store::StoreError;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::hub::LiveHub;
use crate::personal::{Compact, SharedPersonal};

/// Bytes of a workspace's id at the beginning of a key.
const WORKSPACE: usize = 16;
/// Launches and stops waiting to be told to other nodes. Beyond it they find out by themselves,
/// within a second.
const NEWS_WAITING: usize = 256;

/// Where personal parts are kept. Cheap to clone.
#[derive(Debug, Clone)]
pub struct FeedTier {
    tiers: Tiers<SharedPersonal, Arc<StoreError>>,
    hub: LiveHub,
    parts: usize,
    news: Option<mpsc::Sender<WorkspaceId>>,
}

impl FeedTier {
    /// Process memory before the store, which divides users' slots evenly into `options.parts`.
    /// Looks are tasks of `tasks`.
    #[must_use]
    pub fn new(hub: LiveHub, options: TierOptions, tasks: TaskTracker) -> Self {
        let parts = options.parts;
        Self {
            tiers: Tiers::new(Box::new(Compact), options, tasks),
            hub,
            parts,
            news: None,
        }
    }

    /// Who must hear what other nodes announce: given to [`Redis::open`].
    #[must_use]
    pub fn ears(&self) -> Arc<dyn Ears> {
        Arc::new(Hears {
            memory: Arc::clone(self.tiers.memory()),
            hub: self.hub.clone(),
        })
    }

    /// Puts Redis between memory and store, and tells other nodes of launches and stops until
    /// `shutdown`.
    #[must_use]
    pub fn shared(
        mut self,
        redis: Redis,
        tasks: &TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        let (news, mut waiting) = mpsc::channel::<WorkspaceId>(NEWS_WAITING);
        self.tiers.share(redis.clone());
        tasks.spawn(shutdown.run_until_cancelled_owned(async move {
            while let Some(workspace) = waiting.recv().await {
                redis.tell(&workspace.to_bytes()).await;
            }
        }));
        self.news = Some(news);
        self
    }

    /// A user's personal part; `load` asks the store.
    pub(crate) async fn read<F, Fut>(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        load: F,
    ) -> Result<SharedPersonal, StoreError>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<SharedPersonal, Arc<StoreError>>> + Send + 'static,
    {
        let slot = usize::from(Slot::of(workspace, user).number());
        let part = slot * self.parts / usize::from(SLOT_COUNT);
        let read = self.tiers.read(&key(workspace, user), part, load).await;
        read.map_err(|error| match error {
            ReadError::Source(error) => told_to_all(error),
            // Whoever waits longer only adds to the load.
            _ => StoreError::Overloaded,
        })
    }

    /// A user's personal part, if memory has it.
    pub(crate) fn at_hand(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        now: Instant,
    ) -> Option<SharedPersonal> {
        self.tiers.at_hand(key(workspace, user).as_bytes(), now)
    }

    /// Makes sure that nobody is served, on any node, what was read before. `loud`: something
    /// really changed, and open connections hear of it.
    pub(crate) async fn void(&self, keys: &[Key], loud: bool) {
        if !keys.is_empty() {
            self.tiers.void(keys, loud).await;
        }
    }

    /// The same for whoever cannot wait.
    pub(crate) fn void_later(&self, keys: &[Key]) {
        self.tiers.void_later(keys);
    }
}

impl FeedChanges for FeedTier {
    /// Of this node: the others hear of it with the void.
    fn users_changed(&self, workspace: WorkspaceId, users: &[UserId]) {
        self.hub.users_changed(workspace, users);
    }

    fn workspace_changed(&self, workspace: WorkspaceId) {
        self.hub.workspace_changed(workspace);
        if let Some(news) = &self.news {
            let _ = news.try_send(workspace);
        }
    }
}

pub(crate) fn key(workspace: WorkspaceId, user: &UserId) -> Key {
    Key::joined(&workspace.to_bytes(), user.as_str().as_bytes())
}

/// The other way round; `None` for what is no key of ours.
fn owner(key: &Key) -> Option<(WorkspaceId, UserId)> {
    let (workspace, user) = key.as_bytes().split_first_chunk::<WORKSPACE>()?;
    let user = UserId::parse(std::str::from_utf8(user).ok()?).ok()?;
    Some((WorkspaceId::from_bytes(*workspace), user))
}

/// One error for each of those who waited for one answer.
fn told_to_all(error: Arc<StoreError>) -> StoreError {
    match &*error {
        StoreError::Overloaded => StoreError::Overloaded,
        StoreError::Unavailable { place, .. } => StoreError::Unavailable {
            place: place.clone(),
            source: error.into(),
        },
        _ => StoreError::Database {
            statement: "a user's cards",
            source: error.into(),
        },
    }
}

/// Knows memory and hub, not the tiers themselves, which know Redis, which knows this.
struct Hears {
    memory: Arc<Memory<SharedPersonal, ReadError<Arc<StoreError>>>>,
    hub: LiveHub,
}

impl Ears for Hears {
    fn voided(&self, keys: &[Key], loud: bool) {
        for key in keys {
            self.memory.void(key.as_bytes());
            if loud && let Some((workspace, user)) = owner(key) {
                self.hub.users_changed(workspace, &[user]);
            }
        }
    }

    fn told(&self, what: &[u8]) {
        if let Ok(workspace) = what.try_into() {
            self.hub
                .workspace_changed(WorkspaceId::from_bytes(workspace));
        }
    }

    fn missed(&self) {
        self.memory.flush();
    }
}

/// How long memory may keep a personal part when other processes may write to the store and no Redis
/// tells of it: with a fifth on top, less than the second within which a card must be visible.
pub const UNTOLD_LIFETIME: Duration = Duration::from_millis(750);
