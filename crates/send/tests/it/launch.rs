//! Launching each shape of campaign.

use std::sync::Arc;

use corkboard_core::dispatch::{DispatchState, Shape};
use corkboard_send::{HostCalls, SendError, SendOptions, Sender, WrongState};
use futures_util::future::join_all;
use serde_json::json;

use crate::fetcher::Fetcher;
use crate::gate::{Gate, gated};
use crate::world::{World, options, user};

#[tokio::test]
async fn a_personal_campaign_writes_each_users_own_card_once() {
    let world = World::new().await;
    world.users(25).await;
    let running = world.run();
    let campaign = world.campaign(json!({})).await;
    let report = world.launched(&running.sender, campaign).await;
    assert_eq!(report.dispatch.shape, Shape::Personal);
    assert_eq!((report.tally.targeted, report.written), (25, 25));
    for n in 0..25 {
        assert_eq!(
            world.title(&format!("u{n}"), campaign).await,
            format!("Hi {n}")
        );
    }
    assert_eq!(
        world.heard.users.lock().unwrap().len(),
        25,
        "every feed hears of its card"
    );
}

#[tokio::test]
async fn a_pointer_campaign_shares_its_content() {
    let world = World::new().await;
    world.users(25).await;
    let running = world.run();
    let campaign = world
        .campaign(json!({
            "audience": {"attribute": "n", "op": "gte", "value": 20},
            "variants": [{"name": "A", "card": {"title": "{{ 'same' | upcase }}", "url": "u"}}],
        }))
        .await;
    let report = world.launched(&running.sender, campaign).await;
    assert_eq!(report.dispatch.shape, Shape::Pointer);
    assert_eq!((report.tally.targeted, report.written), (5, 5));
    assert_eq!(world.title("u24", campaign).await, "SAME");
    assert_eq!(world.cards_of("u19", campaign).await, []);
}

#[tokio::test]
async fn a_broadcast_is_done_at_once_and_writes_nothing_per_user() {
    let world = World::new().await;
    world.users(25).await;
    let sender = world.idle();
    let campaign = world
        .campaign(json!({"variants": [{"name": "A", "card": {"title": "hi"}}]}))
        .await;
    let id = world.new_dispatch();
    let launched = sender.launch(world.workspace, campaign, id).await.unwrap();
    assert_eq!(launched.plan.shape, Shape::Broadcast);
    assert_eq!(launched.plan.audience_estimate, 25);
    let report = sender.report(world.workspace, id).await.unwrap();
    assert_eq!(report.dispatch.state, DispatchState::Done);
    assert_eq!((report.written, report.tally.targeted), (0, 0));
    assert_eq!(world.cards_of("u1", campaign).await, []);
    let live = world
        .control
        .live_set(world.workspace, report.dispatch.planned_at)
        .await
        .unwrap();
    assert_eq!(live.dispatches.len(), 1);
    assert_eq!(
        *world.heard.workspace.lock().unwrap(),
        1,
        "every feed may differ"
    );
}

