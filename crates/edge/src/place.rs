//! A connection's place among those that may be open.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use crate::connection::Ended;
use crate::meters::Meters;
use crate::peers::PeerSlot;

/// What a connection holds, given back when its task ends in whatever way.
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    _peer_slot: Option<PeerSlot>,
    meters: Arc<Meters>,
    ended: &'static str,
}

impl Place {
    pub(crate) fn new(
        permit: OwnedSemaphorePermit,
        peer_slot: Option<PeerSlot>,
        meters: Arc<Meters>,
    ) -> Self {
        meters.connections.increment(1.0);
        // Overwritten at every end but one: a handler that panics unwinds the task.
        Self {
            _permit: permit,
            _peer_slot: peer_slot,
            meters,
            ended: "panic",
        }
    }

    pub(crate) fn end(mut self, ended: Ended) {
        self.ended = ended.label();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.meters.connections.decrement(1.0);
        self.meters.closed(self.ended);
    }
}
