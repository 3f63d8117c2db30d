//! Places for chunks that may wait for fetches: how many are open in a process, and whose.
//!
//! Each holds at most a page and the cards that are being fetched, so their number bounds the memory
//! that waiting takes. A campaign whose endpoint is dead cannot fill the room: its next chunks are not
//! claimed while it has its share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use corkboard_core::dispatch::Dispatch;
use corkboard_core::id::{CampaignId, DispatchId};

/// Places for each worker.
const FOR_EACH: usize = 8;

#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// Most chunks of one dispatch: what its endpoint is asked at a time stays what it would be if
    /// each waited at its worker.
    of_dispatch: usize,
    /// Most chunks of one campaign, half the room: its triggers are dispatches of their own.
    of_campaign: usize,
    all: usize,
    held: Arc<Mutex<BTreeMap<(CampaignId, DispatchId), usize>>>,
}

/// What there is for a chunk that has been claimed.
#[derive(Debug)]
pub(crate) enum Room {
    /// It fetches nothing, so it never waits.
    NotNeeded,
    Place(Place),
    /// Its dispatch, its campaign or everybody together has enough.
    Full,
}

/// Dropping it frees the place.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    key: (CampaignId, DispatchId),
}

impl Places {
    pub(crate) fn new(workers: usize) -> Self {
        let all = workers.saturating_mul(FOR_EACH);
        Self {
            of_dispatch: workers,
            of_campaign: all / 2,
            all,
            held: Arc::default(),
        }
    }

    pub(crate) fn take(&self, dispatch: &Dispatch) -> Room {
        let key = (dispatch.campaign, dispatch.id);
        let mut held = self.held();
        let all: usize = held.values().sum();
        let of_campaign = held.iter().filter(|((of, _), _)| *of == key.0);
        let of_campaign: usize = of_campaign.map(|(_, count)| count).sum();
        let of_dispatch = held.get(&key).copied().unwrap_or_default();
        if all >= self.all || of_campaign >= self.of_campaign || of_dispatch >= self.of_dispatch {
            return Room::Full;
        }
        *held.entry(key).or_default() += 1;
        drop(held);
        let places = self.clone();
        Room::Place(Place { places, key })
    }

    /// Dispatches that have their share.
    pub(crate) fn have_enough(&self) -> Vec<DispatchId> {
        let held = self.held();
        let full = held.iter().filter(|(_, count)| **count >= self.of_dispatch);
        full.map(|((_, dispatch), _)| *dispatch).collect()
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<(CampaignId, DispatchId), usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.places.held();
        if let Some(count) = held.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.key);
            }
        }
    }
}
