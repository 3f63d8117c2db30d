//! What is in force in each workspace, in memory: broadcasts, first impressions, cancellations.
//!
//! A read finds it there and does not ask the control store. It is read again when a change was
//! announced in this process (the next read waits for that: a launch that was acknowledged is seen)
//! and every second otherwise, to learn what other nodes did.

mod set;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use corkboard_cache::{Awaited, Reading};
use corkboard_core::id::WorkspaceId;
use corkboard_core::time::SharedClock;
use corkboard_store::ControlStore;
use tokio::time::{Instant, timeout};

pub(crate) use set::{Broadcast, FirstImpression, Live};

use crate::error::FeedError;
use crate::hub::LiveHub;
use crate::options::FeedOptions;

/// A workspace that nobody has read for so long is no longer followed.
const FORGET_AFTER: Duration = Duration::from_secs(120);

/// The live sets of the workspaces that are being read.
#[derive(Debug)]
pub(crate) struct LiveSets {
    control: Arc<dyn ControlStore>,
    clock: SharedClock,
    hub: LiveHub,
    options: FeedOptions,
    workspaces: RwLock<HashMap<WorkspaceId, Arc<Followed>>>,
}

/// One workspace.
#[derive(Debug)]
struct Followed {
    current: RwLock<Current>,
    /// From the control store: one reader does it for all.
    reading: Reading,
}

#[derive(Debug, Clone)]
struct Current {
    /// Absent until first loaded.
    snapshot: Option<Snapshot>,
    /// When a feed of the workspace was last read.
    used: Instant,
}

#[derive(Debug, Clone)]
struct Snapshot {
    live: Arc<Live>,
    /// The hub's count of changes before loading began.
    changes: u64,
    loaded: Instant,
}

/// What is good enough not to load again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Want {
    /// Anything that no announced change has overtaken and that is not old.
    Fresh,
    /// Something read after this was asked.
    Newer,
}

impl LiveSets {
    pub(crate) fn new(
        control: Arc<dyn ControlStore>,
        clock: SharedClock,
        hub: LiveHub,
        options: FeedOptions,
    ) -> Self {
        Self {
            control,
            clock,
            hub,
            options,
            workspaces: RwLock::default(),
        }
    }

    /// What is in force in the workspace, at least as new as every change announced so far.
    pub(crate) async fn of(&self, workspace: WorkspaceId) -> Result<Arc<Live>, FeedError> {
        let followed = self.follow(workspace);
        let now = Instant::now();
        let snapshot = followed.touch(now);
        if let Some(snapshot) = &snapshot
            && self.is_fresh(workspace, snapshot, now)
        {
            return Ok(Arc::clone(&snapshot.live));
        }
        match (
            self.refresh(workspace, &followed, Want::Fresh).await,
            snapshot,
        ) {
            (Ok(live), _) => Ok(live),
            // Nothing was announced: what we have may be a little old, but not known to be wrong.
            (Err(error), Some(old)) if old.changes == self.hub.changes(workspace) => {
                tracing::warn!(%workspace, %error, "going on with what was in force before");
                Ok(old.live)
            }
            (Err(error), _) => Err(error),
        }
    }

    /// The same, if it need not be waited for.
    pub(crate) fn at_hand(&self, workspace: WorkspaceId, now: Instant) -> Option<Arc<Live>> {
        let snapshot = self.follow(workspace).touch(now)?;
        self.is_fresh(workspace, &snapshot, now)
            .then_some(snapshot.live)
    }

    /// Looks at the control store for every workspace that is being read or listened to, and hints
    /// the listeners of those where something has changed.
    pub(crate) async fn poll(&self) {
        for workspace in self.hub.workspaces() {
            self.follow(workspace).touch(Instant::now());
        }
        for (workspace, followed) in self.followed() {
            let current = followed.current();
            if current.used.elapsed() > FORGET_AFTER {
                self.forget(workspace);
                continue;
            }
            let before = current.snapshot.map(|snapshot| snapshot.live);
            match self.refresh(workspace, &followed, Want::Newer).await {
                Ok(live) if before.is_some_and(|before| !Arc::ptr_eq(&before, &live)) => {
                    self.hub.ring(workspace);
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%workspace, %error, "what is in force is not known"),
            }
        }
    }

    fn is_fresh(&self, workspace: WorkspaceId, snapshot: &Snapshot, now: Instant) -> bool {
        // The poll renews it in time; only when it fails to does a read look for itself.
        let keeps = self.options.live_poll * 2;
        snapshot.changes == self.hub.changes(workspace)
            && now.duration_since(snapshot.loaded) <= keeps
    }

    /// Loads, or waits for whoever is loading. Keeps the very same set if nothing has changed.
    async fn refresh(
        &self,
        workspace: WorkspaceId,
        followed: &Followed,
        want: Want,
    ) -> Result<Arc<Live>, FeedError> {
        let asked = Instant::now();
        let work = async {
            let good = || {
                let known = followed.current().snapshot?;
                let good = self.is_fresh(workspace, &known, Instant::now())
                    && (want == Want::Fresh || known.loaded >= asked);
                good.then_some(known.live)
            };
            let _reader = match followed.reading.wait(good).await {
                Awaited::Known(live) => return Ok(live),
                Awaited::Reads(reader) => reader,
            };
            let old = followed.current().snapshot;
            let (changes, loaded) = (self.hub.changes(workspace), Instant::now());
            let now = self.clock.now();
            // What expired lately is wanted, too: its events still count, cursors still name it.
            let since = now.minus(self.options.late_events);
            let set = self.control.live_set(workspace, since).await?;
            let old = old.map(|old| old.live);
            let live = match old {
                Some(old) if old.set == set => old,
                old => Arc::new(Live::new(set, old.as_deref(), now, &self.options)),
            };
            followed.write().snapshot = Some(Snapshot {
                live: Arc::clone(&live),
                changes,
                loaded,
            });
            Ok(live)
        };
        timeout(self.options.live_deadline, work)
            .await
            .map_err(|_| FeedError::TimedOut)?
    }

    fn follow(&self, workspace: WorkspaceId) -> Arc<Followed> {
        let known = self
            .workspaces
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(followed) = known.get(&workspace) {
            return Arc::clone(followed);
        }
        drop(known);
        let mut known = self
            .workspaces
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if !known.contains_key(&workspace) && known.len() >= self.options.max_workspaces.max(1) {
            let oldest = known
                .iter()
                .min_by_key(|(_, followed)| followed.current().used);
            if let Some(oldest) = oldest.map(|(workspace, _)| *workspace) {
                known.remove(&oldest);
            }
        }
        Arc::clone(known.entry(workspace).or_default())
    }

    fn forget(&self, workspace: WorkspaceId) {
        self.workspaces
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&workspace);
    }

    fn followed(&self) -> Vec<(WorkspaceId, Arc<Followed>)> {
        let known = self
            .workspaces
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        known
            .iter()
            .map(|(workspace, followed)| (*workspace, Arc::clone(followed)))
            .collect()
    }
}

impl Default for Followed {
    fn default() -> Self {
        let current = Current {
            snapshot: None,
            used: Instant::now(),
        };
        Self {
            current: RwLock::new(current),
            reading: Reading::default(),
        }
    }
}

impl Followed {
    fn current(&self) -> Current {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Current> {
        self.current.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The snapshot, noting that it was asked for (to within a second, so that readers do not
    /// fight over the lock).
    fn touch(&self, now: Instant) -> Option<Snapshot> {
        let current = self.current();
        if now.duration_since(current.used) > Duration::from_secs(1) {
            self.write().used = now;
        }
        current.snapshot
    }
}
