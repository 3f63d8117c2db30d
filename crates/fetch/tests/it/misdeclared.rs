//! Answers that are not what they say they are, or are hard to read on purpose. Whatever the endpoint
//! does, the template gets a complete body with its status, or none.

use std::io::Write;
use std::time::Duration;

use corkboard_core::connected::FetchBody;
use corkboard_fetch::FetchOptions;
use corkboard_testkit::{Peer, Reply};

use crate::bench_client::{Bench, expect_failure, open_options, post, text};

fn pack(content: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(content).expect("memory takes it");
    packer.finish().expect("memory takes it")
}

fn gzip(body: Vec<u8>) -> Reply {
    Reply::status(200)
        .header("content-encoding", "gzip")
        .body(body)
}

/// What each of these is answered with: a status and the words of the reason.
async fn answers(peer: &Peer, bench: &Bench, expected: &[(&str, u16, &str)]) {
    for (path, status, reason) in expected {
        let response = bench.fetch(post(&peer.url(path), "a")).await;
        assert_eq!(response.status, *status, "{path}: {response:?}");
        if *status != 200 {
            expect_failure(&response, *status, reason);
        }
        assert_eq!(peer.calls(path), 1, "{path} is not asked for again");
    }
}

#[tokio::test]
async fn every_class_of_status_is_told_and_only_2xx_has_a_body() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    for status in [200_u16, 201, 202, 203, 206, 226, 299] {
        let path = format!("/{status}");
        peer.on(&path, Reply::text("body").with_status(status));
        let response = bench.fetch(post(&peer.url(&path), "a")).await;
        assert_eq!((response.status, text(&response)), (status, "body"));
    }
    for status in [
        205_u16, 300, 304, 305, 306, 399, 400, 402, 407, 418, 421, 425, 451, 499, 500, 501, 505,
        507, 511, 520, 598, 599,
    ] {
        let path = format!("/{status}");
        let body = if [205, 304].contains(&status) {
            ""
        } else {
            "body"
        };
        peer.on(&path, Reply::text(body).with_status(status));
        let response = bench.fetch(post(&peer.url(&path), "a")).await;
        assert_eq!((response.status, response.body), (status, FetchBody::Empty));
    }
}

#[tokio::test]
async fn interim_answers_are_skipped_and_do_not_go_on_for_ever() {
    let options = FetchOptions {
        total_timeout: Duration::from_millis(500),
        ..open_options()
    };
    let (peer, bench) = (Peer::start().await, Bench::with(options));
    let final_answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
    peer.on(
        "/continue",
        Reply::verbatim(format!("HTTP/1.1 100 Continue\r\n\r\n{final_answer}")),
    )
    .on(
        "/hints",
        Reply::verbatim(format!("{hints}{hints}{final_answer}")),
    )
    .on("/only", Reply::verbatim(hints.repeat(2_000)))
    .on(
        "/switch",
        Reply::verbatim("HTTP/1.1 101 Switching Protocols\r\nupgrade: ws\r\n\r\n"),
    );
    for path in ["/continue", "/hints"] {
        let response = bench.fetch(post(&peer.url(path), "a")).await;
        assert_eq!(text(&response), "ok", "{path}");
    }
    for path in ["/only", "/switch"] {
        let response = bench.fetch(post(&peer.url(path), "a")).await;
        assert_ne!(response.status, 200, "{path}: {response:?}");
        assert_eq!(response.body, FetchBody::Empty);
    }
}

