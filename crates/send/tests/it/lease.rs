//! Leases: a worker that has lost its chunk cannot write, one that is slow does not lose it.

use std::sync::Arc;
use std::time::Duration;

use corkboard_send::SendOptions;
use corkboard_testkit::wait_until;
use serde_json::json;

use crate::fetcher::Fetcher;
use crate::gate::{Fate, Gate, gated};
use crate::world::{DEADLINE, World, options};

const FETCHING: &str = "{% connected_content https://a.example/{{ user.user_id }} :save r %}\
    {% if r.by == nil %}{% abort_message('no offer') %}{% endif %}{{ r.by }}";

fn by(name: &'static str) -> Arc<Fetcher> {
    let fetcher = Fetcher::scripted(move |_| Some(json!({ "by": name })));
    fetcher.close();
    Arc::new(fetcher)
}

async fn asked(fetcher: &Fetcher, calls: usize) {
    wait_until(DEADLINE, "fetches", || async {
        let asked = fetcher.asked().len();
        if asked >= calls {
            Ok(())
        } else {
            Err(format!("{asked} of {calls}"))
        }
    })
    .await;
}

#[tokio::test]
async fn a_zombie_past_its_lease_cannot_write() {
    let world = World::new().await;
    world.users(5).await;
    let (zombies, heirs) = (by("zombie"), by("heir"));
    let long = SendOptions {
        render_deadline: DEADLINE,
        lease: 4 * DEADLINE,
        ..options()
    };
    let gate = Gate::counting();
    let zombie = world.run_with(
        gated(world.deps(Arc::clone(&zombies)), &gate),
        SendOptions {
            workers: 1,
            ..long.clone()
        },
    );
    let campaign = world
        .campaign(json!({"variants": [{"name": "A", "card": {"title": FETCHING}}]}))
        .await;
    let id = world.new_dispatch();
    zombie
        .sender
        .launch(world.workspace, campaign, id)
        .await
        .unwrap();
    asked(&zombies, 5).await;
    world.clock.advance(5 * DEADLINE);
    let heir = world.run_with(world.deps(Arc::clone(&heirs)), long);
    asked(&heirs, 5).await;
    assert_eq!(gate.calls(), 2, "the plan's sample, and the zombie's page");
    zombies.open();
    wait_until(DEADLINE, "the zombie's attempt to write", || async {
        if gate.calls() >= 4 {
            Ok(())
        } else {
            Err(format!("{} calls", gate.calls()))
        }
    })
    .await;
    zombie.end().await;
    let report = heir.sender.report(world.workspace, id).await.unwrap();
    assert_eq!(
        (report.written, report.tally.targeted),
        (0, 0),
        "the fence was up before"
    );
    heirs.open();
    let report = world.over(id).await;
    assert_eq!((report.tally.targeted, report.written), (5, 5));
    for n in 0..5 {
        assert_eq!(world.title(&format!("u{n}"), campaign).await, "heir");
    }
}

#[tokio::test]
async fn users_who_have_the_card_are_not_rendered_again() {
    let world = World::new().await;
    world.users(20).await;
    let fetcher = Arc::new(Fetcher::scripted(|_| Some(json!({"by": "first"}))));
    // The plan's sample, scan, cohort, and then the cards, of which the process never learns.
    let gate = Gate::at(4, Fate::DiesAfter);
    let first = world.run_with(
        gated(world.deps(Arc::clone(&fetcher)), &gate),
        SendOptions {
            batch: 100,
            ..options()
        },
    );
    let campaign = world
        .campaign(json!({"variants": [{"name": "A", "card": {"title": FETCHING}}]}))
        .await;
    let id = world.new_dispatch();
    first
        .sender
        .launch(world.workspace, campaign, id)
        .await
        .unwrap();
    world
        .reaches(id, "the cards", |report| report.written == 20)
        .await;
    world.clock.advance(Duration::from_secs(3_600));
    let _second = world.run_with(world.deps(Arc::clone(&fetcher)), options());
    let report = world.over(id).await;
    assert_eq!((report.tally.targeted, report.written), (20, 20));
    assert_eq!(fetcher.asked().len(), 20, "nobody is asked about twice");
}
