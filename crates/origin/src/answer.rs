//! What is known about one key: its body or that there is none, and how long that may be said.

use std::time::Duration;

use bytes::Bytes;
use corkboard_core::time::Timestamp;
use http::HeaderValue;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use crate::key::Key;

/// How long answers may be served. All are counted from when the source was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifetimes {
    /// That a key has no row is remembered this long.
    pub missing: Duration,
    /// After its `ttl`, a row is still served this long while it is read anew behind the reader's back.
    pub stale_while_revalidate: Duration,
    /// After its `ttl`, a row stands in this long for a source that cannot be read.
    pub stale_if_error: Duration,
    /// By how much of it a lifetime may be shortened, in per cent, so that rows loaded together are
    /// not read again together.
    pub jitter_percent: u8,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            missing: Duration::from_secs(5),
            stale_while_revalidate: Duration::from_secs(30),
            stale_if_error: Duration::from_secs(3_600),
            jitter_percent: 20,
        }
    }
}

impl Lifetimes {
    /// The `ttl` of this key: always the same for the same key, so that every process agrees.
    pub(crate) fn ttl(&self, ttl: Duration, key: &Key) -> Duration {
        let spread = u64::from(self.jitter_percent.min(90));
        // In thousandths, so that many rows have many ends.
        let off = xxh3_64(key.as_str().as_bytes()) % (10 * spread + 1);
        ttl.mul_f64(f64::from(u16::try_from(1_000 - off).unwrap_or(1_000)) / 1_000.0)
    }
}

/// An answer that can be served again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// `None`: there is no row.
    pub(crate) body: Option<Body>,
    /// When the source was read.
    pub(crate) read_at: Timestamp,
    fresh_until: Timestamp,
    revalidate_until: Timestamp,
    error_until: Timestamp,
}

/// The bytes and their validator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) bytes: Bytes,
    pub(crate) etag: HeaderValue,
}

/// What an answer is good for at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
    Fresh,
    /// To be served while it is read anew.
    Stale,
    /// To be served only if it cannot be read anew.
    LastResort,
    Over,
}

impl Answer {
    pub(crate) fn row(
        bytes: Bytes,
        read_at: Timestamp,
        ttl: Duration,
        lifetimes: &Lifetimes,
    ) -> Self {
        let fresh_until = read_at.plus(ttl);
        Self {
            body: Some(Body {
                etag: etag(&bytes),
                bytes,
            }),
            read_at,
            fresh_until,
            revalidate_until: fresh_until.plus(lifetimes.stale_while_revalidate),
            error_until: fresh_until.plus(lifetimes.stale_if_error),
        }
    }

    /// Of a key that has no row.
    pub(crate) fn missing(read_at: Timestamp, lifetimes: &Lifetimes) -> Self {
        let until = read_at.plus(lifetimes.missing);
        Self {
            body: None,
            read_at,
            fresh_until: until,
            revalidate_until: until,
            error_until: until,
        }
    }

    pub(crate) fn age(&self, now: Timestamp) -> Age {
        if now < self.fresh_until {
            Age::Fresh
        } else if now < self.revalidate_until {
            Age::Stale
        } else if now < self.error_until {
            Age::LastResort
        } else {
            Age::Over
        }
    }

    /// How long it will be of any use.
    pub(crate) fn life(&self, now: Timestamp) -> Duration {
        self.error_until.since(now)
    }

    /// Whole seconds since the source was read.
    pub(crate) fn seconds_old(&self, now: Timestamp) -> u64 {
        now.since(self.read_at).as_secs()
    }

    /// Whole seconds that it is fresh for, from when the source was read.
    pub(crate) fn seconds_fresh(&self) -> u64 {
        self.fresh_until.since(self.read_at).as_secs()
    }

    /// About how many bytes of memory it takes.
    pub(crate) fn weight(&self) -> usize {
        const OWN: usize = 160;
        OWN + self.body.as_ref().map_or(0, |body| body.bytes.len())
    }
}

/// A strong validator: the hash of the bytes, in hexadecimal digits.
fn etag(bytes: &Bytes) -> HeaderValue {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'"'; 34];
    for (pair, byte) in text[1..33]
        .chunks_exact_mut(2)
        .zip(xxh3_128(bytes).to_be_bytes())
    {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    HeaderValue::from_bytes(&text).expect("hexadecimal digits in quotes are a header value")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(100);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn a_row_is_fresh_then_stale_then_a_last_resort_then_over() {
        let answer = Answer::row(Bytes::from_static(b"x"), at(0), TTL, &Lifetimes::default());
        assert_eq!(answer.age(at(99)), Age::Fresh);
        assert_eq!(answer.age(at(100)), Age::Stale);
        assert_eq!(answer.age(at(130)), Age::LastResort);
        assert_eq!(answer.age(at(3_700)), Age::Over);
        assert_eq!(
            (answer.seconds_old(at(40)), answer.seconds_fresh()),
            (40, 100)
        );
    }

    #[test]
    fn a_missing_row_is_remembered_briefly_and_never_stale() {
        let answer = Answer::missing(at(0), &Lifetimes::default());
        assert_eq!(answer.age(at(4)), Age::Fresh);
        assert_eq!(answer.age(at(5)), Age::Over);
    }

    #[test]
    fn the_validator_is_the_hash_of_the_bytes() {
        let bytes = Bytes::from_static(b"x");
        let expected = format!("\"{:032x}\"", xxh3_128(&bytes));
        assert_eq!(etag(&bytes), expected);
    }

    #[test]
    fn rows_loaded_together_do_not_end_together() {
        let lifetimes = Lifetimes::default();
        let ttls: Vec<Duration> = (0..1_000)
            .map(|n| lifetimes.ttl(TTL, &Key::printed(&n.to_string())))
            .collect();
        let (least, most) = (Duration::from_secs(80), TTL);
        assert!(ttls.iter().all(|ttl| (least..=most).contains(ttl)));
        let in_first_fifth = ttls
            .iter()
            .filter(|ttl| **ttl < Duration::from_secs(84))
            .count();
        assert!((100..300).contains(&in_first_fifth), "{in_first_fifth}");
    }
}
