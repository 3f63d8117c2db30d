//! Whether Redis is asked: not while it is gone.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// So many calls in a row without an answer, and Redis is left out.
const FAILURES: u32 = 5;

#[derive(Debug, Default)]
pub(super) struct Circuit {
    /// Open until [`Circuit::close`].
    closed: AtomicBool,
    failures: AtomicU32,
}

impl Circuit {
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(super) fn succeeded(&self) {
        self.failures.store(0, Ordering::Release);
    }

    /// Whether this failure of so many calls was the one too many.
    pub(super) fn failed(&self, calls: usize) -> bool {
        let calls = u32::try_from(calls).unwrap_or(FAILURES).min(FAILURES);
        let before = self.failures.fetch_add(calls, Ordering::AcqRel);
        before + calls >= FAILURES && self.open()
    }

    /// Whether it was closed.
    pub(super) fn open(&self) -> bool {
        self.closed.swap(false, Ordering::AcqRel)
    }

    pub(super) fn close(&self) {
        self.failures.store(0, Ordering::Release);
        self.closed.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_in_a_row_open_it_and_others_do_not() {
        let circuit = Circuit::default();
        assert!(!circuit.is_closed());
        circuit.close();
        for _ in 0..3 {
            assert!((1..FAILURES).all(|_| !circuit.failed(1)));
            circuit.succeeded();
        }
        assert!(circuit.is_closed());
        assert!((1..FAILURES).all(|_| !circuit.failed(1)));
        assert!(circuit.failed(1));
        assert!(!circuit.failed(1), "it is open already");
        assert!(!circuit.is_closed());
    }
}
