//! Every reason for which a user gets no card is counted under its name.

use std::sync::Arc;
use std::time::Duration;

use corkboard_core::dispatch::{DispatchState, SkipReason};
use corkboard_core::time::Clock;
use corkboard_testkit::wait_until;
use serde_json::json;

use crate::fetcher::Fetcher;
use crate::world::{DEADLINE, World, options, recipient, skipped, user};

const FETCHING: &str =
    "{% connected_content https://a.example/{{ user.user_id }} :save r %}{{ r.url }}";

#[tokio::test]
async fn what_the_template_decides_is_told_apart() {
    let world = World::new().await;
    world.user("fine", json!({"n": 1})).await;
    world.user("aborted", json!({"stop": true})).await;
    world.user("failed", json!({"n": 0})).await;
    world
        .user("large", json!({"n": 1, "text": "x".repeat(5_000)}))
        .await;
    let running = world.run();
    let title = "{% if user.stop %}{% abort_message('no') %}{% endif %}\
        {{ 1 | divided_by: user.n }}{{ user.text }}";
    let campaign = world
        .campaign(json!({"variants": [{"name": "A", "card": {"title": title}}]}))
        .await;
    let report = world.launched(&running.sender, campaign).await;
    assert_eq!((report.tally.targeted, report.written), (4, 1));
    for reason in [
        SkipReason::Aborted,
        SkipReason::RenderFailed,
        SkipReason::CardTooLarge,
    ] {
        assert_eq!(skipped(&report, reason), 1, "{reason:?}");
    }
}

#[tokio::test]
async fn a_user_erased_after_the_trigger_gets_no_card() {
    let world = World::new().await;
    let sender = world.idle();
    let campaign = world.campaign(json!({"delivery": {"kind": "api"}})).await;
    let id = world.new_dispatch();
    let recipients = vec![recipient("ada", json!({})), recipient("bob", json!({}))];
    let (ws, none) = (world.workspace, Default::default());
    sender
        .trigger(ws, campaign, id, recipients, none)
        .await
        .unwrap();
    world.clock.advance(Duration::from_secs(1));
    world
        .cards
        .erase_user(ws, &user("ada"), world.clock.now())
        .await
        .unwrap();
    let _running = world.run();
    let report = world.over(id).await;
    assert_eq!(
        (report.written, skipped(&report, SkipReason::Erased)),
        (1, 1)
    );
}

#[tokio::test]
async fn cards_that_would_be_expired_are_not_written() {
    let world = World::new().await;
    world.users(5).await;
    let sender = world.idle();
    let campaign = world.campaign(json!({"expiry": {"ttl_seconds": 60}})).await;
    let id = world.new_dispatch();
    sender.launch(world.workspace, campaign, id).await.unwrap();
    world.clock.advance(Duration::from_secs(60));
    let _running = world.run();
    let report = world.over(id).await;
    assert_eq!(
        (report.written, skipped(&report, SkipReason::Expired)),
        (0, 5)
    );
}

#[tokio::test]
async fn a_card_that_expires_while_it_is_being_rendered_is_not_written() {
    let world = World::new().await;
    world.users(5).await;
    let fetcher = Arc::new(Fetcher::default());
    fetcher.close();
    let running = world.run_with(world.deps(Arc::clone(&fetcher)), options());
    let variants = json!([{"name": "A", "card": {"title": FETCHING}}]);
    let campaign = world
        .campaign(json!({"variants": variants, "expiry": {"ttl_seconds": 5}}))
        .await;
    let id = world.new_dispatch();
    running
        .sender
        .launch(world.workspace, campaign, id)
        .await
        .unwrap();
    wait_until(DEADLINE, "all to be asked about", || async {
        let asked = fetcher.asked().len();
        if asked == 5 {
            Ok(())
        } else {
            Err(format!("{asked}"))
        }
    })
    .await;
    world.clock.advance(Duration::from_secs(5));
    fetcher.open();
    let report = world.over(id).await;
    assert_eq!(
        (report.written, skipped(&report, SkipReason::Expired)),
        (0, 5)
    );
}

#[tokio::test]
async fn a_panic_while_rendering_costs_one_card() {
    let world = World::new().await;
    world.users(5).await;
    let fetcher = Fetcher::scripted(|url| {
        assert!(!url.ends_with("u3"), "a defect, on purpose");
        Some(json!({"url": url}))
    });
    let running = world.run_with(world.deps(Arc::new(fetcher)), options());
    let variants = json!([{"name": "A", "card": {"title": FETCHING}}]);
    let campaign = world.campaign(json!({ "variants": variants })).await;
    let report = world.launched(&running.sender, campaign).await;
    assert_eq!(
        (report.written, skipped(&report, SkipReason::RenderFailed)),
        (4, 1)
    );
}

#[tokio::test]
async fn a_cohort_that_is_gone_does_not_keep_a_dispatch_from_ending() {
    let world = World::new().await;
    world.users(5).await;
    let sender = world.idle();
    let campaign = world.campaign(json!({"expiry": {"ttl_seconds": 60}})).await;
    let id = world.new_dispatch();
    sender.launch(world.workspace, campaign, id).await.unwrap();
    world.clock.advance(Duration::from_secs(10 * 86_400));
    world
        .cards
        .retire_cohorts(world.clock.now(), Duration::ZERO, false)
        .await
        .unwrap();
    let _running = world.run();
    let report = world.over(id).await;
    assert_eq!(report.dispatch.state, DispatchState::Done);
    assert_eq!(skipped(&report, SkipReason::Expired), 5);
}

#[tokio::test]
async fn a_fetch_that_never_ends_costs_one_card_not_the_chunk() {
    let world = World::new().await;
    world.user("stuck", json!({})).await;
    let fetcher = Arc::new(Fetcher::default());
    fetcher.close();
    let options = corkboard_send::SendOptions {
        render_deadline: Duration::from_millis(50),
        ..options()
    };
    let running = world.run_with(world.deps(fetcher), options);
    let variants = json!([{"name": "A", "card": {"title": FETCHING}}]);
    let campaign = world.campaign(json!({ "variants": variants })).await;
    let report = world.launched(&running.sender, campaign).await;
    assert_eq!(report.dispatch.state, DispatchState::Done);
    assert_eq!(skipped(&report, SkipReason::RenderFailed), 1);
}
