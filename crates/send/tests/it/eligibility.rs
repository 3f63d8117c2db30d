//! Who may get another card, and when.

use std::sync::Arc;
use std::time::Duration;

use corkboard_core::dispatch::{DispatchState, SkipReason};
use corkboard_core::identity::broadcast_card_id;
use corkboard_send::{SendError, WrongState};
use corkboard_testkit::wait_until;
use serde_json::json;

use crate::fetcher::Fetcher;
use crate::world::{DEADLINE, World, options, recipient, skipped};

#[tokio::test]
async fn users_become_eligible_again_when_their_time_has_passed() {
    let world = World::new().await;
    world.users(3).await;
    let running = world.run();
    let campaign = world
        .campaign(json!({"reeligible_after_seconds": 3_600, "delivery": {"kind": "api"}}))
        .await;
    let trigger = async |names: &[&str]| {
        let recipients = names
            .iter()
            .map(|name| recipient(name, json!({})))
            .collect();
        let (ws, id) = (world.workspace, world.new_dispatch());
        running
            .sender
            .trigger(ws, campaign, id, recipients, Default::default())
            .await
            .unwrap();
        world.over(id).await
    };
    assert_eq!(trigger(&["u0"]).await.written, 1);
    world.clock.advance(Duration::from_secs(3_599));
    let report = trigger(&["u0", "u1"]).await;
    assert_eq!(report.written, 1);
    assert_eq!(skipped(&report, SkipReason::NotYetReeligible), 1);
    world.clock.advance(Duration::from_secs(1));
    let report = trigger(&["u0", "u1"]).await;
    assert_eq!(report.written, 1, "u0 may again, u1 has just had one");
    let cards = world.cards_of("u0", campaign).await;
    assert_eq!(cards.len(), 2);
    assert_ne!(cards[0].id, cards[1].id);
}

#[tokio::test]
async fn without_a_wait_a_trigger_gives_its_card_even_if_a_later_one_overtakes_it() {
    let world = World::new().await;
    let fetcher = Arc::new(Fetcher::default());
    fetcher.close();
    let running = world.run_with(world.deps(Arc::clone(&fetcher)), options());
    let title = "{% if properties.slow %}\
        {% connected_content https://a.example/x :save r %}{% endif %}{{ properties.n }}";
    let campaign = world
        .campaign(
            json!({"delivery": {"kind": "api"}, "reeligible_after_seconds": 0,
            "variants": [{"name": "A", "card": {"title": title}}]}),
        )
        .await;
    let trigger = async |properties| {
        world.clock.advance(Duration::from_secs(1));
        let (ws, id, ada) = (
            world.workspace,
            world.new_dispatch(),
            recipient("ada", properties),
        );
        running
            .sender
            .trigger(ws, campaign, id, vec![ada], Default::default())
            .await
            .unwrap();
        id
    };
    let slow = trigger(json!({"n": 1, "slow": true})).await;
    wait_until(DEADLINE, "the slow one", || async {
        if fetcher.asked().is_empty() {
            Err("not asked".to_owned())
        } else {
            Ok(())
        }
    })
    .await;
    let fast = trigger(json!({"n": 2})).await;
    assert_eq!(world.over(fast).await.written, 1);
    fetcher.open();
    assert_eq!(world.over(slow).await.written, 1);
    assert_eq!(world.cards_of("ada", campaign).await.len(), 2);
}

#[tokio::test]
async fn without_reeligibility_one_card_is_all() {
    let world = World::new().await;
    world.users(3).await;
    let running = world.run();
    let campaign = world.campaign(json!({"delivery": {"kind": "api"}})).await;
    for written in [1, 0] {
        let recipients = vec![recipient("u0", json!({}))];
        let (ws, id) = (world.workspace, world.new_dispatch());
        running
            .sender
            .trigger(ws, campaign, id, recipients, Default::default())
            .await
            .unwrap();
        let report = world.over(id).await;
        assert_eq!(report.written, written);
        assert_eq!(skipped(&report, SkipReason::AlreadyReceived), 1 - written);
        world.clock.advance(Duration::from_secs(7 * 86_400));
    }
}

#[tokio::test]
async fn a_relaunch_gives_a_card_to_those_who_may_have_one() {
    let world = World::new().await;
    world.users(30).await;
    let running = world.run();
    let campaign = world
        .campaign(json!({"reeligible_after_seconds": 60}))
        .await;
    assert_eq!(world.launched(&running.sender, campaign).await.written, 30);
    world.clock.advance(Duration::from_secs(30));
    world.users(40).await;
    let report = world.launched(&running.sender, campaign).await;
    assert_eq!(
        (
            report.written,
            skipped(&report, SkipReason::NotYetReeligible)
        ),
        (10, 30)
    );
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(world.launched(&running.sender, campaign).await.written, 40);
    assert_eq!(world.cards_of("u1", campaign).await.len(), 2);
}

#[tokio::test]
async fn a_broadcast_comes_again_as_another_card_but_not_too_soon() {
    let world = World::new().await;
    let sender = world.idle();
    let campaign = world
        .campaign(json!({"reeligible_after_seconds": 60,
            "variants": [{"name": "A", "card": {"title": "hi"}}]}))
        .await;
    let launch = || sender.launch(world.workspace, campaign, world.new_dispatch());
    let first = launch().await.unwrap().dispatch;
    let Err(SendError::WrongState(WrongState::TooSoon { until })) = launch().await else {
        panic!("nobody can be eligible again");
    };
    world.clock.set(until);
    let second = launch().await.unwrap().dispatch;
    assert_eq!(second.state, DispatchState::Done);
    assert_ne!(
        broadcast_card_id(campaign, first.occurrence),
        broadcast_card_id(campaign, second.occurrence)
    );
}
