//! One call from its ticket to its record: admission, the network, the metrics, the call log.

mod follow;
mod through;

use std::sync::Arc;
use std::time::Duration;

use corkboard_core::connected::{
    FetchBody, FetchMethod, FetchReport, FetchRequest, FetchResponse, FetchScope, FetchSource,
    FetchVerdict,
};
use corkboard_core::time::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::admission::{Admission, Slot, Ticket};
use crate::connect::Deadline;
use crate::host::{Host, Hosts, Pass, Sign};
use crate::log::{CacheUse, CallLog, FetchRecord, for_log};
use crate::meter::{self, Outcome};
use crate::network::Network;
use crate::problem::{Problem, STATUS_FAILED, STATUS_HELD_BACK, STATUS_REFUSED};
use crate::request::Prepared;

/// What a call brought; cheap to clone, so that many can share it.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: FetchBody,
    pub(crate) bytes: u64,
    pub(crate) problem: Option<Problem>,
    /// How long it waited for leave to call.
    pub(crate) waited: Duration,
    pub(crate) retry_after: Option<Duration>,
    /// How old it was when it came from another node's call by way of the shared tier.
    pub(crate) age: Option<Duration>,
}

impl Answer {
    pub(crate) fn good(status: u16, body: FetchBody, bytes: u64) -> Self {
        Self {
            status,
            body,
            bytes,
            problem: None,
            waited: Duration::ZERO,
            retry_after: None,
            age: None,
        }
    }

    pub(crate) fn failed(problem: Problem, bytes: u64) -> Self {
        let status = problem.status();
        let retry_after = match &problem {
            Problem::Halted(left) | Problem::Paused(left) | Problem::Paced(left) => Some(*left),
            _ => None,
        };
        Self {
            retry_after,
            problem: Some(problem),
            ..Self::good(status, FetchBody::Empty, bytes)
        }
    }

    /// Worth remembering: the endpoint did what it was asked for.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(crate) fn outcome(&self) -> Outcome {
        match (self.status, &self.problem) {
            (200..300, _) => Outcome::Success,
            (STATUS_REFUSED, _) => Outcome::Refused,
            (_, Some(Problem::Halted(_))) => Outcome::Halted,
            (STATUS_HELD_BACK, Some(problem)) if problem.held_back() => Outcome::HeldBack,
            // An endpoint that really says 599 counts as what it says it is.
            (STATUS_FAILED, _) => Outcome::Failed,
            _ => Outcome::HttpError,
        }
    }

    /// What it says about how much the endpoint can take.
    fn sign(&self) -> Sign {
        match (&self.problem, self.status) {
            (Some(problem), STATUS_FAILED) => problem.sign(),
            (Some(problem), _) if problem.without_call() => Sign::Nothing,
            (_, 408 | 429 | 503 | 529) => Sign::Shed,
            (_, 502 | 504) => Sign::Failed,
            // An error of the endpoint's own, quick or slow, says nothing about room.
            (_, 500..600) => Sign::Nothing,
            _ => Sign::Fine,
        }
    }

    /// For the metrics.
    fn class(&self) -> &'static str {
        match (&self.problem, self.status) {
            (Some(problem), _) if problem.without_call() => "not_called",
            (_, STATUS_FAILED) => "failed",
            (_, 200..300) => "2xx",
            (_, 300..400) => "3xx",
            (_, 400..500) => "4xx",
            _ => "5xx",
        }
    }

    /// A call, or the refusal of one. A name can only be judged when connecting; to the caller
    /// that is a refusal all the same.
    fn source(&self) -> FetchSource {
        if self.problem.as_ref().is_some_and(Problem::without_call) {
            FetchSource::Refused
        } else {
            FetchSource::Network
        }
    }

    pub(crate) fn into_response(self, source: FetchSource, elapsed: Duration) -> FetchResponse {
        let source = if source == FetchSource::Network {
            self.source()
        } else {
            source
        };
        FetchResponse {
            status: self.status,
            body: self.body,
            report: FetchReport {
                elapsed,
                bytes: self.bytes,
                source,
                waited: self.waited,
                problem: self.problem.map(|problem| problem.to_string()),
                verdict: FetchVerdict::Settled,
            },
        }
    }
}

/// Who asked, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) scope: FetchScope,
    pub(crate) at: Timestamp,
    pub(crate) start: Instant,
    /// Until when it may wait for leave to call.
    pub(crate) queue_deadline: Instant,
    /// Counted from 1.
    pub(crate) attempt: u8,
}

/// Everything a call needs; shared by all of them.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) hosts: Hosts,
    pub(crate) admission: Admission,
    pub(crate) network: Network,
    pub(crate) log: Arc<dyn CallLog>,
    pub(crate) queue_timeout: Duration,
    /// Who waits for leave need not wait any longer.
    pub(crate) draining: CancellationToken,
}

impl Engine {
    /// Makes the call, and those that its redirects ask for where they are followed.
    pub(crate) async fn call(&self, asked: Asked, request: &Prepared, ticket: &Ticket) -> Answer {
        let start = Instant::now();
        let (answer, location) = self.one(asked, request, ticket).await;
        match location {
            None => answer,
            // Hops are rare, and every call would have to hold the room for them.
            Some(to) => Box::pin(self.follow(asked, request, ticket, (start, answer, to))).await,
        }
    }

