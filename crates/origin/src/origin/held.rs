//! What memory holds of a key: an answer, and when its fill may be tried again.

use std::sync::Arc;

use corkboard_cache::Weigh;
use corkboard_core::time::Timestamp;

use super::{Served, Tier};
use crate::answer::{Age, Answer};

/// A key in memory.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    /// `None`: nothing is known, and a fill has just failed.
    pub(crate) answer: Option<Arc<Answer>>,
    /// Where the answer came from when it was brought.
    pub(crate) tier: Tier,
    /// After a failed fill: not before then.
    pub(crate) not_before: Timestamp,
}

impl Held {
    /// What a fill has brought.
    pub(crate) fn brought(answer: Arc<Answer>, tier: Tier) -> Self {
        Self {
            answer: Some(answer),
            tier,
            not_before: Timestamp::EPOCH,
        }
    }

    /// What there is after a failed fill, possibly nothing.
    pub(crate) fn after_failure(answer: Option<Arc<Answer>>, not_before: Timestamp) -> Self {
        Self {
            answer,
            tier: Tier::Stale,
            not_before,
        }
    }

    pub(crate) fn may_be_filled(&self, now: Timestamp) -> bool {
        now >= self.not_before
    }

    /// Whether there is nothing to gain from a fill now: it is fresh, or one has just failed.
    pub(crate) fn spares_a_fill(&self, now: Timestamp) -> bool {
        let is_fresh = |answer: &Arc<Answer>| answer.age(now) == Age::Fresh;
        !self.may_be_filled(now) || self.answer.as_ref().is_some_and(is_fresh)
    }

    pub(crate) fn served(&self, tier: Tier) -> Option<Served> {
        let answer = Arc::clone(self.answer.as_ref()?);
        Some(Served { answer, tier })
    }
}

impl Weigh for Held {
    fn weight(&self) -> usize {
        size_of::<Self>() + self.answer.as_ref().map_or(0, |answer| answer.weight())
    }
}
