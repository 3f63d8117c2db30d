//! Counters of one endpoint, looked up once: the registry takes longer than an answer from memory.

use metrics::{Counter, counter};

use crate::origin::{Tier, Unavailable};

/// How often an endpoint was answered, by where the answer came from or why there was none.
pub(crate) struct Meters {
    memory: Counter,
    redis: Counter,
    source: Counter,
    stale: Counter,
    overloaded: Counter,
    unavailable: Counter,
    timed_out: Counter,
}

impl Meters {
    pub(crate) fn new(path: &str) -> Self {
        let outcome = |outcome: &'static str| {
            let endpoint = path.to_owned();
            counter!("corkboard_origin_requests_total", "endpoint" => endpoint, "outcome" => outcome)
        };
        let refused = |why: Unavailable| outcome(why.as_str());
        Self {
            memory: outcome(Tier::Memory.as_str()),
            redis: outcome(Tier::Redis.as_str()),
            source: outcome(Tier::Source.as_str()),
            stale: outcome(Tier::Stale.as_str()),
            overloaded: refused(Unavailable::Overloaded),
            unavailable: refused(Unavailable::Source),
            timed_out: refused(Unavailable::TimedOut),
        }
    }

    pub(crate) fn served(&self, tier: Tier) {
        let counter = match tier {
            Tier::Memory => &self.memory,
            Tier::Redis => &self.redis,
            Tier::Source => &self.source,
            Tier::Stale => &self.stale,
        };
        counter.increment(1);
    }

    pub(crate) fn refused(&self, why: Unavailable) {
        let counter = match why {
            Unavailable::Overloaded => &self.overloaded,
            Unavailable::Source => &self.unavailable,
            Unavailable::TimedOut => &self.timed_out,
        };
        counter.increment(1);
    }
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meters").finish_non_exhaustive()
    }
}
