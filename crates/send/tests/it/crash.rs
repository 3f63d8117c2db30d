//! A process that ends, or whose store fails, at every single step of a dispatch.
//!
//! Content is made to differ between attempts: half of the users have an offer only the first time
//! they are asked for, the other half only from the second time on. Whatever the attempts see, each
//! user has one card or one reason for none, and the counts say which.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use corkboard_core::dispatch::{DispatchState, SkipReason};
use corkboard_core::id::{CampaignId, DispatchId};
use corkboard_core::time::Clock as _;
use corkboard_send::{DispatchReport, SendOptions};
use corkboard_store::control_store::ClaimRequest;
use corkboard_testkit::wait_until;
use serde_json::{Value, json};

use crate::fetcher::Fetcher;
use crate::gate::{Fate, Gate, gated};
use crate::world::{DEADLINE, World, options, recipient, skipped, user};

const USERS: usize = 24;
const TITLE: &str = "{% connected_content https://a.example/{{ user.user_id }} :save offer %}\
    {% if offer.n == nil %}{% abort_message('no offer') %}{% endif %}{{ offer.n }}";

fn moody() -> Arc<Fetcher> {
    let mut asked: HashMap<String, u32> = HashMap::new();
    Arc::new(Fetcher::scripted(move |url| {
        let times = asked.entry(url.to_owned()).or_default();
        *times += 1;
        let is_even = url.as_bytes().last().is_some_and(|digit| digit % 2 == 0);
        ((*times == 1) == is_even).then(|| json!({ "n": *times }))
    }))
}

/// Lets a dispatch run into the gate. False when it was over before the gate was reached.
async fn runs_into(world: &World, gate: &Gate, dispatch: DispatchId) -> bool {
    wait_until(DEADLINE, "the gate or the end", || async {
        let report = world
            .idle()
            .report(world.workspace, dispatch)
            .await
            .unwrap();
        match (gate.was_reached(), report.dispatch.state) {
            (true, _) => Ok(true),
            (false, DispatchState::Done) => Ok(false),
            (false, state) => Err(format!("{state:?}")),
        }
    })
    .await
}

/// Waits for the end while time goes by, so that retries come due and leases lapse.
async fn over(world: &World, dispatch: DispatchId, step: Duration) -> DispatchReport {
    wait_until(DEADLINE, "the end", || async {
        world.clock.advance(step);
        let report = world
            .idle()
            .report(world.workspace, dispatch)
            .await
            .unwrap();
        match report.dispatch.state {
            DispatchState::Done => Ok(report),
            _ => Err(format!("{report:?}")),
        }
    })
    .await
}

async fn check(world: &World, campaign: CampaignId, report: &DispatchReport, what: &str) {
    let mut with_card = 0;
    for n in 0..USERS {
        let cards = world.cards_of(&format!("u{n}"), campaign).await;
        assert!(cards.len() <= 1, "{what}: u{n} has {cards:?}");
        with_card += cards.len() as u64;
        if !cards.is_empty() {
            let heard = world
                .heard
                .users
                .lock()
                .unwrap()
                .contains(&user(format!("u{n}")));
            assert!(heard, "{what}: the feed of u{n} never heard of its card");
        }
    }
    let aborted = skipped(report, SkipReason::Aborted);
    assert_eq!(report.written, with_card, "{what}: {report:?}");
    assert_eq!(
        report.tally.skipped.values().sum::<u64>(),
        aborted,
        "{what}: {report:?}"
    );
    assert_eq!(report.tally.targeted, USERS as u64, "{what}: {report:?}");
    assert_eq!(with_card + aborted, USERS as u64, "{what}: {report:?}");
}

/// Tries every step of a dispatch that `start` begins, with every fate. At least so many there are.
async fn at_every_step(
    (least, save): (usize, Duration),
    fields: Value,
    start: impl AsyncFn(&World, CampaignId) -> DispatchId,
) {
    let world = World::new().await;
    world.users(USERS).await;
    for fate in Fate::SURVIVED {
        let mut step = 1;
        loop {
            let what = format!("{fate:?} at call {step}");
            world.heard.users.lock().unwrap().clear();
            let (fetcher, gate) = (moody(), Gate::at(step, fate));
            let campaign = world.campaign(fields.clone()).await;
            let dispatch = start(&world, campaign).await;
            let deps = gated(world.deps(Arc::clone(&fetcher)), &gate);
            let first = world.run_with(
                deps,
                SendOptions {
                    workers: 1,
                    save,
                    ..options()
                },
            );
            let reached = runs_into(&world, &gate, dispatch).await;
            let report = if reached && matches!(fate, Fate::DiesBefore | Fate::DiesAfter) {
                let next = world.run_with(world.deps(fetcher), options());
                let report = over(&world, dispatch, Duration::from_secs(31)).await;
                next.end().await;
                report
            } else {
                over(&world, dispatch, Duration::from_millis(100)).await
            };
            first.shutdown.cancel();
            check(&world, campaign, &report, &what).await;
            if !reached {
                break;
            }
            step += 1;
        }
        assert!(
            step > least,
            "only {step} steps: the gate counts too little"
        );
    }
}

