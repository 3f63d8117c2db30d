//! The first read of each user after a start, with the store's files out of the system's cache.

use serde::{Deserialize, Serialize};

use super::prepare::Prepared;
use super::side::Step;
use super::{Comparison, Extent, SERVER_CPU};
use crate::Setting;
use crate::console::say;
use crate::failure::Result;
use crate::nginx::Nginx;
use crate::wrk::Requests;
use crate::{pages, procfs};

const CONNECTIONS: usize = 64;

/// What was cold about one cold round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ColdRead {
    pub(crate) store_bytes: u64,
    /// Of those, still cached by the system when the node started; absent when nothing can tell.
    pub(crate) cached_bytes: Option<u64>,
    /// What the node then read from the disk, start and reads together.
    pub(crate) disk_bytes: u64,
    pub(crate) requests: u64,
    /// With more requests than users, the rest were not first reads.
    pub(crate) users: usize,
}

/// Each round: everything stopped, files evicted, a new process, the users in turn: a first
/// read each, as long as there are more users than requests. nginx has
/// one hot file as ever; beside it stands how much a cold store costs.
pub(super) async fn run(
    setting: &Setting,
    prepared: &Prepared,
    nginx: &Nginx,
    extent: Extent,
) -> Result<(Comparison, Vec<ColdRead>)> {
    say(&format!("feed: cold, {CONNECTIONS} connections"));
    let requests = Requests::many(&setting.scratch, "everyone", &prepared.tokens)?;
    let store = prepared.site.store();
    let (mut rounds, mut cold) = (Vec::new(), Vec::new());
    for _ in 0..extent.rounds {
        let step = |base, pid| Step {
            base,
            pid,
            connections: CONNECTIONS,
            requests: &requests,
            if_none_match: None,
            warm_up_seconds: 0,
            seconds: extent.cold_seconds,
        };
        let yardstick = step(nginx.base(), nginx.worker()).run().await?;
        pages::evict(&store)?;
        let cached_bytes = pages::cached(&store).await;
        let node = prepared.site.start(Some(SERVER_CPU)).await?;
        let ours = step(prepared.site.base(), node.pid()).run().await?;
        let disk_bytes = procfs::disk_bytes_read(node.pid())?;
        node.stop().await?;
        let asked = ours.summary.requests;
        let store_bytes = pages::size(&store);
        cold.push(ColdRead {
            store_bytes,
            cached_bytes,
            disk_bytes,
            requests: asked,
            users: prepared.tokens.len(),
        });
        rounds.push((yardstick, ours));
    }
    Ok((
        Comparison::of("first read, cold", CONNECTIONS, rounds),
        cold,
    ))
}
