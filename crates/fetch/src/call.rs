//! One call from its ticket to its record: admission, the network, the metrics, the call log.

use std::time::Duration;

use corkboard_core::connected::{
    FetchBody, FetchMethod, FetchReport, FetchResponse, FetchScope, FetchSource,
};
use corkboard_core::time::Timestamp;
use tokio::time::Instant;

use crate::admission::{Admission, Ticket};
use crate::log::{CallLog, FetchRecord, for_log};
use crate::meter::{self, Outcome};
use crate::network::Network;
use crate::problem::Problem;
use crate::request::Prepared;

/// What a call brought; cheap to clone, so that many can share it.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: FetchBody,
    pub(crate) bytes: u64,
    pub(crate) problem: Option<Problem>,
}

impl Answer {
    pub(crate) fn failed(problem: Problem, bytes: u64) -> Self {
        Self {
            status: problem.status(),
            body: FetchBody::Empty,
            bytes,
            problem: Some(problem),
        }
    }

    /// Worth remembering: the endpoint did what it was asked for.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(crate) fn outcome(&self) -> Outcome {
        match self.status {
            200..300 => Outcome::Success,
            crate::problem::STATUS_REFUSED => Outcome::Refused,
            // An endpoint that really says 599 counts as what it says it is.
            crate::problem::STATUS_FAILED => Outcome::Failed,
            _ => Outcome::HttpError,
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
                problem: self.problem.map(|problem| problem.to_string()),
                ..FetchReport::default()
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
    pub(crate) deadline: Instant,
}

/// Everything a call needs; shared by all of them.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) admission: Admission,
    pub(crate) network: Network,
    pub(crate) log: std::sync::Arc<dyn CallLog>,
    pub(crate) total_timeout: Duration,
}

impl Engine {
    /// Makes the call. Ends by the deadline in `asked`.
    pub(crate) async fn call(&self, asked: Asked, request: &Prepared, ticket: &Ticket) -> Answer {
        let open = OpenRecord {
            log: self.log.as_ref(),
            asked,
            method: request.method,
            url: request.target.url().as_str(),
            ended: false,
        };
        let Some(_slot) = self.admission.slot(ticket, asked.deadline).await else {
            return open.end(Answer::failed(Problem::NoSlot(self.total_timeout), 0));
        };
        let _in_flight = meter::InFlight::enter();
        let exchange = self.network.exchange(request, asked.deadline).await;
        open.end(match exchange.outcome {
            Ok((status, body)) => Answer {
                status,
                body,
                bytes: exchange.bytes,
                problem: None,
            },
            Err(problem) => Answer::failed(problem, exchange.bytes),
        })
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
        let elapsed = self.asked.start.elapsed();
        if answer.source() == FetchSource::Network {
            meter::call_took(elapsed);
        }
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
            elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            bytes: answer.bytes,
            source: answer.source(),
            problem,
        });
    }
}

impl Drop for OpenRecord<'_> {
    fn drop(&mut self) {
        if !self.ended {
            meter::count(Outcome::Cancelled);
            self.write(&Answer::failed(Problem::CallerGone, 0));
        }
    }
}
