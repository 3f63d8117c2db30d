//! Fuel and computing time of one render.
//!
//! Fuel is what decides, because it is the same on every machine; the deadline is the safety net
//! under it. The clock is looked at once per [`STRIDE`] units of fuel, so that metering stays cheap.

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
    fuel: u64,
    next_look: u64,
    running_since: Option<Instant>,
    spent: Duration,
    deadline: Duration,
}

impl Meter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            fuel: limits.fuel,
            next_look: limits.fuel.saturating_sub(STRIDE),
            running_since: None,
            spent: Duration::ZERO,
            deadline: limits.deadline,
        }
    }

    /// Starts or continues counting time.
    pub(crate) fn enter(&mut self) {
        self.running_since = Some(Instant::now());
    }

    /// Stops counting time: done, failed or suspended.
    pub(crate) fn leave(&mut self) {
        self.spent += self
            .running_since
            .take()
            .map_or(Duration::ZERO, |since| since.elapsed());
    }

    #[inline]
    pub(crate) fn charge(&mut self, units: u64) -> Result<(), TemplateError> {
        match self.fuel.checked_sub(units) {
            Some(rest) => self.fuel = rest,
            None => {
                self.fuel = 0;
                return Err(TemplateError::new(
                    codes::OUT_OF_FUEL,
                    "the template takes too many steps; look for a loop that runs too often",
                ));
            }
        }
        if self.fuel <= self.next_look {
            self.look()
        } else {
            Ok(())
        }
    }

    /// Charges for working through text.
    pub(crate) fn charge_bytes(&mut self, bytes: usize) -> Result<(), TemplateError> {
        self.charge((bytes / BYTES_PER_UNIT) as u64)
    }

    #[cold]
    fn look(&mut self) -> Result<(), TemplateError> {
        self.next_look = self.fuel.saturating_sub(STRIDE);
        let running = self
            .running_since
            .map_or(Duration::ZERO, |since| since.elapsed());
        if self.spent + running > self.deadline {
            return Err(TemplateError::new(
                codes::DEADLINE_EXCEEDED,
                "the template takes too long to render",
            ));
        }
        Ok(())
    }
}
