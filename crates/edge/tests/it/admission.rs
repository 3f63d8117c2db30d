//! What is refused when there is more to do than can be done, and what never is.

use std::time::Duration;

use corkboard_edge::{AdmissionOptions, Bearer, EdgeOptions, Passport, Priority};

use crate::books::Books;
use crate::server::{Server, patient, short};

fn inspect(bearer: &Bearer<'_>) -> Passport {
    Passport::new(Priority::Read, bearer.path.as_bytes())
}

/// One place, no line worth the name.
fn one_place() -> AdmissionOptions {
    AdmissionOptions {
        min_in_flight: 1,
        max_in_flight: 1,
        max_waiting: 1,
        patience: Duration::from_millis(50),
        ..AdmissionOptions::new(inspect)
    }
}

pub(crate) fn narrow() -> EdgeOptions {
    EdgeOptions {
        admission: Some(one_place()),
        ..patient()
    }
}

#[tokio::test]
async fn what_finds_no_place_in_time_is_refused_and_may_ask_again_on_the_same_connection() {
    let books = Books::open();
    let server = Server::start(narrow());
    let mut busy = server.connect().await;
    busy.get("/gate").await;
    server.reached.notified().await;

    let mut client = server.connect().await;
    for _ in 0..2 {
        client.get("/refused").await;
        let answer = client.until("}").await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.contains(r#""code":"overloaded""#), "{answer}");
        assert!(
            answer.contains("content-type: application/problem+json"),
            "{answer}"
        );
        assert!(answer.contains("retry-after: "), "{answer}");
        assert!(!answer.contains("connection: close"), "{answer}");
    }
    assert!(books.read("corkboard_edge_refused_total overloaded") > 1.5);
    assert!(books.read("corkboard_edge_shed_total read") > 1.5);
    server.gate.notify_one();
    busy.until("opened").await;
    client.get("/served").await;
    client.until("/served").await;
}

#[tokio::test]
async fn a_refused_body_is_not_read_and_its_client_sees_the_answer() {
    let server = Server::start(EdgeOptions {
        max_body_bytes: None,
        ..narrow()
    });
    let mut busy = server.connect().await;
    busy.get("/gate").await;
    server.reached.notified().await;

    let mut client = server.connect().await;
    let length = 8 * 1024 * 1024;
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
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
}

/// One place, and a line in which one may wait as long as it takes.
pub(crate) fn narrow_and_patient() -> EdgeOptions {
    EdgeOptions {
        admission: Some(AdmissionOptions {
            patience: Duration::from_secs(3_600),
            ..one_place()
        }),
        ..patient()
    }
}

/// The line has one place: a refusal shows that it is taken.
pub(crate) async fn line_is_taken(server: &Server, path: &str) {
    let mut refused = server.connect().await;
    loop {
        refused.get(path).await;
        if refused.until("\r\n").await.contains(" 503 ") {
            return;
        }
    }
}

#[tokio::test]
async fn who_waits_in_line_is_served_when_a_place_is_free() {
    let server = Server::start(narrow_and_patient());
    let mut busy = server.connect().await;
    busy.get("/gate").await;
    server.reached.notified().await;
    let mut waiting = server.connect().await;
    waiting.get("/waiting").await;
    line_is_taken(&server, "/waiting").await;
    server.gate.notify_one();
    busy.until("opened").await;
    waiting.until("/waiting").await;
}

#[tokio::test]
async fn the_books_say_how_many_are_in_flight_also_when_nobody_comes_any_more() {
    let books = Books::open();
    let server = Server::start(narrow());
    let in_flight = |count| {
        move |books: &Books| {
            books.read("corkboard_edge_admission_in_flight").to_bits() == f64::to_bits(count)
        }
    };
    let mut busy = server.connect().await;
    busy.get("/gate").await;
    server.reached.notified().await;
    books.until(in_flight(1.0)).await;
    server.gate.notify_one();
    busy.until("opened").await;
    books.until(in_flight(0.0)).await;
}

#[tokio::test]
async fn who_hangs_up_gives_the_place_back() {
    let server = Server::start(narrow());
    for _ in 0..3 {
        let mut leaver = server.connect().await;
        leaver.get("/gate").await;
        server.reached.notified().await;
        drop(leaver);
        // Refused until the server has seen that nobody waits for the answer any more.
        let mut next = server.connect().await;
        loop {
            next.get("/next").await;
            let line = next.until("\r\n").await;
            if line.contains(" 200 ") {
                next.until("/next").await;
                break;
            }
            next.until("}").await;
        }
    }
}

#[tokio::test]
async fn a_client_that_is_slow_with_its_body_holds_no_place() {
    let server = Server::start(EdgeOptions {
        body_progress_timeout: Duration::from_secs(3_600),
        body_timeout: Duration::from_secs(3_600),
        ..narrow()
    });
    let mut slow = server.connect().await;
    slow.send("POST /echo HTTP/1.1\r\nhost: t\r\ncontent-length: 2\r\n\r\n")
        .await;
    let mut other = server.connect().await;
    for _ in 0..100 {
        other.get("/other").await;
        let line = other.until("\r\n").await;
        assert!(line.contains(" 200 ") || line.contains(" 503 "), "{line}");
        other
            .until(if line.contains(" 200 ") {
                "/other"
            } else {
                "}"
            })
            .await;
        if line.contains(" 200 ") {
            break;
        }
    }
    slow.send("ok").await;
    assert!(slow.until("ok").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn without_admission_control_nothing_is_refused() {
    let server = Server::start(short());
    let mut clients = Vec::new();
    for _ in 0..100 {
        let mut client = server.connect().await;
        client.get("/gate").await;
        server.reached.notified().await;
        clients.push(client);
    }
    for _ in &clients {
        server.gate.notify_one();
    }
    server.shutdown.cancel();
    for client in &mut clients {
        assert!(client.until_closed().await.starts_with("HTTP/1.1 200 "));
    }
}
