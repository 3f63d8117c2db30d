//! Cards made when their user opens the feed.

use std::time::Duration;

use corkboard_core::campaign::Campaign;
use corkboard_core::dispatch::{DispatchState, Shape};
use corkboard_feed::{FeedOptions, FeedQuery};
use corkboard_testkit::wait_until;
use serde_json::{Value, json};

use crate::world::{World, definition, user};

const URL: &str = "https://shop.example/offer/ada";

/// A campaign at first impression, in force.
async fn in_force(world: &World, changes: Value) -> Campaign {
    let mut changes = changes;
    changes["creation"] = json!("at_first_impression");
    let campaign = world.campaign(definition(changes)).await;
    let shape = Shape::Personal;
    world
        .dispatch_as(&campaign, shape, DispatchState::Running, Vec::new(), 0)
        .await;
    campaign
}

fn variants(title: &str) -> Value {
    json!([{"name": "A", "card": {"title": title}}])
}

fn fetching() -> Value {
    variants(
        "{% connected_content https://shop.example/offer/{{ user.user_id }} :save o %}{{ o.what }}",
    )
}

#[tokio::test]
async fn the_card_is_made_at_the_first_read_and_stays_as_it_was() {
    let world = World::new().await;
    world.track("ada", json!({"first_name": "Ada"})).await;
    in_force(
        &world,
        json!({"variants": variants("Hi {{ user.first_name }}")}),
    )
    .await;
    assert_eq!(world.titles("ada").await, ["Hi Ada"]);
    world.track("ada", json!({"first_name": "Countess"})).await;
    assert_eq!(world.titles("ada").await, ["Hi Ada"]);
}

#[tokio::test]
async fn a_user_nobody_has_tracked_gets_one_too() {
    let world = World::new().await;
    let changes = json!({"variants": variants("Hi {{ user.first_name | default: 'you' }}")});
    in_force(&world, changes).await;
    assert_eq!(world.titles("new").await, ["Hi you"]);
}

#[tokio::test]
async fn who_is_not_in_the_audience_gets_nothing_and_costs_no_fetch() {
    let world = World::new().await;
    let audience = json!({"attribute": "plan", "op": "eq", "value": "pro"});
    in_force(
        &world,
        json!({"audience": audience, "variants": fetching()}),
    )
    .await;
    world.track("ada", json!({"plan": "free"})).await;
    assert_eq!(world.titles("ada").await.len(), 0);
    assert_eq!(world.endpoint.count(), 0);
    world.endpoint.answers(URL, json!({"what": "a hat"}));
    world.track("ada", json!({"plan": "pro"})).await;
    assert_eq!(world.titles("ada").await, ["a hat"]);
}

#[tokio::test]
async fn a_slow_endpoint_delays_a_read_only_so_long_and_the_card_comes_with_a_later_one() {
    let options = FeedOptions {
        first_impression_deadline: Duration::from_millis(50),
        ..FeedOptions::default()
    };
    let world = World::with(options).await;
    in_force(&world, json!({"variants": fetching()})).await;
    world.card("ada", json!({})).await;
    world.endpoint.answers(URL, json!({"what": "a hat"}));
    world.endpoint.hold();
    assert_eq!(world.titles("ada").await, ["Hello"]);
    let mut connection = world
        .feeds
        .subscribe(world.workspace, &user("ada"))
        .unwrap();
    world.endpoint.gate.add_permits(1);
    let told = tokio::time::timeout(Duration::from_secs(20), connection.next())
        .await
        .unwrap();
    assert!(told.is_some(), "the live connection is told");
    assert_eq!(world.titles("ada").await.len(), 2);
    assert_eq!(world.endpoint.count(), 1);
}

#[tokio::test]
async fn many_devices_that_read_at_once_make_one_card_with_one_fetch() {
    let world = World::new().await;
    in_force(&world, json!({"variants": fetching()})).await;
    world.endpoint.answers(URL, json!({"what": "a hat"}));
    world.endpoint.hold();
    let reads = (0..8).map(|_| world.titles("ada"));
    let release = async {
        wait_until(Duration::from_secs(20), "the fetch", || async {
            if world.endpoint.count() > 0 {
                Ok(())
            } else {
                Err("no call yet".to_owned())
            }
        })
        .await;
        world.endpoint.gate.add_permits(100);
    };
    let (feeds, ()) = tokio::join!(futures_util::future::join_all(reads), release);
    assert!(feeds.iter().all(|titles| *titles == ["a hat"]), "{feeds:?}");
    assert_eq!(world.endpoint.count(), 1);
}

#[tokio::test]
async fn a_template_that_aborts_gives_no_card_and_is_not_tried_at_every_read() {
    let world = World::new().await;
    in_force(&world, json!({"variants": variants("{% connected_content https://shop.example/gone :save o %}{% if o.what %}x{% else %}{% abort_message('none') %}{% endif %}")})).await;
    world.card("ada", json!({})).await;
    for _ in 0..3 {
        assert_eq!(world.titles("ada").await, ["Hello"]);
    }
    assert_eq!(world.endpoint.count(), 1);
}

