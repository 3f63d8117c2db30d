//! The `Retry-After` header: seconds, or a date.

use std::time::Duration;

use corkboard_core::time::Timestamp;
use http::HeaderMap;
use http::header::RETRY_AFTER;
use jiff::fmt::rfc2822::DateTimeParser;

const DATES: DateTimeParser = DateTimeParser::new();

/// How long the endpoint wants to be left alone. What cannot be read counts as not there.
pub(crate) fn read(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let at = DATES.parse_timestamp(text).ok()?;
    let left = at.as_second().saturating_sub(now.as_seconds());
    u64::try_from(left).ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn seconds_and_dates_are_read_and_the_rest_is_not_there() {
        let now = Timestamp::from_seconds(1_795_255_200);
        let seconds = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(text));
            read(&headers, now).map(|it| it.as_secs())
        };
        assert_eq!(seconds("0"), Some(0));
        assert_eq!(seconds(" 120 "), Some(120));
        assert_eq!(seconds("Sat, 21 Nov 2026 10:01:30 GMT"), Some(90));
        assert_eq!(seconds("Sat, 21 Nov 2026 09:00:00 GMT"), None, "over");
        for odd in [
            "",
            "-1",
            "1.5",
            "soon",
            "99999999999",
            "2026-11-21T10:01:30Z",
        ] {
            assert_eq!(seconds(odd), None, "{odd}");
        }
        assert_eq!(read(&HeaderMap::new(), now), None);
    }
}
