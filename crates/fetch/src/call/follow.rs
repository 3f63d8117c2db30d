//! The calls behind a call: one for each hop of its redirects, all in the time of one.

use tokio::time::Instant;

use super::{Answer, Asked, Engine};
use crate::admission::Ticket;
use crate::problem::Problem;
use crate::redirect;
use crate::request::Prepared;

impl Engine {
    /// Goes on where a first call, begun at an instant, was answered with another place.
    pub(super) async fn follow(
        &self,
        asked: Asked,
        request: &Prepared,
        ticket: &Ticket,
        (start, mut answer, mut to): (Instant, Answer, String),
    ) -> Answer {
        let guard = &self.network.connector.guard;
        let (mut hops, mut here) = (0, None);
        loop {
            let status = answer.status;
            // All hops together have the time of one call; what they waited is not counted.
            let waited = answer.waited;
            let spent = start.elapsed().saturating_sub(waited);
            let left = request.timeout.saturating_sub(spent);
            let from = here.as_ref().unwrap_or(request);
            let next = match redirect::hop(guard, from, status, &to, left) {
                _ if hops == redirect::MOST_HOPS => Err(Problem::TooManyRedirects(status)),
                Ok(_) if left.is_zero() => Err(Problem::TimedOut(request.timeout)),
                next => next,
            };
            let next = match next {
                Ok(next) => next,
                Err(problem) => return self.refuse(asked, from.method, &to, problem),
            };
            let asked = Asked {
                start: Instant::now(),
                ..asked
            };
            let location;
            (answer, location) = self.one(asked, &next, ticket).await;
            answer.waited += waited;
            (hops, here) = (hops + 1, Some(next));
            let Some(location) = location else {
                return answer;
            };
            to = location;
        }
    }
}
