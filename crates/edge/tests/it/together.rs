//! Answers that an event loop makes in one turn go out one right after the other.

use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use corkboard_edge::{Asked, EdgeOptions, Lane, Reply, Verdict};
use http::StatusCode;

use crate::server::{Client, Server, patient};

/// Fewer than a loop hears of at a time.
const CLIENTS: usize = 10;

/// Answers everybody, and looks each time who of the clients has got something.
#[derive(Debug, Default)]
struct Watching {
    clients: Mutex<Vec<TcpStream>>,
    early: AtomicUsize,
}

impl Lane for Watching {
    fn at_once(&self, asked: &Asked<'_>, reply: Reply<'_>) -> Verdict {
        let clients = self.clients.lock().unwrap();
        let has_got = |client: &&TcpStream| client.peek(&mut [0]).is_ok();
        let early = clients.iter().filter(has_got).count();
        self.early.fetch_add(early, Ordering::Relaxed);
        let body = Bytes::copy_from_slice(asked.path().as_bytes());
        reply.begin(StatusCode::OK).body(&body)
    }
}

#[tokio::test]
async fn nobody_is_answered_before_all_who_have_asked_were_heard() {
    let lane = Arc::new(Watching::default());
    let server = Server::start(EdgeOptions {
        lane: Some(Arc::clone(&lane) as Arc<dyn Lane>),
        ..patient()
    });
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let stream = server.dial().await.into_std().unwrap();
        lane.clients
            .lock()
            .unwrap()
            .push(stream.try_clone().unwrap());
        clients.push(Client::new(
            tokio::net::TcpStream::from_std(stream).unwrap(),
        ));
    }
    // One after the other: they have arrived.
    for (n, client) in clients.iter_mut().enumerate() {
        client.get(&format!("/{n}/first")).await;
        client.until(&format!("/{n}/first")).await;
    }
    assert_eq!(lane.early.load(Ordering::Relaxed), 0);
    // At once: the loop is not awake before all have asked.
    for (n, client) in clients.iter().enumerate() {
        client.send_now(format!("GET /{n}/second HTTP/1.1\r\nhost: t\r\n\r\n"));
    }
    for (n, client) in clients.iter_mut().enumerate() {
        client.until(&format!("/{n}/second")).await;
    }
    assert_eq!(lane.early.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn requests_sent_ahead_are_answered_in_their_order() {
    let server = Server::start(EdgeOptions {
        lane: Some(Arc::new(Watching::default())),
        ..patient()
    });
    let mut client = server.connect().await;
    let ahead = |round: usize| (0..50).map(move |n| format!("/{round}/{n}/"));
    for round in 0..3 {
        let asked = ahead(round).map(|path| format!("GET {path} HTTP/1.1\r\nhost: t\r\n\r\n"));
        client.send_now(asked.collect::<String>());
        for path in ahead(round) {
            client.until(&path).await;
        }
    }
}
