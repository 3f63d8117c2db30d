//! Name servers that lie, flip, stall and flood. Whatever they say, nothing listens in vain inside:
//! the canaries on the forbidden addresses hear not one connection.
//!
//! 127.0.0.1 stands for the public internet (it is let through), everything else is the inside. The
//! canaries listen on the port that is being called.

use std::net::TcpListener;

use corkboard_core::connected::{FetchCaching, FetchRequest, FetchResponse};
use corkboard_testkit::{Peer, Reply};

use crate::bench_client::{Bench, get};

/// Each is tried this often.
const TRIES: usize = 25;

struct Canaries(Vec<TcpListener>);

impl Canaries {
    fn on(port: u16) -> Self {
        let listen = |address: &str| {
            let listener = TcpListener::bind((address, port)).ok()?;
            listener.set_nonblocking(true).ok()?;
            Some(listener)
        };
        let inside = ["127.0.0.2", "127.0.0.3", "127.255.255.254", "::1"];
        let canaries: Vec<_> = inside.into_iter().filter_map(listen).collect();
        assert!(canaries.len() >= 3, "the IPv4 ones can always listen");
        Self(canaries)
    }

    /// The kernel completes handshakes by itself: whatever connected is waiting to be accepted.
    fn heard(&self) -> usize {
        let accepted = |it: &TcpListener| std::iter::from_fn(|| it.accept().ok()).count();
        self.0.iter().map(accepted).sum()
    }
}

struct World {
    outside: Peer,
    canaries: Canaries,
    bench: Bench,
}

impl World {
    async fn new() -> Self {
        let outside = Peer::start().await;
        // Every call needs a new connection, and so a new lookup.
        outside.on("/*", Reply::text("outside").header("connection", "close"));
        let canaries = Canaries::on(outside.address().port());
        let bench = Bench::open();
        Self {
            outside,
            canaries,
            bench,
        }
    }

    async fn ask(&self, name: &str) -> FetchResponse {
        let request = FetchRequest {
            caching: FetchCaching::Never,
            ..get(&self.outside.url_as(name, "/"))
        };
        self.bench.fetch(request).await
    }

    /// Asks again and again, and returns how often an answer came from outside and how often the
    /// guard refused; nothing else may happen.
    async fn tries(&self, name: &str) -> (usize, usize) {
        let (mut good, mut refused) = (0, 0);
        for number in 0..TRIES {
            let response = self.ask(name).await;
            match response.status {
                200 => good += 1,
                0 => refused += 1,
                other => panic!("{name}, try {number}: {other} {:?}", response.report),
            }
        }
        assert_eq!(self.canaries.heard(), 0, "{name} reached the inside");
        (good, refused)
    }
}

const GOOD: &str = "127.0.0.1";
const BAD: &str = "127.0.0.2";

#[tokio::test]
async fn answers_that_are_bad_in_any_way_are_refused_every_time() {
    let world = World::new().await;
    let many: Vec<&str> = std::iter::repeat_n(GOOD, 100).chain([BAD]).collect();
    let flood: Vec<&str> = std::iter::repeat_n(GOOD, 5_000)
        .chain([BAD])
        .chain(std::iter::repeat_n(GOOD, 5_000))
        .collect();
    let scenarios: [(&str, &[&str]); 14] = [
        ("plain.example", &[BAD]),
        ("good-then-bad.example", &[GOOD, BAD]),
        ("bad-then-good.example", &[BAD, GOOD]),
        ("private-aaaa.example", &[GOOD, "fd00:ec2::254"]),
        ("loopback-aaaa.example", &[GOOD, "::1"]),
        ("alias-of-the-inside.example", &["127.0.0.3"]),
        ("a-hundred.example", &many),
        ("larger-than-a-datagram.example", &flood),
        ("unspecified.example", &["0.0.0.0"]),
        ("unspecified6.example", &["::"]),
        ("mapped.example", &["::ffff:127.0.0.2"]),
        ("translated.example", &["64:ff9b::127.0.0.2"]),
        ("six-to-four.example", &["2002:7f00:2::1"]),
        // One label: whatever domain a resolver hangs behind it.
        ("intranet", &["127.255.255.254"]),
    ];
    for (name, addresses) in scenarios {
        world.bench.resolver.name(name, &[addresses]);
        assert_eq!(world.tries(name).await, (0, TRIES), "{name}");
    }
    assert_eq!(world.outside.connections(), 0, "not even the good ones");
}

#[tokio::test]
async fn answers_that_flip_are_judged_each_time() {
    let world = World::new().await;
    let flips: [(&str, &[&[&str]], usize); 3] = [
        ("flip-at-once.example", &[&[GOOD], &[BAD]], 1),
        (
            "flip-later.example",
            &[&[GOOD], &[GOOD], &[GOOD], &[BAD]],
            3,
        ),
        (
            "back-and-forth.example",
            &[&[BAD], &[GOOD], &[BAD], &[GOOD, BAD]],
            1,
        ),
    ];
    for (name, turns, good) in flips {
        world.bench.resolver.name(name, turns);
        assert_eq!(world.tries(name).await, (good, TRIES - good), "{name}");
    }
    let lookups = world.bench.resolver.lookups();
    assert_eq!(lookups, 3 * TRIES, "one for a connection, none behind it");
}

#[tokio::test]
async fn a_name_that_is_not_there_first_and_inside_then_is_refused() {
    let world = World::new().await;
    let first = world.ask("late.example").await;
    assert_eq!(first.status, 599, "no such name");
    world.bench.resolver.name("late.example", &[&[BAD]]);
    assert_eq!(world.tries("late.example").await, (0, TRIES));
}

#[tokio::test]
async fn a_slow_answer_is_judged_like_a_quick_one() {
    let world = World::new().await;
    world
        .bench
        .resolver
        .name("slow.example", &[&[GOOD], &[BAD]]);
    world.bench.resolver.delay("slow.example");
    assert_eq!(world.tries("slow.example").await, (1, TRIES - 1));
}
