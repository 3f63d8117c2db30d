//! One exchange with an endpoint: a connection (kept or new), the request, the head, the body; all
//! under one deadline.

use std::error::Error;
use std::pin::pin;
use std::time::Duration;

use corkboard_core::connected::FetchBody;
use corkboard_core::time::SharedClock;
use http::header::{CONTENT_ENCODING, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout, timeout_at};

use crate::body::{self, BodyLimits};
use crate::connect::{Connector, Deadline, Sender};
use crate::content::{Content, Spoiled};
use crate::host::{Host, Turn};
use crate::pool::{Pool, PoolKey};
use crate::problem::Problem;
use crate::request::Prepared;
use crate::retry_after;

/// A connection that is this old has been accepted, answer or not.
const ACCEPTED: Duration = Duration::from_millis(100);

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
}

#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) connector: Connector,
    pub(crate) pool: Pool,
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
        };
        exchange.outcome = self.attempt(request, host, deadline, &mut exchange).await;
        exchange
    }

    async fn attempt(
        &self,
        request: &Prepared,
        host: &Host,
        mut deadline: Deadline,
        exchange: &mut Exchange,
    ) -> Result<(u16, FetchBody), Problem> {
        let key = PoolKey {
            workspace: request.workspace,
            origin: request.target.origin().clone(),
        };
        let (response, sender) = self
            .head(request, &key, host, &mut deadline, exchange)
            .await?;
        let status = response.status().as_u16();
        if !response.status().is_success() {
            exchange.retry_after = retry_after::read(response.headers(), self.clock.now());
            // The body is of no use. Left unread, a short one that is already here is skipped and
            // the connection kept; any other makes the connection close.
            drop(response);
            self.pool.give_back(key, sender);
            return Err(match status {
                301 | 302 | 303 | 307 | 308 => Problem::Redirect(status),
                _ => Problem::NotSuccess(status),
            });
        }
        if let Some(encoding) = odd(response.headers(), &TRANSFER_ENCODING, &["chunked"]) {
            return Err(Problem::Encoded { status, encoding });
        }
        let known = ["identity", "gzip", "x-gzip"];
        if let Some(encoding) = odd(response.headers(), &CONTENT_ENCODING, &known) {
            return Err(Problem::Encoded { status, encoding });
        }
        let content = self.read(response, deadline, &mut exchange.bytes).await?;
        self.pool.give_back(key, sender);
        let body = body::interpret(status, &content, &self.limits)?;
        if body == FetchBody::Empty {
            Err(Problem::NoBody(status))
        } else {
            Ok((status, body))
        }
    }

    /// Sends the request and waits for the head of the answer: on a kept connection if there is one,
    /// on a new one otherwise.
    async fn head(
        &self,
        request: &Prepared,
        key: &PoolKey,
        host: &Host,
        deadline: &mut Deadline,
        exchange: &mut Exchange,
    ) -> Result<(Response<Incoming>, Sender), Problem> {
        if let Some(found) = self.kept(request, key, *deadline).await? {
            return Ok(found);
        }
        let asked = Instant::now();
        let turn = host.connects.turn(deadline.at).await;
        let turn = turn.ok_or(Problem::NoTurn)?;
        // Waiting for our own turn is not the endpoint's doing, and takes nothing from its time.
        exchange.turned = asked.elapsed();
        *deadline = Deadline::in_time(deadline.after);
        // By now a connection may have come free.
        match self.kept(request, key, *deadline).await? {
            Some(found) => Ok(found),
            None => self.anew(request, key, turn, *deadline).await,
        }
    }

    async fn kept(
        &self,
        request: &Prepared,
        key: &PoolKey,
        deadline: Deadline,
    ) -> Result<Option<(Response<Incoming>, Sender)>, Problem> {
        let late = || Problem::TimedOut(deadline.after);
        while let Some(mut kept) = self.pool.take(key) {
            // Not ready means: still skipping the rest of its last answer, or just closed.
            match timeout_at(deadline.at, kept.ready()).await {
                Err(_) => return Err(late()),
                Ok(Err(_)) => continue,
                Ok(Ok(())) => {}
            }
            match timeout_at(deadline.at, kept.try_send_request(request.to_http())).await {
                Err(_) => return Err(late()),
                Ok(Ok(response)) => return Ok(Some((response, kept))),
                // The other side closed a connection that it found idle, just as we used it again.
                // Trying once more is right if the request was not sent, or changes nothing.
                Ok(Err(mut failure)) => {
                    let unsent = failure.take_message().is_some();
                    let repeatable = request.method.is_idempotent();
                    let error = failure.into_error();
                    if !unsent && (!repeatable || error.is_parse()) {
                        return Err(Problem::Broken(whole_story(&error)));
                    }
                    return Ok(None);
                }
            }
        }
        Ok(None)
    }

    async fn anew(
        &self,
        request: &Prepared,
        key: &PoolKey,
        turn: Turn<'_>,
        deadline: Deadline,
    ) -> Result<(Response<Incoming>, Sender), Problem> {
        let mut sender = match self.connector.open(&key.origin, deadline).await {
            Ok(sender) => sender,
            Err(problem) => {
                if matches!(problem, Problem::Connect(_)) {
                    turn.failed();
                }
                return Err(problem);
            }
        };
        let mut answer = pin!(sender.send_request(request.to_http()));
        let soon = timeout(ACCEPTED, answer.as_mut()).await;
        turn.answered();
        let answer = match soon {
            Ok(answer) => answer,
            Err(_) => timeout_at(deadline.at, answer)
                .await
                .map_err(|_| Problem::TimedOut(deadline.after))?,
        };
        match answer {
            Ok(response) => Ok((response, sender)),
            Err(error) => Err(Problem::Broken(whole_story(&error))),
        }
    }

    /// The whole body, or why not. The limit counts what arrives and what it unpacks to, whatever was
    /// declared.
    async fn read(
        &self,
        response: Response<Incoming>,
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
        let mut body = response.into_body();
        if body.size_hint().lower() > limit as u64 {
            return Err(spoiled(Spoiled::TooLong));
        }
        let mut content = Content::new(gzip, limit);
        loop {
            let frame =
                timeout_at(deadline.at, body.frame())
                    .await
                    .map_err(|_| Problem::BodyTimedOut {
                        status,
                        after: deadline.after,
                    })?;
            let frame = match frame {
                None => return content.finish().map_err(spoiled),
                Some(Ok(frame)) => frame,
                Some(Err(error)) => {
                    return Err(Problem::BodyBroken {
                        status,
                        cause: whole_story(&error),
                    });
                }
            };
            if let Some(data) = frame.data_ref() {
                *bytes += data.len() as u64;
                content.take(data).map_err(spoiled)?;
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

fn whole_story(error: &hyper::Error) -> String {
    let mut story = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        story.push_str(": ");
        story.push_str(&error.to_string());
        cause = error.source();
    }
    story
}
