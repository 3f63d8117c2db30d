//! Redirects, where a credential lets them be followed: every hop is judged like a first call.
//!
//! 127.0.0.1 stands for the public internet here, everything else is the inside.

use std::time::Duration;

use corkboard_core::connected::{ConnectedContent, FetchMethod, FetchRequest, FetchResponse};
use corkboard_fetch::{Credential, CredentialBook, FetchClient, FetchOptions};
use corkboard_testkit::{Peer, Reply};

use crate::bench_client::{expect_failure, get, open_options, scope, text};
use crate::credentials::{Records, client_with};

const CODES: [u16; 5] = [301, 302, 303, 307, 308];

/// May be sent to the whole of the public internet, such as it is here.
fn follower(hosts: &[&str]) -> CredentialBook {
    let book = CredentialBook::default();
    let secret = Credential::headers([("x-key", "s3cret")], hosts).expect("a credential");
    let secret = secret.over_plain_http().following_redirects();
    book.put(scope(1).workspace, "api", secret);
    book
}

fn world(options: FetchOptions, hosts: &[&str]) -> (FetchClient, Records) {
    client_with(options, &follower(hosts))
}

fn request(url: &str) -> FetchRequest {
    let mut request = FetchRequest {
        credential: Some("api".to_owned()),
        ..get(url)
    };
    for (name, value) in [
        ("authorization", "Bearer t"),
        ("cookie", "c=1"),
        ("x-own", "o"),
    ] {
        request.headers.insert(name.to_owned(), value.to_owned());
    }
    request
}

async fn fetch(client: &FetchClient, request: FetchRequest) -> FetchResponse {
    client.fetch(scope(1), request).await
}

