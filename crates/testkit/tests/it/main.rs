//! The test tools are tested too: a peer that quietly did not misbehave would prove nothing.

mod postgres;

use std::time::Duration;

use corkboard_testkit::{Gate, Peer, RawConnection, RawEnd, Reply, TestClient, wait_until};
use serde_json::json;

const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_peer_answers_its_script_counts_and_records() {
    let peer = Peer::start().await;
    peer.on("/a", Reply::json(&json!({"x": 1})))
        .on("/users/*", Reply::text("anyone"))
        .on("/users/7", Reply::text("seven"))
        .on_sequence("/flaky", vec![Reply::status(503), Reply::text("up")]);
    let client = TestClient::new(peer.url("")).with_bearer("secret");

    assert_eq!(
        client.get("/a?q=1").send().await.expect_status(200).json(),
        json!({"x": 1})
    );
    assert_eq!(client.get("/users/8").send().await.text(), "anyone");
    assert_eq!(client.get("/users/7").send().await.text(), "seven");
    assert_eq!(client.get("/flaky").send().await.status, 503);
    assert_eq!(client.get("/flaky").send().await.text(), "up");
    assert_eq!(client.get("/flaky").send().await.text(), "up");
    let posted = client
        .post("/a")
        .json(&json!([1]))
        .header("x-more", "yes")
        .send()
        .await;
    assert_eq!(posted.header("content-type"), Some("application/json"));
    assert_eq!(client.delete("/nothing").send().await.status, 404);

    assert_eq!(
        (peer.calls("/a"), peer.total_calls(), peer.connections()),
        (2, 8, 1)
    );
    let recorded = &peer.requests()[6];
    assert_eq!(
        (recorded.method.as_str(), recorded.target.as_str()),
        ("POST", "/a")
    );
    assert_eq!(recorded.header("authorization"), Some("Bearer secret"));
    assert_eq!(recorded.header("x-more"), Some("yes"));
    assert_eq!(&recorded.body[..], b"[1]");
}

#[tokio::test]
async fn a_gate_holds_replies_until_it_opens() {
    let (peer, gate) = (Peer::start().await, Gate::shut());
    peer.on("/held", Reply::text("through").behind(&gate));
    let client = TestClient::new(peer.url(""));
    let asking = client.get("/held").send();
    let opening = async {
        wait_until(SOON, "the request at the gate", || {
            let calls = peer.calls("/held");
            std::future::ready(if calls == 1 {
                Ok(())
            } else {
                Err(format!("{calls} calls"))
            })
        })
        .await;
        gate.open();
    };
    assert_eq!(tokio::join!(asking, opening).0.text(), "through");
}

#[tokio::test]
async fn misbehaviour_is_real() {
    let peer = Peer::start().await;
    peer.on("/reset", Reply::reset())
        .on("/close", Reply::close())
        .on("/cut", Reply::text("0123456789").cut_after(4))
        .on("/short", Reply::text("0123").declared_length(10))
        .on("/hang", Reply::hang())
        .on("/endless", Reply::endless())
        .on("/garbage", Reply::verbatim("no HTTP at all\r\n\r\n"))
        .on(
            "/trickle",
            Reply::text("0123").trickle(1, Duration::from_millis(1)),
        );
    let client = TestClient::new(peer.url(""));
    let brief = Duration::from_millis(200);
    for path in [
        "/reset", "/close", "/cut", "/short", "/hang", "/endless", "/garbage",
    ] {
        let outcome = client.get(path).deadline(brief).try_send().await;
        assert!(outcome.is_err(), "{path} gave {outcome:?}");
    }
    assert_eq!(client.get("/trickle").send().await.text(), "0123");
    let zipped = peer.on("/zip", Reply::gzipped_json()).url("/zip");
    assert!(zipped.ends_with("/zip"));
    assert_eq!(
        client.get("/zip").send().await.header("content-encoding"),
        Some("gzip")
    );
}

#[tokio::test]
async fn a_raw_connection_tells_how_reading_ended() {
    let peer = Peer::start().await;
    peer.on("/reset", Reply::reset())
        .on("/text", Reply::text("body"));
    let mut raw = RawConnection::open(peer.address()).await;
    raw.send("GET /text HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let (seen, end) = raw.read_until(b"body", SOON).await;
    assert!(seen.starts_with(b"HTTP/1.1 200"));
    assert_eq!(end, RawEnd::Found);
    let (rest, end) = raw.read_to_close(Duration::from_millis(50)).await;
    assert_eq!((rest.len(), end), (0, RawEnd::StillOpen));
    raw.send("GET /reset HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(raw.read_to_close(SOON).await.1, RawEnd::Reset);

    let mut polite = RawConnection::open(peer.address()).await;
    polite.finish_sending().await.unwrap();
    assert_eq!(polite.read_to_close(SOON).await.1, RawEnd::Closed);
}

#[tokio::test]
async fn a_dropped_peer_closes_its_connections() {
    let peer = Peer::start().await;
    let mut raw = RawConnection::open(peer.address()).await;
    raw.send("GET /x HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(raw.read_until(b"404", SOON).await.1, RawEnd::Found);
    drop(peer);
    assert_ne!(raw.read_to_close(SOON).await.1, RawEnd::StillOpen);
}
