//! What a client may not keep waiting.

use std::time::Duration;

use corkboard_edge::EdgeOptions;
use tokio::time::{Instant, sleep};

use crate::server::{Server, patient, short};

/// The lower bound proves that it was the time-out, not something else, that closed.
fn within(took: Duration, expected: Duration) {
    assert!(
        took >= expected - Duration::from_millis(50),
        "{took:?} is before {expected:?}"
    );
    assert!(
        took < expected + Duration::from_secs(5),
        "{took:?} is long after {expected:?}"
    );
}

#[tokio::test]
async fn a_silent_connection_is_closed_at_the_header_time_out() {
    let server = Server::start(short());
    let mut client = server.connect().await;
    within(client.silently_closed().await, short().header_timeout);
}

#[tokio::test]
async fn half_a_header_is_closed_at_the_header_time_out() {
    let server = Server::start(short());
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: te").await;
    within(client.silently_closed().await, short().header_timeout);
}

#[tokio::test]
async fn half_a_second_header_has_the_header_time_out_not_the_idle_one() {
    let options = EdgeOptions {
        idle_timeout: Duration::from_secs(3_600),
        ..short()
    };
    let server = Server::start(options);
    let mut client = server.connect().await;
    client.get("/one").await;
    client.until("/one").await;
    client.send("GET /two").await;
    within(client.silently_closed().await, short().header_timeout);
}

#[tokio::test]
async fn an_idle_connection_is_closed_at_the_idle_time_out() {
    let server = Server::start(short());
    let mut client = server.connect().await;
    client.get("/one").await;
    client.until("/one").await;
    within(client.silently_closed().await, short().idle_timeout);
}

#[tokio::test]
async fn a_body_that_stops_is_answered_with_408() {
    let server = Server::start(short());
    let mut client = server.connect().await;
    let start = Instant::now();
    client
        .send("POST /echo HTTP/1.1\r\nhost: t\r\ncontent-length: 10\r\n\r\nabc")
        .await;
    let answer = client.until("}").await;
    within(start.elapsed(), short().body_progress_timeout);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains(r#""code":"request_timeout""#), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn a_body_that_trickles_is_answered_with_408_when_its_whole_time_is_up() {
    let server = Server::start(short());
    let mut client = server.connect().await;
    let start = Instant::now();
    client
        .send("POST /echo HTTP/1.1\r\nhost: t\r\ncontent-length: 1000\r\n\r\n")
        .await;
    let mut drip = tokio::time::interval(Duration::from_millis(40));
    while client.has_nothing().await {
        drip.tick().await;
        client.send("a").await;
        assert!(start.elapsed() < Duration::from_secs(10), "still reading");
    }
    within(start.elapsed(), short().body_timeout);
    let answer = client.until("}").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

/// Sends a body in pieces, one every `every`, until the server answers or all is sent. How long the
/// answer took, and its status line.
async fn upload(pieces: &[&str], every: Duration) -> (Duration, String) {
    let server = Server::start(patient());
    let mut client = server.connect().await;
    let length: usize = pieces.iter().map(|piece| piece.len()).sum();
    let start = Instant::now();
    client
        .send(format!(
            "POST /echo HTTP/1.1\r\nhost: t\r\ncontent-length: {length}\r\n\r\n"
        ))
        .await;
    for piece in pieces {
        sleep(every).await;
        if !client.has_nothing().await {
            break;
        }
        client.send(piece).await;
    }
    let line = client.until("\r\n").await;
    (start.elapsed(), line)
}

#[tokio::test(start_paused = true)]
async fn a_large_body_may_take_minutes_as_long_as_it_keeps_the_rate() {
    let piece = "a".repeat(600);
    let (took, line) = upload(&vec![&*piece; 600], Duration::from_millis(500)).await;
    assert!(line.starts_with("HTTP/1.1 200 "), "{line}");
    assert!(took >= Duration::from_secs(300), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_body_slower_than_the_rate_is_answered_with_408() {
    let piece = "a".repeat(500);
    let (took, line) = upload(&vec![&*piece; 600], Duration::from_millis(500)).await;
    assert!(line.starts_with("HTTP/1.1 408 "), "{line}");
    assert_eq!(took.as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_fast_beginning_earns_nothing_for_a_drip() {
    let beginning = "a".repeat(500 * 1024);
    let mut pieces = vec![&*beginning];
    pieces.extend(["a"; 100]);
    let (took, line) = upload(&pieces, Duration::from_secs(1)).await;
    assert!(line.starts_with("HTTP/1.1 408 "), "{line}");
    // At the end of the second stretch.
    within(took, Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_late_is_given_up_as_soon_as_one_that_stops_early() {
    let piece = "a".repeat(10 * 1024);
    let (took, line) = upload(&[&piece, &piece, &piece, "a"], Duration::from_secs(9)).await;
    assert!(line.starts_with("HTTP/1.1 200 "), "{line}");
    assert_eq!(took.as_secs(), 36);
    let server = Server::start(patient());
    let mut client = server.connect().await;
    client
        .send("POST /echo HTTP/1.1\r\nhost: t\r\ncontent-length: 100000\r\n\r\n")
        .await;
    for _ in 0..4 {
        sleep(Duration::from_secs(9)).await;
        client.send(&piece).await;
    }
    let start = Instant::now();
    assert!(client.until("\r\n").await.starts_with("HTTP/1.1 408 "));
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let server = Server::start(EdgeOptions {
        max_connections: 1,
        ..short()
    });
    let mut client = server.connect().await;
    client.get("/flood").await;
    // The one place is free again only when the first client has been given up.
    let mut second = server.connect().await;
    second.get("/second").await;
    second.until("/second").await;
}

#[tokio::test]
async fn a_handler_and_a_silent_stream_may_take_longer_than_every_time_out() {
    let server = Server::start(EdgeOptions {
        header_timeout: Duration::from_millis(20),
        idle_timeout: Duration::from_millis(20),
        ..patient()
    });
    let mut stream = server.connect().await;
    stream.get("/events").await;
    stream.until("event: hi\n\n\r\n").await;
    let mut slow = server.connect().await;
    slow.get("/gate").await;
    server.reached.notified().await;

    // Another connection going through both time-outs shows that they have passed for these two.
    let mut other = server.connect().await;
    other.get("/other").await;
    other.until("/other").await;
    other.silently_closed().await;

    server.gate.notify_one();
    slow.until("opened").await;
    server.shutdown.cancel();
    stream.until("event: bye\n\n\r\n").await;
}
