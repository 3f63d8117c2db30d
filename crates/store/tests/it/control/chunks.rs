//! Chunks: leased to one worker at a time, fenced, counted, closed.

use std::collections::BTreeSet;

use corkboard_core::dispatch::{Dispatch, DispatchState, SkipReason, Tally};
use corkboard_core::slot::Slot;
use corkboard_core::user::UserId;
use corkboard_store::card_store::ScanPosition;
use corkboard_store::control_store::{ChunkWork, ClaimRequest, ClaimedChunk};
use corkboard_store::{ControlStore, StoreError};

use super::Harness;
use super::sample::{
    LEASE, at, begin, begin_campaign, campaign, claim, dispatch, dispatch_state, id, planned,
    recipients, scans,
};

fn position(user: &str) -> ScanPosition {
    let user = UserId::parse(user).unwrap();
    ScanPosition {
        slot: Slot::of(id(1), &user),
        user,
    }
}

fn tally(targeted: u64, skipped: &[(SkipReason, u64)]) -> Tally {
    Tally {
        targeted,
        skipped: skipped.iter().copied().collect(),
    }
}

async fn checkpoint(
    store: &dyn ControlStore,
    chunk: &ClaimedChunk,
    user: &str,
    seconds: u64,
) -> Result<(), StoreError> {
    let (position, tally) = (position(user), tally(1, &[]));
    let saved = store.checkpoint_chunk(chunk, &position, &tally, at(seconds), LEASE);
    saved.await
}

pub(crate) async fn a_hundred_workers_claim_each_chunk_once(harness: &dyn Harness) {
    let store = harness.open().await;
    begin_campaign(&*store, 1, scans(50)).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let store = store.clone();
        tasks.spawn(async move { claim(&*store, 10).await });
    }
    let claimed: Vec<ClaimedChunk> = tasks.join_all().await.into_iter().flatten().collect();
    let chunks: BTreeSet<u32> = claimed.iter().map(|claimed| claimed.chunk).collect();
    let tokens: BTreeSet<u64> = claimed.iter().map(|claimed| claimed.token).collect();
    assert_eq!(claimed.len(), 50);
    assert_eq!(chunks, (0..50).collect());
    assert_eq!(tokens.len(), 50);
    let work = scans(50);
    for claimed in &claimed {
        assert_eq!(claimed.work, work[claimed.chunk as usize]);
        assert_eq!((claimed.attempt, &claimed.position), (1, &None));
    }
}

pub(crate) async fn a_claim_leaves_out_the_dispatches_it_is_told_to(harness: &dyn Harness) {
    let store = harness.open().await;
    let first = begin_campaign(&*store, 1, scans(3)).await;
    let second = begin_campaign(&*store, 2, scans(1)).await;
    let third = begin_campaign(&*store, 3, scans(1)).await;
    let held = claim(&*store, 10).await.expect("a chunk");
    assert_eq!(held.dispatch.id, first.id);
    let except = |dispatches: &[&Dispatch], seconds| ClaimRequest {
        worker: "worker".to_owned(),
        now: at(seconds),
        lease: LEASE,
        except: dispatches.iter().map(|dispatch| dispatch.id).collect(),
    };
    let most = except(&[&first, &third], 10);
    let claimed = store.claim_chunk(&most).await.unwrap();
    assert_eq!(claimed.expect("a chunk").dispatch.id, second.id);
    assert_eq!(store.claim_chunk(&most).await.unwrap(), None);
    // Nor those whose lease has lapsed.
    let all = except(&[&first, &second, &third], 1_000);
    assert_eq!(store.claim_chunk(&all).await.unwrap(), None);
    let next = store.claim_chunk(&except(&[&third], 10)).await.unwrap();
    assert_eq!(next.expect("a chunk").dispatch.id, first.id);
}

