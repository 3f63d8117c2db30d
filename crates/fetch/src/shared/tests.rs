//! Who makes the call, who waits, and what is remembered.

use std::time::Duration;

use corkboard_core::connected::FetchBody;
use corkboard_core::time::Timestamp;
use corkboard_testkit::HeldClock;

use super::*;
use crate::problem::Problem;

fn shared() -> (Shared, HeldClock) {
    let clock = HeldClock::at(Timestamp::from_seconds(1_000));
    (Shared::new(1_000_000, Arc::new(clock.clone())), clock)
}

fn sharing() -> Sharing {
    Sharing {
        key: [7; 32],
        max_age: Duration::from_secs(300),
        stale: Duration::ZERO,
    }
}

fn success() -> Answer {
    Answer::good(200, FetchBody::Text("yes".into()), 3)
}

#[tokio::test]
async fn the_first_leads_the_rest_join_and_the_answer_stays() {
    let (shared, clock) = shared();
    let Found::Nothing(lead, mut mine) = shared.find(sharing()) else {
        panic!("first")
    };
    let Found::InFlight(mut other) = shared.find(sharing()) else {
        panic!("second")
    };
    lead.land(success());
    for landing in [&mut mine, &mut other] {
        let answer = landing
            .wait_for(Option::is_some)
            .await
            .unwrap()
            .clone()
            .unwrap();
        assert_eq!(answer.status, 200);
    }
    assert!(matches!(shared.find(sharing()), Found::Cached(_)));
    clock.advance(Duration::from_secs(300));
    assert!(matches!(shared.find(sharing()), Found::Nothing(..)));
}

#[tokio::test]
async fn a_failure_is_told_to_those_who_wait_and_forgotten() {
    let (shared, _clock) = shared();
    let Found::Nothing(lead, _mine) = shared.find(sharing()) else {
        panic!("first")
    };
    let Found::InFlight(mut other) = shared.find(sharing()) else {
        panic!("second")
    };
    lead.land(Answer::failed(Problem::NotSuccess(503), 0));
    let answer = other
        .wait_for(Option::is_some)
        .await
        .unwrap()
        .clone()
        .unwrap();
    assert_eq!(answer.status, 503);
    assert!(matches!(shared.find(sharing()), Found::Nothing(..)));
}

#[tokio::test]
async fn a_lead_that_is_lost_frees_its_followers() {
    let (shared, _clock) = shared();
    let Found::Nothing(lead, _mine) = shared.find(sharing()) else {
        panic!("first")
    };
    let Found::InFlight(mut other) = shared.find(sharing()) else {
        panic!("second")
    };
    drop(lead);
    assert!(other.wait_for(Option::is_some).await.is_err());
    assert!(matches!(shared.find(sharing()), Found::Nothing(..)));
}