    /// One call: waits for leave until the queue's deadline, then has the request's time-out. With it
    /// comes where else to ask.
    async fn one(
        &self,
        asked: Asked,
        request: &Prepared,
        ticket: &Ticket,
    ) -> (Answer, Option<String>) {
        let open = OpenRecord {
            log: self.log.as_ref(),
            asked,
            method: request.method,
            url: request.target.url().as_str(),
            cache: if request.sharing.is_some() {
                CacheUse::Miss
            } else {
                CacheUse::Bypass
            },
            ended: false,
        };
        let answered = self.permitted(asked, request, ticket).await;
        let (answer, location) =
            answered.unwrap_or_else(|problem| (Answer::failed(problem, 0), None));
        (open.end(answer), location)
    }

    async fn permitted(
        &self,
        asked: Asked,
        request: &Prepared,
        ticket: &Ticket,
    ) -> Result<(Answer, Option<String>), Problem> {
        let origin = request.target.origin();
        let host = self.hosts.get(request.workspace, origin);
        let host = host.ok_or(Problem::TooManyHosts)?;
        let leave = self.leave(&host, asked, ticket);
        let leave = self.draining.run_until_cancelled(leave).await;
        let leave = leave.unwrap_or(Err(Problem::ShuttingDown));
        let (mut pass, _slot) = leave.inspect_err(|_| host.meter.ended("not_called"))?;
        let waited = asked.start.elapsed();
        let _in_flight = meter::InFlight::enter();
        pass.begin();
        let deadline = Deadline::in_time(request.timeout);
        // Boxed, so that a call that waits for leave does not hold the room for it yet.
        let exchange = Box::pin(self.network.exchange(request, &host, deadline)).await;
        pass.delayed(exchange.turned);
        let mut answer = match exchange.outcome {
            Ok((status, body)) => Answer::good(status, body, exchange.bytes),
            Err(problem) => Answer::failed(problem, exchange.bytes),
        };
        answer.waited = waited + exchange.turned;
        answer.retry_after = answer.retry_after.or(exchange.retry_after);
        host.meter.ended(answer.class());
        pass.end(answer.sign(), answer.retry_after);
        Ok((answer, exchange.location))
    }

    /// The host's leave to call it, and a free slot.
    async fn leave(
        &self,
        host: &Arc<Host>,
        asked: Asked,
        ticket: &Ticket,
    ) -> Result<(Pass, Slot<'_>), Problem> {
        let deadline = asked.queue_deadline;
        let pass = host.enter(asked.attempt > 1, deadline).await?;
        let slot = self.admission.slot(ticket, deadline).await;
        Ok((pass, slot.ok_or(Problem::NoSlot(self.queue_timeout))?))
    }

    /// Leaves a record of an answer that needed no call, where such are recorded.
    pub(crate) fn recall(
        &self,
        asked: Asked,
        request: &FetchRequest,
        answer: &Answer,
        source: FetchSource,
    ) {
        let previewed = asked.scope.campaign.is_none();
        let recalled = match source {
            FetchSource::Stale => true,
            FetchSource::Cache | FetchSource::Shared => previewed,
            FetchSource::Network | FetchSource::Refused => false,
        };
        if recalled {
            let record = OpenRecord {
                log: self.log.as_ref(),
                asked,
                method: request.method,
                url: &request.url,
                cache: CacheUse::Hit,
                ended: true,
            };
            record.write_as(answer, source);
        }
    }

    /// Answers without a call, and leaves a record of it.
    pub(crate) fn refuse(
        &self,
        asked: Asked,
        method: FetchMethod,
        url: &str,
        problem: Problem,
    ) -> Answer {
        let open = OpenRecord {
            log: self.log.as_ref(),
            asked,
            method,
            url,
            cache: CacheUse::Bypass,
            ended: false,
        };
        open.end(Answer::failed(problem, 0))
    }
}

/// A record in the making. Dropped before its end, it says that the caller went away: a call that
/// reached an endpoint is in the log, whatever became of the render.
struct OpenRecord<'a> {
    log: &'a dyn CallLog,
    asked: Asked,
    method: FetchMethod,
    url: &'a str,
    cache: CacheUse,
    ended: bool,
}

impl OpenRecord<'_> {
    fn end(mut self, answer: Answer) -> Answer {
        self.ended = true;
        meter::count(answer.outcome());
        self.write(&answer);
        answer
    }

    fn write(&self, answer: &Answer) {
        let source = answer.source();
        if source == FetchSource::Network {
            meter::call_took(self.asked.start.elapsed());
        }
        self.write_as(answer, source);
    }

    fn write_as(&self, answer: &Answer, source: FetchSource) {
        let elapsed = self.asked.start.elapsed();
        let (url, host) = for_log(self.url);
        let problem = answer.problem.as_ref().map(ToString::to_string);
        tracing::debug!(
            workspace = %self.asked.scope.workspace,
            host,
            status = answer.status,
            problem,
            "connected content"
        );
        self.log.record(FetchRecord {
            at: self.asked.at,
            workspace: self.asked.scope.workspace,
            campaign: self.asked.scope.campaign,
            method: self.method,
            url,
            host,
            status: answer.status,
            elapsed_ms: millis(elapsed),
            waited_ms: if source == FetchSource::Network {
                millis(answer.waited)
            } else {
                0
            },
            bytes: answer.bytes,
            source,
            cache: self.cache,
            attempt: self.asked.attempt,
            problem,
        });
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Drop for OpenRecord<'_> {
    fn drop(&mut self) {
        if !self.ended {
            meter::count(Outcome::Cancelled);
            self.write(&Answer::failed(Problem::CallerGone, 0));
        }
    }
}
