//! How far a dispatch has come.

use std::time::Duration;

use corkboard_core::dispatch::{Dispatch, DispatchState, Tally};
use corkboard_core::id::{DispatchId, WorkspaceId};
use corkboard_core::time::Timestamp;

use crate::error::{Result, SendError};
use crate::sender::Sender;

/// A dispatch and its counts. Once it is over, `tally.targeted` is `written` and all of
/// `tally.skipped` together; a broadcast counts nothing, because it writes nothing per user.
#[derive(Debug, Clone, PartialEq)]
pub struct DispatchReport {
    pub dispatch: Dispatch,
    pub tally: Tally,
    /// Cards really written, counted where they are.
    pub written: u64,
    /// Users dealt with per second since the start. Absent before anything has happened.
    pub per_second: Option<f64>,
    /// Absent unless it is running and the end can be guessed.
    pub eta_seconds: Option<u64>,
}

impl Sender {
    /// How far a dispatch has come.
    ///
    /// # Errors
    /// `NotFound` when there is no such dispatch in the workspace.
    pub async fn report(
        &self,
        workspace: WorkspaceId,
        dispatch: DispatchId,
    ) -> Result<DispatchReport> {
        let found = self.control().find_dispatch(workspace, dispatch).await?;
        let dispatch = found.ok_or(SendError::NotFound { what: "dispatch" })?;
        let mut tally = self.control().dispatch_progress(dispatch.id).await?.tally;
        let written = self.cards().dispatch_written(dispatch.id).await?;
        // Cards are counted as they are written, users as their page is checkpointed. Usually the
        // page catches up. When a page is repeated after a crash and a user has left the audience
        // meanwhile, it does not: the card is there, so the user was targeted.
        tally.targeted = tally
            .targeted
            .max(written + tally.skipped.values().sum::<u64>());
        let (per_second, eta_seconds) = pace(&dispatch, tally.targeted, self.now());
        Ok(DispatchReport {
            dispatch,
            tally,
            written,
            per_second,
            eta_seconds,
        })
    }
}

fn pace(dispatch: &Dispatch, done: u64, now: Timestamp) -> (Option<f64>, Option<u64>) {
    let Some(started) = dispatch.started_at else {
        return (None, None);
    };
    let elapsed = dispatch.finished_at.unwrap_or(now).since(started);
    if done == 0 || elapsed == Duration::ZERO {
        return (None, None);
    }
    let per_second = done as f64 / elapsed.as_secs_f64();
    let is_on_its_way = dispatch.state == DispatchState::Running && !dispatch.is_read_by_feeds();
    let left = dispatch.audience_estimate.saturating_sub(done);
    let eta = is_on_its_way.then(|| (left as f64 / per_second).ceil() as u64);
    (Some(per_second), eta)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::freeze::frozen;
    use crate::plan::tests::campaign;
    use corkboard_core::dispatch::Cause;
    use serde_json::json;

    fn running(audience_estimate: u64) -> Dispatch {
        let campaign = campaign(json!([{"name": "A", "card": {"title": "{{ user.x }}"}}]));
        let start = Timestamp::from_seconds(1_000);
        let id = DispatchId::generate(start);
        Dispatch {
            audience_estimate,
            started_at: Some(start),
            ..frozen(&campaign, id, Cause::Launch, start, start).unwrap()
        }
    }

    #[test]
    fn the_end_is_guessed_from_the_pace_so_far() {
        let now = Timestamp::from_seconds(1_010);
        assert_eq!(pace(&running(1_000), 250, now), (Some(25.0), Some(30)));
        assert_eq!(
            pace(&running(100), 250, now),
            (Some(25.0), Some(0)),
            "more than estimated"
        );
        assert_eq!(pace(&running(100), 0, now), (None, None));
    }

    #[test]
    fn a_finished_dispatch_keeps_its_pace_and_has_no_end_to_come() {
        let dispatch = Dispatch {
            state: DispatchState::Done,
            finished_at: Some(Timestamp::from_seconds(1_005)),
            ..running(100)
        };
        let much_later = Timestamp::from_seconds(90_000);
        assert_eq!(pace(&dispatch, 100, much_later), (Some(20.0), None));
    }
}