#[tokio::test]
async fn without_a_credential_that_says_so_none_is_followed() {
    let (peer, elsewhere) = (Peer::start().await, Peer::start().await);
    let book = CredentialBook::default();
    let plain = Credential::headers([("x-key", "s3cret")], &["127.0.0.1"]).unwrap();
    book.put(scope(1).workspace, "api", plain.over_plain_http());
    let (client, _records) = client_with(open_options(), &book);
    for status in CODES {
        let path = format!("/{status}");
        peer.on(&path, Reply::redirect(status, &elsewhere.url("/")));
        let kept = fetch(&client, request(&peer.url(&path))).await;
        expect_failure(&kept, status, "redirects are not followed");
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn up_to_three_hops_are_followed_and_each_is_recorded() {
    let peer = Peer::start().await;
    let (client, mut records) = world(open_options(), &["127.0.0.1"]);
    for hop in 1..=5 {
        let next = format!("/{}", hop - 1);
        peer.on(&format!("/{hop}"), Reply::redirect(302, &next));
    }
    peer.on("/0", Reply::text("arrived"));
    let arrived = fetch(&client, request(&peer.url("/3"))).await;
    assert_eq!(text(&arrived), "arrived");
    let statuses: Vec<u16> = std::iter::from_fn(|| records.try_recv().ok())
        .map(|record| record.status)
        .collect();
    assert_eq!(statuses, [302, 302, 302, 200]);
    let seen = peer.requests();
    assert!(seen.iter().all(|it| it.header("x-key") == Some("s3cret")));
    assert!(seen.iter().all(|it| it.header("referer").is_none()));
    let too_many = fetch(&client, request(&peer.url("/5"))).await;
    expect_failure(&too_many, 302, "one redirect more than are followed");
    assert_eq!(peer.calls("/1"), 1, "the fourth hop is not made");
    peer.on("/loop", Reply::redirect(307, "/loop"));
    let looping = fetch(&client, request(&peer.url("/loop"))).await;
    expect_failure(&looping, 307, "one redirect more");
    assert_eq!(peer.calls("/loop"), 4);
}

#[tokio::test]
async fn the_method_follows_the_status() {
    let peer = Peer::start().await;
    let (client, _records) = world(open_options(), &["127.0.0.1"]);
    peer.on("/end", Reply::text("end"));
    for (status, method, arrives_as) in [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (307, "POST", "POST"),
        (308, "POST", "POST"),
        (301, "PUT", "PUT"),
        (302, "PATCH", "PATCH"),
        (303, "PUT", "GET"),
        (307, "DELETE", "DELETE"),
        (308, "PATCH", "PATCH"),
    ] {
        peer.on("/start", Reply::redirect(status, "/end"));
        let request = FetchRequest {
            method: FetchMethod::named(method).unwrap(),
            body: Some("a=1".to_owned()),
            ..request(&peer.url("/start"))
        };
        assert_eq!(text(&fetch(&client, request).await), "end");
        let seen = peer.requests().pop().unwrap();
        assert_eq!(seen.method, arrives_as, "{status} {method}");
        let whole = arrives_as != "GET";
        assert_eq!(seen.body.is_empty(), !whole, "{status} {method}");
        assert_eq!(seen.header("content-type").is_some(), whole);
    }
}

#[tokio::test]
async fn at_another_origin_nothing_secret_arrives_and_it_does_not_come_back() {
    let (first, second) = (Peer::start().await, Peer::start().await);
    let (client, _records) = world(open_options(), &["127.0.0.1"]);
    for status in CODES {
        first.on("/start", Reply::redirect(status, &second.url("/there")));
        second.on("/there", Reply::redirect(status, &first.url("/back")));
        first.on("/back", Reply::text("back"));
        let start = format!("/start?{status}");
        assert_eq!(
            text(&fetch(&client, request(&first.url(&start))).await),
            "back"
        );
        let (there, back) = (
            second.requests().pop().unwrap(),
            first.requests().pop().unwrap(),
        );
        assert_eq!(
            there.header("host"),
            Some(second.address().to_string().as_str())
        );
        for seen in [there, back] {
            for name in ["authorization", "cookie", "x-own", "x-key", "referer"] {
                assert_eq!(seen.header(name), None, "{status}: {name}");
            }
            assert_eq!(seen.header("accept"), Some("*/*"));
        }
    }
}

#[tokio::test]
async fn no_code_leads_to_a_forbidden_target_on_any_hop() {
    let peer = Peer::start().await;
    let port = peer.address().port();
    let canary = std::net::TcpListener::bind(("127.0.0.2", port)).expect("a free port");
    canary.set_nonblocking(true).expect("any listener can");
    // Bound to everything that could be meant, so that only the guard stands in the way.
    let hosts = [
        "127.0.0.1",
        "127.0.0.2",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "0.0.0.0",
        "255.255.255.255",
        "224.0.0.1",
        "[::1]",
        "[::]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[ff02::1]",
        "[::ffff:127.0.0.2]",
        "[64:ff9b::7f00:2]",
        "[2002:7f00:2::1]",
        "inside.example",
        "mixed.example",
        "localhost",
    ];
    let (client, _records) = world(open_options(), &hosts);
    let targets = [
        "http://127.0.0.2:PORT/",
        "http://127.2:PORT/",
        "http://2130706434:PORT/",
        "http://0x7f000002:PORT/",
        "http://0177.0.0.2:PORT/",
        "http://127.0.0.2.:PORT/",
        "http://１２７.0.0.2:PORT/",
        "http://127。0。0。2:PORT/",
        "http://%31%32%37.0.0.2:PORT/",
        "//127.0.0.2:PORT/",
        "\\\\127.0.0.2:PORT\\",
        "///127.0.0.2:PORT/",
        "http:/\\127.0.0.2:PORT/",
        "http://[::ffff:127.0.0.2]:PORT/",
        "http://[64:ff9b::7f00:2]:PORT/",
        "http://[2002:7f00:2::1]:PORT/",
        "http://[::1]:PORT/",
        "http://[::]:PORT/",
        "http://0.0.0.0:PORT/",
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "http://192.168.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://100.100.100.200/",
        "http://168.63.129.16/",
        "http://192.0.0.192/",
        "http://[fd00:ec2::254]/",
        "http://[fe80::1]/",
        "http://255.255.255.255/",
        "http://inside.example:PORT/",
        "http://mixed.example:PORT/",
        "http://user@127.0.0.1:PORT/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:PORT/_",
        "ftp://127.0.0.1:PORT/",
        "javascript:0",
        "http://127.0.0.1:0/",
        "http://unbound.example/",
        "http://8.8.8.8/",
    ];
    let mut judged = 0;
    for status in CODES {
        for target in targets {
            let target = target.replace("PORT", &port.to_string());
            for hop in 1..=3 {
                // Hops that are fine lead to the one that is not.
                for before in 2..=hop {
                    peer.on(
                        &format!("/{before}"),
                        Reply::redirect(status, &format!("/{}", before - 1)),
                    );
                }
                peer.on("/1", Reply::redirect(status, &target));
                let fetched = fetch(&client, request(&peer.url(&format!("/{hop}")))).await;
                let why = fetched.report.problem.as_deref().unwrap_or_default();
                let refused = fetched.status == 0 || why.contains("without a usable Location");
                assert!(refused, "{status} to {target}: {fetched:?}");
                judged += 1;
            }
        }
    }
    assert_eq!(judged, 5 * targets.len() * 3);
    assert!(canary.accept().is_err(), "the canary heard something");
}

#[tokio::test]
async fn https_never_becomes_http_and_http_may_become_https() {
    let (secure, certificate) = Peer::start_tls().await;
    let plain = Peer::start().await;
    let options = FetchOptions {
        extra_roots: vec![certificate],
        ..open_options()
    };
    let (client, _records) = world(options, &["localhost", "127.0.0.1"]);
    plain
        .on(
            "/up",
            Reply::redirect(308, &secure.url_as("localhost", "/end")),
        )
        .on("/end", Reply::text("plain"));
    for status in CODES {
        secure.on(
            "/down",
            Reply::redirect(status, &plain.url_as("localhost", "/end")),
        );
        let refused = fetch(&client, request(&secure.url_as("localhost", "/down"))).await;
        expect_failure(&refused, 0, "leads from https to http");
    }
    secure.on("/end", Reply::text("secure"));
    assert_eq!(plain.total_calls(), 0);
    let up = fetch(&client, request(&plain.url("/up"))).await;
    assert_eq!(text(&up), "secure");
}

#[tokio::test]
async fn a_redirect_without_a_place_is_an_answer_and_all_hops_share_one_time_out() {
    let peer = Peer::start().await;
    let (client, _records) = world(open_options(), &["127.0.0.1"]);
    peer.on("/nowhere", Reply::status(302))
        .on("/nonsense", Reply::redirect(302, "http://"))
        .on("/304", Reply::status(304))
        .on("/300", Reply::redirect(300, "/end"));
    for (path, status, reason) in [
        ("/nowhere", 302, "without a usable Location"),
        ("/nonsense", 302, "without a usable Location"),
        ("/304", 304, "304"),
        ("/300", 300, "300"),
    ] {
        expect_failure(
            &fetch(&client, request(&peer.url(path))).await,
            status,
            reason,
        );
    }
    let pause = Duration::from_millis(250);
    for hop in 1..=3 {
        let next = format!("/slow/{}", hop - 1);
        peer.on(
            &format!("/slow/{hop}"),
            Reply::redirect(302, &next).delay(pause),
        );
    }
    peer.on("/slow/0", Reply::text("late").delay(pause));
    let request = FetchRequest {
        timeout: Some(Duration::from_millis(600)),
        ..request(&peer.url("/slow/3"))
    };
    let late = fetch(&client, request).await;
    assert_eq!(late.status, 599, "{late:?}");
    assert!(late.report.elapsed < Duration::from_millis(950), "{late:?}");
}
