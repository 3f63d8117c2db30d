//! Campaigns: inserting, listing, changing, deleting.

use std::time::Duration;

use corkboard_core::campaign::{Campaign, CampaignState};
use corkboard_core::id::{CampaignId, WorkspaceId};
use corkboard_core::time::Timestamp;
use corkboard_store::page::PageRequest;
use corkboard_store::{ControlStore, StoreError};
use serde_json::json;

use super::Harness;
use super::sample::{
    at, begin, begin_campaign, broadcast, campaign, campaign_with, definition, id,
};

fn foreign(campaign: &Campaign) -> Campaign {
    Campaign {
        workspace: id(2),
        ..campaign.clone()
    }
}

fn changed(campaign: &Campaign) -> Campaign {
    Campaign {
        version: campaign.version + 1,
        definition: definition(json!({"name": "changed"})),
        updated_at: at(1_000),
        ..campaign.clone()
    }
}

async fn find(store: &dyn ControlStore, campaign: &Campaign) -> Option<Campaign> {
    let found = store.find_campaign(campaign.workspace, campaign.id).await;
    found.unwrap()
}

pub(crate) async fn inserting_an_id_again_returns_the_stored_campaign(harness: &dyn Harness) {
    let store = harness.open().await;
    let first = campaign(1);
    let (stored, is_new) = store.insert_campaign(&first).await.unwrap();
    assert_eq!((&stored, is_new), (&first, true));
    let (stored, is_new) = store.insert_campaign(&changed(&first)).await.unwrap();
    assert_eq!((&stored, is_new), (&first, false));
    assert_eq!(find(&*store, &first).await, Some(first));
}

pub(crate) async fn a_campaign_is_absent_for_other_workspaces(harness: &dyn Harness) {
    let store = harness.open().await;
    let own = campaign(1);
    store.insert_campaign(&own).await.unwrap();
    let other = foreign(&own);
    assert_eq!(find(&*store, &other).await, None);
    let page = store.list_campaigns(id(2), &PageRequest::default()).await;
    assert_eq!(page.unwrap().items, []);

    let inserted = store.insert_campaign(&other).await;
    assert!(
        matches!(inserted, Err(StoreError::Conflict { .. })),
        "{inserted:?}"
    );
    let updated = store.update_campaign(&changed(&other)).await;
    assert!(
        matches!(updated, Err(StoreError::NotFound { .. })),
        "{updated:?}"
    );
    let stopped = store.stop_campaign(id(2), own.id, true, at(5)).await;
    assert!(
        matches!(stopped, Err(StoreError::NotFound { .. })),
        "{stopped:?}"
    );
    let deleted = store.delete_campaign(id(2), own.id).await;
    assert!(
        matches!(deleted, Err(StoreError::NotFound { .. })),
        "{deleted:?}"
    );
    assert_eq!(find(&*store, &own).await, Some(own));
}

pub(crate) async fn campaigns_are_listed_newest_first_page_by_page(harness: &dyn Harness) {
    let store = harness.open().await;
    // Two at a time share a second, so that ids must break the tie.
    let campaigns: Vec<Campaign> = (0..7)
        .map(|number| Campaign {
            created_at: at(number / 2),
            ..campaign(number)
        })
        .collect();
    for (campaign, other) in campaigns.iter().zip(100..) {
        store.insert_campaign(campaign).await.unwrap();
        let other = Campaign {
            id: id(other),
            ..foreign(campaign)
        };
        store.insert_campaign(&other).await.unwrap();
    }
    let mut listed = Vec::new();
    let mut sizes = Vec::new();
    let mut page = PageRequest {
        limit: 3,
        after: None,
    };
    loop {
        let answer = store.list_campaigns(id(1), &page).await.unwrap();
        sizes.push(answer.items.len());
        listed.extend(answer.items);
        page.after = answer.next;
        if page.after.is_none() {
            break;
        }
    }
    assert_eq!(sizes, [3, 3, 1]);
    let newest_first: Vec<Campaign> = campaigns.into_iter().rev().collect();
    assert_eq!(listed, newest_first);
}

