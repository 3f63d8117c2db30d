//! The hosts that are known now: a bounded number, the idle ones forgotten first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use corkboard_core::id::WorkspaceId;
use url::Host as Name;

use super::{Host, HostRules};
use crate::guard::Origin;
use crate::meter::HostLabels;

/// A host name may be made of user data; there is no end to those.
const MOST_HOSTS: usize = 4_096;
const IDLE: Duration = Duration::from_secs(120);

type Key = (WorkspaceId, Name<String>, u16);

#[derive(Debug)]
pub(crate) struct Hosts {
    rules: Arc<HostRules>,
    known: Mutex<HashMap<Key, Arc<Host>>>,
    labels: HostLabels,
    most: usize,
}

impl Hosts {
    pub(crate) fn new(rules: HostRules) -> Self {
        Self {
            rules: Arc::new(rules),
            known: Mutex::default(),
            labels: HostLabels::default(),
            most: MOST_HOSTS,
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Key, Arc<Host>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The host behind an origin. `None` when there is no room for another.
    pub(crate) fn get(&self, workspace: WorkspaceId, origin: &Origin) -> Option<Arc<Host>> {
        let key = (workspace, origin.host.clone(), origin.port);
        let mut known = self.known();
        if let Some(host) = known.get(&key) {
            return Some(Arc::clone(host));
        }
        // In turn more eager, so that looking through all of them is rare.
        for idle in [IDLE, Duration::ZERO] {
            if known.len() >= self.most {
                forget(&mut known, idle);
            }
        }
        if known.len() >= self.most {
            return None;
        }
        let meter = self.labels.meter(&key.1.to_string());
        let host = Arc::new(Host::new(Arc::clone(&self.rules), meter));
        known.insert(key, Arc::clone(&host));
        Some(host)
    }

    /// Forgets what has been idle for long.
    pub(crate) fn sweep(&self) {
        forget(&mut self.known(), IDLE);
    }
}

/// A host that somebody holds is in use, whatever it says.
fn forget(known: &mut HashMap<Key, Arc<Host>>, idle: Duration) {
    known.retain(|_, host| Arc::strong_count(host) > 1 || !host.is_forgettable(idle));
}

#[cfg(test)]
mod tests {
    use corkboard_core::id::Id;
    use tokio::time::Instant;

    use super::super::tests::rules;
    use super::*;

    fn origin(name: &str) -> Origin {
        Origin {
            https: true,
            host: Name::Domain(name.to_owned()),
            port: 443,
        }
    }

    #[tokio::test]
    async fn a_full_registry_forgets_idle_hosts_and_keeps_busy_ones() {
        let hosts = Hosts {
            most: 2,
            ..Hosts::new(rules())
        };
        let (one, other) = (
            WorkspaceId::from_bytes([1; 16]),
            WorkspaceId::from_bytes([2; 16]),
        );
        let deadline = Instant::now() + Duration::from_secs(5);
        let first = hosts.get(one, &origin("a")).unwrap();
        let second = hosts.get(other, &origin("a")).unwrap();
        assert!(!Arc::ptr_eq(&first, &second), "workspaces are apart");
        let _busy = first.enter(false, deadline).await.unwrap();
        let busy_too = second.enter(false, deadline).await.unwrap();
        drop((first, second));
        assert!(hosts.get(one, &origin("b")).is_none(), "both are in use");
        drop(busy_too);
        assert!(hosts.get(one, &origin("b")).is_some());
        assert_eq!(hosts.known().len(), 2);
        hosts.sweep();
        assert_eq!(hosts.known().len(), 2, "not idle for long");
    }
}