#[tokio::test]
async fn at_first_impression_nothing_is_given_at_launch_and_time_ends_it() {
    let world = World::new().await;
    world.users(5).await;
    let running = world.run();
    let campaign = world
        .campaign(json!({"creation": "at_first_impression"}))
        .await;
    let id = world.new_dispatch();
    running
        .sender
        .launch(world.workspace, campaign, id)
        .await
        .unwrap();
    let report = running.sender.report(world.workspace, id).await.unwrap();
    assert_eq!(report.dispatch.state, DispatchState::Running);
    assert_eq!(
        (report.dispatch.shape, report.eta_seconds),
        (Shape::Personal, None)
    );
    assert_eq!(world.cards_of("u1", campaign).await, []);
    world.clock.set(report.dispatch.expires_at);
    let report = world.over(id).await;
    assert_eq!(
        (report.dispatch.state, report.written),
        (DispatchState::Done, 0)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_dispatch_id_launches_once() {
    let world = World::new().await;
    world.users(5).await;
    let sender = world.idle();
    let campaign = world.campaign(json!({})).await;
    let id = world.new_dispatch();
    let launch = || sender.launch(world.workspace, campaign, id);
    // Some find the campaign as a draft, others as launched by their like.
    let launched = join_all((0..16).map(|_| launch())).await;
    let first = launched[0].as_ref().unwrap();
    assert!(
        launched
            .iter()
            .all(|other| other.as_ref().unwrap() == first),
        "{launched:?}"
    );
    let running = world.run();
    world.over(id).await;
    assert_eq!(launch().await.unwrap().dispatch.state, DispatchState::Done);
    assert_eq!(world.cards_of("u1", campaign).await.len(), 1);
    let other = world.campaign(json!({})).await;
    let taken = running.sender.launch(world.workspace, other, id).await;
    assert!(matches!(taken, Err(SendError::Store(_))), "{taken:?}");
}

#[tokio::test]
async fn a_launch_that_is_overtaken_by_its_own_repeat_is_the_same_launch() {
    let world = World::new().await;
    let gate = Gate::counting();
    let slow = Sender::new(gated(world.deps(Arc::default()), &gate), options());
    let campaign = world.campaign(json!({})).await;
    let (workspace, id) = (world.workspace, world.new_dispatch());
    gate.hold(Some("find_campaign"));
    let overtaken = slow.launch(workspace, campaign, id);
    let repeat = async {
        let launched = world.idle().launch(workspace, campaign, id).await;
        gate.hold(None);
        launched
    };
    let (overtaken, repeat) = tokio::join!(biased; overtaken, repeat);
    assert_eq!(overtaken.unwrap(), repeat.unwrap());
}

#[tokio::test]
async fn what_cannot_be_launched_says_why() {
    let world = World::new().await;
    let sender = world.idle();
    let launch = async |campaign| {
        let launched = sender
            .launch(world.workspace, campaign, world.new_dispatch())
            .await;
        launched.map(|launched| launched.dispatch.state)
    };
    let once = world.campaign(json!({})).await;
    launch(once).await.unwrap();
    let state = |error: SendError| match error {
        SendError::WrongState(state) => state,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        state(launch(once).await.unwrap_err()),
        WrongState::CampaignLaunched
    );
    sender.stop(world.workspace, once, false).await.unwrap();
    assert_eq!(
        state(launch(once).await.unwrap_err()),
        WrongState::CampaignStopped
    );

    let late = world
        .campaign(json!({"expiry": {"at": "2026-11-21T10:00:05Z"}}))
        .await;
    world.clock.advance(std::time::Duration::from_secs(6));
    let Err(SendError::Invalid(problems)) = launch(late).await else {
        panic!("too late")
    };
    assert_eq!(problems[0].path, "/expiry");

    let nobodys = corkboard_core::id::CampaignId::generate(late_now(&world));
    assert!(matches!(
        launch(nobodys).await,
        Err(SendError::NotFound { what: "campaign" })
    ));
    let api = world.campaign(json!({"delivery": {"kind": "api"}})).await;
    assert_eq!(
        launch(api).await.unwrap(),
        DispatchState::Done,
        "nothing to launch"
    );
}

fn late_now(world: &World) -> corkboard_core::time::Timestamp {
    corkboard_core::time::Clock::now(&world.clock)
}

#[tokio::test]
async fn two_senders_share_one_dispatch() {
    let world = World::new().await;
    world.users(4_100).await;
    let one = world.run();
    let two = world.run();
    let campaign = world.campaign(json!({})).await;
    let report = world.launched(&one.sender, campaign).await;
    assert_eq!((report.tally.targeted, report.written), (4_100, 4_100));
    let progress = world
        .control
        .dispatch_progress(report.dispatch.id)
        .await
        .unwrap();
    assert_eq!(progress.chunks, 3, "one for about 2,000 users");
    assert_eq!(world.title("u4099", campaign).await, "Hi 4099");
    one.end().await;
    two.end().await;
}

#[tokio::test]
async fn one_poisoned_user_among_five_hundred_costs_one_card() {
    let world = World::new().await;
    world.users(500).await;
    let running = world.run();
    let campaign = world
        .campaign(json!({"variants": [
            {"name": "A", "card": {"title": "{{ 100 | divided_by: user.n }}"}}]}))
        .await;
    let report = world.launched(&running.sender, campaign).await;
    assert_eq!((report.tally.targeted, report.written), (500, 499));
    assert_eq!(world.cards_of("u0", campaign).await, []);
    assert!(!world.heard.users.lock().unwrap().contains(&user("u0")));
}

#[tokio::test]
async fn the_plan_says_what_each_host_will_be_asked_and_asks_none() {
    let world = World::new().await;
    world.users(100).await;
    let fetcher = Arc::new(Fetcher::default());
    let capped = SendOptions {
        host_per_second: 10,
        ..options()
    };
    // No workers: whatever is asked is asked by the planning.
    let sender = Sender::new(world.deps(Arc::clone(&fetcher)), capped);
    let title = "{% connected_content https://own.example/{{ user.user_id }} :save a %}{{ a.b }}";
    let text = "{% connected_content https://same.example/{{ user.none }}x :save a %}{{ a.b }}";
    let card = json!({"title": title, "description": text});
    let campaign = world
        .campaign(json!({"variants": [{"name": "A", "card": card}]}))
        .await;
    let dispatch = world.new_dispatch();
    let launched = sender.launch(world.workspace, campaign, dispatch).await;
    let plan = launched.unwrap().plan;
    let calls = |host: &str, cached, seconds| HostCalls {
        host: host.to_owned(),
        calls: 100,
        cached,
        seconds: Some(seconds),
    };
    let expected = [calls("own.example", 0, 10), calls("same.example", 99, 1)];
    assert_eq!((plan.sample, plan.calls.as_slice()), (100, &expected[..]));
    assert_eq!(fetcher.asked(), [""; 0]);
}