pub(crate) async fn the_last_full_page_has_no_next(harness: &dyn Harness) {
    let store = harness.open().await;
    for number in 0..2 {
        store.insert_campaign(&campaign(number)).await.unwrap();
    }
    let page = PageRequest {
        limit: 2,
        after: None,
    };
    let page = store.list_campaigns(id(1), &page).await.unwrap();
    assert_eq!((page.items.len(), page.next), (2, None));
}

pub(crate) async fn an_unreadable_cursor_is_refused(harness: &dyn Harness) {
    let store = harness.open().await;
    for after in ["", "x", "AAAAAAAA", "not base64 at all"] {
        let page = PageRequest {
            limit: 2,
            after: Some(after.to_owned()),
        };
        let lists = [
            store.list_campaigns(id(1), &page).await.err(),
            store.list_dispatches(id(1), id(1), &page).await.err(),
            store
                .list_calls(id(1), &Default::default(), &page)
                .await
                .err(),
        ];
        for refused in lists {
            assert!(
                matches!(refused, Some(StoreError::BadCursor)),
                "{refused:?}"
            );
        }
    }
}

pub(crate) async fn a_change_is_stored_when_nobody_changed_it_meanwhile(harness: &dyn Harness) {
    let store = harness.open().await;
    let first = campaign(1);
    store.insert_campaign(&first).await.unwrap();
    let second = changed(&first);
    store.update_campaign(&second).await.unwrap();
    assert_eq!(find(&*store, &first).await.as_ref(), Some(&second));

    let late = store.update_campaign(&changed(&first)).await;
    assert!(matches!(late, Err(StoreError::Stale { .. })), "{late:?}");
    let stopped = Campaign {
        state: CampaignState::Stopped,
        ..campaign_with(3, json!({"delivery": {"kind": "api"}}))
    };
    store.insert_campaign(&stopped).await.unwrap();
    let other_state = Campaign {
        state: CampaignState::Active,
        ..changed(&stopped)
    };
    let refused = store.update_campaign(&other_state).await;
    assert!(
        matches!(refused, Err(StoreError::Stale { .. })),
        "{refused:?}"
    );
    let absent = store.update_campaign(&changed(&campaign(2))).await;
    assert!(
        matches!(absent, Err(StoreError::NotFound { .. })),
        "{absent:?}"
    );
    assert_eq!(find(&*store, &first).await, Some(second));
}

pub(crate) async fn a_draft_may_become_an_armed_campaign_but_a_launched_one_may_not(
    harness: &dyn Harness,
) {
    let store = harness.open().await;
    let draft = campaign(1);
    let launched = Campaign {
        state: CampaignState::Active,
        ..campaign(2)
    };
    let armed = |campaign: &Campaign| Campaign {
        state: CampaignState::Active,
        version: campaign.version + 1,
        definition: definition(json!({"delivery": {"kind": "api"}})),
        ..campaign.clone()
    };
    store.insert_campaign(&draft).await.unwrap();
    store.insert_campaign(&launched).await.unwrap();
    store.update_campaign(&armed(&draft)).await.unwrap();
    assert_eq!(find(&*store, &draft).await, Some(armed(&draft)));
    // As a change that read the campaign just before it was launched.
    let late = store.update_campaign(&armed(&launched)).await;
    assert!(matches!(late, Err(StoreError::Stale { .. })), "{late:?}");
    assert_eq!(find(&*store, &launched).await, Some(launched));
}

pub(crate) async fn of_concurrent_changes_one_is_stored(harness: &dyn Harness) {
    let store = harness.open().await;
    store.insert_campaign(&campaign(1)).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let store = store.clone();
        tasks.spawn(async move { store.update_campaign(&changed(&campaign(1))).await.is_ok() });
    }
    let stored = tasks.join_all().await.into_iter().filter(|stored| *stored);
    assert_eq!(stored.count(), 1);
}

