//! Where a service makes its answer: in its connection's task, or, where one task has many connections,
//! in one of its own, so that no answer keeps the others waiting.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::gate::Answer;
use crate::reply::ReplyBody;
use crate::service::HttpService;

/// Where the answers of one connection are made.
#[derive(Debug, Clone)]
pub(crate) enum Answers {
    Here,
    /// Each in a task that ends with its connection.
    Apart(TaskTracker),
}

impl Answers {
    /// Whether one task has many connections, whose answers may go out one right after the other.
    pub(super) fn are_of_many(&self) -> bool {
        matches!(self, Self::Apart(_))
    }
}

/// An answer in the making.
pub(super) enum Work<S>
where
    S: HttpService,
{
    Here(Pin<Box<Answer<S>>>),
    Apart(AbortOnDropHandle<Result<Response<ReplyBody<S::Body>>, Infallible>>),
}

/// What answers has panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Panicked;

impl<S> Work<S>
where
    S: HttpService,
{
    pub(super) fn begin(answer: Answer<S>, answers: &Answers) -> Self {
        match answers {
            Answers::Here => Self::Here(Box::pin(answer)),
            Answers::Apart(tasks) => Self::Apart(AbortOnDropHandle::new(tasks.spawn(answer))),
        }
    }

    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<ReplyBody<S::Body>>, Panicked>> {
        match self {
            Self::Here(answer) => answer
                .as_mut()
                .poll(cx)
                .map(|answer| Ok(answer.unwrap_or_else(|never| match never {}))),
            Self::Apart(task) => Pin::new(task).poll(cx).map(|ended| match ended {
                Ok(Ok(response)) => Ok(response),
                // Nobody aborts it but this.
                Err(_) => Err(Panicked),
            }),
        }
    }
}
