//! Where a service makes its answer: in its connection's task, or, where one task has many connections,
//! in one of its own, so that no answer keeps the others waiting.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::connection::BoxError;
use crate::gate::Answer;
use crate::reply::ReplyBody;
use crate::request::RequestBody;

/// Where the answers of one connection are made.
#[derive(Debug, Clone)]
pub(crate) enum Answers {
    Here,
    /// Each in a task that ends with its connection.
    Apart(TaskTracker),
}

/// An answer in the making.
pub(super) enum Work<S, B>
where
    S: tower::Service<Request<RequestBody>>,
{
    Here(Pin<Box<Answer<S>>>),
    Apart(AbortOnDropHandle<Result<Response<ReplyBody<B>>, Infallible>>),
}

/// What answers has panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Panicked;

impl<S, B> Work<S, B>
where
    S: tower::Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>
        + Send
        + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
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
    ) -> Poll<Result<Response<ReplyBody<B>>, Panicked>> {
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
