//! The short way: feeds that lie composed in memory, or not far from it, for users whose tokens have been
//! checked.
//!
//! The same answer as the route's, status, headers and body. Requests that say more than a user and a feed,
//! tokens that are not known to be good among them, go to the route.

use std::fmt;
use std::sync::Arc;

use corkboard_edge::{Asked, FixedHeaders, Found, Lane, Reply, Verdict, names_tag};
use corkboard_feed::{FeedError, FeedQuery, FeedReply};
use http::{HeaderName, HeaderValue, StatusCode, header};
use metrics::{Counter, Histogram};
use tokio::time::Instant;

use crate::client::feed::{CACHING, JSON, PATH, VARIES};
use crate::observe::{HARDENING, class};
use crate::problem::Problem;
use crate::state::ApiState;

/// What is answered with a stream, whose length nobody knows: hyper tells its end.
const STREAMS: [&str; 2] = ["/v1/feed/live", "/v1/fetches/export"];

/// Answers `GET /v1/feed`.
pub(crate) struct FeedLane {
    state: ApiState,
    numbers: Arc<Numbers>,
}

/// What every answer says, and what [`crate::observe`] counts on the other way.
struct Numbers {
    always: FixedHeaders,
    whole: Counter,
    unchanged: Counter,
    seconds: Histogram,
}

impl FeedLane {
    pub(crate) fn new(state: ApiState) -> Self {
        Self {
            state,
            numbers: Arc::new(Numbers {
                always: always(),
                whole: requests("2xx"),
                unchanged: requests("3xx"),
                seconds: metrics::histogram!("corkboard_api_request_seconds", "route" => PATH),
            }),
        }
    }

    fn answer(&self, asked: &Asked<'_>, reply: Reply<'_>) -> Option<Verdict> {
        let started = Instant::now();
        let feed = match asked.query() {
            None => None,
            Some(query) => Some(plain_feed(query)?),
        };
        let vouched = self.state.tokens.remembered(bearer(asked)?, started)?;
        let reader = vouched.user();
        // Whoever has asked too often is told so by the route.
        self.state.client_limit.check(reader.workspace).ok()?;
        let known = asked.all(header::IF_NONE_MATCH.as_str());
        let feeds = &self.state.feeds;
        let write = |found: &FeedReply| self.numbers.write(started, found, known, reply);
        let written = feeds.at_hand(reader.workspace, &reader.user, feed, started, write);
        if written.is_some() {
            return written;
        }
        let known = asked.all(header::IF_NONE_MATCH.as_str());
        let known: Vec<Vec<u8>> = known.map(<[u8]>::to_vec).collect();
        let query = FeedQuery {
            feed: feed.map(str::to_owned),
            since: None,
        };
        let (state, numbers) = (self.state.clone(), Arc::clone(&self.numbers));
        Some(Verdict::later(Box::pin(async move {
            let reader = vouched.user();
            let feeds = &state.feeds;
            let read = feeds.read(reader.workspace, &reader.user, &query).await;
            let found: Found = Box::new(move |reply| match read {
                Ok(found) => {
                    let known = known.iter().map(Vec::as_slice);
                    numbers.write(started, &found, known, reply)
                }
                Err(error) => numbers.refuse(started, error, reply),
            });
            found
        })))
    }
}

impl Numbers {
    fn write<'k>(
        &self,
        started: Instant,
        found: &FeedReply,
        known: impl Iterator<Item = &'k [u8]>,
        reply: Reply<'_>,
    ) -> Verdict {
        let unchanged = names_tag(known, &found.etag);
        let mut head = reply.begin(if unchanged {
            StatusCode::NOT_MODIFIED
        } else {
            StatusCode::OK
        });
        if !unchanged {
            head.header(header::CONTENT_TYPE.as_str(), JSON);
        }
        head.header(header::ETAG.as_str(), &found.etag)
            .fixed(&self.always);
        let verdict = if unchanged {
            self.unchanged.increment(1);
            head.nothing()
        } else {
            self.whole.increment(1);
            head.body(&found.body)
        };
        self.seconds.record(started.elapsed().as_secs_f64());
        verdict
    }

    fn refuse(&self, started: Instant, error: FeedError, reply: Reply<'_>) -> Verdict {
        let mut response = Problem::from(error).response();
        for (name, value) in HARDENING {
            let name = HeaderName::from_static(name);
            response
                .headers_mut()
                .insert(name, HeaderValue::from_static(value));
        }
        requests(class(response.status())).increment(1);
        self.seconds.record(started.elapsed().as_secs_f64());
        reply.whole(&response)
    }
}

fn always() -> FixedHeaders {
    let [one, two, three] = HARDENING;
    let caching = (header::CACHE_CONTROL.as_str(), CACHING);
    let varies = (header::VARY.as_str(), VARIES);
    FixedHeaders::new(&[caching, varies, one, two, three])
        .expect("all of them are plain words of our own")
}

fn requests(status: &'static str) -> Counter {
    metrics::counter!("corkboard_api_requests_total", "route" => PATH, "status" => status)
}

impl Lane for FeedLane {
    fn at_once(&self, asked: &Asked<'_>, reply: Reply<'_>) -> Verdict {
        if asked.path() == PATH {
            self.answer(asked, reply).unwrap_or(Verdict::SERVICE)
        } else if STREAMS.contains(&asked.path()) {
            Verdict::ELSEWHERE
        } else {
            Verdict::SERVICE
        }
    }
}

/// The feed's name in a query that says nothing else, and says it without any encoding.
fn plain_feed(query: &str) -> Option<&str> {
    let name = query.strip_prefix("feed=")?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    name.bytes().all(plain).then_some(name)
}

/// The token of the only `Authorization` header.
fn bearer<'b>(asked: &Asked<'b>) -> Option<&'b str> {
    let mut values = asked.all(header::AUTHORIZATION.as_str());
    let value = std::str::from_utf8(values.next()?).ok()?;
    if values.next().is_some() {
        return None;
    }
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

impl fmt::Debug for FeedLane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FeedLane").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_query_that_means_what_it_says_is_read_here() {
        assert_eq!(plain_feed("feed=news_2"), Some("news_2"));
        for query in [
            "",
            "since=x",
            "feed=a&since=x",
            "feed=a%20b",
            "feed=a+b",
            "feed=a&feed=b",
        ] {
            assert_eq!(plain_feed(query), None, "{query}");
        }
    }
}
