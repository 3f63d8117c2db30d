//! The live set: what takes effect when a feed is read, and what was taken back.

use corkboard_core::dispatch::{Dispatch, DispatchState};
use corkboard_core::id::{CampaignId, DispatchId};
use corkboard_store::ControlStore;
use serde_json::json;

use super::Harness;
use super::sample::{
    at, begin, begin_campaign, broadcast, campaign, campaign_with, dispatch, id, planned, scans,
};

const DAY: u64 = 86_400;

/// The live dispatches of workspace 1 and whether they accept; the cancelled campaigns.
async fn live(
    store: &dyn ControlStore,
    seconds: u64,
) -> (Vec<(DispatchId, bool)>, Vec<CampaignId>) {
    let live = store.live_set(id(1), at(seconds)).await.unwrap();
    let dispatches = live.dispatches.iter();
    let dispatches = dispatches.map(|live| (live.dispatch.id, live.accepting));
    (dispatches.collect(), live.cancelled.into_iter().collect())
}

pub(crate) async fn broadcasts_and_first_impressions_are_live_until_they_expire(
    harness: &dyn Harness,
) {
    let store = harness.open().await;
    let plain = campaign(1);
    let lazy = campaign_with(2, json!({"creation": "at_first_impression"}));
    for campaign in [&plain, &lazy] {
        store.insert_campaign(campaign).await.unwrap();
    }
    let everybody = broadcast(&plain, 1);
    let at_first_impression = dispatch(&lazy, 2);
    begin(&*store, &everybody, Vec::new()).await;
    begin(&*store, &at_first_impression, Vec::new()).await;
    begin(&*store, &dispatch(&plain, 3), scans(1)).await;

    let set = store.live_set(id(1), at(10)).await.unwrap();
    assert_eq!(*set.dispatches[0].dispatch, at_first_impression);
    assert_eq!(*set.dispatches[1].dispatch, everybody);
    assert_eq!(
        live(&*store, 10).await,
        (vec![(id(2), true), (id(1), true)], vec![])
    );
    assert_eq!(live(&*store, DAY + 1).await, (vec![(id(2), true)], vec![]));
    assert_eq!(live(&*store, DAY + 2).await, (vec![], vec![]));
    let foreign = store.live_set(id(2), at(10)).await.unwrap();
    assert_eq!(foreign, Default::default());
}

pub(crate) async fn a_planned_dispatch_is_live_once_started(harness: &dyn Harness) {
    let store = harness.open().await;
    let plain = campaign(1);
    let lazy = campaign_with(2, json!({"creation": "at_first_impression"}));
    for campaign in [&plain, &lazy] {
        store.insert_campaign(campaign).await.unwrap();
    }
    let everybody = Dispatch {
        shape: broadcast(&plain, 1).shape,
        ..planned(&plain, 1, 50)
    };
    begin(&*store, &everybody, Vec::new()).await;
    begin(&*store, &planned(&lazy, 2, 60), Vec::new()).await;
    begin(&*store, &planned(&lazy, 3, 70), Vec::new()).await;
    assert_eq!(live(&*store, 10).await, (vec![], vec![]));
    store
        .start_dispatch(id(1), Vec::new(), false, at(50))
        .await
        .unwrap();
    store
        .start_dispatch(id(2), Vec::new(), true, at(60))
        .await
        .unwrap();
    assert_eq!(live(&*store, 60).await.0, [(id(2), true), (id(1), true)]);
    // One that was stopped before its time never becomes live.
    store
        .stop_campaign(id(1), lazy.id, false, at(65))
        .await
        .unwrap();
    assert_eq!(live(&*store, 70).await.0, [(id(2), false), (id(1), true)]);
}

pub(crate) async fn after_a_stop_broadcasts_stay_but_nothing_is_accepted(harness: &dyn Harness) {
    let store = harness.open().await;
    let campaign = campaign(1);
    store.insert_campaign(&campaign).await.unwrap();
    begin(&*store, &broadcast(&campaign, 1), Vec::new()).await;
    store
        .stop_campaign(id(1), campaign.id, false, at(10))
        .await
        .unwrap();
    assert_eq!(live(&*store, 11).await, (vec![(id(1), false)], vec![]));
}

pub(crate) async fn a_first_impression_that_is_over_accepts_nothing(harness: &dyn Harness) {
    let store = harness.open().await;
    let lazy = campaign_with(1, json!({"creation": "at_first_impression"}));
    store.insert_campaign(&lazy).await.unwrap();
    begin(&*store, &dispatch(&lazy, 1), Vec::new()).await;
    store
        .finish_dispatch(id(1), DispatchState::Done, at(10))
        .await
        .unwrap();
    let accepting = live(&*store, 11)
        .await
        .0
        .into_iter()
        .any(|(_, accepting)| accepting);
    assert!(!accepting);
}

pub(crate) async fn cancelled_campaigns_are_named_while_cards_may_remain(harness: &dyn Harness) {
    let store = harness.open().await;
    let sent = campaign(1);
    store.insert_campaign(&sent).await.unwrap();
    begin(&*store, &broadcast(&sent, 1), Vec::new()).await;
    begin(&*store, &dispatch(&sent, 5), scans(1)).await;
    let personal = begin_campaign(&*store, 2, scans(1)).await;
    // Nothing was ever sent of this one.
    store.insert_campaign(&campaign(3)).await.unwrap();
    for number in [1, 2, 3] {
        store
            .stop_campaign(id(1), id(number), true, at(10))
            .await
            .unwrap();
    }
    assert_eq!(
        live(&*store, 11).await,
        (vec![], vec![id(1), personal.campaign])
    );
    // The last card of the first campaign expires a day after its last dispatch.
    assert_eq!(live(&*store, DAY + 2).await.1, [id(1)]);
    assert_eq!(live(&*store, DAY + 5).await.1, []);
    let foreign = store.live_set(id(2), at(11)).await.unwrap();
    assert_eq!(foreign, Default::default());
}
