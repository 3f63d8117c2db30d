//! Why a fetch has no usable body, in words for the author of a template, and which status that is.

use std::time::Duration;

use crate::credential::CredentialsUnavailable;
use crate::guard::Refusal;
use crate::host::Sign;

/// The request never left, and never will as it stands.
pub(crate) const STATUS_REFUSED: u16 = 0;
/// This installation held the call back, for the endpoint's sake or its own.
pub(crate) const STATUS_HELD_BACK: u16 = 529;
/// The host is halted: almost everything it was asked lately failed.
pub(crate) const STATUS_HALTED: u16 = 598;
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

    #[error("there is no stored credential '{0}'")]
    NoCredential(String),
    #[error("the credential '{0}' is bound to other hosts than this")]
    CredentialHost(String),
    #[error("the credential '{0}' is only sent over https")]
    CredentialPlain(String),

    #[error("the redirect leads from https to http")]
    Downgrade,
    #[error("the redirect leads to a host that the credential is not bound to")]
    RedirectHost,

    // --- held back
    #[error("too many fetches are waiting already")]
    QueueFull,
    #[error("no fetch slot came free within {0:?}")]
    NoSlot(Duration),
    #[error("the endpoint has as many calls as it takes, and this one's turn did not come in time")]
    NoTurn,
    #[error("the endpoint asked not to be called for another {0:.0?}")]
    Paused(Duration),
    #[error("the cap on calls per second leaves no place for another {0:.1?}")]
    Paced(Duration),
    #[error("too large a share of the calls to this host are retries already")]
    NoRetry,
    #[error("too many hosts are being called at a time")]
    TooManyHosts,

    // --- halted
    #[error("calls to this host are halted for another {0:.0?}, because almost all of them failed")]
    Halted(Duration),

    // --- no complete answer
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
    #[error("the endpoint refused the call without looking at it, again and again")]
    RefusedStream,
    #[error("the endpoint answered {status} but its body broke off: {cause}")]
    BodyBroken { status: u16, cause: String },
    #[error("the endpoint answered {status} with a body longer than {limit} bytes")]
    BodyTooLong { status: u16, limit: usize },
    #[error(
        "the endpoint answered {status} with a body in an encoding that was not asked for ({encoding})"
    )]
    Encoded { status: u16, encoding: String },
    #[error("the endpoint answered {status} with a body that grows too much when unpacked")]
    Bomb { status: u16 },
    #[error("the endpoint answered {status} with a body that cannot be unpacked")]
    Unpacking { status: u16 },
    #[error("the endpoint answered {status} with JSON of more than {limit} values")]
    JsonTooLarge { status: u16, limit: usize },
    #[error("the endpoint answered {status} with JSON nested more than {limit} deep")]
    JsonTooDeep { status: u16, limit: usize },
    #[error(transparent)]
    Credentials(#[from] CredentialsUnavailable),
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
    #[error("the endpoint answered {0}, a redirect, which was followed")]
    Redirected(u16),
    #[error("the endpoint answered {0}, a redirect without a usable Location")]
    Location(u16),
    #[error("the endpoint answered {0}, one redirect more than are followed")]
    TooManyRedirects(u16),
    #[error("the endpoint answered {0} without a body")]
    NoBody(u16),
}

impl Problem {
    /// Whether the endpoint never heard of this.
    pub(crate) fn without_call(&self) -> bool {
        let held = [STATUS_REFUSED, STATUS_HELD_BACK, STATUS_HALTED].contains(&self.own_status());
        held || self.held_back()
    }

    /// Whether the call was not made for a reason of ours: nothing is known about the endpoint.
    pub(crate) fn held_back(&self) -> bool {
        self.own_status() == STATUS_HELD_BACK || *self == Self::ShuttingDown
    }

    /// What a failed exchange says about the endpoint's room.
    pub(crate) fn sign(&self) -> Sign {
        match self {
            Self::Resolve(_)
            | Self::Connect(_)
            | Self::Tls(_)
            | Self::TimedOut(_)
            | Self::BodyTimedOut { .. }
            | Self::Broken(_)
            | Self::BodyBroken { .. } => Sign::Failed,
            Self::RefusedStream => Sign::Shed,
            Self::BodyTooLong { .. }
            | Self::Encoded { .. }
            | Self::Bomb { .. }
            | Self::Unpacking { .. }
            | Self::JsonTooLarge { .. }
            | Self::JsonTooDeep { .. } => Sign::Fine,
            _ => Sign::Nothing,
        }
    }

    /// The status that templates see. A 2xx always comes with the complete body that the endpoint
    /// sent: where that body cannot be used, the status is 599, so that `!= 200` catches it.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::NotSuccess(status)
            | Self::Redirect(status)
            | Self::Redirected(status)
            | Self::Location(status)
            | Self::TooManyRedirects(status)
            | Self::NoBody(status) => *status,
            _ => self.own_status(),
        }
    }

    /// The synthetic status; 599 also for what the endpoint said itself.
    fn own_status(&self) -> u16 {
        match self {
            Self::Guard(_)
            | Self::Path
            | Self::HeaderName(_)
            | Self::HeaderValue(_)
            | Self::HeaderOwned(_)
            | Self::Headers(..)
            | Self::RequestBody(..)
            | Self::BodyOnGet
            | Self::NoCredential(_)
            | Self::CredentialHost(_)
            | Self::CredentialPlain(_)
            | Self::Downgrade
            | Self::RedirectHost => STATUS_REFUSED,
            Self::QueueFull
            | Self::NoSlot(_)
            | Self::NoTurn
            | Self::Paused(_)
            | Self::Paced(_)
            | Self::NoRetry
            | Self::TooManyHosts => STATUS_HELD_BACK,
            Self::Halted(_) => STATUS_HALTED,
            _ => STATUS_FAILED,
        }
    }
}
