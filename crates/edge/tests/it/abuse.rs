//! What a hostile client of HTTP/2 can do, over TCP and over TLS: it ends within a stated time, what it
//! makes us keep is bounded, and everybody else is served meanwhile.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use corkboard_edge::EdgeOptions;
use tokio::time::{Instant, sleep};

use crate::books::Books;
use crate::frames::{
    ACK, CONTINUATION, DATA, END_STREAM, Frame, HEADERS, PING, PRIORITY, RST_STREAM, Raw, block,
    frame, get, post, reset, room, setting,
};
use crate::server::{Server, patient};
use crate::tls::Identity;

/// The default of the protocol.
const WINDOW: u32 = 65_535;
const REFUSED_STREAM: u32 = 7;

/// One server for each transport.
struct Stage {
    server: Server,
    identity: Option<Identity>,
}

impl Stage {
    fn both() -> [Self; 2] {
        let options = EdgeOptions {
            http2: true,
            ..patient()
        };
        let identity = Identity::new();
        [
            Self {
                server: Server::start(options.clone()),
                identity: None,
            },
            Self {
                server: Server::start(EdgeOptions {
                    tls: Some(identity.certificates()),
                    ..options
                }),
                identity: Some(identity),
            },
        ]
    }

    async fn attacker(&self, window: u32) -> Raw {
        match &self.identity {
            None => {
                let stream = self.server.dial().await;
                Raw::greet(stream, window).await
            }
            Some(identity) => {
                let stream = identity.connect(&self.server, b"h2").await.unwrap();
                Raw::greet(stream, window).await
            }
        }
    }

    /// Somebody else, who must not feel any of it.
    async fn neighbour(&self) -> Raw {
        let mut neighbour = self.attacker(WINDOW).await;
        served(&mut neighbour, 1).await;
        neighbour
    }
}

/// One request and its whole answer.
async fn served(client: &mut Raw, stream: u32) {
    client.send(&get(stream, "/served")).await;
    let last = client.until(|frame| frame.stream == stream && frame.flags & END_STREAM != 0);
    assert_eq!(last.await.payload, b"/served");
}

/// Why a stream was reset.
fn code(reset: &Frame) -> u32 {
    u32::from_be_bytes(reset.payload[..4].try_into().unwrap())
}

/// The status in a compressed header block: 4 and 0 and 8 are 6, 5 and 6 bits of Huffman's code.
const HUFFMAN_408: [u8; 3] = [0b0110_1000, 0b0000_1111, 0b0111_1111];

fn contains(block: &[u8], part: [u8; 3]) -> bool {
    block.windows(3).any(|window| window == part)
}

#[tokio::test]
async fn rapid_reset_ends_the_connection_after_a_few_hundred_streams() {
    for stage in Stage::both() {
        let mut neighbour = stage.neighbour().await;
        let mut attacker = stage.attacker(WINDOW).await;
        let flood = attacker.flood(|count| {
            let streams = (0..50).map(|one| 2 * (50 * count + one) + 1);
            streams
                .flat_map(|stream| [get(stream, "/forever"), reset(stream)].concat())
                .collect()
        });
        let serving = async {
            for stream in 1..100 {
                served(&mut neighbour, 2 * stream + 1).await;
            }
        };
        let ((bursts, took), ()) = tokio::join!(flood, serving);
        assert!(bursts < 1_000, "{bursts} bursts of 50");
        assert!(took < Duration::from_secs(5), "{took:?}");
        assert_eq!(stage.server.open.load(Relaxed), 0);
    }
}

