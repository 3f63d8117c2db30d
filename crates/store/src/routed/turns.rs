//! Batches for one chunk that go to several databases take turns.
//!
//! A lease is raised in all of them before anything is written for it in one: whoever has the turn
//! writes for no lease that another batch of this process is just raising.

use std::hash::{DefaultHasher, Hash, Hasher};

use corkboard_core::id::DispatchId;
use tokio::sync::{Mutex, MutexGuard};

const TURNS: usize = 64;

/// Turns by a hash of the chunk: two chunks may share one.
#[derive(Debug)]
pub(super) struct Turns([Mutex<()>; TURNS]);

impl Default for Turns {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(())))
    }
}

impl Turns {
    /// Waits for the chunk's turn, which lasts as long as the guard.
    pub(super) async fn take(&self, dispatch: DispatchId, chunk: u32) -> MutexGuard<'_, ()> {
        let mut hash = DefaultHasher::new();
        (dispatch, chunk).hash(&mut hash);
        let turn = usize::try_from(hash.finish() % TURNS as u64).unwrap_or(0);
        self.0[turn].lock().await
    }
}
