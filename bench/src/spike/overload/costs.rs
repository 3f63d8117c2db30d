//! What it costs to serve a request, and what to refuse one.

use serde::{Deserialize, Serialize};

use super::Target;
use super::surface::Point;
use crate::failure::Result;
use crate::procfs;
use crate::statistics::rounded;

/// CPU time, in microseconds a request.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Costs {
    /// The node's part of a request that is served.
    pub(crate) served: f64,
    /// The database's part of it.
    #[serde(default)]
    pub(crate) source: f64,
    /// Of one that is refused, all of it the node's.
    pub(crate) refused: f64,
}

impl Costs {
    /// A served request costs what it does at 80 %; what is used beyond that in the overload is for
    /// refusals. `None` when there were hardly any.
    pub(super) fn of(before: &Point, overload: &Point) -> Option<Self> {
        let each = |busy: f64| busy * 1e6 / before.goodput.max(1.0);
        let served = each(before.server_busy);
        let refusing = overload.server_busy * 1e6 - overload.goodput * served;
        (overload.refused > overload.goodput).then(|| Self {
            served: rounded(served),
            source: rounded(each(before.source_busy)),
            refused: rounded(refusing.max(0.0) / overload.refused),
        })
    }

    /// Of serving a request, what refusing one costs.
    pub(crate) fn refusal_share(self) -> f64 {
        self.refused / (self.served + self.source).max(f64::MIN_POSITIVE)
    }
}

/// CPU seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Used {
    pub(super) node: f64,
    pub(super) source: f64,
}

impl Used {
    pub(super) fn so_far(target: &Target<'_>) -> Result<Self> {
        Ok(Self {
            node: procfs::cpu_seconds(target.pid)?,
            source: target.source.server_cpu_seconds()?,
        })
    }

    pub(super) fn since(self, before: Self) -> Self {
        Self {
            node: self.node - before.node,
            source: self.source - before.source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spike::open::StepTally;

    #[test]
    fn what_serving_does_not_use_is_for_refusals() {
        let step = |goodput, refused, server_busy| Point {
            goodput,
            refused,
            server_busy,
            source_busy: 0.15,
            ..Point::of(
                1.0,
                &StepTally {
                    seconds: 1.0,
                    ..StepTally::default()
                },
            )
        };
        let costs = Costs::of(&step(1_000.0, 0.0, 0.05), &step(1_200.0, 10_000.0, 0.10));
        let costs = costs.unwrap();
        assert_eq!(
            (costs.served, costs.source, costs.refused),
            (50.0, 150.0, 4.0)
        );
        assert!((costs.refusal_share() - 0.02).abs() < 1e-9);
        assert_eq!(Costs::of(&step(1.0, 0.0, 0.1), &step(9.0, 1.0, 0.1)), None);
    }
}
