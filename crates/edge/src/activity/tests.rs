//! What a connection waits for, and for how long.

use super::*;

async fn pass(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

fn left(activity: &Activity) -> Option<(u64, Expired)> {
    let (at, why) = activity.deadline(&EdgeOptions::default())?;
    Some((at.duration_since(Instant::now()).as_secs(), why))
}

#[tokio::test(start_paused = true)]
async fn more_bytes_of_a_header_do_not_extend_its_time() {
    let activity = Activity::new(&EdgeOptions::default());
    assert_eq!(left(&activity), Some((10, Expired::Header)));
    pass(4).await;
    activity.received();
    pass(4).await;
    activity.received();
    assert_eq!(left(&activity), Some((2, Expired::Header)));
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_has_longer_than_one_in_mid_header() {
    let activity = Activity::new(&EdgeOptions::default());
    activity.received();
    activity.request_began();
    assert_eq!(
        left(&activity),
        None,
        "a request may take as long as its handler lets it"
    );
    pass(100).await;
    activity.response_ended();
    assert_eq!(left(&activity), Some((75, Expired::Idle)));
    pass(70).await;
    activity.received();
    assert_eq!(left(&activity), Some((10, Expired::Header)));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_given_up_even_in_a_stream() {
    let activity = Activity::new(&EdgeOptions::default());
    activity.request_began();
    activity.write_blocked();
    pass(20).await;
    activity.write_blocked();
    assert_eq!(left(&activity), Some((10, Expired::Write)));
    activity.flushed();
    assert_eq!(left(&activity), None);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_has_to_keep_the_rate() {
    let activity = Activity::new(&EdgeOptions::default());
    activity.request_began();
    activity.write_blocked();
    pass(20).await;
    activity.wrote(30 * 1024 - 1);
    activity.write_blocked();
    assert_eq!(left(&activity), Some((10, Expired::Write)));
    activity.wrote(1);
    assert_eq!(left(&activity), None);
    activity.write_blocked();
    activity.wrote(1);
    assert_eq!(
        left(&activity),
        Some((30, Expired::Write)),
        "every stretch has its own count"
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_download_that_moves_is_not_idle() {
    let activity = Activity::new(&EdgeOptions::default());
    activity.request_began();
    activity.response_ended();
    pass(74).await;
    activity.wrote(1);
    assert_eq!(left(&activity), Some((75, Expired::Idle)));
}

fn is_rung(activity: &Activity) -> bool {
    let mut rung = std::pin::pin!(activity.changed.notified());
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    rung.as_mut().poll(&mut cx).is_ready()
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_idle_after_the_last_of_several_responses_and_says_so() {
    let activity = Activity::new(&EdgeOptions::default());
    activity.multiplex();
    activity.received();
    activity.request_began();
    activity.request_began();
    pass(100).await;
    activity.response_ended();
    assert_eq!(left(&activity), None, "one is still being answered");
    assert!(is_rung(&activity));
    activity.response_ended();
    assert!(is_rung(&activity), "its watchdog lives in another task");
    assert_eq!(left(&activity), Some((75, Expired::Idle)));
}

#[tokio::test(start_paused = true)]
async fn a_response_that_was_given_up_ends_the_connection_when_it_was_the_only_one() {
    let activity = Activity::new(&EdgeOptions::default());
    activity.multiplex();
    activity.request_began();
    activity.request_began();
    activity.response_given_up();
    activity.response_ended();
    assert_eq!(left(&activity), None);
    activity.response_given_up();
    assert!(is_rung(&activity));
    assert_eq!(left(&activity), Some((0, Expired::Write)));
}

#[tokio::test(start_paused = true)]
async fn the_nearest_of_two_deadlines_counts() {
    let activity = Activity::new(&EdgeOptions::default());
    activity.write_blocked();
    assert_eq!(left(&activity), Some((10, Expired::Header)));
    activity.request_began();
    activity.response_ended();
    assert_eq!(left(&activity), Some((30, Expired::Write)));
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_has_its_time_once_whatever_ends_meanwhile() {
    let activity = Activity::new(&EdgeOptions::default());
    activity.request_began();
    activity.lingering();
    pass(3).await;
    activity.lingering();
    activity.response_ended();
    assert_eq!(left(&activity), Some((2, Expired::Linger)));
}

#[test]
fn only_who_may_still_be_sending_is_listened_to_after_the_goodbye() {
    let fresh = || Activity::new(&EdgeOptions::default());
    let activity = fresh();
    assert!(!activity.wants_linger(), "nothing was ever sent");
    activity.received();
    assert!(activity.wants_linger(), "a header that is refused goes on");
    activity.request_began();
    assert!(!activity.wants_linger());
    activity.body_left_unread();
    assert!(activity.wants_linger());
    activity.peer_closed();
    assert!(!activity.wants_linger());

    let activity = fresh();
    activity.request_began();
    activity.body_left_unread();
    activity.request_began();
    assert!(!activity.wants_linger(), "that was another request's body");
    activity.body_left_unread();
    activity.multiplex();
    assert!(!activity.wants_linger(), "HTTP/2 says goodbye in frames");
}