pub(crate) async fn every_claim_has_a_larger_token(harness: &dyn Harness) {
    let store = harness.open().await;
    begin_campaign(&*store, 1, scans(2)).await;
    begin_campaign(&*store, 2, vec![recipients(&["ada"])]).await;
    let mut last = 0;
    for seconds in [10, 10, 10, 100, 100, 100] {
        let token = claim(&*store, seconds).await.expect("a chunk").token;
        assert!(token > last, "{token} after {last}");
        last = token;
    }
}

pub(crate) async fn a_lapsed_lease_passes_on_and_fences_the_old_holder(harness: &dyn Harness) {
    let store = harness.open().await;
    let dispatch = begin_campaign(&*store, 1, scans(1)).await;
    let old = claim(&*store, 10).await.expect("a chunk");
    checkpoint(&*store, &old, "ada", 15).await.unwrap();
    // Renewed at 15, so it lapses at 45.
    assert_eq!(claim(&*store, 44).await, None);
    let new = claim(&*store, 45).await.expect("the lapsed chunk");
    assert!(new.token > old.token);
    assert_eq!(new.position, Some(position("ada")));

    let none = Tally::default();
    let late = [
        checkpoint(&*store, &old, "bob", 46).await,
        store.finish_chunk(&old, &none, at(46)).await,
        store.release_chunk(&old, at(46), 5).await,
    ];
    for late in late {
        assert!(
            matches!(late, Err(StoreError::Fenced { chunk: 0 })),
            "{late:?}"
        );
    }
    store.finish_chunk(&new, &none, at(47)).await.unwrap();
    let after_the_end = store.finish_chunk(&old, &none, at(48)).await;
    assert!(
        matches!(after_the_end, Err(StoreError::Fenced { .. })),
        "{after_the_end:?}"
    );
    let progress = store.dispatch_progress(dispatch.id).await.unwrap();
    assert_eq!(progress.tally, tally(1, &[]));
}

pub(crate) async fn a_lapsed_holder_may_go_on_until_someone_else_claims(harness: &dyn Harness) {
    let store = harness.open().await;
    begin_campaign(&*store, 1, scans(1)).await;
    let held = claim(&*store, 10).await.expect("a chunk");
    checkpoint(&*store, &held, "ada", 100).await.unwrap();
    assert_eq!(claim(&*store, 129).await, None);
    store
        .finish_chunk(&held, &Tally::default(), at(200))
        .await
        .unwrap();
}

pub(crate) async fn a_lapsed_chunk_that_shows_life_is_not_free_any_more(harness: &dyn Harness) {
    let store = harness.open().await;
    begin_campaign(&*store, 1, scans(3)).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(claim(&*store, 10).await.expect("a chunk"));
    }
    // All three have lapsed; one is claimed, one renewed, one given back for later.
    let taken = claim(&*store, 100).await.expect("a lapsed chunk");
    held.retain(|held| held.chunk != taken.chunk);
    checkpoint(&*store, &held[0], "ada", 101).await.unwrap();
    store.release_chunk(&held[1], at(120), 5).await.unwrap();
    assert_eq!(claim(&*store, 102).await, None);
    let retried = claim(&*store, 120).await.expect("the retry");
    assert_eq!(retried.chunk, held[1].chunk);
    assert_eq!(claim(&*store, 120).await, None);
}

pub(crate) async fn recipients_come_before_scans_and_older_before_newer(harness: &dyn Harness) {
    let store = harness.open().await;
    begin_campaign(&*store, 2, scans(2)).await;
    begin_campaign(&*store, 1, scans(1)).await;
    begin_campaign(&*store, 4, vec![recipients(&["ada"]), recipients(&["bob"])]).await;
    begin_campaign(&*store, 3, vec![recipients(&["cleo"])]).await;
    let mut order = Vec::new();
    while let Some(claimed) = claim(&*store, 10).await {
        order.push((claimed.dispatch.id, claimed.chunk));
    }
    let expected = [(3, 0), (4, 0), (4, 1), (1, 0), (2, 0), (2, 1)];
    assert_eq!(order, expected.map(|(number, chunk)| (id(number), chunk)));
    // A lapsed chunk of the oldest dispatch is in front again.
    let lapsed = claim(&*store, 100).await.expect("a lapsed chunk");
    assert_eq!(lapsed.dispatch.id, id(3));
}

