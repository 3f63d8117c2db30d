//! Many connections in a few event loops: each gets its own answers, whatever becomes of the others.

use std::future::pending;
use std::sync::Arc;

use bytes::Bytes;
use corkboard_edge::{Asked, EdgeOptions, Found, Lane, Reply, Verdict};
use http::StatusCode;

use crate::books::Books;
use crate::server::{Server, patient};

/// More than are looked after in one turn.
const CROWD: usize = 300;

/// Answers `/now/WORD` at once and `/later/WORD` a little later; panics over `/panic`, at once or while the
/// answer is waited for or written; never has an answer to `/never`. All else is the service's.
#[derive(Debug)]
struct Moody;

impl Lane for Moody {
    fn at_once(&self, asked: &Asked<'_>, reply: Reply<'_>) -> Verdict {
        let path = asked.path().to_owned();
        match path.as_str() {
            "/panic/now" => panic!("asked for by a test"),
            "/panic/later" => Verdict::later(Box::pin(async {
                tokio::task::yield_now().await;
                panic!("asked for by a test")
            })),
            "/panic/found" => Verdict::later(Box::pin(async {
                let found: Found = Box::new(|_| panic!("asked for by a test"));
                found
            })),
            "/never" => Verdict::later(Box::pin(pending())),
            path if path.starts_with("/now/") => say(path, reply),
            _ if path.starts_with("/later/") => Verdict::later(Box::pin(async move {
                tokio::task::yield_now().await;
                let found: Found = Box::new(move |reply| say(&path, reply));
                found
            })),
            _ => Verdict::SERVICE,
        }
    }
}

fn say(what: &str, reply: Reply<'_>) -> Verdict {
    let body = Bytes::copy_from_slice(what.as_bytes());
    reply.begin(StatusCode::OK).body(&body)
}

fn moody() -> Server {
    Server::start(EdgeOptions {
        lane: Some(Arc::new(Moody)),
        ..patient()
    })
}

async fn everybody_gets_his_own() {
    let mut server = moody();
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        crowd.push(server.connect().await);
    }
    for way in ["/now", "/later", "/service", "/now"] {
        for (n, one) in crowd.iter_mut().enumerate() {
            one.get(&format!("{way}/{n}/")).await;
        }
        for (n, one) in crowd.iter_mut().enumerate() {
            one.until(&format!("{way}/{n}/")).await;
        }
    }
    // Every third one leaves, one waits for ever, and hyper has some to itself.
    crowd.retain({
        let mut n = 0;
        move |_| {
            n += 1;
            n % 3 != 0
        }
    });
    for one in crowd.iter_mut().step_by(5) {
        one.send("POST /post HTTP/1.1\r\nhost: t\r\ncontent-length: 0\r\n\r\n")
            .await;
        one.until("/post").await;
    }
    for (n, one) in crowd.iter_mut().enumerate() {
        one.get(&format!("/later/{n}/again")).await;
        one.until(&format!("/{n}/again")).await;
    }
    let open = u64::try_from(crowd.len()).unwrap();
    server.shutdown.cancel();
    for one in &mut crowd {
        one.silently_closed().await;
    }
    let report = server.report().await;
    assert_eq!(report.served, CROWD as u64);
    assert_eq!((report.drained, report.aborted), (open, 0));
}

#[tokio::test]
async fn everybody_gets_his_own_answers_from_one_loop() {
    everybody_gets_his_own().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn everybody_gets_his_own_answers_from_several_loops() {
    everybody_gets_his_own().await;
}

#[tokio::test]
async fn who_has_to_wait_for_the_next_turn_is_not_forgotten() {
    let server = moody();
    let mut crowd = Vec::new();
    for n in 0..2 * CROWD {
        let mut one = server.connect().await;
        one.get(&format!("/now/{n}/")).await;
        one.until(&format!("/now/{n}/")).await;
        crowd.push(one);
    }
    for way in ["/now", "/later"] {
        for (n, one) in crowd.iter().enumerate() {
            one.send_now(format!("GET {way}/{n}/ HTTP/1.1\r\nhost: t\r\n\r\n"));
        }
        for (n, one) in crowd.iter_mut().enumerate() {
            one.until(&format!("{way}/{n}/")).await;
        }
    }
}

#[tokio::test]
async fn a_panic_on_the_short_way_ends_its_own_connection_only() {
    let server = moody();
    let mut bystander = server.connect().await;
    for path in ["/panic/now", "/panic/later", "/panic/found", "/panic"] {
        let mut client = server.connect().await;
        client.get(path).await;
        client.silently_closed().await;
        bystander.get("/now/still-here").await;
        bystander.until("/now/still-here").await;
    }
}

#[tokio::test]
async fn what_is_still_waited_for_when_the_time_is_up_is_cut_off() {
    let books = Books::open();
    let mut server = Server::start(EdgeOptions {
        lane: Some(Arc::new(Moody)),
        drain_timeout: std::time::Duration::from_millis(100),
        ..patient()
    });
    let mut waiting = server.connect().await;
    waiting.get("/now/1").await;
    waiting.until("/now/1").await;
    waiting.get("/never").await;
    let mut other = server.connect().await;
    other.get("/now/2").await;
    other.until("/now/2").await;
    server.shutdown.cancel();
    let report = server.report().await;
    assert_eq!((report.drained, report.aborted), (1, 1));
    assert_eq!(books.read("corkboard_edge_closed_total aborted"), 1.0);
}
