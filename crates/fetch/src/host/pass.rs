//! What a caller holds between leave to call and the result: the place among the calls of a host,
//! given back whatever happens.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Host, MOSTLY_REFUSING, Sign};

/// A place among the calls of a host. Gives it to the next one when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) host: Arc<Host>,
    /// Calls on their way when this one was let go, it included.
    pub(super) together: usize,
    pub(super) armed: bool,
}

impl Drop for Slot {
    fn drop(&mut self) {
        if self.armed {
            let mut state = self.host.state();
            state.in_flight -= 1;
            self.host.admit(&mut state);
        }
    }
}

/// Leave to make one call. Dropped without a result, it says nothing about the host.
#[derive(Debug)]
pub(crate) struct Pass {
    pub(super) slot: Option<Slot>,
    pub(super) host: Arc<Host>,
    pub(super) probe: bool,
    pub(super) started: Instant,
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.probe {
            self.host.state().halt.probe_lost();
        }
    }
}

impl Pass {
    /// The call leaves now.
    pub(crate) fn begin(&mut self) {
        self.started = Instant::now();
    }

    /// It had to wait for its turn to connect, which the endpoint did not see.
    pub(crate) fn delayed(&mut self, delay: Duration) {
        self.started += delay;
    }

    /// What became of the call, and for how long the endpoint wants to be left alone.
    pub(crate) fn end(mut self, sign: Sign, retry_after: Option<Duration>) {
        let (now, probe) = (Instant::now(), self.probe);
        let Some(mut slot) = self.slot.take() else {
            return;
        };
        self.probe = false;
        slot.armed = false;
        let host = Arc::clone(&slot.host);
        let mut state = host.state();
        state.limit.ended(sign, self.started, slot.together, now);
        match sign {
            Sign::Fine => state.halt.fine(probe, now),
            Sign::Nothing if probe => state.halt.probe_lost(),
            Sign::Nothing => {}
            Sign::Shed | Sign::Failed => {
                if state.halt.failed(probe, now) {
                    host.halted(&mut state);
                }
            }
        }
        let refusing = state.limit.failing() > MOSTLY_REFUSING;
        if let Some(length) = retry_after.filter(|_| sign == Sign::Shed && refusing) {
            host.pause(&mut state, length);
        }
        if let Some(breath) = state.breath(sign) {
            host.pause(&mut state, breath);
        }
        state.in_flight -= 1;
        host.admit(&mut state);
    }

    /// Drops it where its probe has been given back already.
    pub(super) fn forget(mut self) {
        self.probe = false;
    }
}
