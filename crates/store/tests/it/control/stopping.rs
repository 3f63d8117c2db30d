//! Stopping a campaign, at rest and while its dispatches are worked on.

use corkboard_core::campaign::CampaignState;
use corkboard_core::dispatch::{DispatchState, Tally};
use corkboard_core::slot::Slot;
use corkboard_core::user::UserId;
use corkboard_store::StoreError;
use corkboard_store::card_store::ScanPosition;
use corkboard_store::control_store::StopOutcome;

use super::Harness;
use super::sample::{
    LEASE, at, begin, begin_campaign, broadcast, campaign, campaign_state, claim, dispatch,
    dispatch_state, id, planned, scans,
};

pub(crate) async fn stopping_ends_planned_and_running_dispatches_only(harness: &dyn Harness) {
    let store = harness.open().await;
    let campaign = campaign(1);
    store.insert_campaign(&campaign).await.unwrap();
    let running = dispatch(&campaign, 1);
    let waiting = planned(&campaign, 2, 500);
    let done = broadcast(&campaign, 3);
    begin(&*store, &running, scans(2)).await;
    begin(&*store, &waiting, Vec::new()).await;
    begin(&*store, &done, Vec::new()).await;
    let other = begin_campaign(&*store, 4, scans(1)).await;

    let outcome = store
        .stop_campaign(id(1), campaign.id, false, at(100))
        .await
        .unwrap();
    let expected = StopOutcome {
        stopped_dispatches: 2,
        newly_cancelled: false,
    };
    assert_eq!(outcome, expected);
    let sending = store.sending_campaigns().await.unwrap();
    assert_eq!(
        sending,
        [other.campaign],
        "the stopped one is not among them"
    );
    for (dispatch, state) in [
        (&running, DispatchState::Stopped),
        (&waiting, DispatchState::Stopped),
        (&done, DispatchState::Done),
        (&other, DispatchState::Running),
    ] {
        assert_eq!(dispatch_state(&*store, dispatch).await, state);
    }
    assert_eq!(
        campaign_state(&*store, campaign.id).await,
        CampaignState::Stopped
    );
    assert_eq!(store.due_dispatches(at(1_000), 9).await.unwrap(), []);
    let left = claim(&*store, 1_000)
        .await
        .expect("the other campaign's chunk");
    assert_eq!(left.dispatch.id, other.id);
    assert!(
        !store
            .start_dispatch(waiting.id, scans(1), false, at(1_000))
            .await
            .unwrap()
    );
}

pub(crate) async fn a_holder_learns_of_the_stop_with_its_next_write(harness: &dyn Harness) {
    let store = harness.open().await;
    let dispatch = begin_campaign(&*store, 1, scans(2)).await;
    let held = claim(&*store, 10).await.expect("a chunk");
    store
        .stop_campaign(id(1), dispatch.campaign, false, at(11))
        .await
        .unwrap();
    let user = UserId::parse("ada").unwrap();
    let position = ScanPosition {
        slot: Slot::of(id(1), &user),
        user,
    };
    let tally = Tally {
        targeted: 5,
        ..Tally::default()
    };
    let late = [
        store
            .checkpoint_chunk(&held, &position, &tally, at(12), LEASE)
            .await,
        store.finish_chunk(&held, &tally, at(12)).await,
        store.release_chunk(&held, at(12), 5).await,
    ];
    for late in late {
        assert!(matches!(late, Err(StoreError::Stale { .. })), "{late:?}");
    }
    let progress = store.dispatch_progress(dispatch.id).await.unwrap();
    assert_eq!((progress.chunks, progress.tally), (2, Tally::default()));
}

pub(crate) async fn cards_are_taken_back_once(harness: &dyn Harness) {
    let store = harness.open().await;
    let dispatch = begin_campaign(&*store, 1, scans(1)).await;
    let stop = async |remove_cards, seconds| {
        let stopped = store.stop_campaign(id(1), dispatch.campaign, remove_cards, at(seconds));
        let outcome = stopped.await.unwrap();
        (outcome.stopped_dispatches, outcome.newly_cancelled)
    };
    let cancelled_at = async || {
        let campaign = store.find_campaign(id(1), dispatch.campaign).await.unwrap();
        campaign.expect("a campaign").cancelled_at
    };
    assert_eq!(stop(false, 100).await, (1, false));
    assert_eq!(cancelled_at().await, None);
    assert_eq!(stop(true, 200).await, (0, true));
    assert_eq!(stop(true, 300).await, (0, false));
    assert_eq!(stop(false, 400).await, (0, false));
    assert_eq!(cancelled_at().await, Some(at(200)));
}

pub(crate) async fn an_absent_campaign_cannot_be_stopped(harness: &dyn Harness) {
    let store = harness.open().await;
    let absent = store.stop_campaign(id(1), id(9), true, at(1)).await;
    assert!(
        matches!(absent, Err(StoreError::NotFound { .. })),
        "{absent:?}"
    );
}

pub(crate) async fn work_that_is_stopped_midway_ends_everywhere(harness: &dyn Harness) {
    let store = harness.open().await;
    let dispatch = begin_campaign(&*store, 1, scans(200)).await;
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store = store.clone();
        workers.spawn(async move {
            let one = Tally {
                targeted: 1,
                ..Tally::default()
            };
            let mut finished = 0;
            while let Some(chunk) = claim(&*store, 20).await {
                match store.finish_chunk(&chunk, &one, at(21)).await {
                    Ok(()) => finished += 1,
                    Err(StoreError::Stale { .. }) => break,
                    Err(other) => panic!("{other}"),
                }
            }
            finished
        });
    }
    store
        .stop_campaign(id(1), dispatch.campaign, true, at(22))
        .await
        .unwrap();
    let finished: u64 = workers.join_all().await.into_iter().sum();
    assert_eq!(claim(&*store, 1_000).await, None);
    // Exactly what was told to have been finished is counted.
    let progress = store.dispatch_progress(dispatch.id).await.unwrap();
    assert_eq!(progress.tally.targeted, finished);
    let state = dispatch_state(&*store, &dispatch).await;
    let expected = if finished == 200 {
        DispatchState::Done
    } else {
        DispatchState::Stopped
    };
    assert_eq!(state, expected);
}
