//! Connected content as the domain sees it: what a template asks for and what comes back.
//!
//! The template engine suspends with a [`FetchRequest`]; whoever drives it answers with a
//! [`FetchResponse`]. Neither side knows the other: the HTTP client lives in the `fetch` room, tests
//! answer from a script. The trait is here because both rooms may depend on `core` only.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::id::{CampaignId, WorkspaceId};

/// HTTP method of a fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum FetchMethod {
    /// Cached by default.
    #[default]
    Get,
    /// Never cached unless the template sets `:cache_max_age`; so are the ones below.
    Post,
    Put,
    Patch,
    Delete,
}

impl FetchMethod {
    /// The method as it stands on the wire and in the call log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// The method of this name, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::Get, Self::Post, Self::Put, Self::Patch, Self::Delete];
        all.into_iter()
            .find(|method| method.as_str().eq_ignore_ascii_case(name))
    }

    /// Whether doing it twice does the same as doing it once.
    #[must_use]
    pub fn is_idempotent(self) -> bool {
        matches!(self, Self::Get | Self::Put | Self::Delete)
    }
}

/// Whether and for how long a response may be shared between identical requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum FetchCaching {
    /// GET for the default lifetime (300 s), POST not at all.
    #[default]
    Default,
    /// `:cache_max_age N`: at least 300 s, at most 14,400 s; also makes a POST cacheable.
    MaxAge(Duration),
    /// `:no_cache`.
    Never,
}

/// One `connected_content` call, completely rendered: no Liquid is left in any of its parts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct FetchRequest {
    /// Absolute URL as the template produced it, not yet parsed or checked.
    pub url: String,
    pub method: FetchMethod,
    /// Extra request headers; a `BTreeMap` so that equal sets compare equal.
    pub headers: BTreeMap<String, String>,
    /// Sets both `Content-Type` and `Accept` when present.
    pub content_type: Option<String>,
    pub body: Option<String>,
    pub caching: FetchCaching,
    /// `:basic_auth` or `:auth_credentials`: the name of a stored credential of the workspace.
    pub credential: Option<String>,
    /// `:timeout`: for the exchange with the endpoint, up to 10 s. `None`: the installation's.
    pub timeout: Option<Duration>,
    /// `:retry` and `:retry_max`: how often a failure that may pass is tried again; 0 is never.
    /// `:retry` alone means [`FetchRequest::DEFAULT_RETRIES`].
    pub retries: u8,
    /// `:stale_if_error`: how long after its age is over an answer may stand in for a failure.
    pub stale_if_error: Option<Duration>,
}

impl FetchRequest {
    /// What `:retry` means when `:retry_max` does not say otherwise.
    pub const DEFAULT_RETRIES: u8 = 5;
    /// The most that `:retry_max` may ask for.
    pub const MOST_RETRIES: u8 = 10;
    /// The longest `:timeout`.
    pub const LONGEST_TIMEOUT: Duration = Duration::from_secs(10);
}

/// The body of a response as templates see it.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum FetchBody {
    /// A reply that parsed as JSON (object, array or scalar).
    Json(Arc<serde_json::Value>),
    /// Any other reply, UTF-8 (invalid sequences replaced).
    Text(Arc<str>),
    /// Nothing usable: the call failed, was refused, timed out, or was not a 2xx.
    #[default]
    Empty,
}

/// The answer to a [`FetchRequest`]. There is always one: failures are answers, too.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FetchResponse {
    /// HTTP status, or a synthetic one: 0 for a refused address or malformed request, 529 when this
    /// installation held the call back, 598 for a host that is halted, 599 for a connection error
    /// or time-out. Templates read it as `__http_status_code__`.
    pub status: u16,
    pub body: FetchBody,
    /// What happened, for traces and the call log.
    pub report: FetchReport,
}

/// How a response came about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FetchReport {
    /// Wall time of the call as this caller saw it.
    pub elapsed: Duration,
    /// The part of it that was spent waiting for leave to call.
    pub waited: Duration,
    /// Bytes of the body as received.
    pub bytes: u64,
    pub source: FetchSource,
    /// Why there is no usable body, in words a template author understands.
    pub problem: Option<String>,
    pub verdict: FetchVerdict,
}

/// What the caller is to make of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FetchVerdict {
    /// Use it as it is: an answer, or a failure that the template judges.
    #[default]
    Settled,
    /// A failure that may pass, and the template asked for retries (or no call was made at all):
    /// try again under this number, not before this time has passed. The number is the same as
    /// before when the endpoint was not called; how long a caller goes on is then its own affair.
    /// Only [`ConnectedContent::attempt`] says so.
    Again { after: Duration, attempt: u8 },
    /// The template asked for retries and they are used up: its card is to be aborted, with the
    /// report's problem as the reason.
    GaveUp,
}

/// Where a response came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FetchSource {
    /// This caller's own call over the network.
    #[default]
    Network,
    /// Another caller's identical call that was in flight.
    Shared,
    /// The response cache.
    Cache,
    /// The response cache, too old but better than the failure that the call ended in.
    Stale,
    /// No call was made: validation, the address guard, a limit or a halt came before it.
    Refused,
}

impl FetchSource {
    /// One word for logs, traces and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Shared => "shared",
            Self::Cache => "cache",
            Self::Stale => "stale",
            Self::Refused => "refused",
        }
    }
}

/// On whose behalf a fetch is made. The cache never crosses workspaces.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FetchScope {
    pub workspace: WorkspaceId,
    /// Absent for previews and the command line.
    pub campaign: Option<CampaignId>,
}

impl fmt::Debug for FetchScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.workspace)
    }
}

/// Answers connected-content requests. Never fails: a failure is a response without a body.
#[async_trait]
pub trait ConnectedContent: Send + Sync + fmt::Debug {
    /// Performs (or shares, or remembers) one call, and waits through its retries. Ends within the
    /// implementation's time-outs and its patience.
    async fn fetch(&self, scope: FetchScope, request: FetchRequest) -> FetchResponse;

    /// One try, the `attempt`-th (counted from 1), for callers that can put a card aside: where a
    /// retry is due, the response says so and nobody waits. See [`FetchVerdict`].
    async fn attempt(
        &self,
        scope: FetchScope,
        request: FetchRequest,
        attempt: u8,
    ) -> FetchResponse {
        let _ = attempt;
        self.fetch(scope, request).await
    }
}
