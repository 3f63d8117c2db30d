//! Launches whose time is yet to come.

use std::time::Duration;

use corkboard_core::dispatch::{DispatchState, Shape};
use corkboard_core::time::Clock;
use serde_json::json;

use crate::world::World;

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn a_scheduled_launch_waits_and_counts_its_audience_then() {
    let world = World::new().await;
    world.users(5).await;
    let running = world.run();
    let at = world.clock.now().plus(HOUR);
    let campaign = world
        .campaign(json!({"delivery": {"kind": "launch", "at": at}}))
        .await;
    let id = world.new_dispatch();
    let launched = running
        .sender
        .launch(world.workspace, campaign, id)
        .await
        .unwrap();
    assert_eq!(launched.dispatch.state, DispatchState::Planned);
    assert_eq!(launched.dispatch.planned_at, at);
    assert_eq!(
        launched.dispatch.expires_at,
        at.plus(24 * HOUR),
        "the card's life begins then"
    );
    world.users(9).await;
    world.clock.set(at);
    let report = world.over(id).await;
    assert_eq!(
        (report.dispatch.state, report.written),
        (DispatchState::Done, 9)
    );
    assert_eq!(report.dispatch.started_at, Some(at));
}

#[tokio::test]
async fn a_scheduled_broadcast_and_one_at_first_impression_take_effect_at_their_time() {
    let world = World::new().await;
    let running = world.run();
    let at = world.clock.now().plus(HOUR);
    let delivery = json!({"kind": "launch", "at": at});
    let broadcast = world
        .campaign(json!({"delivery": delivery,
            "variants": [{"name": "A", "card": {"title": "hi"}}]}))
        .await;
    let first = world
        .campaign(json!({"delivery": delivery, "creation": "at_first_impression"}))
        .await;
    let (one, two) = (world.new_dispatch(), world.new_dispatch());
    running
        .sender
        .launch(world.workspace, broadcast, one)
        .await
        .unwrap();
    running
        .sender
        .launch(world.workspace, first, two)
        .await
        .unwrap();
    let live = async || {
        world
            .control
            .live_set(world.workspace, at)
            .await
            .unwrap()
            .dispatches
    };
    assert_eq!(live().await, []);
    world.clock.set(at);
    let report = world.over(one).await;
    assert_eq!(report.dispatch.shape, Shape::Broadcast);
    let is_running =
        |report: &corkboard_send::DispatchReport| report.dispatch.state == DispatchState::Running;
    world.reaches(two, "being in force", is_running).await;
    assert_eq!(live().await.len(), 2);
}

#[tokio::test]
async fn several_schedulers_start_a_dispatch_once() {
    let world = World::new().await;
    world.users(30).await;
    let running = [world.run(), world.run(), world.run()];
    let at = world.clock.now().plus(HOUR);
    let campaign = world
        .campaign(json!({"delivery": {"kind": "launch", "at": at}}))
        .await;
    let id = world.new_dispatch();
    running[0]
        .sender
        .launch(world.workspace, campaign, id)
        .await
        .unwrap();
    world.clock.set(at);
    let report = world.over(id).await;
    assert_eq!((report.tally.targeted, report.written), (30, 30));
}
