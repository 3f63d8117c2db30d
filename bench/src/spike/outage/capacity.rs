//! The most that can just be served.

use std::time::Duration;

use crate::console::say;
use crate::failure::{Failure, Result};
use crate::spike::open::{Load, Profile};

const STEEPER: f64 = 1.3;
const MOST_TRIES: usize = 16;
const TRY: Duration = Duration::from_secs(1);
/// Part of what is offered that must be answered in time for a rate to count.
const ANSWERED: f64 = 0.97;

/// Good answers a second at the highest rate of those tried, from `from` on, that is still answered.
pub(super) async fn of(load: &Load, from: f64) -> Result<f64> {
    let (mut rate, mut best, mut load) = (from, 0.0_f64, load.clone());
    for _ in 0..MOST_TRIES {
        load.profile = Profile::poisson(&[rate], TRY);
        let tally = load.clone().run().await?;
        let step = &tally.steps[0];
        // Others than those just asked for.
        load.first = load
            .first
            .wrapping_add(usize::try_from(step.offered).unwrap_or_default());
        let goodput = step.goodput();
        say(&format!("  {rate:.0}/s offered: {goodput:.0} good"));
        if (step.ok as f64) < step.offered as f64 * ANSWERED {
            // It bends here: what lies between is served, too.
            best = best.max(goodput);
            break;
        }
        best = goodput;
        rate *= STEEPER;
    }
    if best > 0.0 {
        Ok(best)
    } else {
        Err(Failure::unexpected("nothing was answered"))
    }
}
