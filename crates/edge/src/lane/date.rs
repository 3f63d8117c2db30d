//! The `Date` header's value, put into words once a second on each thread.

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::turn;

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
const LENGTH: usize = 29;

struct Cached {
    text: [u8; LENGTH],
    /// When the text is no longer true.
    until: Instant,
}

thread_local! {
    static CACHED: RefCell<Option<Cached>> = const { RefCell::new(None) };
}

/// Adds it to `out`.
pub(super) fn write(out: &mut Vec<u8>) {
    CACHED.with_borrow_mut(|cached| {
        let now = turn::time();
        match cached {
            Some(cached) if now < cached.until => out.extend_from_slice(&cached.text),
            _ => {
                let fresh = worded(now);
                out.extend_from_slice(&fresh.text);
                *cached = Some(fresh);
            }
        }
    });
}

#[expect(
    clippy::disallowed_methods,
    reason = "a header for people and caches; no decision goes by it"
)]
fn worded(now: Instant) -> Cached {
    let time = SystemTime::now();
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let left = Duration::from_secs(1) - Duration::from_nanos(since.subsec_nanos().into());
    let mut text = [b' '; LENGTH];
    // The one format of RFC 9110 that may be sent has this length until the year 9999.
    let words = httpdate::fmt_http_date(time);
    if words.len() == LENGTH {
        text.copy_from_slice(words.as_bytes());
    }
    Cached {
        text,
        until: now + left,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_in_the_one_format_that_may_be_sent() {
        let mut out = Vec::new();
        write(&mut out);
        let text = std::str::from_utf8(&out).unwrap();
        assert_eq!(text.len(), LENGTH);
        assert!(httpdate::parse_http_date(text).is_ok(), "{text}");
    }
}