/// A launch whose position is saved this often.
async fn launch_at_every_step(least: usize, save: Duration) {
    let variants = json!({"variants": [{"name": "A", "card": {"title": TITLE}}]});
    at_every_step((least, save), variants, async |world, campaign| {
        let id = world.new_dispatch();
        world
            .idle()
            .launch(world.workspace, campaign, id)
            .await
            .unwrap();
        id
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_launch_survives_an_end_at_every_step() {
    // Ten calls, nine if it happens that nobody of the last page has an offer the first time.
    launch_at_every_step(9, Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_launch_whose_pages_are_not_saved_survives_an_end_at_every_step() {
    launch_at_every_step(7, Duration::MAX).await;
}

#[tokio::test]
async fn a_store_that_keeps_failing_fails_the_dispatch_after_its_attempts() {
    let world = World::new().await;
    world.users(USERS).await;
    let gate = Gate::at(6, Fate::FailsForGood);
    let few = SendOptions {
        workers: 1,
        max_attempts: 3,
        ..options()
    };
    let running = world.run_with(gated(world.deps(Arc::default()), &gate), few);
    let campaign = world.campaign(json!({})).await;
    let id = world.new_dispatch();
    running
        .sender
        .launch(world.workspace, campaign, id)
        .await
        .unwrap();
    let report = wait_until(DEADLINE, "the failure", || async {
        world.clock.advance(Duration::from_secs(1));
        let report = world.idle().report(world.workspace, id).await.unwrap();
        match report.dispatch.state {
            DispatchState::Failed => Ok(report),
            _ => Err(format!("{report:?}")),
        }
    })
    .await;
    assert_eq!(report.written, 10, "the first page was written before");
    // The failing call, the read beside it and the release, then three attempts of one call and one
    // release each.
    assert_eq!(gate.calls(), 8 + 3 * 2);
}

#[tokio::test]
async fn a_chunk_whose_workers_were_killed_many_times_is_still_worked_off() {
    let world = World::new().await;
    world.users(USERS).await;
    let campaign = world.campaign(json!({})).await;
    let id = world.new_dispatch();
    let launched = world.idle().launch(world.workspace, campaign, id).await;
    launched.unwrap();
    for _ in 0..20 {
        let claim = ClaimRequest {
            worker: "killed".to_owned(),
            now: world.clock.now(),
            lease: Duration::from_secs(1),
            except: Vec::new(),
        };
        while world.control.claim_chunk(&claim).await.unwrap().is_some() {}
        world.clock.advance(Duration::from_secs(2));
    }
    let running = world.run_with(world.deps(Arc::default()), options());
    let report = over(&world, id, Duration::from_millis(100)).await;
    check(&world, campaign, &report, "its workers were killed").await;
    running.end().await;
}

#[tokio::test]
async fn a_dispatch_waits_for_a_database_that_is_away_however_often_it_is_tried() {
    let world = World::new().await;
    world.users(USERS).await;
    let gate = Gate::at(6, Fate::AwayFor(60));
    let few = SendOptions {
        workers: 1,
        max_attempts: 3,
        ..options()
    };
    let running = world.run_with(gated(world.deps(Arc::default()), &gate), few);
    let campaign = world.campaign(json!({})).await;
    let id = world.new_dispatch();
    let launched = running.sender.launch(world.workspace, campaign, id);
    launched.await.unwrap();
    let report = over(&world, id, Duration::from_secs(1)).await;
    assert!(gate.calls() > 66, "it was away for {} calls", gate.calls());
    check(&world, campaign, &report, "a database was away").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trigger_survives_an_end_at_every_step() {
    let fields = json!({"delivery": {"kind": "api"}, "reeligible_after_seconds": 0,
        "variants": [{"name": "A", "card": {"title": TITLE}}]});
    at_every_step((10, Duration::ZERO), fields, async |world, campaign| {
        let id = world.new_dispatch();
        let recipients = (0..USERS)
            .map(|n| recipient(&format!("u{n}"), json!({})))
            .collect();
        let (workspace, none) = (world.workspace, Default::default());
        world
            .idle()
            .trigger(workspace, campaign, id, recipients, none)
            .await
            .unwrap();
        id
    })
    .await;
}
