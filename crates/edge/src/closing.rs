//! The end of a listener: first the drain, then what is left is cut off.
//!
//! Whether the drain has begun is asked for every request, and is one word that all cores share and
//! nobody writes until then. The tokens wake those who wait; asking them takes a lock each.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

/// What all connections of a listener know of its end.
#[derive(Debug, Default)]
pub(crate) struct Closing {
    begun: AtomicBool,
    drain: CancellationToken,
    abort: CancellationToken,
}

impl Closing {
    /// Whether the drain has begun.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Acquire)
    }

    /// Wakes one connection when the drain has begun.
    pub(crate) fn drain(&self) -> CancellationToken {
        self.drain.child_token()
    }

    /// Wakes connections that are to be cut off.
    pub(crate) fn abort(&self) -> &CancellationToken {
        &self.abort
    }

    /// Begins the drain.
    pub(crate) fn begin(&self) {
        self.begun.store(true, Ordering::Release);
        self.drain.cancel();
    }

    /// Ends everything when the guard is dropped.
    pub(crate) fn guard(self: &Arc<Self>) -> Guard {
        Guard(Arc::clone(self))
    }
}

/// See [`Closing::guard`].
#[derive(Debug)]
pub(crate) struct Guard(Arc<Closing>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.begin();
        self.0.abort.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_woken_finds_the_drain_begun() {
        let closing = Arc::new(Closing::default());
        let woken = closing.drain();
        let guard = closing.guard();
        assert!(!closing.has_begun() && !woken.is_cancelled());
        closing.begin();
        assert!(closing.has_begun() && woken.is_cancelled() && !closing.abort().is_cancelled());
        drop(guard);
        assert!(closing.abort().is_cancelled());
    }
}
