//! Stopping midway, and shutting down midway.

use std::sync::Arc;
use std::time::Duration;

use corkboard_core::dispatch::DispatchState;
use corkboard_core::id::{CampaignId, DispatchId};
use corkboard_send::SendOptions;
use corkboard_testkit::wait_until;
use serde_json::json;
use tokio::time::Instant;

use crate::fetcher::Fetcher;
use crate::world::{DEADLINE, Running, World, options, recipient};

const FETCHING: &str =
    "{% connected_content https://a.example/{{ user.user_id }} :save r %}{{ r.url }}";

/// A dispatch whose worker waits at a closed door, in the middle of its first page.
async fn stuck(world: &World) -> (Running, Arc<Fetcher>, CampaignId, DispatchId) {
    world.users(30).await;
    let fetcher = Arc::new(Fetcher::default());
    fetcher.close();
    let only_one = SendOptions {
        workers: 1,
        ..options()
    };
    let running = world.run_with(world.deps(Arc::clone(&fetcher)), only_one);
    let campaign = world
        .campaign(json!({"variants": [{"name": "A", "card": {"title": FETCHING}}]}))
        .await;
    let id = world.new_dispatch();
    running
        .sender
        .launch(world.workspace, campaign, id)
        .await
        .unwrap();
    wait_until(DEADLINE, "the first page's fetches", || async {
        let asked = fetcher.asked().len();
        if asked >= 10 {
            Ok(())
        } else {
            Err(format!("{asked}"))
        }
    })
    .await;
    (running, fetcher, campaign, id)
}

#[tokio::test]
async fn a_stop_is_noticed_while_fetches_are_slow() {
    let world = World::new().await;
    let (running, fetcher, campaign, id) = stuck(&world).await;
    let outcome = running
        .sender
        .stop(world.workspace, campaign, false)
        .await
        .unwrap();
    assert_eq!(outcome.stopped_dispatches, 1);
    assert_eq!(world.over(id).await.dispatch.state, DispatchState::Stopped);
    // The only worker is free for other work while the old fetches still hang.
    let since = Instant::now();
    let other = world.campaign(json!({})).await;
    assert_eq!(world.launched(&running.sender, other).await.written, 30);
    assert!(
        since.elapsed() < Duration::from_secs(5),
        "{:?}",
        since.elapsed()
    );
    fetcher.open();
    running.end().await;
    assert_eq!(world.over(id).await.written, 0);
    for n in 0..30 {
        assert_eq!(world.cards_of(&format!("u{n}"), campaign).await, []);
    }
}

#[tokio::test]
async fn a_stop_between_pages_leaves_what_was_written() {
    let world = World::new().await;
    world.users(300).await;
    let sender = world.idle();
    let campaign = world.campaign(json!({})).await;
    let id = world.new_dispatch();
    sender.launch(world.workspace, campaign, id).await.unwrap();
    let running = world.run();
    world
        .reaches(id, "the first cards", |report| report.written > 0)
        .await;
    running
        .sender
        .stop(world.workspace, campaign, true)
        .await
        .unwrap();
    running.end().await;
    let report = world.over(id).await;
    assert_eq!(
        report.tally.targeted, report.written,
        "what is counted was written"
    );
    let live = world
        .control
        .live_set(world.workspace, report.dispatch.planned_at)
        .await
        .unwrap();
    assert!(
        live.cancelled.contains(&campaign) || report.dispatch.state == DispatchState::Done,
        "feeds leave the cards out"
    );
}

#[tokio::test]
async fn a_shutdown_hands_the_chunk_to_the_next_process_at_once() {
    let world = World::new().await;
    let (running, _fetcher, campaign, id) = stuck(&world).await;
    running.end().await;
    // No lease has to lapse: the clock stands still.
    let next = world.run();
    let report = world.over(id).await;
    assert_eq!((report.tally.targeted, report.written), (30, 30));
    assert_eq!(world.title("u29", campaign).await, "https://a.example/u29");
    next.end().await;
}

#[tokio::test]
async fn a_shutdown_writes_what_has_been_rendered() {
    let world = World::new().await;
    let fetcher = Arc::new(Fetcher::default());
    fetcher.close_for("u9");
    let patient = SendOptions {
        flush: DEADLINE,
        ..options()
    };
    let running = world.run_with(world.deps(Arc::clone(&fetcher)), patient);
    let variants = json!([{"name": "A", "card": {"title": FETCHING}}]);
    let campaign = world
        .campaign(json!({"delivery": {"kind": "api"}, "variants": variants}))
        .await;
    let id = world.new_dispatch();
    let recipients = (0..10)
        .map(|n| recipient(&format!("u{n}"), json!({})))
        .collect();
    let (ws, none) = (world.workspace, Default::default());
    running
        .sender
        .trigger(ws, campaign, id, recipients, none)
        .await
        .unwrap();
    wait_until(DEADLINE, "the fetches", || async {
        let asked = fetcher.asked().len();
        if asked == 10 {
            Ok(())
        } else {
            Err(format!("{asked}"))
        }
    })
    .await;
    running.end().await;
    let report = running.sender.report(world.workspace, id).await.unwrap();
    assert_eq!(report.dispatch.state, DispatchState::Running);
    assert!((1..10).contains(&report.written), "{report:?}");
    assert_eq!(report.tally.targeted, report.written);
}
