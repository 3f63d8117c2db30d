//! How much a client of HTTP/2 may say beside its requests.
//!
//! PING, SETTINGS, WINDOW_UPDATE, PRIORITY, crumbs of DATA: each is a few bytes for the client and work for
//! us, the protocol bounds none of them, and beside one request that is being answered no time-out ends
//! a flood of them. So the frames that come in are counted by their headers, before anybody works on
//! them. Each one costs a point; time, requests and the bytes of responses bring points. Who has none
//! left is cut off.

use std::time::Duration;

use tokio::time::Instant;

use crate::http2::PREFACE;

/// Points that a request brings: its own frames, room for its response, pings beside it.
const POINTS_A_REQUEST: u32 = 16;
/// Bytes of responses that bring a point: clients may make room twice for every frame they get.
const BYTES_A_POINT: u32 = 512;
/// What may be saved up, in seconds of doing nothing; also what a connection begins with.
const SAVED: Duration = Duration::from_secs(10);

/// Kind of frame and length from which on a piece of a body is work, not talk.
const DATA: u8 = 0;
const PIECE: u32 = 64;
const FRAME_HEADER: usize = 9;

/// Counts the frames in a client's bytes, wherever those are cut.
#[derive(Debug)]
struct Frames {
    /// Of the preface or of a frame's payload, what is still to come.
    skip: usize,
    /// The length and kind of a frame whose header is coming.
    head: [u8; 4],
    /// Bytes of that header that are there.
    have: usize,
}

impl Frames {
    /// At the beginning of a connection.
    fn new() -> Self {
        Self {
            skip: PREFACE.len(),
            head: [0; 4],
            have: 0,
        }
    }

    /// The frames whose headers end in these bytes, but for pieces of bodies.
    fn count(&mut self, mut bytes: &[u8]) -> u32 {
        let mut count: u32 = 0;
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let Some((byte, rest)) = bytes.split_first() else {
                return count;
            };
            bytes = rest;
            if let Some(place) = self.head.get_mut(self.have) {
                *place = *byte;
            }
            self.have += 1;
            if self.have == FRAME_HEADER {
                self.have = 0;
                let [a, b, c, kind] = self.head;
                let length = u32::from_be_bytes([0, a, b, c]);
                self.skip = length as usize;
                count = count.saturating_add(u32::from(kind != DATA || length < PIECE));
            }
        }
    }
}

/// The points of one connection.
#[derive(Debug)]
pub(crate) struct Chatter {
    frames: Frames,
    points: f64,
    /// Points that a second brings.
    rate: f64,
    since: Instant,
}

impl Chatter {
    /// A connection that begins now; `rate` is how many such frames a second it may send for nothing.
    pub(crate) fn new(rate: u32) -> Self {
        let rate = f64::from(rate);
        Self {
            frames: Frames::new(),
            points: rate * SAVED.as_secs_f64(),
            rate,
            since: Instant::now(),
        }
    }

    /// So many requests have begun.
    pub(crate) fn asked(&mut self, requests: u32) {
        self.points += f64::from(requests.saturating_mul(POINTS_A_REQUEST));
    }

    /// The client took so many bytes.
    pub(crate) fn wrote(&mut self, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.points += f64::from(bytes) / f64::from(BYTES_A_POINT);
    }

    /// The client sent these bytes; whether it may.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> bool {
        let now = Instant::now();
        let passed = now.duration_since(self.since).as_secs_f64();
        self.since = now;
        let most = self.rate * SAVED.as_secs_f64();
        self.points = (self.points + passed * self.rate).min(most);
        self.points -= f64::from(self.frames.count(bytes));
        self.points >= 0.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PING: u8 = 6;

    fn frame(kind: u8, length: usize) -> Vec<u8> {
        let [_, a, b, c] = u32::try_from(length).unwrap().to_be_bytes();
        let mut frame = vec![a, b, c, kind, 0, 0, 0, 0, 1];
        frame.resize(FRAME_HEADER + length, 0xff);
        frame
    }

    proptest! {
        #[test]
        fn frames_are_counted_alike_wherever_their_bytes_are_cut(
            frames in proptest::collection::vec((0_u8..12, 0_usize..200), 0..40),
            cuts in proptest::collection::vec(0_usize..9_000, 0..40),
        ) {
            let mut bytes = PREFACE.to_vec();
            let mut expected = 0;
            for (kind, length) in frames {
                bytes.extend(frame(kind, length));
                expected += u32::from(kind != DATA || length < 64);
            }
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut < bytes.len()).collect();
            cuts.push(bytes.len());
            cuts.sort_unstable();
            let (mut counter, mut count, mut from) = (Frames::new(), 0, 0);
            for cut in cuts {
                count += counter.count(&bytes[from..cut]);
                from = cut;
            }
            prop_assert_eq!(count, expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_ends_after_what_is_saved_and_talk_at_the_rate_does_not() {
        let mut flood = Chatter::new(100);
        assert!(flood.read(PREFACE));
        let ping = frame(PING, 8);
        assert!((0..1_000).all(|_| flood.read(&ping)));
        assert!(!flood.read(&ping));

        let mut talk = Chatter::new(100);
        assert!(talk.read(PREFACE));
        for _ in 0..600 {
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!((0..100).all(|_| talk.read(&ping)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn requests_and_responses_pay_for_the_frames_they_bring() {
        let mut busy = Chatter::new(1);
        assert!(busy.read(PREFACE));
        for _ in 0..10_000 {
            busy.asked(1);
            assert!(busy.read(&frame(1, 50)));
            busy.wrote(16 * 1024);
            for _ in 0..4 {
                assert!(busy.read(&frame(8, 4)));
            }
        }
        // What was not used is not saved without end.
        assert!(!(0..100).all(|_| busy.read(&frame(PING, 8))));
    }
}
