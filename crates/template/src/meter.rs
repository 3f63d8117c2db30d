//! Fuel and computing time of one render.
//!
//! Fuel is what decides, because it is the same on every machine; the deadline is the safety net
//! under it. The clock is looked at once per [`STRIDE`] units of fuel, so that metering stays cheap; most
//! renders end before the first look and read no clock at all.
//! The counters are cells, so that reading a long value can cost fuel without being a change.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{TemplateError, codes};
use crate::limits::Limits;

/// Units of fuel between two looks at the clock.
const STRIDE: u64 = 4096;
/// Bytes of text that cost one unit of fuel.
const BYTES_PER_UNIT: usize = 64;

#[derive(Debug)]
pub(crate) struct Meter {
    fuel: Cell<u64>,
    next_look: Cell<u64>,
    /// Since the first look of this run.
    running_since: Cell<Option<Instant>>,
    spent: Duration,
    deadline: Duration,
}

impl Meter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            fuel: Cell::new(limits.fuel),
            next_look: Cell::new(limits.fuel.saturating_sub(STRIDE)),
            running_since: Cell::new(None),
            spent: Duration::ZERO,
            deadline: limits.deadline,
        }
    }

    /// Starts counting time at once, not at the first look: for what takes time that no fuel stands for.
    pub(crate) fn enter(&mut self) {
        self.running_since.set(Some(Instant::now()));
    }

    /// Stops counting time: done, failed or suspended.
    pub(crate) fn leave(&mut self) {
        if let Some(since) = self.running_since.take() {
            self.spent += since.elapsed();
        }
    }

    #[inline]
    pub(crate) fn charge(&self, units: u64) -> Result<(), TemplateError> {
        let Some(rest) = self.fuel.get().checked_sub(units) else {
            self.fuel.set(0);
            return Err(TemplateError::new(
                codes::OUT_OF_FUEL,
                "the template takes too many steps; look for a loop that runs too often",
            ));
        };
        self.fuel.set(rest);
        if rest <= self.next_look.get() {
            self.look()
        } else {
            Ok(())
        }
    }

    /// What is left to be charged.
    pub(crate) fn fuel(&self) -> u64 {
        self.fuel.get()
    }

    /// What is left of the computing time.
    pub(crate) fn time_left(&self) -> Duration {
        let since = self.running_since.get();
        let running = since.map_or(Duration::ZERO, |since| since.elapsed());
        self.deadline.saturating_sub(self.spent + running)
    }

    /// Charges for working through text.
    #[inline]
    pub(crate) fn charge_bytes(&self, bytes: usize) -> Result<(), TemplateError> {
        if bytes < BYTES_PER_UNIT {
            return Ok(());
        }
        self.charge((bytes / BYTES_PER_UNIT) as u64)
    }

    #[cold]
    fn look(&self) -> Result<(), TemplateError> {
        self.next_look.set(self.fuel.get().saturating_sub(STRIDE));
        let now = Instant::now();
        let since = self.running_since.get().unwrap_or(now);
        self.running_since.set(Some(since));
        let running = now.duration_since(since);
        if self.spent + running > self.deadline {
            return Err(TemplateError::new(
                codes::DEADLINE_EXCEEDED,
                "the template takes too long to render",
            ));
        }
        Ok(())
    }
}
