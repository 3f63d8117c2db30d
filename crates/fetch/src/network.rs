//! One exchange with an endpoint: a connection (kept or new), the request, the head, the body; all
//! under one deadline.

mod head;
mod line;

use std::time::Duration;

use corkboard_core::connected::FetchBody;
use corkboard_core::time::SharedClock;
use http::header::{CONTENT_ENCODING, LOCATION, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use tokio::time::timeout_at;

use crate::body::{self, BodyLimits};
use crate::connect::{Connector, Deadline};
use crate::content::{Content, Spoiled};
use crate::host::Host;
use crate::multiplexed::Multiplexed;
use crate::pool::{Pool, PoolKey};
use crate::problem::Problem;
use crate::redirect;
use crate::request::Prepared;
use crate::retry_after;
use head::Errand;
use line::{Arriving, Line, declared};

/// The body of a failure is of no use, but taking back a request for it is rude: so much is skipped.
const SKIPPED: usize = 64 * 1024;

/// What came of an exchange.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) outcome: Result<(u16, FetchBody), Problem>,
    /// Bytes of the body that arrived.
    pub(crate) bytes: u64,
    /// What the endpoint said about when to come back.
    pub(crate) retry_after: Option<Duration>,
    /// How long it waited for its turn to connect.
    pub(crate) turned: Duration,
    /// Where else to ask, if that is what it said and the request may go there.
    pub(crate) location: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) connector: Connector,
    pub(crate) pool: Pool,
    pub(crate) multiplexed: Multiplexed,
    pub(crate) limits: BodyLimits,
    pub(crate) clock: SharedClock,
}

impl Network {
    pub(crate) async fn exchange(
        &self,
        request: &Prepared,
        host: &Host,
        deadline: Deadline,
    ) -> Exchange {
        let mut exchange = Exchange {
            outcome: Err(Problem::Interrupted),
            bytes: 0,
            retry_after: None,
            turned: Duration::ZERO,
            location: None,
        };
        exchange.outcome = self.attempt(request, host, deadline, &mut exchange).await;
        exchange
    }

    async fn attempt(
        &self,
        request: &Prepared,
        host: &Host,
        deadline: Deadline,
        exchange: &mut Exchange,
    ) -> Result<(u16, FetchBody), Problem> {
        let key = PoolKey {
            workspace: request.workspace,
            origin: request.target.origin().clone(),
        };
        let mut errand = Errand::new(self, request, &key, host, deadline);
        let (response, line) = errand.run(exchange).await?;
        let deadline = errand.deadline;
        let status = response.status().as_u16();
        if !response.status().is_success() {
            exchange.retry_after = retry_after::read(response.headers(), self.clock.now());
            let problem = match status {
                _ if !redirect::is_redirect(status) => Problem::NotSuccess(status),
                _ if request.redirects.is_none() => Problem::Redirect(status),
                _ => {
                    let location = response.headers().get(LOCATION);
                    let location = location.and_then(|it| std::str::from_utf8(it.as_bytes()).ok());
                    exchange.location = location.map(str::to_owned);
                    location.map_or(Problem::Location(status), |_| Problem::Redirected(status))
                }
            };
            self.skip(response.into_body(), key, line, deadline).await;
            return Err(problem);
        }
        if let Some(encoding) = odd(response.headers(), &TRANSFER_ENCODING, &["chunked"]) {
            return Err(Problem::Encoded { status, encoding });
        }
        let known = ["identity", "gzip", "x-gzip"];
        if let Some(encoding) = odd(response.headers(), &CONTENT_ENCODING, &known) {
            return Err(Problem::Encoded { status, encoding });
        }
        let content = match self.read(response, deadline, &mut exchange.bytes).await {
            Ok(content) => content,
            Err(problem) => {
                if let Line::Seat(seat) = &line {
                    seat.retire();
                }
                return Err(problem);
            }
        };
        if let Line::Own(sender) = line {
            self.pool.give_back(key, sender);
        }
        let body = body::interpret(status, &content, &self.limits)?;
        if body == FetchBody::Empty {
            Err(Problem::NoBody(status))
        } else {
            Ok((status, body))
        }
    }

    /// The whole body, or why not. The limit counts what arrives and what it unpacks to, whatever was
    /// declared.
    async fn read(
        &self,
        response: Response<Arriving>,
        deadline: Deadline,
        bytes: &mut u64,
    ) -> Result<Vec<u8>, Problem> {
        let status = response.status().as_u16();
        let limit = self.limits.max_body;
        let spoiled = |spoiled| match spoiled {
            Spoiled::TooLong => Problem::BodyTooLong { status, limit },
            Spoiled::Bomb => Problem::Bomb { status },
            Spoiled::Unreadable => Problem::Unpacking { status },
        };
        let encoding = response.headers().get(CONTENT_ENCODING).map(trimmed);
        let gzip = encoding.is_some_and(|it| it.to_ascii_lowercase().ends_with(b"gzip"));
        if declared(&response) > limit as u64 {
            return Err(spoiled(Spoiled::TooLong));
        }
        let mut body = response.into_body();
        let mut content = Content::new(gzip, limit);
        loop {
            let after = deadline.after;
            let late = |_| Problem::BodyTimedOut { status, after };
            let piece = timeout_at(deadline.at, body.next()).await.map_err(late)?;
            match piece {
                None => return content.finish().map_err(spoiled),
                Some(Err(cause)) => return Err(Problem::BodyBroken { status, cause }),
                Some(Ok(data)) => {
                    *bytes += data.len() as u64;
                    content.take(&data).map_err(spoiled)?;
                }
            }
        }
    }

    /// Makes a connection fit for the next call, where a body is not wanted.
    async fn skip(&self, body: Arriving, key: PoolKey, line: Line, deadline: Deadline) {
        match (body, line) {
            // Left unread, a short one that is already here is skipped and the connection kept; any
            // other makes the connection close.
            (body, Line::Own(sender)) => {
                drop(body);
                self.pool.give_back(key, sender);
            }
            (mut body, Line::Seat(seat)) => {
                let mut skipped = 0;
                let skipping = async {
                    while let Some(Ok(piece)) = body.next().await {
                        skipped += piece.len();
                        if skipped > SKIPPED {
                            return false;
                        }
                    }
                    true
                };
                if !matches!(timeout_at(deadline.at, skipping).await, Ok(true)) {
                    seat.retire();
                }
            }
        }
    }
}

/// A value other than the expected ones, cut for showing. Of several encodings one behind the other
/// none is undone.
fn odd(headers: &HeaderMap, name: &HeaderName, expected: &[&str]) -> Option<String> {
    let mut values = headers.get_all(name).iter().map(trimmed);
    let first = values.next().unwrap_or_default();
    let fine = expected
        .iter()
        .any(|it| it.as_bytes().eq_ignore_ascii_case(first));
    let odd = match values.next() {
        Some(second) => second,
        None if first.is_empty() || fine => return None,
        None => first,
    };
    Some(String::from_utf8_lossy(odd).chars().take(32).collect())
}

fn trimmed(value: &HeaderValue) -> &[u8] {
    value.as_bytes().trim_ascii()
}
