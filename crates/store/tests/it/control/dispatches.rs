//! Dispatches: begun once, started when due, finished once.

use std::time::Duration;

use corkboard_core::campaign::CampaignState;
use corkboard_core::dispatch::{Dispatch, DispatchState, Tally};
use corkboard_store::StoreError;
use corkboard_store::control_store::{DispatchProgress, NewDispatch};
use corkboard_store::page::PageRequest;
use serde_json::json;

use super::Harness;
use super::sample::{
    ANY, at, begin, begin_campaign, broadcast, campaign, campaign_state, campaign_with, claim,
    dispatch, dispatch_state, id, planned, recipients, scans,
};

fn new(dispatch: &Dispatch) -> NewDispatch {
    NewDispatch {
        dispatch: dispatch.clone(),
        chunks: Vec::new(),
    }
}

pub(crate) async fn a_dispatch_is_stored_as_given_and_activates_its_campaign(
    harness: &dyn Harness,
) {
    let store = harness.open().await;
    let dispatch = begin_campaign(&*store, 1, scans(3)).await;
    let found = store.find_dispatch(id(1), dispatch.id).await.unwrap();
    assert_eq!(found, Some(dispatch.clone()));
    assert_eq!(
        campaign_state(&*store, dispatch.campaign).await,
        CampaignState::Active
    );
    let progress = store.dispatch_progress(dispatch.id).await.unwrap();
    let expected = DispatchProgress {
        tally: Tally::default(),
        chunks: 3,
        chunks_left: 3,
    };
    assert_eq!(progress, expected);
}

pub(crate) async fn a_repeat_returns_the_dispatch_unchanged(harness: &dyn Harness) {
    let store = harness.open().await;
    let first = begin_campaign(&*store, 1, vec![recipients(&["ada"])]).await;
    // Whatever became of the campaign meanwhile, and whatever the repeat says.
    store
        .stop_campaign(id(1), first.campaign, true, at(50))
        .await
        .unwrap();
    let repeat = NewDispatch {
        dispatch: Dispatch {
            audience_estimate: 99,
            campaign_version: 9,
            ..first.clone()
        },
        chunks: scans(5),
    };
    let (stored, is_new) = store.insert_dispatch(repeat, &[]).await.unwrap();
    assert!(!is_new);
    let expected = Dispatch {
        state: DispatchState::Stopped,
        finished_at: Some(at(50)),
        ..first
    };
    assert_eq!(stored, expected);
    assert_eq!(claim(&*store, 60).await, None);
    let stopped = campaign_state(&*store, expected.campaign).await;
    assert_eq!(stopped, CampaignState::Stopped);
}

pub(crate) async fn concurrent_inserts_of_one_id_make_one_dispatch(harness: &dyn Harness) {
    let store = harness.open().await;
    let campaign = campaign(1);
    store.insert_campaign(&campaign).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for seconds in 0..50 {
        let store = store.clone();
        let dispatch = Dispatch {
            audience_estimate: seconds,
            ..dispatch(&campaign, 1)
        };
        let new = NewDispatch {
            dispatch,
            chunks: scans(2),
        };
        tasks.spawn(async move { store.insert_dispatch(new, ANY).await.unwrap() });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|(_, is_new)| *is_new).count(), 1);
    assert!(
        answers
            .iter()
            .all(|(dispatch, _)| *dispatch == answers[0].0)
    );
    let progress = store.dispatch_progress(answers[0].0.id).await.unwrap();
    assert_eq!(progress.chunks, 2);
    let mut claims = 0;
    while claim(&*store, 100).await.is_some() {
        claims += 1;
    }
    assert_eq!(claims, 2);
}

pub(crate) async fn a_campaign_in_another_state_or_version_begins_nothing(harness: &dyn Harness) {
    let store = harness.open().await;
    let campaign = campaign(1);
    store.insert_campaign(&campaign).await.unwrap();
    let wanted = dispatch(&campaign, 1);
    let wrong_state = store
        .insert_dispatch(new(&wanted), &[CampaignState::Active])
        .await;
    assert!(
        matches!(wrong_state, Err(StoreError::Stale { .. })),
        "{wrong_state:?}"
    );
    let other_version = Dispatch {
        campaign_version: 2,
        ..wanted.clone()
    };
    let wrong_version = store.insert_dispatch(new(&other_version), ANY).await;
    assert!(
        matches!(wrong_version, Err(StoreError::Stale { .. })),
        "{wrong_version:?}"
    );
    let no_campaign = Dispatch {
        campaign: id(9),
        ..wanted.clone()
    };
    let absent = store.insert_dispatch(new(&no_campaign), ANY).await;
    assert!(
        matches!(absent, Err(StoreError::NotFound { .. })),
        "{absent:?}"
    );
    assert_eq!(store.find_dispatch(id(1), wanted.id).await.unwrap(), None);
    assert_eq!(
        campaign_state(&*store, campaign.id).await,
        CampaignState::Draft
    );
}