pub(crate) async fn recipients_keep_their_properties(harness: &dyn Harness) {
    let store = harness.open().await;
    let work = recipients(&["ada", "ユーザー"]);
    begin_campaign(&*store, 1, vec![work.clone()]).await;
    let claimed = claim(&*store, 10).await.expect("a chunk");
    assert_eq!(claimed.work, work);
    assert!(matches!(work, ChunkWork::Recipients { recipients } if recipients.len() == 2));
}

pub(crate) async fn planned_dispatches_have_nothing_to_claim(harness: &dyn Harness) {
    let store = harness.open().await;
    let campaign = campaign(1);
    store.insert_campaign(&campaign).await.unwrap();
    begin(&*store, &planned(&campaign, 1, 5), Vec::new()).await;
    assert_eq!(claim(&*store, 10).await, None);
}

pub(crate) async fn tallies_add_up_and_the_last_chunk_closes_the_dispatch(harness: &dyn Harness) {
    use SkipReason::{Aborted, NotInAudience};
    let store = harness.open().await;
    let dispatch = begin_campaign(&*store, 1, scans(2)).await;
    let first = claim(&*store, 10).await.expect("a chunk");
    let second = claim(&*store, 10).await.expect("a chunk");
    let part = tally(10, &[(Aborted, 2)]);
    let reached = position("ada");
    let saved = store.checkpoint_chunk(&first, &reached, &part, at(11), LEASE);
    saved.await.unwrap();
    store
        .finish_chunk(&first, &tally(5, &[]), at(12))
        .await
        .unwrap();
    let progress = store.dispatch_progress(dispatch.id).await.unwrap();
    assert_eq!((progress.chunks, progress.chunks_left), (2, 1));
    assert_eq!(progress.tally, tally(15, &[(Aborted, 2)]));
    assert_eq!(
        dispatch_state(&*store, &dispatch).await,
        DispatchState::Running
    );

    let part = tally(7, &[(Aborted, 1), (NotInAudience, 3)]);
    store.finish_chunk(&second, &part, at(13)).await.unwrap();
    let progress = store.dispatch_progress(dispatch.id).await.unwrap();
    assert_eq!((progress.chunks, progress.chunks_left), (2, 0));
    assert_eq!(
        progress.tally,
        tally(22, &[(Aborted, 3), (NotInAudience, 3)])
    );
    let closed = store.find_dispatch(id(1), dispatch.id).await.unwrap();
    let expected = Dispatch {
        state: DispatchState::Done,
        finished_at: Some(at(13)),
        ..dispatch
    };
    assert_eq!(closed, Some(expected));
    assert_eq!(claim(&*store, 1_000).await, None);
}

pub(crate) async fn a_released_chunk_waits_for_its_retry(harness: &dyn Harness) {
    let store = harness.open().await;
    begin_campaign(&*store, 1, scans(1)).await;
    let first = claim(&*store, 10).await.expect("a chunk");
    store.release_chunk(&first, at(500), 5).await.unwrap();
    let no_longer_held = checkpoint(&*store, &first, "ada", 11).await;
    assert!(
        matches!(no_longer_held, Err(StoreError::Fenced { .. })),
        "{no_longer_held:?}"
    );
    assert_eq!(claim(&*store, 499).await, None);
    let second = claim(&*store, 500).await.expect("the retry");
    assert_eq!((first.attempt, second.attempt), (1, 2));
    // Progress counts attempts from the beginning again.
    checkpoint(&*store, &second, "ada", 501).await.unwrap();
    store.release_chunk(&second, at(510), 5).await.unwrap();
    let third = claim(&*store, 510).await.expect("the retry");
    assert_eq!((third.attempt, third.position), (1, Some(position("ada"))));
}

