//! The short way: what is answered without hyper reads like what hyper would have sent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;
use corkboard_edge::{Asked, EdgeOptions, Lane, Reply, Verdict};
use http::StatusCode;
use proptest::prelude::*;

use crate::server::{Client, DEADLINE, Server, patient, short};

/// Has `/shelf/N`, a body of so many bytes, at hand; sends `/events` and `/flood` elsewhere, and everything
/// else to the service.
#[derive(Debug, Default)]
struct Shelf {
    answered: AtomicUsize,
}

impl Lane for Shelf {
    fn at_once(&self, asked: &Asked<'_>, reply: Reply<'_>) -> Verdict {
        if matches!(asked.path(), "/events" | "/flood") {
            return Verdict::ELSEWHERE;
        }
        let Some(length) = asked.path().strip_prefix("/shelf/") else {
            return Verdict::SERVICE;
        };
        self.answered.fetch_add(1, Relaxed);
        let body = Bytes::from(vec![b'x'; length.parse().unwrap()]);
        reply
            .begin(StatusCode::OK)
            .header("x-from", "shelf")
            .body(&body)
    }
}

fn shelved(options: EdgeOptions) -> (Server, Arc<Shelf>) {
    let shelf = Arc::new(Shelf::default());
    let server = Server::start(EdgeOptions {
        lane: Some(Arc::clone(&shelf) as Arc<dyn Lane>),
        ..options
    });
    (server, shelf)
}

/// One answer of stated length: status line, headers and body.
async fn answer(client: &mut Client) -> (String, BTreeMap<String, String>, Vec<u8>) {
    let head = client.until("\r\n\r\n").await;
    let mut lines = head.trim_end().lines();
    let status = lines.next().unwrap().to_owned();
    let headers: BTreeMap<_, _> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers["content-length"].parse().unwrap();
    let body = client.exactly(length).await;
    (status, headers, body)
}

#[tokio::test]
async fn answers_at_once_and_by_the_service_keep_their_order() {
    let (server, shelf) = shelved(patient());
    let mut client = server.connect().await;
    let all: String = (0..60)
        .map(|n| match n % 3 {
            0 => format!("GET /shelf/{n} HTTP/1.1\r\nhost: t\r\n\r\n"),
            _ => format!("GET /number-{n} HTTP/1.1\r\nhost: t\r\n\r\n"),
        })
        .collect();
    client.send(all).await;
    for n in 0..60 {
        let (status, headers, body) = answer(&mut client).await;
        assert_eq!(status, "HTTP/1.1 200 OK");
        assert!(headers["date"].ends_with("GMT"));
        match n % 3 {
            0 => assert_eq!((body.len(), headers["x-from"].as_str()), (n, "shelf")),
            _ => assert_eq!(body, format!("/number-{n}").into_bytes()),
        }
    }
    assert_eq!(shelf.answered.load(Relaxed), 20);
}

#[tokio::test]
async fn a_connection_goes_on_after_a_request_for_hyper() {
    let (server, shelf) = shelved(patient());
    let mut client = server.connect().await;
    let post = "POST /echo HTTP/1.1\r\nhost: t\r\ncontent-length: 3\r\n\r\nabc";
    let get = "GET /shelf/1 HTTP/1.1\r\nhost: t\r\n\r\n";
    client.send(format!("{get}{post}{get}")).await;
    assert_eq!(answer(&mut client).await.2, b"x");
    assert_eq!(answer(&mut client).await.2, b"abc");
    // By the service now, which has no shelf.
    assert_eq!(answer(&mut client).await.2, b"/shelf/1");
    assert_eq!(shelf.answered.load(Relaxed), 1);
}

