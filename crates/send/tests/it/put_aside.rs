//! Cards whose fetches are to be tried again: put aside, taken up again, given up.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use corkboard_core::dispatch::{DispatchState, SkipReason};
use corkboard_core::id::{CampaignId, DispatchId};
use corkboard_send::{DispatchReport, SendOptions};
use corkboard_testkit::wait_until;
use serde_json::json;
use tokio::time::Instant;

use crate::fetcher::{Fetcher, again, gave_up};
use crate::world::{DEADLINE, Running, World, options, skipped};

const FETCHING: &str =
    "{% connected_content https://a.example/{{ user.user_id }} :save r :retry %}{{ r.url }}";

const SOON: Duration = Duration::from_millis(5);
const LATER: Duration = Duration::from_secs(600);
/// For tests in which time flies: less than a card lives.
const AGES: Duration = Duration::from_hours(20);

/// How often each URL was tried under which number.
type Tries = Arc<Mutex<BTreeMap<(String, u8), u32>>>;

/// The users whose name ends with 7 fail until their `times`-th try is over.
fn flaky(after: Duration, times: u8) -> (Arc<Fetcher>, Tries) {
    let tries = Tries::default();
    let seen = Arc::clone(&tries);
    let fetcher = Fetcher::trying(move |url, attempt| {
        *seen
            .lock()
            .unwrap()
            .entry((url.to_owned(), attempt))
            .or_default() += 1;
        (url.ends_with('7') && attempt <= times).then(|| again(after, attempt + 1))
    });
    (Arc::new(fetcher), tries)
}

async fn launch(world: &World, running: &Running) -> (CampaignId, DispatchId) {
    let card = json!({"variants": [{"name": "A", "card": {"title": FETCHING}}]});
    let campaign = world.campaign(card).await;
    let id = world.new_dispatch();
    let launched = running.sender.launch(world.workspace, campaign, id);
    launched.await.unwrap();
    (campaign, id)
}

/// Lets time fly until the dispatch is over: by at most ten hours, because a wait looks at most
/// every 50 ms once it has gone on for a while. What may take [`AGES`] does not run out meanwhile, however
/// slow the machine is.
async fn fly(world: &World, id: DispatchId) -> DispatchReport {
    let sender = &world.idle();
    wait_until(DEADLINE, "the dispatch to be over", || async move {
        let report = sender.report(world.workspace, id).await.unwrap();
        if !matches!(
            report.dispatch.state,
            DispatchState::Planned | DispatchState::Running
        ) {
            return Ok(report);
        }
        world.clock.advance(Duration::from_secs(61));
        Err(format!("{report:?}"))
    })
    .await
}

#[tokio::test]
async fn a_failure_that_passes_costs_no_card_and_no_second_call_of_the_others() {
    let world = World::new().await;
    world.users(40).await;
    let (fetcher, tries) = flaky(SOON, 3);
    let running = world.run_with(world.deps(fetcher), options());
    let (campaign, id) = launch(&world, &running).await;
    let report = world.over(id).await;
    assert_eq!((report.tally.targeted, report.written), (40, 40));
    for n in 0..40 {
        let title = world.title(&format!("u{n}"), campaign).await;
        assert_eq!(title, format!("https://a.example/u{n}"));
    }
    let tries = tries.lock().unwrap();
    assert_eq!(tries.len(), 40 + 4 * 3, "{tries:?}");
    assert!(tries.values().all(|count| *count == 1), "{tries:?}");
}

#[tokio::test]
async fn one_that_never_passes_is_counted_under_its_reason_and_the_rest_go_on() {
    let world = World::new().await;
    world.users(20).await;
    let fetcher = Fetcher::trying(|url, attempt| {
        url.ends_with('7').then(|| match attempt {
            1..=5 => again(SOON, attempt + 1),
            _ => gave_up(),
        })
    });
    let running = world.run_with(world.deps(Arc::new(fetcher)), options());
    let (campaign, id) = launch(&world, &running).await;
    let report = world.over(id).await;
    assert_eq!((report.tally.targeted, report.written), (20, 18));
    assert_eq!(skipped(&report, SkipReason::FetchFailed), 2);
    assert!(world.cards_of("u7", campaign).await.is_empty());
}

