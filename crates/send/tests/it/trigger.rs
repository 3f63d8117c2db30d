//! Triggers: durable when they return, repeatable, and about users nobody may know yet.

use std::sync::Arc;

use corkboard_core::dispatch::{DispatchState, SkipReason};
use corkboard_send::{SendError, WrongState};
use serde_json::json;

use crate::world::{World, object, options, recipient, skipped};

#[tokio::test]
async fn a_trigger_is_durable_before_it_returns_and_its_repeat_is_the_same_dispatch() {
    let world = World::new().await;
    let campaign = world
        .campaign(json!({"delivery": {"kind": "api"}, "reeligible_after_seconds": 0}))
        .await;
    let id = world.new_dispatch();
    let sender = world.idle();
    let trigger = || {
        let recipients = vec![recipient("ada", json!({}))];
        sender.trigger(
            world.workspace,
            campaign,
            id,
            recipients,
            Default::default(),
        )
    };
    let first = trigger().await.unwrap();
    assert_eq!(first.state, DispatchState::Running);
    // The process that took the trigger never works on it: another one does.
    let running = world.run();
    assert_eq!(world.over(id).await.written, 1);
    assert_eq!(trigger().await.unwrap().id, first.id);
    running.end().await;
    assert_eq!(world.cards_of("ada", campaign).await.len(), 1);
}

#[tokio::test]
async fn properties_of_the_recipient_win_over_those_of_the_trigger() {
    let world = World::new().await;
    let running = world.run();
    let title = "{{ properties.a }}-{{api_trigger_properties.${b}}}-{{ event_properties.b }}";
    let campaign = world
        .campaign(json!({"delivery": {"kind": "api"},
            "variants": [{"name": "A", "card": {"title": title}}]}))
        .await;
    let id = world.new_dispatch();
    let recipients = vec![recipient("x", json!({})), recipient("y", json!({"b": 9}))];
    let properties = object(json!({"a": 1, "b": 2}));
    running
        .sender
        .trigger(world.workspace, campaign, id, recipients, properties)
        .await
        .unwrap();
    world.over(id).await;
    assert_eq!(world.title("x", campaign).await, "1-2-");
    assert_eq!(world.title("y", campaign).await, "1-9-");
}

#[tokio::test]
async fn recipients_outside_the_audience_are_skipped_and_unknown_ones_are_not_in_it() {
    let world = World::new().await;
    world.user("pro", json!({"plan": "pro"})).await;
    world.user("free", json!({"plan": "free"})).await;
    let running = world.run();
    let audience = json!({"attribute": "plan", "op": "eq", "value": "pro"});
    let campaign = world
        .campaign(json!({"delivery": {"kind": "api"}, "audience": audience}))
        .await;
    let id = world.new_dispatch();
    let names = ["pro", "free", "unknown", "pro"];
    let recipients = names
        .iter()
        .map(|name| recipient(name, json!({})))
        .collect();
    let (ws, none) = (world.workspace, Default::default());
    running
        .sender
        .trigger(ws, campaign, id, recipients, none)
        .await
        .unwrap();
    let report = world.over(id).await;
    assert_eq!(
        (report.tally.targeted, report.written),
        (3, 1),
        "a user named twice counts once"
    );
    assert_eq!(skipped(&report, SkipReason::NotInAudience), 2);
}

#[tokio::test]
async fn a_thousand_recipients_are_worked_off_page_by_page() {
    let world = World::new().await;
    let deps = world.deps(Arc::default());
    let running = world.run_with(
        deps,
        corkboard_send::SendOptions {
            batch: 300,
            ..options()
        },
    );
    let campaign = world.campaign(json!({"delivery": {"kind": "api"}})).await;
    let id = world.new_dispatch();
    let recipients: Vec<_> = (0..1_000)
        .map(|n| recipient(&format!("r{n}"), json!({})))
        .collect();
    let (ws, none) = (world.workspace, serde_json::Map::new());
    let too_many = [recipients.clone(), vec![recipient("one", json!({}))]].concat();
    let refused = running
        .sender
        .trigger(ws, campaign, id, too_many, none.clone())
        .await;
    assert!(matches!(refused, Err(SendError::Invalid(_))), "{refused:?}");
    running
        .sender
        .trigger(ws, campaign, id, recipients, none)
        .await
        .unwrap();
    let report = world.over(id).await;
    assert_eq!((report.tally.targeted, report.written), (1_000, 1_000));
}

#[tokio::test]
async fn only_api_campaigns_that_are_active_can_be_triggered() {
    let world = World::new().await;
    let sender = world.idle();
    let trigger = async |campaign| {
        let (ws, id) = (world.workspace, world.new_dispatch());
        let recipients = vec![recipient("ada", json!({}))];
        match sender
            .trigger(ws, campaign, id, recipients, Default::default())
            .await
        {
            Err(SendError::WrongState(state)) => state,
            other => panic!("{other:?}"),
        }
    };
    let launched = world.campaign(json!({})).await;
    assert_eq!(trigger(launched).await, WrongState::NotApiTriggered);
    let stopped = world.campaign(json!({"delivery": {"kind": "api"}})).await;
    sender.stop(world.workspace, stopped, false).await.unwrap();
    assert_eq!(trigger(stopped).await, WrongState::CampaignStopped);
}
