//! What a client may not take too much of.

use std::fmt::Write as _;
use std::num::NonZeroU32;

use corkboard_edge::EdgeOptions;

use crate::server::{Server, patient, short};

#[tokio::test]
async fn at_the_cap_newcomers_wait_until_a_place_is_free() {
    let server = Server::start(EdgeOptions {
        max_connections: 1,
        ..patient()
    });
    let mut first = server.connect().await;
    first.get("/gate").await;
    server.reached.notified().await;
    let mut second = server.connect().await;
    second.get("/second").await;
    assert!(second.has_nothing().await);

    server.gate.notify_one();
    first.until("opened").await;
    assert!(
        second.has_nothing().await,
        "the first connection is idle, not gone"
    );
    drop(first);
    second.until("/second").await;
}

#[tokio::test]
async fn a_peer_above_its_cap_is_closed_at_once_and_may_come_back() {
    let cap = NonZeroU32::new(1);
    let server = Server::start(EdgeOptions {
        max_connections_per_peer: cap,
        ..patient()
    });
    let mut first = server.connect().await;
    first.get("/first").await;
    first.until("/first").await;
    server.connect().await.silently_closed().await;

    first
        .send("GET /last HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n")
        .await;
    first.until_closed().await;
    // The place is given back when the task ends, a moment after the close is seen here.
    loop {
        let mut next = server.connect().await;
        next.get("/next").await;
        let mut byte = [0_u8; 1];
        if next.first_byte(&mut byte).await {
            break;
        }
    }
}

#[tokio::test]
async fn a_stated_length_above_the_limit_is_refused_without_reading() {
    let server = Server::start(short());
    let mut client = server.connect().await;
    client
        .send("POST /echo HTTP/1.1\r\nhost: t\r\ncontent-length: 1025\r\n\r\n")
        .await;
    let answer = client.until("}").await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(
        answer.contains("content-type: application/problem+json"),
        "{answer}"
    );
    assert!(answer.contains(r#""code":"body_too_large""#), "{answer}");
    assert!(answer.contains(r#""status":413"#), "{answer}");

    let mut client = server.connect().await;
    let fits = "a".repeat(1024);
    client
        .send(format!(
            "POST /echo HTTP/1.1\r\nhost: t\r\ncontent-length: 1024\r\n\r\n{fits}"
        ))
        .await;
    assert!(client.until(&fits).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_client_that_sends_all_of_a_refused_body_still_gets_the_answer() {
    let server = Server::start(short());
    let mut client = server.connect().await;
    let length = 32 * 1024 * 1024;
    client
        .send(format!(
            "POST /echo HTTP/1.1\r\nhost: t\r\ncontent-length: {length}\r\n\r\n"
        ))
        .await;
    client
        .send_all_it_takes(&vec![b'a'; length])
        .await
        .expect("the connection was reset");
    client.finish().await;
    let answer = client.until_closed().await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn a_body_announced_with_expect_is_refused_before_it_is_sent() {
    let server = Server::start(short());
    let request = |length| {
        format!(
            "POST /echo HTTP/1.1\r\nhost: t\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    let mut client = server.connect().await;
    client.send(request(1025)).await;
    assert!(client.until("\r\n").await.starts_with("HTTP/1.1 413 "));

    let mut client = server.connect().await;
    client.send(request(2)).await;
    assert_eq!(
        client.until("\r\n\r\n").await,
        "HTTP/1.1 100 Continue\r\n\r\n"
    );
    client.send("ok").await;
    assert!(client.until("ok").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn too_many_and_too_large_headers_are_answered_with_431() {
    let server = Server::start(patient());
    let with = |count: usize, size: usize| {
        let mut request = String::from("GET / HTTP/1.1\r\nhost: t\r\n");
        for number in 0..count {
            write!(request, "x-{number}: {}\r\n", "v".repeat(size)).unwrap();
        }
        request + "\r\n"
    };
    for (count, size, status) in [(99, 1, "200"), (100, 1, "431"), (1, 33 * 1024, "431")] {
        let mut client = server.connect().await;
        client.send(with(count, size)).await;
        let line = client.until("\r\n").await;
        assert!(
            line.starts_with(&format!("HTTP/1.1 {status} ")),
            "{count} × {size}: {line}"
        );
    }
}

#[tokio::test]
async fn a_handler_that_panics_ends_its_own_connection_only() {
    let server = Server::start(EdgeOptions {
        max_connections: 2,
        ..patient()
    });
    let mut bystander = server.connect().await;
    bystander.get("/gate").await;
    server.reached.notified().await;
    for _ in 0..5 {
        let mut client = server.connect().await;
        client.get("/panic").await;
        client.silently_closed().await;
    }
    server.gate.notify_one();
    bystander.until("opened").await;
}

#[tokio::test]
async fn a_crowd_that_is_silent_or_in_half_a_header_keeps_nobody_waiting() {
    let server = Server::start(patient());
    let mut crowd = Vec::new();
    for number in 0..300 {
        let mut one = server.connect().await;
        if number % 3 == 0 {
            one.send("GET / HTTP/1.1\r\nhost: cro").await;
        }
        crowd.push(one);
    }
    let mut client = server.connect().await;
    for _ in 0..200 {
        client.get("/served").await;
        client.until("/served").await;
    }
    for one in &crowd {
        assert!(one.has_nothing().await, "nothing is closed before its time");
    }
}