pub(crate) async fn a_campaign_without_dispatches_can_be_deleted(harness: &dyn Harness) {
    let store = harness.open().await;
    let draft = campaign(1);
    store.insert_campaign(&draft).await.unwrap();
    begin_campaign(&*store, 2, Vec::new()).await;
    store.delete_campaign(id(1), draft.id).await.unwrap();
    assert_eq!(find(&*store, &draft).await, None);
    let again = store.delete_campaign(id(1), draft.id).await;
    assert!(
        matches!(again, Err(StoreError::NotFound { .. })),
        "{again:?}"
    );
    let refused = store.delete_campaign(id(1), id(2)).await;
    assert!(
        matches!(refused, Err(StoreError::Stale { .. })),
        "{refused:?}"
    );
    assert!(find(&*store, &campaign(2)).await.is_some());
}

pub(crate) async fn event_campaigns_are_those_with_cards_to_give_or_to_take_away(
    harness: &dyn Harness,
) {
    let store = harness.open().await;
    let active = |number, fields| Campaign {
        state: CampaignState::Active,
        ..campaign_with(number, fields)
    };
    let event = json!({"delivery": {"kind": "event", "event": "signed_up"}});
    let removal = json!({"remove_on": ["purchased"]});
    let set_off = active(1, event.clone());
    let taken_away = active(2, removal.clone());
    let deaf = active(3, json!({"delivery": {"kind": "api"}}));
    let draft = campaign_with(4, removal.clone());
    let stopped = active(5, event.clone());
    let other = foreign(&active(6, event));
    for campaign in [&set_off, &taken_away, &deaf, &draft, &stopped, &other] {
        store.insert_campaign(campaign).await.unwrap();
    }
    store
        .stop_campaign(id(1), stopped.id, false, at(9))
        .await
        .unwrap();
    assert_eq!(
        heeding(&*store).await,
        [set_off.clone(), taken_away.clone()]
    );

    // Kept in step by what changes campaigns.
    let now_deaf = changed(&set_off);
    store.update_campaign(&now_deaf).await.unwrap();
    let heeds_now = Campaign {
        definition: definition(removal),
        ..changed(&deaf)
    };
    store.update_campaign(&heeds_now).await.unwrap();
    begin(&*store, &broadcast(&draft, 40), Vec::new()).await;
    let heeding: Vec<CampaignId> = heeding(&*store).await.iter().map(|c| c.id).collect();
    assert_eq!(heeding, [taken_away.id, heeds_now.id, draft.id]);

    // Stopped: its cards can be taken away until they expire, unless all were taken back.
    let dispatch = broadcast(&draft, 40);
    store
        .stop_campaign(id(1), draft.id, false, at(51))
        .await
        .unwrap();
    let ids = |campaigns: Vec<Campaign>| campaigns.iter().map(|c| c.id).collect::<Vec<_>>();
    let last = dispatch.expires_at.minus(Duration::from_micros(1));
    assert!(ids(heeding_at(&*store, last).await).contains(&draft.id));
    assert!(!ids(heeding_at(&*store, dispatch.expires_at).await).contains(&draft.id));
    store
        .stop_campaign(id(1), draft.id, true, at(52))
        .await
        .unwrap();
    assert!(!ids(heeding_at(&*store, last).await).contains(&draft.id));
}

async fn heeding(store: &dyn ControlStore) -> Vec<Campaign> {
    heeding_at(store, at(50)).await
}

async fn heeding_at(store: &dyn ControlStore, now: Timestamp) -> Vec<Campaign> {
    let workspace = id::<WorkspaceId>(1);
    let mut campaigns = store.event_campaigns(workspace, now).await.unwrap();
    campaigns.sort_by_key(|campaign| campaign.id);
    campaigns
}