pub(crate) async fn a_claim_that_nobody_is_to_blame_for_does_not_count(harness: &dyn Harness) {
    let store = harness.open().await;
    begin_campaign(&*store, 1, scans(1)).await;
    for n in 1..=20 {
        let claimed = claim(&*store, n).await.expect("a chunk");
        // That somebody may have written some of its cards is never forgotten.
        assert_eq!(claimed.attempt, if n == 1 { 1 } else { 2 }, "claim {n}");
        store
            .release_chunk(&claimed, at(n), u32::MAX)
            .await
            .unwrap();
    }
    let last = claim(&*store, 30).await.expect("a chunk");
    store.release_chunk(&last, at(30), 3).await.unwrap();
    assert_eq!(claim(&*store, 30).await.expect("a chunk").attempt, 3);
}

pub(crate) async fn a_crashed_worker_counts_as_an_attempt(harness: &dyn Harness) {
    let store = harness.open().await;
    begin_campaign(&*store, 1, scans(1)).await;
    for attempt in 1..=3 {
        let claimed = claim(&*store, 100 * u64::from(attempt))
            .await
            .expect("a chunk");
        assert_eq!(claimed.attempt, attempt);
    }
}

pub(crate) async fn too_many_attempts_without_progress_fail_the_dispatch(harness: &dyn Harness) {
    let store = harness.open().await;
    let failing = begin_campaign(&*store, 1, scans(2)).await;
    let other = begin_campaign(&*store, 25, scans(1)).await;
    let first = claim(&*store, 10).await.expect("a chunk");
    let second = claim(&*store, 10).await.expect("a chunk");
    store.release_chunk(&first, at(20), 2).await.unwrap();
    let again = claim(&*store, 20).await.expect("a chunk");
    assert_eq!((again.dispatch.id, again.attempt), (failing.id, 2));
    store.release_chunk(&again, at(30), 2).await.unwrap();
    let found = store.find_dispatch(id(1), failing.id).await.unwrap();
    let found = found.expect("a dispatch");
    assert_eq!(found.state, DispatchState::Failed);
    assert!(found.finished_at.is_some());
    let too_late = checkpoint(&*store, &second, "ada", 31).await;
    assert!(
        matches!(too_late, Err(StoreError::Stale { .. })),
        "{too_late:?}"
    );
    // Its other chunk is gone; the other dispatch goes on.
    let next = claim(&*store, 1_000).await.expect("a chunk");
    assert_eq!(next.dispatch.id, other.id);
    assert_eq!(claim(&*store, 1_000).await, None);
}

pub(crate) async fn many_dispatches_are_worked_off_by_many_workers(harness: &dyn Harness) {
    let store = harness.open().await;
    let campaign = campaign(1);
    store.insert_campaign(&campaign).await.unwrap();
    let dispatches: Vec<Dispatch> = (1..=10).map(|number| dispatch(&campaign, number)).collect();
    for dispatch in &dispatches {
        begin(&*store, dispatch, scans(7)).await;
    }
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store = store.clone();
        workers.spawn(async move {
            while let Some(chunk) = claim(&*store, 20).await {
                checkpoint(&*store, &chunk, "ada", 21).await.unwrap();
                let end = tally(2, &[(SkipReason::Expired, 1)]);
                store.finish_chunk(&chunk, &end, at(22)).await.unwrap();
            }
        });
    }
    workers.join_all().await;
    for dispatch in &dispatches {
        let progress = store.dispatch_progress(dispatch.id).await.unwrap();
        assert_eq!((progress.chunks, progress.chunks_left), (7, 0));
        assert_eq!(progress.tally, tally(21, &[(SkipReason::Expired, 7)]));
        assert_eq!(dispatch_state(&*store, dispatch).await, DispatchState::Done);
    }
}
