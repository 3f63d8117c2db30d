//! Sending a request and waiting for the head of its answer: on a connection that is there if there is
//! one, on a new one otherwise.

use std::pin::pin;
use std::time::Duration;

use corkboard_core::story::story;
use http::Response;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout, timeout_at};

use super::line::{Answered, Arriving, Line};
use super::{Exchange, Network};
use crate::connect::{Deadline, Opened, Sender};
use crate::host::{Host, Turn};
use crate::http2::{Lost, Seat};
use crate::pool::PoolKey;
use crate::problem::Problem;
use crate::request::Prepared;

/// A connection that is this old has been accepted, answer or not.
const ACCEPTED: Duration = Duration::from_millis(100);

/// An endpoint may refuse a call on one connection after the other, or close each new one at once.
const MOST_REFUSALS: u8 = 3;

/// A request on its way to its answer.
pub(super) struct Errand<'a> {
    pub(super) network: &'a Network,
    pub(super) request: &'a Prepared,
    pub(super) key: &'a PoolKey,
    pub(super) host: &'a Host,
    pub(super) deadline: Deadline,
    /// How often the endpoint said that it did not look at the call, or took none on a new connection.
    refusals: u8,
    /// Whether a connection was lost under it already.
    stranded: bool,
}

impl<'a> Errand<'a> {
    pub(super) fn new(
        network: &'a Network,
        request: &'a Prepared,
        key: &'a PoolKey,
        host: &'a Host,
        deadline: Deadline,
    ) -> Self {
        Self {
            network,
            request,
            key,
            host,
            deadline,
            refusals: 0,
            stranded: false,
        }
    }

    fn late(&self) -> Problem {
        Problem::TimedOut(self.deadline.after)
    }

    pub(super) async fn run(&mut self, exchange: &mut Exchange) -> Result<Answered, Problem> {
        let mut waited = false;
        loop {
            while let Some(kept) = self.kept() {
                if let Some(answered) = self.on(kept).await? {
                    return Ok(answered);
                }
            }
            let asked = Instant::now();
            let https = self.key.origin.https;
            let turn = self.host.connects.turn(https, self.deadline.at).await;
            let turn = turn.ok_or(Problem::NoTurn)?;
            if !waited {
                // Waiting for our own turn is not the endpoint's doing, and takes nothing from its
                // time; but only once.
                waited = true;
                exchange.turned = asked.elapsed();
                self.deadline = Deadline::in_time(self.deadline.after);
            }
            // By now a connection may have come free.
            let answered = match self.kept() {
                Some(kept) => {
                    drop(turn);
                    self.on(kept).await?
                }
                None => self.anew(turn).await?,
            };
            if let Some(answered) = answered {
                return Ok(answered);
            }
        }
    }

    /// A connection that is there. A call that was lost with one goes on a new one.
    fn kept(&self) -> Option<Line> {
        if let Some(seat) = self.network.multiplexed.seat(self.key) {
            return Some(Line::Seat(seat));
        }
        let own = (!self.stranded).then(|| self.network.pool.take(self.key));
        own.flatten().map(Line::Own)
    }

    async fn on(&mut self, kept: Line) -> Result<Option<Answered>, Problem> {
        match kept {
            Line::Seat(seat) => self.seated(seat, false).await,
            Line::Own(sender) => self.alone(sender).await,
        }
    }

    /// On a connection that others use, too. `None`: try another.
    async fn seated(&mut self, seat: Seat, new: bool) -> Result<Option<Answered>, Problem> {
        let (head, body) = self.request.to_http2();
        let asked = timeout_at(self.deadline.at, seat.ask(head, body)).await;
        let Ok(answer) = asked else {
            // Perhaps it is the connection that makes no progress.
            seat.retire();
            return Err(self.late());
        };
        let lost = match answer {
            Ok(response) => {
                let response = response.map(Arriving::Two);
                return Ok(Some((response, Line::Seat(seat))));
            }
            Err(lost) => lost,
        };
        seat.retire();
        match lost {
            Lost::Unsent if !new => Ok(None),
            Lost::Unsent | Lost::Refused => self.refused(),
            // The goodbye does not say whether this call was looked at before it.
            Lost::GoneAway(_) | Lost::Broken(_) if self.may_repeat(&lost) => {
                self.stranded = true;
                Ok(None)
            }
            Lost::GoneAway(story) | Lost::Broken(story) => Err(Problem::Broken(story)),
        }
    }

    fn refused(&mut self) -> Result<Option<Answered>, Problem> {
        self.refusals += 1;
        if self.refusals > MOST_REFUSALS {
            Err(Problem::RefusedStream)
        } else {
            Ok(None)
        }
    }

    /// Once, and only what changes nothing. Behind an orderly goodbye it is free; where a connection
    /// broke with many calls on it, an endpoint that is in trouble is not called by all of them again.
    fn may_repeat(&self, lost: &Lost) -> bool {
        let orderly = matches!(lost, Lost::GoneAway(_));
        !self.stranded
            && self.request.method.is_idempotent()
            && (orderly || self.host.spares_a_retry())
    }

    /// On a kept connection of our own. `None`: try another.
    async fn alone(&mut self, mut kept: Sender) -> Result<Option<Answered>, Problem> {
        // Not ready means: still skipping the rest of its last answer, or just closed.
        match timeout_at(self.deadline.at, kept.ready()).await {
            Err(_) => return Err(self.late()),
            Ok(Err(_)) => return Ok(None),
            Ok(Ok(())) => {}
        }
        let sent = kept.try_send_request(self.request.to_http());
        let mut failure = match timeout_at(self.deadline.at, sent).await {
            Err(_) => return Err(self.late()),
            Ok(Ok(response)) => return Ok(Some(answered(response, kept))),
            Ok(Err(failure)) => failure,
        };
        // The other side closed a connection that it found idle, just as we used it again. Trying once
        // more is right if the request was not sent, or changes nothing.
        let unsent = failure.take_message().is_some();
        let repeatable = self.request.method.is_idempotent();
        let error = failure.into_error();
        if !unsent && (!repeatable || error.is_parse()) {
            return Err(Problem::Broken(story(&error)));
        }
        self.stranded = true;
        Ok(None)
    }

    /// On a new connection. `None`: it brought nothing, but another try may.
    async fn anew(&mut self, turn: Turn<'_>) -> Result<Option<Answered>, Problem> {
        let opened = self.network.connector.open(&self.key.origin, self.deadline);
        let mut sender = match opened.await {
            Ok(Opened::One(sender)) => sender,
            Ok(Opened::Two(connection)) => {
                let seat = connection.first_seat();
                self.network.multiplexed.share(self.key.clone(), connection);
                // Those who wait find it from now on.
                turn.shares();
                return self.seated(seat, true).await;
            }
            Err(problem) => {
                if matches!(problem, Problem::Connect(_)) {
                    turn.failed();
                }
                return Err(problem);
            }
        };
        let turn = turn.alone();
        let mut answer = pin!(sender.send_request(self.request.to_http()));
        let soon = timeout(ACCEPTED, answer.as_mut()).await;
        turn.answered();
        let answer = match soon {
            Ok(answer) => answer,
            Err(_) => timeout_at(self.deadline.at, answer)
                .await
                .map_err(|_| self.late())?,
        };
        match answer {
            Ok(response) => Ok(Some(answered(response, sender))),
            Err(error) => Err(Problem::Broken(story(&error))),
        }
    }
}

fn answered(response: Response<Incoming>, sender: Sender) -> Answered {
    (response.map(Arriving::One), Line::Own(sender))
}
