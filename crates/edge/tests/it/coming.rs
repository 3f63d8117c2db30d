//! Answers that a lane brings later: in their order, admitted like any other, and left when their
//! client leaves.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;
use corkboard_edge::{Asked, EdgeOptions, Found, Lane, Reply, Verdict};
use http::{Response, StatusCode};
use tokio::sync::{Notify, Semaphore};

use crate::admission::{line_is_taken, narrow, narrow_and_patient};
use crate::server::{Client, Server, patient};

/// Brings `/post/WORD` when there is a letter for it, `/lost/WORD` never by itself, and `/gone` as a whole
/// response; all else is the service's.
#[derive(Debug)]
struct Post {
    letters: Arc<Semaphore>,
    begun: Arc<AtomicUsize>,
    reached: Arc<Notify>,
    left: Arc<Notify>,
}

/// Rings when the answer is not waited for any more.
struct Leaving(Arc<Notify>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Lane for Post {
    fn at_once(&self, asked: &Asked<'_>, reply: Reply<'_>) -> Verdict {
        let path = asked.path().to_owned();
        if path == "/now" {
            return reply
                .begin(StatusCode::OK)
                .body(&Bytes::from_static(b"now"));
        }
        if !["/post/", "/lost/", "/gone"]
            .iter()
            .any(|known| path.starts_with(known))
        {
            return Verdict::SERVICE;
        }
        let (letters, begun) = (Arc::clone(&self.letters), Arc::clone(&self.begun));
        let (reached, left) = (Arc::clone(&self.reached), Arc::clone(&self.left));
        Verdict::later(Box::pin(async move {
            let _leaving = Leaving(left);
            begun.fetch_add(1, Relaxed);
            reached.notify_one();
            letters.acquire().await.unwrap().forget();
            let found: Found = Box::new(move |reply| {
                if let Some(word) = path.strip_prefix("/post/") {
                    let body = Bytes::copy_from_slice(word.as_bytes());
                    reply.begin(StatusCode::OK).body(&body)
                } else if path == "/gone" {
                    let mut response = Response::new(Bytes::from_static(b"not here"));
                    *response.status_mut() = StatusCode::GONE;
                    reply.whole(&response)
                } else {
                    Verdict::SERVICE
                }
            });
            found
        }))
    }
}

fn post(options: EdgeOptions, letters: usize) -> (Server, Arc<Post>) {
    let post = Arc::new(Post {
        letters: Arc::new(Semaphore::new(letters)),
        begun: Arc::default(),
        reached: Arc::default(),
        left: Arc::default(),
    });
    let server = Server::start(EdgeOptions {
        lane: Some(Arc::clone(&post) as Arc<dyn Lane>),
        ..options
    });
    (server, post)
}

/// Status line and body.
async fn answer(client: &mut Client) -> (String, String) {
    let head = client.until("\r\n\r\n").await;
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap()
        .parse()
        .unwrap();
    let body = client.exactly(length).await;
    let status = head.lines().next().unwrap().to_owned();
    (status, String::from_utf8(body).unwrap())
}

#[tokio::test]
async fn answers_keep_their_order_wherever_they_come_from() {
    let (server, _) = post(patient(), 1_000);
    let mut client = server.connect().await;
    let paths: Vec<String> = (0..80)
        .map(|n| match n % 4 {
            0 => format!("/post/{n}"),
            1 => "/now".to_owned(),
            2 => format!("/number-{n}"),
            // What is not answered after all is the service's.
            _ => format!("/lost/{n}"),
        })
        .collect();
    let requests = paths
        .iter()
        .map(|path| format!("GET {path} HTTP/1.1\r\nhost: t\r\n\r\n"));
    client.send(requests.collect::<String>()).await;
    for path in &paths {
        let (status, body) = answer(&mut client).await;
        assert_eq!(status, "HTTP/1.1 200 OK");
        let expected = path.strip_prefix("/post/").unwrap_or(path);
        assert_eq!(body, if path == "/now" { "now" } else { expected });
    }
}

#[tokio::test]
async fn what_arrives_while_an_answer_comes_is_answered_after_it() {
    let (server, post) = post(patient(), 0);
    let mut client = server.connect().await;
    client.get("/gone").await;
    for n in 0..20 {
        client.get(&format!("/post/{n}")).await;
    }
    post.letters.add_permits(21);
    assert_eq!(
        answer(&mut client).await,
        ("HTTP/1.1 410 Gone".to_owned(), "not here".to_owned())
    );
    for n in 0..20 {
        assert_eq!(answer(&mut client).await.1, n.to_string());
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_is_not_waited_for() {
    let (mut server, post) = post(patient(), 0);
    let mut client = server.connect().await;
    client.get("/post/1").await;
    client.get("/now").await;
    drop(client);
    post.left.notified().await;
    server.shutdown.cancel();
    assert_eq!(server.report().await.aborted, 0);
}

#[tokio::test]
async fn the_drain_waits_for_an_answer_and_says_that_it_was_the_last() {
    let (mut server, post) = post(patient(), 0);
    let mut client = server.connect().await;
    let mut other = server.connect().await;
    client.get("/post/1").await;
    other.get("/now").await;
    answer(&mut other).await;
    post.reached.notified().await;
    server.shutdown.cancel();
    other.silently_closed().await;
    post.letters.add_permits(1);
    let head = client.until("\r\n\r\n").await;
    assert!(head.contains("connection: close\r\n"), "{head}");
    let report = server.report().await;
    assert_eq!((report.drained, report.aborted), (2, 0));
}

#[tokio::test]
async fn a_refusal_reads_like_the_one_of_the_other_way() {
    for path in ["/gate", "/post/1"] {
        let mut said = Vec::new();
        for has_lane in [true, false] {
            let (mut server, _post) = match has_lane {
                true => post(narrow(), 0),
                false => {
                    let (_, post) = post(patient(), 0);
                    let lane = None;
                    (Server::start(EdgeOptions { lane, ..narrow() }), post)
                }
            };
            let mut busy = server.connect().await;
            busy.get("/gate").await;
            server.reached.notified().await;
            let mut refused = server.connect().await;
            refused.get(path).await;
            let head = refused.until("\r\n\r\n").await;
            let (mut lines, mut length) = (Vec::new(), 0);
            for line in head.lines() {
                let line = line.to_ascii_lowercase();
                let (name, value) = line.split_once(": ").unwrap_or((&line, ""));
                match name {
                    "date" => {}
                    "retry-after" => assert!(value.parse::<u64>().unwrap() > 0),
                    _ => lines.push(line.clone()),
                }
                if name == "content-length" {
                    length = value.parse().unwrap();
                }
            }
            assert!(head.contains("retry-after: "), "{head}");
            lines.sort();
            said.push((lines, refused.exactly(length).await));
            server.gate.notify_one();
            busy.until("\r\n\r\n").await;
            drop((busy, refused));
            server.shutdown.cancel();
            server.report().await;
        }
        assert_eq!(said[0], said[1], "{path}");
    }
}

#[tokio::test]
async fn it_is_begun_only_with_a_place_and_gives_it_back() {
    let (server, post) = post(narrow(), 0);
    let mut busy = server.connect().await;
    busy.get("/post/1").await;
    post.reached.notified().await;
    let mut refused = server.connect().await;
    refused.get("/post/2").await;
    assert!(answer(&mut refused).await.0.starts_with("HTTP/1.1 503"));
    assert_eq!(post.begun.load(Relaxed), 1, "nothing was begun for it");
    post.letters.add_permits(2);
    assert_eq!(answer(&mut busy).await.1, "1");
    refused.get("/post/3").await;
    assert_eq!(answer(&mut refused).await.1, "3");
}

#[tokio::test]
async fn who_has_waited_in_line_is_brought_the_lanes_answer_too() {
    let (server, post) = post(narrow_and_patient(), 0);
    let mut busy = server.connect().await;
    busy.get("/post/1").await;
    post.reached.notified().await;
    let mut waiting = server.connect().await;
    waiting.get("/post/2").await;
    line_is_taken(&server, "/post/3").await;
    assert_eq!(post.begun.load(Relaxed), 1, "nothing is begun in line");
    post.letters.add_permits(2);
    assert_eq!(answer(&mut busy).await.1, "1");
    // The service would say the whole path.
    assert_eq!(answer(&mut waiting).await.1, "2");
}
