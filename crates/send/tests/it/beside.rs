//! A campaign whose endpoint never answers, and what others notice of it.

use std::sync::Arc;
use std::time::Duration;

use corkboard_core::dispatch::DispatchState;
use corkboard_core::id::{CampaignId, DispatchId};
use corkboard_send::SendOptions;
use corkboard_testkit::wait_until;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::fetcher::Fetcher;
use crate::world::{DEADLINE, Running, World, options, recipient};

/// More than a chunk: a launch of them makes several.
const USERS: usize = 4_500;

fn fetching(host: &str) -> Value {
    let title = format!(
        "{{% connected_content https://{host}.example/{{{{ user.user_id }}}}/{host} :save r %}}{{{{ r.url }}}}"
    );
    json!({"variants": [{"name": "A", "card": {"title": title}}]})
}

/// One worker, and an endpoint that is dead for URLs that end like this.
async fn beside_dead(world: &World) -> (Running, Arc<Fetcher>) {
    let fetcher = Arc::new(Fetcher::default());
    fetcher.close_for("/dead");
    let one = SendOptions {
        workers: 1,
        batch: 500,
        lease: Duration::from_secs(300),
        render_deadline: Duration::from_secs(100),
        ..options()
    };
    (
        world.run_with(world.deps(Arc::clone(&fetcher)), one),
        fetcher,
    )
}

async fn calls(fetcher: &Fetcher, least: usize) {
    let asked = || {
        fetcher
            .asked()
            .iter()
            .filter(|url| url.ends_with("/dead"))
            .count()
    };
    let enough = || async move {
        let asked = asked();
        (asked >= least)
            .then_some(())
            .ok_or_else(|| asked.to_string())
    };
    wait_until(DEADLINE, "calls to the dead endpoint", enough).await;
}

async fn launch_dead(
    world: &World,
    running: &Running,
    fetcher: &Fetcher,
) -> (CampaignId, DispatchId) {
    let campaign = world.campaign(fetching("dead")).await;
    let id = world.new_dispatch();
    let launched = running.sender.launch(world.workspace, campaign, id);
    launched.await.unwrap();
    calls(fetcher, 1).await;
    (campaign, id)
}

#[tokio::test]
async fn others_are_sent_while_one_waits_for_a_dead_endpoint() {
    let world = World::new().await;
    world.users(USERS).await;
    let (running, fetcher) = beside_dead(&world).await;
    let (campaign, dead) = launch_dead(&world, &running, &fetcher).await;
    let users = USERS as u64;
    let plain = world.campaign(json!({})).await;
    assert_eq!(world.launched(&running.sender, plain).await.written, users);
    let living = world.campaign(fetching("living")).await;
    assert_eq!(world.launched(&running.sender, living).await.written, users);

    let report = running.sender.report(world.workspace, dead).await.unwrap();
    assert_eq!(report.dispatch.state, DispatchState::Running);
    assert_eq!(report.written, 0);
    let cards_at_once = SendOptions::default().fetch_concurrency;
    let asked = fetcher.asked();
    let asked = asked.iter().filter(|url| url.ends_with("/dead")).count();
    assert!(asked <= cards_at_once, "one chunk a worker: {asked}");

    let begun = Instant::now();
    let stopped = running.sender.stop(world.workspace, campaign, false);
    stopped.await.unwrap();
    running.end().await;
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn what_waited_is_finished_when_the_endpoint_comes_back() {
    let world = World::new().await;
    world.users(USERS).await;
    let (running, fetcher) = beside_dead(&world).await;
    let (_, dead) = launch_dead(&world, &running, &fetcher).await;
    fetcher.open();
    assert_eq!(world.over(dead).await.written, USERS as u64);
    running.end().await;
}

#[tokio::test]
async fn triggers_of_a_dead_campaign_do_not_fill_the_room() {
    let world = World::new().await;
    let (running, fetcher) = beside_dead(&world).await;
    let mut dead = fetching("dead");
    dead["delivery"] = json!({"kind": "api"});
    let mut living = fetching("living");
    living["delivery"] = json!({"kind": "api"});
    let (dead, living) = (world.campaign(dead).await, world.campaign(living).await);
    let trigger = async |campaign| {
        let id = world.new_dispatch();
        let (ada, none) = (vec![recipient("ada", json!({}))], Default::default());
        let sent = running
            .sender
            .trigger(world.workspace, campaign, id, ada, none);
        sent.await.unwrap();
        id
    };
    for _ in 0..20 {
        trigger(dead).await;
    }
    calls(&fetcher, 4).await;
    let id = trigger(living).await;
    assert_eq!(world.over(id).await.written, 1);
    let asked = fetcher.asked();
    assert_eq!(asked.iter().filter(|url| url.ends_with("/dead")).count(), 4);
    running.end().await;
}
