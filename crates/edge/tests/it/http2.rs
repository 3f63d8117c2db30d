//! HTTP/2: many requests at once, under the same time-outs and with the same goodbye.

use std::time::Duration;

use bytes::Bytes;
use corkboard_edge::EdgeOptions;
use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::server::{DEADLINE, Server, patient, short};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const EMPTY_SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

fn both(options: EdgeOptions) -> EdgeOptions {
    EdgeOptions {
        http2: true,
        ..options
    }
}

struct Client {
    send: SendRequest<Full<Bytes>>,
    /// Ends with the connection.
    connection: JoinSet<hyper::Result<()>>,
}

impl Client {
    async fn connect(server: &Server, window: u32) -> Self {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let (send, connection) = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(window)
            .handshake(TokioIo::new(stream))
            .await
            .unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(connection);
        Self {
            send,
            connection: tasks,
        }
    }

    async fn try_get(&self, path: &str) -> hyper::Result<(StatusCode, String)> {
        let request = Request::get(format!("http://test{path}"))
            .body(Full::default())
            .unwrap();
        let mut send = self.send.clone();
        let response = timeout(DEADLINE, send.send_request(request))
            .await
            .unwrap()?;
        assert_eq!(response.version(), Version::HTTP_2);
        assert!(!response.headers().contains_key("connection"));
        let status = response.status();
        let body = timeout(DEADLINE, response.into_body().collect())
            .await
            .unwrap()?;
        Ok((
            status,
            String::from_utf8_lossy(&body.to_bytes()).into_owned(),
        ))
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        self.try_get(path).await.unwrap()
    }

    async fn closed(mut self) {
        timeout(DEADLINE, self.connection.join_next())
            .await
            .expect("the server keeps the connection open");
    }
}

#[tokio::test]
async fn both_versions_are_served_on_one_port() {
    let server = Server::start(both(patient()));
    let client = Client::connect(&server, 65_535).await;
    assert_eq!(client.get("/two").await, (StatusCode::OK, "/two".into()));
    for method in ["GET", "POST", "PUT", "PROPFIND"] {
        let mut plain = server.connect().await;
        plain
            .send(format!(
                "{method} /one HTTP/1.1\r\nhost: t\r\ncontent-length: 0\r\n\r\n"
            ))
            .await;
        assert!(plain.until("/one").await.starts_with("HTTP/1.1 200 "));
    }
}

#[tokio::test]
async fn requests_of_one_connection_do_not_wait_for_each_other() {
    let server = Server::start(both(patient()));
    let client = Client::connect(&server, 65_535).await;
    let gate = client.get("/gate");
    let others = async {
        server.reached.notified().await;
        for number in 0..50 {
            let path = format!("/{number}");
            assert_eq!(client.get(&path).await.1, path);
        }
        server.gate.notify_one();
    };
    let (opened, ()) = tokio::join!(gate, others);
    assert_eq!(opened.1, "opened");
}

#[tokio::test]
async fn a_silent_one_has_the_header_time_out_also_when_it_answers_pings() {
    let server = Server::start(both(short()));
    for opening in [
        &b""[..],
        &PREFACE[..3],
        PREFACE,
        &[PREFACE, EMPTY_SETTINGS].concat(),
    ] {
        let mut client = server.connect().await;
        client.send(opening).await;
        let start = tokio::time::Instant::now();
        client.ended().await;
        assert!(start.elapsed() >= short().header_timeout - Duration::from_millis(50));
    }
}

#[tokio::test]
async fn an_idle_one_is_closed_at_the_idle_time_out() {
    let server = Server::start(both(short()));
    let client = Client::connect(&server, 65_535).await;
    client.get("/one").await;
    let start = tokio::time::Instant::now();
    client.closed().await;
    assert!(start.elapsed() >= short().idle_timeout - Duration::from_millis(50));
}

#[tokio::test]
async fn a_client_that_makes_no_room_for_its_response_is_cut_off() {
    let server = Server::start(EdgeOptions {
        max_connections: 1,
        ..both(short())
    });
    let client = Client::connect(&server, 0).await;
    let request = Request::get("http://test/flood")
        .body(Full::default())
        .unwrap();
    let mut send = client.send.clone();
    let response = timeout(DEADLINE, send.send_request(request))
        .await
        .unwrap()
        .unwrap();
    // The one place is free again only when the first client has been given up.
    let mut second = server.connect().await;
    second.get("/second").await;
    second.until("/second").await;
    drop(response);
}

#[tokio::test]
async fn a_request_in_flight_at_the_drain_is_answered() {
    let mut server = Server::start(both(patient()));
    let client = Client::connect(&server, 65_535).await;
    let idle = Client::connect(&server, 65_535).await;
    idle.get("/idle").await;
    let gate = client.get("/gate");
    let drain = async {
        server.reached.notified().await;
        server.shutdown.cancel();
        idle.closed().await;
        server.gate.notify_one();
    };
    let (opened, ()) = tokio::join!(gate, drain);
    assert_eq!(opened, (StatusCode::OK, "opened".into()));
    client.closed().await;
    let report = server.report().await;
    assert_eq!((report.served, report.drained, report.aborted), (2, 2, 0));
}

#[tokio::test]
async fn a_stream_that_does_not_end_is_cut_off_with_the_drain() {
    let mut server = Server::start(EdgeOptions {
        drain_timeout: Duration::from_millis(200),
        ..both(patient())
    });
    let client = Client::connect(&server, 65_535).await;
    let forever = client.try_get("/forever");
    let drain = async {
        // Answered after the other one was begun.
        client.get("/begun").await;
        server.shutdown.cancel();
        server.report().await
    };
    let (cut_off, report) = tokio::join!(forever, drain);
    assert!(cut_off.is_err());
    assert_eq!(report.aborted, 1);
}
