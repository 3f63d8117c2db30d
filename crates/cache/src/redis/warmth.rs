//! Whether looks find anything.
//!
//! Nearly every look into Redis does, and then it pays to look first and to ask for a lease only where
//! there is nothing. In a Redis that has just lost everything nearly none does: there whoever looks asks
//! for the lease in the same message, and is spared a journey.

use std::sync::atomic::{AtomicU32, Ordering};

/// All looks found something.
const ALL: u32 = 1 << 16;
/// Below this part of them Redis is cold.
const COLD: u32 = ALL / 4 * 3;
/// What one look counts for: the last hundred or so are what matters.
const WEIGHT: u32 = 64;

/// A running share of the looks that found something.
#[derive(Debug)]
pub(super) struct Warmth {
    found: AtomicU32,
}

impl Warmth {
    /// Warm until looks say otherwise.
    pub(super) fn new() -> Self {
        Self {
            found: AtomicU32::new(ALL),
        }
    }

    pub(super) fn is_cold(&self) -> bool {
        self.found.load(Ordering::Relaxed) < COLD
    }

    /// A look more; whether Redis has just grown cold. Of two at the same moment one may be lost: it is an
    /// estimate.
    pub(super) fn note(&self, found: bool) -> bool {
        let known = self.found.load(Ordering::Relaxed);
        let part = if found { (ALL - known) / WEIGHT } else { 0 };
        let left = if found { known } else { known - known / WEIGHT };
        self.found.store(left + part, Ordering::Relaxed);
        known >= COLD && left + part < COLD
    }

    /// Leases are refused: looking alone is all that can be done.
    pub(super) fn presume_warm(&self) {
        self.found.store(ALL, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks_until(warmth: &Warmth, found: bool, is_cold: bool) -> usize {
        let mut looks = 0;
        while warmth.is_cold() != is_cold {
            warmth.note(found);
            looks += 1;
            assert!(looks < 1_000, "never");
        }
        looks
    }

    #[test]
    fn it_is_cold_after_some_looks_in_vain_and_warm_after_some_that_find() {
        let warmth = Warmth::new();
        assert!(!warmth.is_cold());
        assert!((10..30).contains(&looks_until(&warmth, false, true)));
        assert!(
            (0..1_000).all(|_| !warmth.note(false)),
            "it was cold already"
        );
        assert!((70..150).contains(&looks_until(&warmth, true, false)));
    }

    #[test]
    fn one_in_five_in_vain_is_not_cold_and_one_in_two_is() {
        let warmth = Warmth::new();
        for look in 0..1_000 {
            warmth.note(look % 5 > 0);
            assert!(!warmth.is_cold());
        }
        let has_grown_cold = (0..1_000).filter(|look| warmth.note(look % 2 > 0));
        assert_eq!(has_grown_cold.count(), 1);
        assert!(warmth.is_cold());
    }
}
