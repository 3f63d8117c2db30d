//! Time that this thread has computed, which a busy machine does not stretch as it does time on the
//! wall.

use std::error::Error;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

fn computed() -> Result<Duration, Box<dyn Error>> {
    Ok(clock_gettime(ClockId::ThreadCPUTime).try_into()?)
}

/// Does the work for all users again and again for at least so long; nanoseconds for each.
#[expect(
    clippy::disallowed_methods,
    reason = "what is measured is real, and there is no runtime whose clock could be held"
)]
pub(crate) fn nanos_each(
    milliseconds: u64,
    users: usize,
    mut work: impl FnMut(usize) -> Result<(), Box<dyn Error>>,
) -> Result<f64, Box<dyn Error>> {
    // Whatever ran before has the caches full of its own.
    (0..users.min(200)).try_for_each(&mut work)?;
    let slice = Duration::from_millis(milliseconds);
    let (begun, begun_computing) = (Instant::now(), computed()?);
    let mut done = 0;
    loop {
        (0..users).try_for_each(&mut work)?;
        done += users;
        if begun.elapsed() >= slice {
            break;
        }
    }
    let taken = computed()? - begun_computing;
    Ok(taken.as_nanos() as f64 / done as f64)
}
