//! Time removes cards a cohort at a time; what was counted stays.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use corkboard_core::state::Mark;
use corkboard_store::StoreError;
use corkboard_store::card_store::{Eligibility, RetiredCohort};

use super::Harness;
use super::sample::{DAY, HOUR, Sending, cards_of, inserted, noon, user, users, workspace};

pub(crate) async fn cohorts_are_listed_with_their_rows_oldest_first(harness: &dyn Harness) {
    let store = harness.open().await;
    assert_eq!(store.list_cohorts().await.unwrap(), []);
    let far = Sending {
        expires_at: noon().plus(40 * DAY),
        ..Sending::new(2)
    };
    let near = Sending::new(1);
    far.write(&*store, &users(0..3)).await.unwrap();
    let card = near.give(&*store, &user("ann")).await;
    let seen = vec![near.event(card, Mark::Seen, noon())];
    store
        .record_card_events(workspace(), &user("ann"), seen, noon())
        .await
        .unwrap();
    let list = store.list_cohorts().await.unwrap();
    let rows: Vec<_> = list.iter().map(|info| (info.cohort, info.rows)).collect();
    assert_eq!(rows, [(near.cohort(), 2), (far.cohort(), 3)]);
    assert!(list.iter().all(|info| info.bytes > 0));
    store.ensure_cohort(Sending::new(3).cohort()).await.unwrap();
}

pub(crate) async fn a_cohort_is_retired_after_its_grace_and_not_before(harness: &dyn Harness) {
    let store = harness.open().await;
    let sending = Sending::new(1);
    let staying = Sending {
        expires_at: noon().plus(40 * DAY),
        ..Sending::new(2)
    };
    sending.write(&*store, &users(0..3)).await.unwrap();
    staying.write(&*store, &users(0..3)).await.unwrap();
    let over = sending.cohort().ends_at().plus(HOUR);
    let early = over.minus(Duration::from_micros(1));
    assert_eq!(store.retire_cohorts(early, HOUR, false).await.unwrap(), []);
    let would = store.retire_cohorts(over, HOUR, true).await.unwrap();
    assert_eq!(store.list_cohorts().await.unwrap().len(), 2);
    let retired = store.retire_cohorts(over, HOUR, false).await.unwrap();
    let names = |list: &[RetiredCohort]| list.iter().map(|one| one.cohort).collect::<Vec<_>>();
    assert_eq!(names(&would), [sending.cohort()]);
    assert_eq!(names(&retired), [sending.cohort()]);
    assert!(retired[0].bytes > 0);
    assert_eq!(store.retire_cohorts(over, HOUR, false).await.unwrap(), []);
    let left: Vec<_> = store.list_cohorts().await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].cohort, staying.cohort());
}

pub(crate) async fn counts_and_receipts_outlive_a_retired_cohort(harness: &dyn Harness) {
    let store = harness.open().await;
    let ann = user("ann");
    let sending = Sending {
        eligibility: Eligibility::After(HOUR),
        ..Sending::new(1)
    };
    let card = sending.give(&*store, &ann).await;
    let seen = vec![sending.event(card, Mark::Seen, noon())];
    store
        .record_card_events(workspace(), &ann, seen.clone(), noon())
        .await
        .unwrap();
    let again = Sending {
        dispatch: super::sample::dispatch(2),
        planned_at: noon().plus(DAY),
        expires_at: noon().plus(40 * DAY),
        ..sending.clone()
    };
    again.give(&*store, &ann).await;
    let before = store
        .campaign_counts(workspace(), sending.campaign)
        .await
        .unwrap();
    let over = sending.cohort().ends_at();
    store
        .retire_cohorts(over, Duration::ZERO, false)
        .await
        .unwrap();
    for store in [store, harness.after_crash().await] {
        let after = store.campaign_counts(workspace(), sending.campaign).await;
        assert_eq!(after.unwrap(), before);
        assert_eq!(store.dispatch_written(sending.dispatch).await.unwrap(), 1);
        let receipts = store.receipts(workspace(), &ann, &[sending.campaign]).await;
        assert_eq!(receipts.unwrap()[0].occurrence, 1);
        assert_eq!(cards_of(&*store, &ann, noon()).await.len(), 1);
        // An event that comes after the end finds nothing to be recorded with.
        let late = store
            .record_card_events(workspace(), &ann, seen.clone(), over)
            .await
            .unwrap();
        assert_eq!((late.new, late.changed), (0, false));
    }
}

pub(crate) async fn a_retired_cohort_takes_no_more_cards(harness: &dyn Harness) {
    let store = harness.open().await;
    let sending = Sending::new(1);
    sending.write(&*store, &users(0..3)).await.unwrap();
    let over = sending.cohort().ends_at();
    store
        .retire_cohorts(over, Duration::ZERO, false)
        .await
        .unwrap();
    for store in [store, harness.after_crash().await] {
        let refused = sending.write(&*store, &users(3..4)).await;
        assert!(
            matches!(refused, Err(StoreError::NoSuchCohort(cohort)) if cohort == sending.cohort()),
            "{refused:?}"
        );
        let refused = store.ensure_cohort(sending.cohort()).await;
        assert!(
            matches!(refused, Err(StoreError::NoSuchCohort(_))),
            "{refused:?}"
        );
    }
}

/// Reading, counting and writing go on while cohorts are retired; none of them fails for it, and
/// no count is ever seen missing or twice.
pub(crate) async fn retiring_disturbs_nobody(harness: &dyn Harness) {
    let store = harness.open().await;
    let sending = Sending {
        eligibility: Eligibility::After(HOUR),
        ..Sending::new(1)
    };
    let to = users(0..50);
    let mut sent = 0;
    for day in 0..5_u8 {
        let planned_at = noon().plus(u32::from(day) * DAY);
        let daily = Sending {
            dispatch: super::sample::dispatch(10 + day),
            planned_at,
            expires_at: planned_at.plus(HOUR),
            ..sending.clone()
        };
        sent += inserted(&daily.write(&*store, &to).await.unwrap()) as u64;
    }
    assert_eq!(sent, 250);
    let done = Arc::new(AtomicBool::new(false));
    let watch = |reads: fn() -> bool| {
        let (store, done, sending) = (store.clone(), done.clone(), sending.clone());
        async move {
            let mut looks = 0_u32;
            while !done.load(Ordering::SeqCst) || looks == 0 {
                if reads() {
                    store
                        .user_cards(workspace(), &user(7), noon(), 100)
                        .await
                        .unwrap();
                } else {
                    assert_eq!(sending.counts(&*store).await.sent, 250);
                }
                looks += 1;
            }
        }
    };
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(watch(|| true));
    tasks.spawn(watch(|| false));
    tasks.spawn(watch(|| false));
    for day in 1..6 {
        let now = noon().plus(day * DAY);
        store.retire_cohorts(now, HOUR, false).await.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    while let Some(watched) = tasks.join_next().await {
        watched.unwrap();
    }
    assert_eq!(store.list_cohorts().await.unwrap(), []);
    assert_eq!(sending.counts(&*store).await.sent, 250);
}
