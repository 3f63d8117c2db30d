//! How one connection takes part in the end of its listener.

use tokio::time::Instant;

use crate::activity::{Activity, Expired, Phase};
use crate::gate::Shared;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drain {
    NotYet,
    /// An idle connection is kept a moment longer, for a request that is already on its way, or
    /// the rest of one.
    IdleUntil(Instant),
    /// It closes after the response in flight.
    GoodbyeSaid,
}

impl Drain {
    /// The listener may have begun to end.
    pub(crate) fn notice(&mut self, shared: &Shared) {
        if *self == Self::NotYet && shared.closing.has_begun() {
            *self = Self::IdleUntil(Instant::now() + shared.options.drain_idle_grace);
        }
    }

    pub(crate) fn wants_goodbye(self, activity: &Activity) -> bool {
        match self {
            Self::NotYet | Self::GoodbyeSaid => false,
            // In HTTP/2 a goodbye takes nothing back: requests on their way are still answered.
            Self::IdleUntil(_) if activity.is_multiplexed() => true,
            Self::IdleUntil(end) => match activity.phase() {
                Phase::Silent | Phase::Idle | Phase::Header => Instant::now() >= end,
                Phase::Busy | Phase::Lingering => true,
            },
        }
    }

    /// The next moment at which something has to be done about the connection, and why: its client's
    /// time is up, or, without a reason, it is time for the goodbye.
    pub(crate) fn deadline(self, shared: &Shared) -> Option<(Instant, Option<Expired>)> {
        let patience = shared.activity.deadline(&shared.options);
        let patience = patience.map(|(at, expired)| (at, Some(expired)));
        let goodbye = match self {
            Self::IdleUntil(end) => Some((end, None)),
            Self::NotYet | Self::GoodbyeSaid => None,
        };
        // At the same moment patience comes first.
        patience
            .into_iter()
            .chain(goodbye)
            .min_by_key(|(at, _)| *at)
    }
}