#[tokio::test]
async fn framing_that_can_be_read_in_two_ways_is_read_in_none() {
    let options = FetchOptions {
        total_timeout: Duration::from_millis(500),
        ..open_options()
    };
    let (peer, bench) = (Peer::start().await, Bench::with(options));
    let head = |lines: &str| Reply::verbatim(format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\nbody"));
    peer.on(
        "/two-lengths",
        head("content-length: 4\r\ncontent-length: 2"),
    )
    .on("/listed-lengths", head("content-length: 4, 2"))
    .on("/negative", head("content-length: -4"))
    .on("/signed", head("content-length: +4"))
    .on("/huge", head("content-length: 99999999999999999999999"))
    .on("/words", head("content-length: four"))
    .on(
        "/bad-chunk",
        Reply::verbatim(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nbody\r\n0\r\n\r\n",
        ),
    )
    .on(
        "/huge-chunk",
        Reply::verbatim(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\nbody",
        ),
    )
    .on("/unknown-coding", head("transfer-encoding: identity2"))
    .on("/spaced-name", head("content-length : 4"))
    .on("/no-name", head(": 4"))
    .on(
        "/bare-cr",
        Reply::verbatim("HTTP/1.1 200 OK\rcontent-length: 4\r\n\r\nbody"),
    )
    .on(
        "/version",
        Reply::verbatim("HTTP/3.0 200 OK\r\ncontent-length: 4\r\n\r\nbody"),
    )
    .on(
        "/status-word",
        Reply::verbatim("HTTP/1.1 abc OK\r\ncontent-length: 4\r\n\r\nbody"),
    )
    .on(
        "/status-long",
        Reply::verbatim("HTTP/1.1 2000 OK\r\ncontent-length: 4\r\n\r\nbody"),
    );
    for path in [
        "/two-lengths",
        "/listed-lengths",
        "/negative",
        "/signed",
        "/huge",
        "/words",
        "/bad-chunk",
        "/huge-chunk",
        "/unknown-coding",
        "/spaced-name",
        "/no-name",
        "/bare-cr",
        "/version",
        "/status-word",
        "/status-long",
    ] {
        let response = bench.fetch(post(&peer.url(path), "a")).await;
        assert_eq!(response.status, 599, "{path}: {response:?}");
        assert_eq!(response.body, FetchBody::Empty);
        assert_eq!(peer.calls(path), 1, "{path} is not asked for again");
    }
}

#[tokio::test]
async fn packed_bodies_that_are_cut_damaged_stretched_or_packed_twice_have_no_use() {
    let options = FetchOptions {
        total_timeout: Duration::from_millis(800),
        max_body: 200_000,
        ..open_options()
    };
    let (peer, bench) = (Peer::start().await, Bench::with(options));
    let good = pack(b"{\"a\":1}");
    let noise: Vec<u8> = (0..150_000_u32)
        .map(|it| (it.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let mut damaged = good.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0xff;
    peer.on("/cut", gzip(good[..good.len() - 4].to_vec()))
        .on("/damaged", gzip(damaged))
        .on("/followed", gzip([good.as_slice(), b"more"].concat()))
        .on("/members", gzip([good.clone(), good.clone()].concat()))
        .on("/plain", gzip(b"not packed at all".to_vec()))
        .on("/double", gzip(pack(&good)))
        .on(
            "/two-layers",
            Reply::status(200)
                .header("content-encoding", "gzip, gzip")
                .body(pack(&good)),
        )
        .on(
            "/unpacked",
            Reply::status(200)
                .header("content-encoding", "br")
                .body(good.clone()),
        )
        .on("/bomb", gzip(pack(&vec![0; 10_000_000])))
        .on(
            "/too-long",
            gzip(pack(&[noise.clone(), noise.clone()].concat())),
        )
        .on(
            "/trickled",
            gzip(pack(&noise)).trickle(10, Duration::from_millis(5)),
        )
        .on("/fine", gzip(pack(&b"abc ".repeat(1_000))));
    answers(
        &peer,
        &bench,
        &[
            ("/cut", 599, "cannot be unpacked"),
            ("/damaged", 599, "cannot be unpacked"),
            ("/followed", 599, "cannot be unpacked"),
            ("/members", 599, "cannot be unpacked"),
            ("/plain", 599, "cannot be unpacked"),
            ("/two-layers", 599, "not asked for (gzip, gzip)"),
            ("/unpacked", 599, "not asked for (br)"),
            ("/bomb", 599, "longer than 200000 bytes"),
            ("/too-long", 599, "longer than 200000 bytes"),
            ("/trickled", 599, "did not end within"),
            // One layer is undone; the second is a text like any other, and not JSON.
            ("/double", 200, ""),
            ("/fine", 200, ""),
        ],
    )
    .await;
}

#[tokio::test]
async fn heads_that_trickle_or_never_end_do_not_hold_a_call() {
    let options = FetchOptions {
        total_timeout: Duration::from_millis(400),
        ..open_options()
    };
    let (peer, bench) = (Peer::start().await, Bench::with(options));
    let endless = format!(
        "HTTP/1.1 200 OK\r\n{}",
        "x-more: and more\r\n".repeat(10_000)
    );
    let long_line = format!("HTTP/1.1 200 {}", "O".repeat(100_000));
    peer.on("/endless", Reply::verbatim(endless))
        .on("/long-line", Reply::verbatim(long_line))
        .on("/half", Reply::verbatim("HTTP/1.1 200 OK\r\nx-half: "))
        .on("/nothing", Reply::verbatim(""))
        .on(
            "/nul",
            Reply::verbatim("HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 2\r\n\r\nok"),
        );
    answers(
        &peer,
        &bench,
        &[
            ("/endless", 599, "broke off"),
            ("/long-line", 599, "broke off"),
            ("/half", 599, "did not answer within 400ms"),
            ("/nothing", 599, "did not answer within 400ms"),
            ("/nul", 599, "broke off"),
        ],
    )
    .await;
}
