//! Names to addresses. Behind a trait, because the guard must be tried against name servers that
//! lie, flip and stall.

use std::fmt;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

/// Looks up the addresses of a host name. Every address is judged by the guard afterwards.
#[async_trait]
pub trait Resolve: Send + Sync + fmt::Debug {
    /// All addresses, in the order in which they should be tried.
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// At most this many lookups block a thread at a time. A lookup cannot be cancelled, and a name
/// server that stalls must not take all of the process's blocking threads.
const CONCURRENT_LOOKUPS: usize = 64;

/// The host's own resolver (files, search domains and all).
#[derive(Debug, Clone)]
pub struct SystemResolver {
    slots: Arc<Semaphore>,
    tasks: TaskTracker,
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self {
            slots: Arc::new(Semaphore::new(CONCURRENT_LOOKUPS)),
            tasks: TaskTracker::new(),
        }
    }
}

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let slot = Arc::clone(&self.slots)
            .acquire_owned()
            .await
            .map_err(|_| io::Error::other("closed"))?;
        let host = host.to_owned();
        // The slot moves into the thread: it is busy for as long as the lookup is, also when the
        // caller has given up long before.
        let lookup = self.tasks.spawn_blocking(move || {
            let _slot = slot;
            let found = (host.as_str(), 0).to_socket_addrs()?;
            let mut addresses: Vec<IpAddr> = Vec::new();
            for address in found {
                if !addresses.contains(&address.ip()) {
                    addresses.push(address.ip());
                }
            }
            Ok(addresses)
        });
        lookup.await.map_err(io::Error::other)?
    }
}
