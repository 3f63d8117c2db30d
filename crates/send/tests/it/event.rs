//! Events that set campaigns off.

use corkboard_core::dispatch::Cause;
use corkboard_core::identity::event_id;
use corkboard_core::time::Clock;
use corkboard_core::user::{AttributeChange, UserEvent};
use corkboard_send::Track;
use serde_json::{Value, json};

use crate::world::{World, object, user};

pub(crate) fn event(world: &World, name: &str, who: &str, n: u8, properties: Value) -> UserEvent {
    let who = user(who);
    UserEvent {
        id: event_id(world.workspace, &who, name, &[n]),
        workspace: world.workspace,
        user: who,
        name: name.to_owned(),
        at: world.clock.now(),
        properties: object(properties),
    }
}

pub(crate) fn events(events: impl IntoIterator<Item = UserEvent>) -> Track {
    Track {
        events: events.into_iter().collect(),
        ..Track::default()
    }
}

async fn campaign(world: &World, fields: Value) -> corkboard_core::id::CampaignId {
    let mut all = object(json!({"delivery": {"kind": "event", "event": "viewed"},
        "variants": [{"name": "A",
            "card": {"title": "{{ event_properties.item }} for {{ user.name }}"}}]}));
    all.extend(object(fields));
    world.campaign(Value::Object(all)).await
}

#[tokio::test]
async fn an_event_gives_its_user_a_card_that_knows_the_event_and_the_new_attributes() {
    let world = World::new().await;
    let running = world.run();
    let campaign = campaign(&world, json!({})).await;
    let name = AttributeChange {
        user: user("ada"),
        attributes: object(json!({"name": "Ada"})),
    };
    let viewed = event(&world, "viewed", "ada", 1, json!({"item": "skis"}));
    let other = event(&world, "left", "bob", 1, json!({}));
    let track = Track {
        attributes: vec![name],
        events: vec![viewed, other],
    };
    let tracked = running.sender.track(world.workspace, track).await.unwrap();
    assert_eq!((tracked.new_events, tracked.dispatches.len()), (2, 1));
    let report = world.over(tracked.dispatches[0]).await;
    assert_eq!((report.dispatch.cause, report.written), (Cause::Event, 1));
    assert_eq!(world.title("ada", campaign).await, "skis for Ada");
    assert_eq!(world.cards_of("bob", campaign).await, []);
}

#[tokio::test]
async fn an_event_may_decide_the_audience_that_it_triggers() {
    let world = World::new().await;
    let running = world.run();
    let audience = json!({"event": "viewed", "op": "count_gte", "value": 2});
    let campaign = campaign(
        &world,
        json!({"audience": audience, "reeligible_after_seconds": 0}),
    )
    .await;
    for (n, cards) in [(1, 0), (2, 1)] {
        let viewed = event(&world, "viewed", "ada", n, json!({}));
        let tracked = running
            .sender
            .track(world.workspace, events([viewed]))
            .await
            .unwrap();
        world.over(tracked.dispatches[0]).await;
        assert_eq!(world.cards_of("ada", campaign).await.len(), cards);
    }
}

#[tokio::test]
async fn an_event_counts_once_in_whatever_company_it_is_reported_again() {
    for reeligible in [json!(null), json!(0)] {
        let world = World::new().await;
        let running = world.run();
        let campaign = campaign(&world, json!({"reeligible_after_seconds": reeligible})).await;
        let of = |who: &str, n| event(&world, "viewed", who, n, json!({"item": n}));
        let reports = [
            events([of("ada", 1), of("bob", 1)]),
            events([of("ada", 1), of("bob", 1)]),
            events([of("ada", 1), of("eve", 1)]),
            events([of("eve", 1)]),
        ];
        for track in reports {
            let tracked = running.sender.track(world.workspace, track).await.unwrap();
            for dispatch in tracked.dispatches {
                world.over(dispatch).await;
            }
        }
        for who in ["ada", "bob", "eve"] {
            let cards = world.cards_of(who, campaign).await;
            assert_eq!(cards.len(), 1, "{who}, re-eligible after {reeligible}");
        }
    }
}

#[tokio::test]
async fn an_event_that_was_recorded_by_a_report_that_got_no_further_is_acted_on() {
    let world = World::new().await;
    let running = world.run();
    let campaign = campaign(&world, json!({})).await;
    let viewed = event(&world, "viewed", "ada", 1, json!({"item": "skis"}));
    let recorded = world
        .cards
        .record_user_events(vec![viewed.clone()], world.clock.now())
        .await;
    assert_eq!(recorded.unwrap(), [true]);
    let tracked = running
        .sender
        .track(world.workspace, events([viewed]))
        .await
        .unwrap();
    assert_eq!((tracked.new_events, tracked.dispatches.len()), (0, 1));
    world.over(tracked.dispatches[0]).await;
    assert_eq!(world.cards_of("ada", campaign).await.len(), 1);
}

#[tokio::test]
async fn two_events_of_one_user_give_two_cards_if_the_campaign_allows_it() {
    for (reeligible, cards) in [(json!(null), 1), (json!(0), 2)] {
        let world = World::new().await;
        let running = world.run();
        let campaign = campaign(&world, json!({"reeligible_after_seconds": reeligible})).await;
        let of = |n| event(&world, "viewed", "ada", n, json!({"item": n}));
        let tracked = running
            .sender
            .track(world.workspace, events([of(1), of(2)]))
            .await
            .unwrap();
        assert_eq!(tracked.dispatches.len(), cards);
        for dispatch in tracked.dispatches {
            world.over(dispatch).await;
        }
        assert_eq!(world.cards_of("ada", campaign).await.len(), cards);
    }
}

#[tokio::test]
async fn a_stopped_campaign_is_set_off_no_more_but_the_event_is_recorded() {
    let world = World::new().await;
    let sender = world.idle();
    let campaign = campaign(&world, json!({})).await;
    sender.stop(world.workspace, campaign, false).await.unwrap();
    let viewed = event(&world, "viewed", "ada", 1, json!({}));
    let tracked = sender
        .track(world.workspace, events([viewed]))
        .await
        .unwrap();
    assert_eq!((tracked.new_events, tracked.dispatches.len()), (1, 0));
    let ada = world
        .cards
        .find_user(world.workspace, &user("ada"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(ada.events["viewed"].count, 1);
}