pub(crate) async fn a_dispatch_is_absent_for_other_workspaces(harness: &dyn Harness) {
    let store = harness.open().await;
    let own = begin_campaign(&*store, 1, Vec::new()).await;
    assert_eq!(store.find_dispatch(id(2), own.id).await.unwrap(), None);
    let page = PageRequest::default();
    let listed = store
        .list_dispatches(id(2), own.campaign, &page)
        .await
        .unwrap();
    assert_eq!(listed.items, []);
    let foreign = Dispatch {
        workspace: id(2),
        ..own.clone()
    };
    let same_id = store.insert_dispatch(new(&foreign), ANY).await;
    assert!(
        matches!(same_id, Err(StoreError::Conflict { .. })),
        "{same_id:?}"
    );
    let foreign_campaign = Dispatch {
        id: id(2),
        ..foreign
    };
    let refused = store.insert_dispatch(new(&foreign_campaign), ANY).await;
    assert!(
        matches!(refused, Err(StoreError::NotFound { .. })),
        "{refused:?}"
    );
}

pub(crate) async fn dispatches_of_a_campaign_are_listed_newest_first(harness: &dyn Harness) {
    let store = harness.open().await;
    let campaign = campaign(1);
    store.insert_campaign(&campaign).await.unwrap();
    begin_campaign(&*store, 9, Vec::new()).await;
    let dispatches: Vec<Dispatch> = (1..=5).map(|number| dispatch(&campaign, number)).collect();
    for dispatch in &dispatches {
        begin(&*store, dispatch, Vec::new()).await;
    }
    let mut page = PageRequest {
        limit: 4,
        after: None,
    };
    let first = store
        .list_dispatches(id(1), campaign.id, &page)
        .await
        .unwrap();
    page.after = first.next;
    assert!(page.after.is_some());
    let second = store
        .list_dispatches(id(1), campaign.id, &page)
        .await
        .unwrap();
    assert_eq!(second.next, None);
    let listed: Vec<Dispatch> = [first.items, second.items].concat();
    assert_eq!(listed, dispatches.into_iter().rev().collect::<Vec<_>>());
}

pub(crate) async fn each_dispatch_keeps_the_definition_it_froze(harness: &dyn Harness) {
    let store = harness.open().await;
    let mut campaign = campaign_with(1, json!({"delivery": {"kind": "api"}}));
    store.insert_campaign(&campaign).await.unwrap();
    let first = dispatch(&campaign, 1);
    begin(&*store, &first, Vec::new()).await;
    campaign.state = CampaignState::Active;
    campaign.version = 2;
    campaign.definition.name = "changed".to_owned();
    store.update_campaign(&campaign).await.unwrap();
    let second = dispatch(&campaign, 2);
    begin(&*store, &second, Vec::new()).await;
    for dispatch in [first, second] {
        let found = store.find_dispatch(id(1), dispatch.id).await.unwrap();
        assert_eq!(found, Some(dispatch));
    }
}

pub(crate) async fn due_dispatches_are_the_planned_ones_whose_time_has_come(harness: &dyn Harness) {
    let store = harness.open().await;
    let campaign = campaign(1);
    store.insert_campaign(&campaign).await.unwrap();
    let running = dispatch(&campaign, 1);
    let dispatches = [
        planned(&campaign, 2, 300),
        planned(&campaign, 3, 100),
        planned(&campaign, 4, 200),
    ];
    for dispatch in dispatches.iter().chain([&running]) {
        begin(&*store, dispatch, Vec::new()).await;
    }
    let due = async |seconds, limit| {
        let due = store.due_dispatches(at(seconds), limit).await.unwrap();
        due.iter().map(|dispatch| dispatch.id).collect::<Vec<_>>()
    };
    assert_eq!(due(99, 9).await, []);
    assert_eq!(due(200, 9).await, [id(3), id(4)]);
    assert_eq!(due(999, 2).await, [id(3), id(4)]);
    assert!(
        store
            .start_dispatch(id(3), Vec::new(), false, at(999))
            .await
            .unwrap()
    );
    assert_eq!(due(999, 9).await, [id(4), id(2)]);
}

