//! Leaving without a failed request.

use std::time::Duration;

use corkboard_edge::{DrainReport, EdgeOptions};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::server::{Server, patient};

#[tokio::test]
async fn a_request_in_flight_is_finished_and_idle_connections_are_closed() {
    let mut server = Server::start(patient());
    let mut busy = server.connect().await;
    busy.get("/gate").await;
    server.reached.notified().await;
    let mut idle = server.connect().await;
    idle.get("/idle").await;
    idle.until("/idle").await;
    let mut silent = server.connect().await;
    let mut last = server.connect().await;
    last.get("/last").await;
    last.until("/last").await;

    server.shutdown.cancel();
    idle.silently_closed().await;
    silent.silently_closed().await;
    last.silently_closed().await;
    assert!(busy.has_nothing().await);
    server.gate.notify_one();
    let answer = busy.until_closed().await;
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("opened"),
        "{answer}"
    );
    assert!(answer.contains("connection: close"), "{answer}");
    assert_eq!(
        server.report().await,
        DrainReport {
            served: 4,
            drained: 4,
            aborted: 0
        }
    );
}

#[tokio::test]
async fn after_the_drain_the_port_is_free() {
    let mut server = Server::start(patient());
    server.shutdown.cancel();
    assert_eq!(
        server.report().await,
        DrainReport {
            served: 0,
            drained: 0,
            aborted: 0
        }
    );
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_request_that_comes_during_the_grace_is_answered_and_told_to_leave() {
    let grace = Duration::from_secs(3_600);
    let mut server = Server::start(EdgeOptions {
        drain_idle_grace: grace,
        drain_timeout: grace,
        idle_timeout: grace,
        ..patient()
    });
    let mut busy = server.connect().await;
    busy.get("/gate").await;
    server.reached.notified().await;
    let mut idle = server.connect().await;
    idle.get("/one").await;
    idle.until("/one").await;
    server.shutdown.cancel();
    // The answer that closes shows that the drain has begun for everybody.
    server.gate.notify_one();
    assert!(busy.until_closed().await.contains("connection: close"));
    idle.get("/two").await;
    let answer = idle.until_closed().await;
    assert!(
        answer.contains("connection: close") && answer.ends_with("/two"),
        "{answer}"
    );
    assert_eq!(server.report().await.aborted, 0);
}

#[tokio::test]
async fn an_event_stream_ends_on_the_drain_signal() {
    let mut server = Server::start(patient());
    let mut client = server.connect().await;
    client.get("/events").await;
    client.until("event: hi\n\n\r\n").await;
    server.shutdown.cancel();
    let rest = client.until_closed().await;
    assert!(
        rest.contains("event: bye") && rest.ends_with("0\r\n\r\n"),
        "{rest:?}"
    );
    assert_eq!(
        server.report().await,
        DrainReport {
            served: 1,
            drained: 1,
            aborted: 0
        }
    );
}

#[tokio::test]
async fn what_does_not_end_in_time_is_cut_off_and_counted() {
    let drain_timeout = Duration::from_millis(200);
    let mut server = Server::start(EdgeOptions {
        drain_timeout,
        ..patient()
    });
    let mut stuck = server.connect().await;
    stuck.get("/forever").await;
    let mut idle = server.connect().await;
    idle.get("/idle").await;
    idle.until("/idle").await;
    let start = Instant::now();
    server.shutdown.cancel();
    assert_eq!(
        server.report().await,
        DrainReport {
            served: 2,
            drained: 1,
            aborted: 1
        }
    );
    assert!(start.elapsed() >= drain_timeout);
    stuck.silently_closed().await;
}

#[tokio::test]
async fn connections_waiting_in_the_backlog_at_shutdown_are_served() {
    let mut server = Server::start(patient());
    // On one thread nothing is accepted before the next await: all of these sit in the backlog.
    let mut clients: Vec<_> = (0..10).map(|_| server.connect_now()).collect();
    server.shutdown.cancel();
    for (number, client) in clients.iter_mut().enumerate() {
        client.get(&format!("/{number}")).await;
        assert!(client.until_closed().await.ends_with(&format!("/{number}")));
    }
    assert_eq!(
        server.report().await,
        DrainReport {
            served: 10,
            drained: 10,
            aborted: 0
        }
    );
}

#[tokio::test]
async fn under_load_no_request_fails_at_the_drain() {
    for http2 in [false, true] {
        let mut server = Server::start(EdgeOptions { http2, ..patient() });
        let mut clients = tokio::task::JoinSet::new();
        for number in 0..32 {
            let mut client = server.connect().await;
            clients.spawn(async move {
                // As fast as it can, until it is told to leave; a reset or an end fails the test.
                loop {
                    client.get(&format!("/{number}!")).await;
                    if client.until("!").await.contains("connection: close") {
                        return client.until_closed().await;
                    }
                }
            });
        }
        let mut other = server.connect().await;
        for _ in 0..100 {
            other.get("/other").await;
            other.until("/other").await;
        }
        server.shutdown.cancel();
        while let Some(rest) = clients.join_next().await {
            assert_eq!(rest.unwrap(), "");
        }
        let report = server.report().await;
        assert_eq!((report.served, report.drained, report.aborted), (33, 33, 0));
    }
}
