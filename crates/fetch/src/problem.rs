//! Why a fetch has no usable body, in words for the author of a template, and which status that is.

use std::time::Duration;

use crate::guard::Refusal;

/// The request never left, and never will as it stands.
pub(crate) const STATUS_REFUSED: u16 = 0;
/// There is no complete, usable answer.
pub(crate) const STATUS_FAILED: u16 = 599;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    // --- refused before any call
    #[error(transparent)]
    Guard(#[from] Refusal),
    #[error("the path of the URL cannot be sent; percent-encode it")]
    Path,
    #[error("'{0}' is not a valid header name")]
    HeaderName(String),
    #[error("the value of header '{0}' has control characters")]
    HeaderValue(String),
    #[error("header '{0}' is set by the connection and not by a template; leave it out")]
    HeaderOwned(String),
    #[error("more than {0} headers or more than {1} bytes of them; send fewer")]
    Headers(usize, usize),
    #[error("the request body has {0} bytes, more than the limit of {1}")]
    RequestBody(usize, usize),
    #[error("a GET carries no body; set another :method, such as post, or leave :body out")]
    BodyOnGet,

    // --- no complete answer
    #[error("too many fetches are waiting already")]
    QueueFull,
    #[error("no fetch slot came free within {0:?}")]
    NoSlot(Duration),
    #[error("the host name has no address, or its name server did not answer: {0}")]
    Resolve(String),
    #[error("no connection to the endpoint: {0}")]
    Connect(String),
    #[error("no secure connection to the endpoint: {0}")]
    Tls(String),
    #[error("the endpoint did not answer within {0:?}")]
    TimedOut(Duration),
    #[error("the endpoint answered {status} but its body did not end within {after:?}")]
    BodyTimedOut { status: u16, after: Duration },
    #[error("the exchange with the endpoint broke off: {0}")]
    Broken(String),
    #[error("the endpoint answered {status} but its body broke off: {cause}")]
    BodyBroken { status: u16, cause: String },
    #[error("the endpoint answered {status} with a body longer than {limit} bytes")]
    BodyTooLong { status: u16, limit: usize },
    #[error(
        "the endpoint answered {status} with an encoded body ({encoding}) although none was asked for"
    )]
    Encoded { status: u16, encoding: String },
    #[error("the endpoint answered {status} with JSON of more than {limit} values")]
    JsonTooLarge { status: u16, limit: usize },
    #[error("the endpoint answered {status} with JSON nested more than {limit} deep")]
    JsonTooDeep { status: u16, limit: usize },
    #[error("the fetch was interrupted")]
    Interrupted,
    #[error("the render that asked for this went away")]
    CallerGone,
    #[error("this node is shutting down")]
    ShuttingDown,

    // --- an answer without use
    #[error("the endpoint answered {0}")]
    NotSuccess(u16),
    #[error("the endpoint answered {0}, a redirect; redirects are not followed, use the final URL")]
    Redirect(u16),
    #[error("the endpoint answered {0} without a body")]
    NoBody(u16),
}

impl Problem {
    /// Whether the endpoint never heard of this.
    pub(crate) fn without_call(&self) -> bool {
        let no_room = matches!(self, Self::QueueFull | Self::NoSlot(_) | Self::ShuttingDown);
        no_room || self.status() == STATUS_REFUSED
    }

    /// The status that templates see. A 2xx always comes with the complete body that the endpoint
    /// sent: where that body cannot be used, the status is 599, so that `!= 200` catches it.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::Guard(_)
            | Self::Path
            | Self::HeaderName(_)
            | Self::HeaderValue(_)
            | Self::HeaderOwned(_)
            | Self::Headers(..)
            | Self::RequestBody(..)
            | Self::BodyOnGet => STATUS_REFUSED,
            Self::NotSuccess(status) | Self::Redirect(status) | Self::NoBody(status) => *status,
            _ => STATUS_FAILED,
        }
    }
}
