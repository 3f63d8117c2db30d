//! Plain HTTP/1.1 behaviour that the rest leans on.

use axum::Router;
use axum::routing::get;
use corkboard_edge::{EdgeOptions, listen, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::server::{DEADLINE, Server, patient};

#[tokio::test]
async fn garbage_is_answered_with_400_and_a_close() {
    let server = Server::start(patient());
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 tls client hello\r\n\r\n"[..],
        b"\x00\x00\x00\x00\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: t\r\nno colon here\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: t\r\ncontent-length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: t\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
    ] {
        let mut client = server.connect().await;
        client.send(garbage).await;
        client.finish().await;
        let answer = client.until_closed().await;
        let shown = String::from_utf8_lossy(garbage);
        assert!(answer.starts_with("HTTP/1.1 400 "), "{shown:?}: {answer:?}");
    }
}

#[tokio::test]
async fn a_request_that_does_not_name_one_host_is_refused() {
    let server = Server::start(patient());
    for (head, status) in [
        ("GET / HTTP/1.1\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nhost: t\r\nHost: t\r\n\r\n", "400"),
        ("GET http://t/ HTTP/1.1\r\n\r\n", "400"),
        ("POST /echo HTTP/1.1\r\ncontent-length: 0\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nhost:\r\n\r\n", "200"),
        ("GET / HTTP/1.0\r\n\r\n", "200"),
    ] {
        let mut client = server.connect().await;
        client.send(head).await;
        let answer = match status {
            "400" => client.until_closed().await,
            _ => client.until("\r\n\r\n/").await,
        };
        let start = answer.split_whitespace().nth(1);
        assert_eq!(start, Some(status), "{head:?}: {answer}");
        assert_eq!(
            answer.contains(r#""code":"malformed_request""#),
            status == "400"
        );
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = Server::start(patient());
    let mut client = server.connect().await;
    let all: String = (0..50)
        .map(|n| format!("GET /number-{n}! HTTP/1.1\r\nhost: t\r\n\r\n"))
        .collect();
    client.send(all).await;
    for n in 0..50 {
        assert!(client.until("!").await.ends_with(&format!("/number-{n}!")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_on_behind_a_body_that_nobody_reads_is_answered() {
    // Whoever is forgotten is found when the time for headers is over.
    let server = Server::start(EdgeOptions {
        header_timeout: 2 * DEADLINE,
        idle_timeout: 2 * DEADLINE,
        ..patient()
    });
    for _ in 0..100 {
        let mut client = server.connect().await;
        client
            .send(concat!(
                "GET /first! HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n",
                "5\r\nhello\r\n0\r\n\r\nGET /second! HTTP/1.1\r\nhost: t\r\n\r\n"
            ))
            .await;
        client.until("/first!").await;
        client.until("/second!").await;
    }
}

#[tokio::test]
async fn a_handler_knows_its_peer() {
    let server = Server::start(patient());
    let mut client = server.connect().await;
    client.get("/peer").await;
    let own = client.address();
    client.until(&own.to_string()).await;
}

#[tokio::test]
async fn an_axum_router_can_be_served() {
    let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/hello", get(async || "from axum"));
    let shutdown = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(serve(
        listener,
        router,
        EdgeOptions::default(),
        shutdown.clone(),
    ));

    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET /hello HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    tokio::time::timeout(DEADLINE, stream.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert!(answer.ends_with("from axum"), "{answer}");
    shutdown.cancel();
    let report = tasks.join_next().await.unwrap().unwrap();
    assert_eq!((report.served, report.aborted), (1, 0));
}
