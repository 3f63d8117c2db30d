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
    /// Never cached unless the template sets `:cache_max_age`.
    Post,
}

impl FetchMethod {
    /// The method as it stands on the wire and in the call log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
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
    /// HTTP status, or a synthetic one: 0 for a refused address or malformed request, 599 for a
    /// connection error or time-out. Templates read it as `__http_status_code__`.
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
    /// Bytes of the body as received.
    pub bytes: u64,
    pub source: FetchSource,
    /// Why there is no usable body, in words a template author understands.
    pub problem: Option<String>,
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
    /// No call was made: the address guard or validation refused it.
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
    /// Performs (or shares, or remembers) one call. Ends within the implementation's total time-out.
    async fn fetch(&self, scope: FetchScope, request: FetchRequest) -> FetchResponse;
}
