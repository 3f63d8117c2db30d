//! A hundred ends under load: no request that was sent fails, in whatever phase the end finds it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use corkboard_edge::EdgeOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::{JoinSet, yield_now};
use tokio::time::sleep;

use crate::frames::{END_STREAM, GOAWAY, Raw, Transport, get};
use crate::server::{Server, patient};
use crate::tls::Identity;

const ENDS: usize = 100;
const CONNECTIONS: usize = 64;
/// Handshakes take most of the time.
const CONNECTIONS_OVER_TLS: usize = 16;

/// What a connection does over and over, with pauses in between.
fn pieces(number: usize) -> Vec<&'static [u8]> {
    match number % 4 {
        0 => vec![b"GET /get HTTP/1.1\r\nhost: t\r\n\r\n"],
        1 => vec![b"GET /slow HTTP/1.1\r\nhost: t\r\n\r\n"],
        2 => vec![
            b"POST /echo HTTP/1.1\r\nhost: t\r\ncontent-length: 6\r\n\r\n",
            b"bo",
            b"dy",
            b"!!",
        ],
        _ => vec![
            b"GET /two-",
            b"pieces HTT",
            b"P/1.1\r\nhost: t\r\n",
            b"\r\n",
        ],
    }
}

/// The clock is paused, and goes on only when nobody has anything to do.
async fn pause(number: usize) {
    for _ in 0..number % 7 {
        yield_now().await;
    }
    sleep(Duration::from_millis(
        u64::try_from(1 + number % 3).unwrap(),
    ))
    .await;
}

/// One connection of HTTP/1.1 that asks until it is told to leave. A request that was begun is
/// always sent to its end, and has to be answered.
async fn ask_until_told(mut stream: impl Transport, number: usize, answered: Arc<AtomicUsize>) {
    let mut first = true;
    loop {
        for piece in pieces(number) {
            stream.write_all(piece).await.unwrap();
            stream.flush().await.unwrap();
            pause(number).await;
        }
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("an answer"));
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let (_, length) = head.split_once("content-length: ").unwrap();
        let length = length.lines().next().unwrap().parse().unwrap();
        stream.read_exact(&mut vec![0; length]).await.unwrap();
        if std::mem::take(&mut first) {
            answered.fetch_add(1, Relaxed);
        }
        if head.contains("connection: close") {
            assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
            return;
        }
    }
}

/// The same in HTTP/2, with a few requests at once.
async fn ask_until_goaway(mut raw: Raw, number: usize, answered: Arc<AtomicUsize>) {
    let paths = ["/get", "/slow"];
    let (mut next, mut open, mut leaving) = (1, 0, false);
    loop {
        while !leaving && open <= number % 3 {
            pause(number).await;
            raw.send(&get(next, paths[number % 2])).await;
            (next, open) = (next + 2, open + 1);
        }
        if open == 0 {
            raw.ended().await;
            assert!(raw.resets.is_empty(), "{:?}", raw.resets);
            return;
        }
        let frame = raw.next().await.expect("an answer");
        if frame.flags & END_STREAM != 0 && frame.stream != 0 {
            open -= 1;
            if frame.stream == 1 {
                answered.fetch_add(1, Relaxed);
            }
        }
        leaving |= frame.kind == GOAWAY;
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Speaking {
    Http1,
    Http2,
}

async fn no_request_fails(speaking: Speaking, identity: Option<Identity>) {
    let connections = match identity {
        None => CONNECTIONS,
        Some(_) => CONNECTIONS_OVER_TLS,
    };
    for end in 0..ENDS {
        let mut server = Server::start(EdgeOptions {
            http2: speaking == Speaking::Http2,
            tls: identity.as_ref().map(Identity::certificates),
            ..patient()
        });
        let answered = Arc::new(AtomicUsize::new(0));
        let mut clients = JoinSet::new();
        for number in 0..connections {
            let stream: Box<dyn Transport> = match (&identity, speaking) {
                (None, _) => Box::new(server.dial().await),
                (Some(identity), Speaking::Http1) => {
                    Box::new(identity.connect(&server, b"http/1.1").await.unwrap())
                }
                (Some(identity), Speaking::Http2) => {
                    Box::new(identity.connect(&server, b"h2").await.unwrap())
                }
            };
            let answered = Arc::clone(&answered);
            match speaking {
                Speaking::Http1 => clients.spawn(ask_until_told(stream, number, answered)),
                Speaking::Http2 => {
                    let raw = Raw::greet(stream, 65_535).await;
                    clients.spawn(ask_until_goaway(raw, number, answered))
                }
            };
        }
        while answered.load(Relaxed) < connections {
            sleep(Duration::from_millis(1)).await;
        }
        // Each end comes at another moment.
        for _ in 0..end {
            yield_now().await;
        }
        server.shutdown.cancel();
        while let Some(client) = clients.join_next().await {
            client.unwrap();
        }
        let report = server.report().await;
        let all = u64::try_from(connections).unwrap();
        assert_eq!((report.served, report.aborted), (all, 0), "end {end}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_request_of_http1_fails_at_the_end() {
    no_request_fails(Speaking::Http1, None).await;
}

#[tokio::test(start_paused = true)]
async fn no_request_of_http1_over_tls_fails_at_the_end() {
    no_request_fails(Speaking::Http1, Some(Identity::new())).await;
}

#[tokio::test(start_paused = true)]
async fn no_request_of_http2_fails_at_the_end() {
    no_request_fails(Speaking::Http2, None).await;
}

#[tokio::test(start_paused = true)]
async fn no_request_of_http2_over_tls_fails_at_the_end() {
    no_request_fails(Speaking::Http2, Some(Identity::new())).await;
}