#[tokio::test]
async fn a_header_block_without_end_ends_the_connection() {
    for stage in Stage::both() {
        let mut attacker = stage.attacker(WINDOW).await;
        attacker
            .send(&frame(HEADERS, END_STREAM, 1, &block(2, "/")))
            .await;
        let part = frame(CONTINUATION, 0, 1, &b"\x00\x01x\x01y".repeat(200));
        let size = part.len();
        let (frames, took) = attacker.flood(|_| part.clone()).await;
        let sent = size * usize::try_from(frames).unwrap();
        // What the kernel takes before the end is seen is in it.
        assert!(sent < 8 * 1024 * 1024, "{sent} bytes were taken");
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn half_a_header_block_is_closed_with_the_first_ones_time_out_or_a_missed_ping() {
    for stage in Stage::both() {
        let half = |stream| frame(HEADERS, END_STREAM, stream, &block(2, "/"));
        let mut first = stage.attacker(WINDOW).await;
        let start = Instant::now();
        first.send(&half(1)).await;
        first.says_no_more();
        first.ended().await;
        assert_eq!(start.elapsed().as_secs(), 10);
        // Within a block nothing else may be sent, an answer to a ping neither.
        let mut later = stage.attacker(WINDOW).await;
        served(&mut later, 1).await;
        let start = Instant::now();
        later.send(&half(3)).await;
        later.says_no_more();
        later.ended().await;
        assert_eq!(start.elapsed().as_secs(), 30);
    }
}

#[tokio::test(start_paused = true)]
async fn pings_and_settings_keep_no_connection_open() {
    for stage in Stage::both() {
        for part in [frame(PING, 0, 0, &[7; 8]), setting(4, WINDOW)] {
            let mut attacker = stage.attacker(WINDOW).await;
            let mut neighbour = stage.neighbour().await;
            let start = Instant::now();
            // Slowly enough not to be a flood.
            let many = part.repeat(9);
            let flood = attacker.paced_flood(&many, Duration::from_millis(100));
            let serving = async {
                for stream in 1..100 {
                    served(&mut neighbour, 2 * stream + 1).await;
                }
            };
            tokio::join!(flood, serving);
            assert_eq!(start.elapsed().as_secs(), 10);
        }
    }
}

#[tokio::test]
async fn a_flood_of_cheap_frames_beside_a_live_request_ends_the_connection() {
    let books = Books::open();
    let frames = [
        frame(PING, 0, 0, &[7; 8]),
        frame(PING, ACK, 0, &[7; 8]),
        setting(4, WINDOW),
        room(0, 1),
        frame(PRIORITY, 0, 3, &[0, 0, 0, 0, 16]),
        // Of a kind that nobody knows.
        frame(200, 0, 0, b""),
        // Crumbs of a body.
        frame(DATA, 0, 3, b"x"),
    ];
    for stage in Stage::both() {
        for part in &frames {
            let mut neighbour = stage.neighbour().await;
            let mut attacker = stage.attacker(WINDOW).await;
            attacker.send(&get(1, "/gate")).await;
            stage.server.reached.notified().await;
            attacker.send(&post(3, "/echo")).await;
            let many = part.repeat(50);
            let flood = attacker.flood(|_| many.clone());
            let serving = async {
                for stream in 1..100 {
                    served(&mut neighbour, 2 * stream + 1).await;
                }
            };
            let ((bursts, took), ()) = tokio::join!(flood, serving);
            // What the kernel takes before the end is seen is in it.
            assert!(bursts < 20_000, "{bursts} bursts of 50, kind {}", part[3]);
            assert!(took < Duration::from_secs(5), "{took:?}");
            assert_eq!(stage.server.open.load(Relaxed), 0);
        }
    }
    let floods = f64::from(u32::try_from(2 * frames.len()).unwrap());
    books
        .until(|books| books.read("corkboard_edge_closed_total flood") == floods)
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_busy_connection_that_makes_room_and_pings_is_no_flood() {
    for stage in Stage::both() {
        let mut client = stage.attacker(WINDOW).await;
        let mut stream = 1;
        for _ in 0..5 {
            let start = Instant::now();
            for _ in 0..1_000 {
                // As a careful client does: room for the stream and for the connection, and a ping.
                let ping = frame(PING, 0, 0, &[7; 8]);
                let talk = [room(0, 100), ping.clone(), room(0, 1), ping].concat();
                client.send(&get(stream, "/served")).await;
                client.send(&[room(stream, 100), talk].concat()).await;
                let last = |frame: &Frame| frame.stream == stream && frame.flags & END_STREAM != 0;
                assert_eq!(client.until(last).await.payload, b"/served");
                stream += 2;
            }
            tokio::time::sleep_until(start + Duration::from_secs(1)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_much_and_makes_no_room_is_cut_off_and_keeps_little() {
    for stage in Stage::both() {
        for window in [0, 1] {
            let mut neighbour = stage.neighbour().await;
            let mut attacker = stage.attacker(window).await;
            let start = Instant::now();
            for stream in 0..100 {
                attacker.send(&get(2 * stream + 1, "/flood")).await;
            }
            for _ in 0..100 {
                attacker.until(|frame| frame.kind == HEADERS).await;
            }
            assert_eq!(stage.server.open.load(Relaxed), 100);
            served(&mut neighbour, 3).await;
            attacker.ended().await;
            assert_eq!(start.elapsed().as_secs(), 30);
            let produced = stage.server.produced.swap(0, Relaxed);
            assert!(produced <= 100 * 64 * 1024, "{produced} bytes wait");
            assert_eq!(stage.server.open.load(Relaxed), 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_byte_of_room_does_not_hide_a_response_from_its_time_out() {
    for stage in Stage::both() {
        let mut attacker = stage.attacker(1).await;
        for (stream, path) in [(1, "/large"), (3, "/medium")] {
            attacker.send(&get(stream, path)).await;
            attacker.until(|frame| frame.kind == DATA).await;
        }
        // Others on the connection go on, so that only these are given up.
        for second in 0..29 {
            sleep(Duration::from_secs(1)).await;
            let stream = 2 * second + 5;
            attacker.send(&get(stream, "/a")).await;
            attacker.send(&room(stream, 10)).await;
        }
        attacker.send(&get(1_001, "/gate")).await;
        stage.server.reached.notified().await;
        assert_eq!(stage.server.open.load(Relaxed), 2, "both are on their way");
        for _ in 0..2 {
            attacker.until(|frame| frame.kind == RST_STREAM).await;
        }
        assert_eq!(stage.server.open.load(Relaxed), 0);
        assert_eq!(attacker.resets, [1, 3], "and nobody else");
        stage.server.gate.notify_one();
        attacker.until(|frame| frame.stream == 1_001).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_that_is_taken_slowly_but_at_the_rate_arrives() {
    for stage in Stage::both() {
        let mut client = stage.attacker(1).await;
        client.send(&get(1, "/large")).await;
        let (large, step) = (512 * 1024, 8 * 1024);
        let mut room_made = 1;
        while client.data < large {
            while client.data < room_made.min(large) {
                client.until(|frame| frame.kind == DATA).await;
            }
            sleep(Duration::from_secs(5)).await;
            client.send(&room(1, step)).await;
            client.send(&room(0, step)).await;
            room_made += usize::try_from(step).unwrap();
        }
        assert_eq!(client.data, large);
        assert!(client.resets.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_drips_is_answered_with_408_and_its_neighbours_are_served() {
    for stage in Stage::both() {
        let mut attacker = stage.attacker(WINDOW).await;
        let start = Instant::now();
        attacker.send(&post(1, "/echo")).await;
        for second in 0..29 {
            sleep(Duration::from_secs(1)).await;
            attacker.send(&frame(DATA, 0, 1, b"drip")).await;
            served(&mut attacker, 2 * second + 3).await;
        }
        let head = attacker
            .until(|frame| frame.kind == HEADERS && frame.stream == 1)
            .await;
        assert!(contains(&head.payload, HUFFMAN_408), "{head:?}");
        assert_eq!(start.elapsed().as_secs(), 30);
        served(&mut attacker, 1_001).await;
    }
}

#[tokio::test]
async fn more_streams_than_agreed_are_refused_and_the_others_answered() {
    for stage in Stage::both() {
        let mut client = stage.attacker(WINDOW).await;
        for stream in 0..150 {
            client.send(&get(2 * stream + 1, "/gate")).await;
        }
        for _ in 0..50 {
            let refused = client.until(|frame| frame.kind == RST_STREAM).await;
            assert_eq!(code(&refused), REFUSED_STREAM);
        }
        for _ in 0..100 {
            stage.server.gate.notify_one();
            client
                .until(|frame| frame.kind == DATA && frame.flags & END_STREAM != 0)
                .await;
        }
        assert_eq!(client.resets.len(), 50);
    }
}