#[tokio::test]
async fn a_dismissed_card_is_not_made_again() {
    let world = World::new().await;
    in_force(&world, json!({})).await;
    let card = world.feed("ada").await["cards"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    world.report("ada", card, "dismiss").await;
    assert_eq!(world.titles("ada").await.len(), 0);
}

#[tokio::test]
async fn after_a_stop_no_more_cards_are_given_and_given_ones_stay() {
    let world = World::new().await;
    let campaign = in_force(&world, json!({})).await;
    assert_eq!(world.titles("ada").await.len(), 1);
    world.stop(campaign.id, false).await;
    assert_eq!(
        (
            world.titles("ada").await.len(),
            world.titles("bob").await.len()
        ),
        (1, 0)
    );
}

#[tokio::test]
async fn a_pointer_card_is_made_from_shared_content_and_a_control_card_shows_nothing() {
    let world = World::new().await;
    let campaign = world
        .campaign(definition(json!({
            "creation": "at_first_impression",
            "variants": [
                {"name": "A", "weight": 1, "card": {"title": "shared"}},
                {"name": "none", "weight": 1, "control": true},
            ],
        })))
        .await;
    let state = DispatchState::Running;
    world
        .dispatch_as(&campaign, Shape::Pointer, state, Vec::new(), 0)
        .await;
    let (mut shown, mut control) = (0, 0);
    for n in 0..20 {
        let feed = world.feed(&format!("u-{n}")).await;
        let card = &feed["cards"][0];
        match card["control"].as_bool().unwrap() {
            true => control += 1,
            false => shown += usize::from(card["title"] == "shared"),
        }
    }
    assert_eq!(shown + control, 20);
    assert!(shown > 0 && control > 0, "{shown} {control}");
    let stats = world
        .feeds
        .stats(world.workspace, campaign.id, false)
        .await
        .unwrap();
    assert_eq!(stats.variants[0].sent, Some(shown as u64));
    assert_eq!(
        (stats.variants[1].sent, stats.variants[1].control),
        (Some(control as u64), true)
    );
}

#[tokio::test]
async fn once_expired_nothing_is_made() {
    let world = World::new().await;
    in_force(&world, json!({"expiry": {"ttl_seconds": 60}})).await;
    world.later(60);
    assert_eq!(world.titles("ada").await.len(), 0);
    let cards = world
        .feeds
        .user_cards(world.workspace, &user("ada"))
        .await
        .unwrap();
    assert_eq!(cards.len(), 0);
}

#[tokio::test]
async fn a_campaign_launched_while_cards_are_being_made_is_in_the_read_that_follows() {
    let world = World::new().await;
    in_force(&world, json!({"variants": fetching()})).await;
    world.endpoint.answers(URL, json!({"what": "a hat"}));
    world.endpoint.hold();
    let query = FeedQuery::default();
    let (ada, mut first) = (user("ada"), None);
    let mut reading = Box::pin(world.feeds.read(world.workspace, &ada, &query));
    tokio::select! {
        reply = &mut reading => first = Some(reply),
        () = wait_until(Duration::from_secs(20), "the fetch", || async {
            if world.endpoint.count() > 0 { Ok(()) } else { Err("no call yet".to_owned()) }
        }) => {}
    }
    assert!(first.is_none(), "the first read waits for its card");
    in_force(&world, json!({"variants": variants("second")})).await;
    world.endpoint.gate.add_permits(10);
    assert_eq!(world.titles("ada").await.len(), 2);
    reading.await.unwrap();
}

#[tokio::test]
async fn devices_that_had_to_wait_for_their_turn_still_make_one_card() {
    let options = FeedOptions {
        first_impression_users: 2,
        first_impression_deadline: Duration::from_secs(20),
        ..FeedOptions::default()
    };
    let world = World::with(options).await;
    in_force(&world, json!({"variants": fetching()})).await;
    world.endpoint.hold();
    let called = async |times: usize| {
        wait_until(Duration::from_secs(20), "the calls", || async {
            match world.endpoint.count() {
                count if count >= times => Ok(()),
                count => Err(format!("{count} calls")),
            }
        })
        .await;
    };
    let others = async { tokio::join!(world.titles("bob"), world.titles("cy")) };
    let adas = async {
        called(2).await;
        tokio::join!(world.titles("ada"), world.titles("ada"))
    };
    let release = async {
        called(2).await;
        // Both turns become free at once; what comes after is held until it has been counted.
        world.endpoint.gate.add_permits(2);
        called(3).await;
        world.endpoint.gate.add_permits(100);
    };
    let (_, (one, other), ()) = tokio::join!(others, adas, release);
    assert_eq!((one.len(), other.len()), (1, 1));
    assert_eq!(world.endpoint.count(), 3, "one call for each user");
}
