//! The scheduler: starts dispatches whose time has come, and ends those whose time is over.
//!
//! Every process runs one. They need not agree: starting is a compare-and-set in the control store,
//! and the one that wins is the one that cuts the chunks.

mod sweep;

use std::time::Duration;

use corkboard_core::dispatch::{Dispatch, DispatchState};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::backoff;
use crate::error::Result;
use crate::launch::beginning;
use crate::sender::Sender;

/// Dispatches started in one go.
const AT_ONCE: u32 = 100;

pub(crate) async fn run(sender: Sender, shutdown: CancellationToken) {
    let options = &sender.inner.options;
    let mut failures = 0_u32;
    let mut sweep_at = Instant::now();
    loop {
        let pause = match sender.round(&mut sweep_at).await {
            Ok(started) => {
                failures = 0;
                if started == AT_ONCE {
                    Duration::ZERO
                } else {
                    options.poll
                }
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, failures, "the scheduler tries again");
                backoff::pause(options.backoff, failures)
            }
        };
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            () = sleep(pause) => {}
        }
    }
}

impl Sender {
    async fn round(&self, sweep_at: &mut Instant) -> Result<u32> {
        let started = self.start_due().await?;
        if Instant::now() >= *sweep_at {
            *sweep_at = Instant::now() + self.inner.options.sweep;
            self.sweep().await?;
        }
        Ok(started)
    }

    /// Starts what is due and returns how many dispatches were looked at.
    async fn start_due(&self) -> Result<u32> {
        let due = self.control().due_dispatches(self.now(), AT_ONCE).await?;
        let mut outcome = Ok(u32::try_from(due.len()).unwrap_or(AT_ONCE));
        for dispatch in &due {
            // One that cannot be started must not hold up the others.
            if let Err(error) = self.start(dispatch).await {
                tracing::warn!(dispatch = %dispatch.id, "a due dispatch did not start");
                outcome = Err(error);
            }
        }
        outcome
    }

    async fn start(&self, dispatch: &Dispatch) -> Result<()> {
        let audience = if dispatch.is_read_by_feeds() {
            0
        } else {
            let audience = &dispatch.definition.audience;
            self.cards()
                .count_users(dispatch.workspace, audience, dispatch.planned_at)
                .await?
        };
        let (state, chunks) = beginning(dispatch, audience);
        let in_force = state == DispatchState::Running;
        if self
            .control()
            .start_dispatch(dispatch.id, chunks, in_force, self.now())
            .await?
        {
            self.announce(&Dispatch {
                state,
                ..dispatch.clone()
            });
        }
        Ok(())
    }
}
