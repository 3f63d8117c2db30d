//! Where changes of cards are announced, and from where open connections hear of them.
//!
//! Announcing never blocks and never queues: a connection that has not yet looked at one hint gets
//! no second one. What must not be lost (that a workspace's broadcasts have changed) is a counter
//! that readers compare, not a message.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use corkboard_core::hint::FeedChanges;
use corkboard_core::id::WorkspaceId;
use corkboard_core::user::UserId;
use tokio::sync::Notify;

/// Counters for all workspaces together. Two workspaces that share one cost each other a look at
/// the control store, nothing else.
const COUNTERS: usize = 1_024;

/// Hears of every change in this process. Cheap to clone; clones are the same hub.
#[derive(Debug, Clone, Default)]
pub struct LiveHub {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    counters: Box<[AtomicU64]>,
    hasher: RandomState,
    listeners: Mutex<Listeners>,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            counters: (0..COUNTERS).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
            listeners: Mutex::default(),
        }
    }
}

#[derive(Debug, Default)]
struct Listeners {
    count: usize,
    workspaces: HashMap<WorkspaceId, HashMap<UserId, Vec<Arc<Notify>>>>,
}

/// One listener's place in the hub, given up when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    hub: LiveHub,
    workspace: WorkspaceId,
    user: UserId,
    bell: Arc<Notify>,
}

impl LiveHub {
    /// A hub that nobody listens to yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn counter(&self, workspace: WorkspaceId) -> &AtomicU64 {
        let place = self.inner.hasher.hash_one(workspace) % COUNTERS as u64;
        &self.inner.counters[place as usize]
    }

    /// Grows with every announced change of the workspace: what was read before the number changed
    /// may be out of date.
    pub(crate) fn changes(&self, workspace: WorkspaceId) -> u64 {
        self.counter(workspace).load(Ordering::Acquire)
    }

    /// A place for one more listener, unless `most` are there already or `most_per_user` of this
    /// user.
    pub(crate) fn listen(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        most: usize,
        most_per_user: usize,
    ) -> Option<Place> {
        let mut listeners = self.listeners();
        let bells = listeners
            .workspaces
            .get(&workspace)
            .and_then(|users| users.get(user));
        if listeners.count >= most || bells.is_some_and(|bells| bells.len() >= most_per_user) {
            return None;
        }
        let bell = Arc::new(Notify::new());
        listeners.count += 1;
        let users = listeners.workspaces.entry(workspace).or_default();
        users
            .entry(user.clone())
            .or_default()
            .push(Arc::clone(&bell));
        metrics::gauge!("corkboard_feed_subscribers").set(listeners.count as f64);
        Some(Place {
            hub: self.clone(),
            workspace,
            user: user.clone(),
            bell,
        })
    }

    /// Hints every listener of a workspace.
    pub(crate) fn ring(&self, workspace: WorkspaceId) {
        if let Some(users) = self.listeners().workspaces.get(&workspace) {
            users.values().flatten().for_each(|bell| bell.notify_one());
        }
    }

    /// Workspaces that somebody listens to.
    pub(crate) fn workspaces(&self) -> Vec<WorkspaceId> {
        self.listeners().workspaces.keys().copied().collect()
    }

    fn listeners(&self) -> MutexGuard<'_, Listeners> {
        // Nothing in here can be left half done by a panic elsewhere.
        self.inner
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl FeedChanges for LiveHub {
    fn users_changed(&self, workspace: WorkspaceId, users: &[UserId]) {
        let listeners = self.listeners();
        let Some(known) = listeners.workspaces.get(&workspace) else {
            return;
        };
        for bell in users.iter().filter_map(|user| known.get(user)).flatten() {
            bell.notify_one();
        }
    }

    fn workspace_changed(&self, workspace: WorkspaceId) {
        self.counter(workspace).fetch_add(1, Ordering::AcqRel);
        self.ring(workspace);
    }
}

impl Place {
    /// Waits for a hint given since the last one was taken; hints in between are one.
    pub(crate) async fn rung(&self) {
        self.bell.notified().await;
    }

    /// Puts a hint back that could not be acted on.
    pub(crate) fn ring_again(&self) {
        self.bell.notify_one();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut listeners = self.hub.listeners();
        listeners.count = listeners.count.saturating_sub(1);
        if let Entry::Occupied(mut users) = listeners.workspaces.entry(self.workspace) {
            if let Some(bells) = users.get_mut().get_mut(&self.user) {
                bells.retain(|bell| !Arc::ptr_eq(bell, &self.bell));
                if bells.is_empty() {
                    users.get_mut().remove(&self.user);
                }
            }
            if users.get().is_empty() {
                users.remove();
            }
        }
        metrics::gauge!("corkboard_feed_subscribers").set(listeners.count as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corkboard_core::id::Id;
    use futures_util::FutureExt;

    const WS: [u8; 16] = [7; 16];

    fn user(name: &str) -> UserId {
        UserId::parse(name).unwrap()
    }

    #[test]
    fn a_slow_listener_has_one_hint_waiting_however_many_were_given() {
        let (hub, ws) = (LiveHub::new(), WorkspaceId::from_bytes(WS));
        let place = hub.listen(ws, &user("ada"), 10, 10).unwrap();
        for _ in 0..5 {
            hub.users_changed(ws, &[user("bob"), user("ada")]);
            hub.workspace_changed(ws);
        }
        assert_eq!(place.rung().now_or_never(), Some(()));
        assert_eq!(place.rung().now_or_never(), None);
    }

    #[test]
    fn only_those_concerned_are_told() {
        let (hub, ws) = (LiveHub::new(), WorkspaceId::from_bytes(WS));
        let place = hub.listen(ws, &user("ada"), 10, 10).unwrap();
        hub.users_changed(ws, &[user("bob")]);
        hub.workspace_changed(WorkspaceId::from_bytes([8; 16]));
        assert_eq!(place.rung().now_or_never(), None);
    }

    #[test]
    fn places_are_limited_and_given_back() {
        let (hub, ws) = (LiveHub::new(), WorkspaceId::from_bytes(WS));
        let first = hub.listen(ws, &user("ada"), 2, 1).unwrap();
        assert!(
            hub.listen(ws, &user("ada"), 2, 1).is_none(),
            "one of this user"
        );
        let second = hub.listen(ws, &user("bob"), 2, 1).unwrap();
        assert!(hub.listen(ws, &user("cy"), 2, 1).is_none(), "two in all");
        drop((first, second));
        assert!(hub.workspaces().is_empty());
        assert!(hub.listen(ws, &user("ada"), 2, 1).is_some());
    }
}