#[tokio::test]
async fn the_others_get_their_cards_while_one_waits_and_the_chunk_is_given_back() {
    let world = World::new().await;
    world.users(30).await;
    let (fetcher, tries) = flaky(LATER, 2);
    let one = SendOptions {
        workers: 1,
        batch: 100,
        patience: AGES,
        lease: AGES,
        ..options()
    };
    let running = world.run_with(world.deps(Arc::clone(&fetcher)), one);
    let (campaign, id) = launch(&world, &running).await;
    let all_others = |written| move |report: &DispatchReport| report.written == written;
    world.reaches(id, "the others' cards", all_others(27)).await;
    // The only worker is free for somebody else's campaign.
    let second = world.campaign(json!({})).await;
    let report = world.launched(&running.sender, second).await;
    assert_eq!(report.written, 30);
    let report = world.idle().report(world.workspace, id).await.unwrap();
    assert_eq!(report.dispatch.state, DispatchState::Running);
    let report = fly(&world, id).await;
    assert_eq!((report.tally.targeted, report.written), (30, 30));
    for n in 0..30 {
        world.title(&format!("u{n}"), campaign).await;
    }
    let tries = tries.lock().unwrap();
    assert_eq!(tries.len(), 30 + 3 * 2, "{tries:?}");
    assert!(
        tries.values().all(|count| *count == 1),
        "no try is made twice: {tries:?}"
    );
}

#[tokio::test]
async fn a_chunk_given_back_is_finished_by_another_process() {
    let world = World::new().await;
    world.users(30).await;
    let (fetcher, _) = flaky(LATER, 1);
    let first = world.run_with(world.deps(Arc::clone(&fetcher)), options());
    let (campaign, id) = launch(&world, &first).await;
    // Chunks go on beyond a page only when nobody on it waits.
    world
        .reaches(id, "some cards", |report| report.written > 0)
        .await;
    first.end().await;
    // This one knows of no tries.
    let (fetcher, _) = flaky(SOON, 1);
    world.clock.advance(LATER + Duration::from_secs(1));
    let _second = world.run_with(world.deps(fetcher), options());
    let report = world.over(id).await;
    assert_eq!((report.tally.targeted, report.written), (30, 30));
    for n in 0..30 {
        world.title(&format!("u{n}"), campaign).await;
    }
}

#[tokio::test]
async fn a_card_that_has_waited_long_enough_is_given_up() {
    let world = World::new().await;
    world.users(10).await;
    // Held back for ever: the number of the try stays the same.
    let fetcher = Arc::new(Fetcher::trying(|url, _| {
        url.ends_with('7').then(|| again(LATER, 1))
    }));
    let leased = SendOptions {
        lease: AGES,
        ..options()
    };
    let running = world.run_with(world.deps(fetcher), leased);
    let (_, id) = launch(&world, &running).await;
    let report = fly(&world, id).await;
    assert_eq!((report.tally.targeted, report.written), (10, 9));
    assert_eq!(skipped(&report, SkipReason::FetchFailed), 1);
}

#[tokio::test]
async fn a_stop_is_noticed_while_cards_wait_here() {
    let world = World::new().await;
    world.users(10).await;
    // Due again and again, always soon: the worker keeps the chunk.
    let fetcher = Arc::new(Fetcher::trying(|url, _| {
        url.ends_with('7').then(|| again(SOON, 1))
    }));
    let running = world.run_with(world.deps(Arc::clone(&fetcher)), options());
    let (campaign, id) = launch(&world, &running).await;
    world
        .reaches(id, "the others' cards", |report| report.written == 9)
        .await;
    let begun = Instant::now();
    let stopped = running.sender.stop(world.workspace, campaign, false);
    stopped.await.unwrap();
    let report = world.over(id).await;
    assert_eq!(report.dispatch.state, DispatchState::Stopped);
    running.end().await;
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
}