#[tokio::test]
async fn a_long_answer_reaches_a_client_that_reads_slowly() {
    let (server, _) = shelved(patient());
    let mut client = server.connect().await;
    let length = 24 * 1024 * 1024;
    client.get(&format!("/shelf/{length}")).await;
    client.get("/shelf/2").await;
    let (_, _, body) = answer(&mut client).await;
    assert!(body.len() == length && body.iter().all(|byte| *byte == b'x'));
    assert_eq!(answer(&mut client).await.2, b"xx");
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_given_up() {
    let (server, _) = shelved(short());
    let mut client = server.connect().await;
    client.get("/shelf/50000000").await;
    let closed = async {
        // Nothing is read, so only the server can end this.
        while client
            .try_send(b"GET /shelf/1 HTTP/1.1\r\nhost: t\r\n\r\n")
            .await
            .is_ok()
        {}
    };
    tokio::time::timeout(DEADLINE, closed).await.unwrap();
}

#[tokio::test]
async fn half_heads_silence_and_idleness_have_their_times() {
    let (server, _) = shelved(short());
    let mut half = server.connect().await;
    half.send("GET /shelf/1 HTTP/1.1\r\nhost: ").await;
    let mut silent = server.connect().await;
    let mut idle = server.connect().await;
    idle.get("/shelf/1").await;
    answer(&mut idle).await;
    let mut second_half = server.connect().await;
    second_half.get("/shelf/1").await;
    answer(&mut second_half).await;
    second_half.send("GET /").await;
    for client in [&mut half, &mut silent, &mut second_half] {
        let after = client.silently_closed().await;
        assert!(after < short().header_timeout * 3, "{after:?}");
    }
    idle.silently_closed().await;
}

#[tokio::test]
async fn the_drain_tells_the_last_answer_and_closes_what_is_idle() {
    let (mut server, _) = shelved(EdgeOptions {
        drain_idle_grace: DEADLINE / 2,
        ..patient()
    });
    let mut idle = server.connect().await;
    let mut busy = server.connect().await;
    for client in [&mut idle, &mut busy] {
        client.get("/shelf/1").await;
        answer(client).await;
    }
    busy.get("/gate").await;
    server.reached.notified().await;
    server.shutdown.cancel();
    // Within the grace a request is still answered, and told that it was the last.
    idle.get("/shelf/3").await;
    let (_, headers, body) = answer(&mut idle).await;
    assert_eq!((body.len(), headers["connection"].as_str()), (3, "close"));
    idle.silently_closed().await;
    server.gate.notify_one();
    let (_, headers, body) = answer(&mut busy).await;
    assert_eq!(
        (&body[..], headers["connection"].as_str()),
        (&b"opened"[..], "close")
    );
    busy.silently_closed().await;
    let report = server.report().await;
    assert_eq!((report.drained, report.aborted), (2, 0));
}

#[tokio::test]
async fn a_client_that_hangs_up_while_the_service_works_frees_its_connection() {
    let (mut server, _) = shelved(patient());
    let mut client = server.connect().await;
    client.get("/gate").await;
    server.reached.notified().await;
    drop(client);
    // The request never ends by itself: the drain would have to cut it off.
    server.shutdown.cancel();
    assert_eq!(server.report().await.aborted, 0);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_by_hyper() {
    let (server, _) = shelved(patient());
    let mut client = server.connect().await;
    let filler = "x".repeat(EdgeOptions::default().max_header_bytes + 1);
    client
        .send(format!(
            "GET /shelf/1 HTTP/1.1\r\nhost: t\r\nfiller: {filler}"
        ))
        .await;
    assert!(client.until("\r\n").await.starts_with("HTTP/1.1 431 "));
}

#[tokio::test]
async fn a_connection_that_is_to_be_closed_is() {
    let (server, _) = shelved(patient());
    for path in ["/shelf/4", "/word"] {
        let mut client = server.connect().await;
        client
            .send(format!(
                "GET {path} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n"
            ))
            .await;
        let (_, headers, _) = answer(&mut client).await;
        assert_eq!(headers["connection"], "close");
        client.silently_closed().await;
    }
}

/// Requests as clients may send them, some of them odd.
fn request() -> impl Strategy<Value = String> {
    prop_oneof![
        (0..3000_usize).prop_map(|n| format!("GET /number-{n} HTTP/1.1\r\nhost: t\r\n\r\n")),
        "[a-z]{1,9}".prop_map(|word| format!(
            "GET /{word}?q={word} HTTP/1.1\r\nhost: t\r\nA: b\r\nConnection: keep-alive\r\n\r\n"
        )),
        "[a-z]{0,40}".prop_map(|word| format!(
            "POST /echo HTTP/1.1\r\nhost: t\r\ncontent-length: {}\r\n\r\n{word}",
            word.len()
        )),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn however_requests_are_cut_the_answers_are_those_of_hyper(
        requests in prop::collection::vec(request(), 1..8),
        cuts in prop::collection::vec(1..40_usize, 1..20),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (short_way, _) = shelved(patient());
            let long_way = Server::start(EdgeOptions { lane: None, ..patient() });
            let mut answers = Vec::new();
            for server in [&short_way, &long_way] {
                let mut client = server.connect().await;
                let text = requests.concat();
                let mut rest = text.as_bytes();
                let mut cuts = cuts.iter().cycle();
                while !rest.is_empty() {
                    let (now, later) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                    client.send(now).await;
                    tokio::task::yield_now().await;
                    rest = later;
                }
                let mut got = Vec::new();
                for _ in &requests {
                    let (status, mut headers, body) = answer(&mut client).await;
                    headers.remove("date");
                    got.push((status, headers, body));
                }
                answers.push(got);
            }
            assert_eq!(answers[0], answers[1]);
        });
    }
}
