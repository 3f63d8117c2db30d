//! The most that can be served.

use std::time::Duration;

use crate::console::say;
use crate::failure::{Failure, Result};
use crate::spike::open::{Load, Profile};

/// Each try offers so much more than the last.
const STEEPER: f64 = 1.5;
const MOST_TRIES: usize = 12;
/// The search is over when so small a part of what is offered is given, twice in a row: once may be
/// the machine's doing.
const OVER: f64 = 0.7;

/// The most good answers a second, while ever more is offered, from `from` on, for `lasts` each, the first
/// third of which is not judged. What is given counts, not what was due: a line that grows for as long as a
/// client waits would make a short try look twice as good as what can go on for ever.
pub(super) async fn of(load: &Load, from: f64, lasts: Duration) -> Result<f64> {
    let (mut rate, mut best, mut load) = (from, 0.0_f64, load.clone());
    let mut was_over = false;
    // What has just begun is slow for a moment: the first try only warms.
    for is_first in std::iter::once(true).chain([false; MOST_TRIES]) {
        load.profile = Profile::poisson(&[rate], lasts);
        let tally = load.clone().run().await?;
        let step = &tally.steps[0];
        // Others than those just asked for.
        let offered = usize::try_from(step.offered).unwrap_or_default();
        load.first = load.first.wrapping_add(offered);
        if is_first {
            continue;
        }
        let given = tally.given_since(lasts / 3);
        say(&format!("  {rate:.0}/s offered: {given:.0} good"));
        best = best.max(given);
        let is_over = given < step.offered as f64 / step.seconds * OVER;
        if is_over && was_over {
            break;
        }
        was_over = is_over;
        rate *= STEEPER;
    }
    if best > 0.0 {
        Ok(best)
    } else {
        Err(Failure::unexpected("nothing was answered"))
    }
}