pub(crate) async fn starting_gives_chunks_once(harness: &dyn Harness) {
    let store = harness.open().await;
    let campaign = campaign(1);
    store.insert_campaign(&campaign).await.unwrap();
    let waiting = planned(&campaign, 1, 100);
    begin(&*store, &waiting, Vec::new()).await;
    assert_eq!(claim(&*store, 100).await, None);

    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let store = store.clone();
        tasks.spawn(async move {
            let started = store.start_dispatch(id(1), scans(2), false, at(101)).await;
            started.unwrap()
        });
    }
    let started = tasks
        .join_all()
        .await
        .into_iter()
        .filter(|started| *started);
    assert_eq!(started.count(), 1);
    let expected = Dispatch {
        state: DispatchState::Running,
        started_at: Some(at(101)),
        ..waiting
    };
    let claimed = claim(&*store, 102).await.expect("a chunk");
    assert_eq!(claimed.dispatch, expected);
    assert!(claim(&*store, 102).await.is_some());
    assert_eq!(claim(&*store, 102).await, None);
    assert!(
        !store
            .start_dispatch(id(9), scans(2), false, at(103))
            .await
            .unwrap()
    );
}

pub(crate) async fn starting_without_chunks_is_done_unless_in_force(harness: &dyn Harness) {
    let store = harness.open().await;
    let campaign = campaign(1);
    store.insert_campaign(&campaign).await.unwrap();
    for (number, in_force, state, finished_at) in [
        (1, false, DispatchState::Done, Some(at(100))),
        (2, true, DispatchState::Running, None),
    ] {
        begin(&*store, &planned(&campaign, number, 100), Vec::new()).await;
        let started = store
            .start_dispatch(id(number), Vec::new(), in_force, at(100))
            .await;
        assert!(started.unwrap());
        let found = store.find_dispatch(id(1), id(number)).await.unwrap();
        let found = found.expect("a dispatch");
        assert_eq!((found.state, found.finished_at), (state, finished_at));
    }
}

pub(crate) async fn finishing_drops_the_work_and_counts_once(harness: &dyn Harness) {
    let store = harness.open().await;
    let dispatch = begin_campaign(&*store, 1, scans(2)).await;
    let held = claim(&*store, 1).await.expect("a chunk");
    store
        .finish_dispatch(dispatch.id, DispatchState::Failed, at(2))
        .await
        .unwrap();
    store
        .finish_dispatch(dispatch.id, DispatchState::Done, at(3))
        .await
        .unwrap();
    let found = store.find_dispatch(id(1), dispatch.id).await.unwrap();
    let found = found.expect("a dispatch");
    assert_eq!(
        (found.state, found.finished_at),
        (DispatchState::Failed, Some(at(2)))
    );
    assert_eq!(claim(&*store, 1_000).await, None);
    let late = store.finish_chunk(&held, &Tally::default(), at(4)).await;
    assert!(matches!(late, Err(StoreError::Stale { .. })), "{late:?}");
    assert_eq!(
        dispatch_state(&*store, &dispatch).await,
        DispatchState::Failed
    );
}

pub(crate) async fn only_final_states_finish_a_dispatch_that_exists(harness: &dyn Harness) {
    let store = harness.open().await;
    let dispatch = begin_campaign(&*store, 1, scans(1)).await;
    for state in [DispatchState::Planned, DispatchState::Running] {
        let refused = store.finish_dispatch(dispatch.id, state, at(2)).await;
        assert!(
            matches!(refused, Err(StoreError::Stale { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(
        dispatch_state(&*store, &dispatch).await,
        DispatchState::Running
    );
    let absent = store
        .finish_dispatch(id(9), DispatchState::Done, at(2))
        .await;
    assert!(
        matches!(absent, Err(StoreError::NotFound { .. })),
        "{absent:?}"
    );
    let absent = store.dispatch_progress(id(9)).await;
    assert!(
        matches!(absent, Err(StoreError::NotFound { .. })),
        "{absent:?}"
    );
}

pub(crate) async fn a_finished_dispatch_is_forgotten_30_days_after_its_last_card(
    harness: &dyn Harness,
) {
    let store = harness.open().await;
    let campaign = campaign(1);
    store.insert_campaign(&campaign).await.unwrap();
    let over = broadcast(&campaign, 10);
    begin(&*store, &over, Vec::new()).await;
    let month = Duration::from_hours(30 * 24);
    let open = Dispatch {
        expires_at: over.expires_at.plus(month),
        ..dispatch(&campaign, 11)
    };
    begin(&*store, &open, scans(1)).await;
    let found = async |dispatch: &Dispatch| {
        let found = store.find_dispatch(campaign.workspace, dispatch.id).await;
        found.unwrap().is_some()
    };
    store.prune(over.expires_at.plus(month)).await.unwrap();
    assert!(found(&over).await);
    store.prune(open.expires_at.plus(month * 3)).await.unwrap();
    assert!(!found(&over).await);
    assert!(found(&open).await, "work that is left is never forgotten");
    let refused = store.delete_campaign(campaign.workspace, campaign.id).await;
    assert!(
        matches!(refused, Err(StoreError::Stale { .. })),
        "{refused:?}"
    );
}
