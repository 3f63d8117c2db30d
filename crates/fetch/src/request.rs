//! From what a template asked for to what goes over the wire: checked once, completely, before
//! anything is connected or cached.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use corkboard_core::connected::{FetchCaching, FetchMethod, FetchRequest};
use corkboard_core::id::{Id, WorkspaceId};
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, USER_AGENT};
use http::uri::{self, Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use sha2::{Digest, Sha256};
use url::{Position, Url};

use crate::credential::Credential;
use crate::guard::{Guard, Target};
use crate::problem::Problem;

/// The documented bounds of `:cache_max_age`.
const SHORTEST_MAX_AGE: Duration = Duration::from_secs(300);
pub(crate) const LONGEST_MAX_AGE: Duration = Duration::from_secs(14_400);

/// The most that `:stale_if_error` may ask for.
pub(crate) const LONGEST_STALE: Duration = Duration::from_secs(86_400);

/// Nothing answers in less.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(10);

const MAX_HEADERS: usize = 64;
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// Headers that belong to the connection. A template that could set them could desynchronise
/// requests on a shared connection, or get a body that nobody will decode.
pub(crate) const OWNED: [&str; 13] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
const ANYTHING: HeaderValue = HeaderValue::from_static("*/*");
const GZIP: HeaderValue = HeaderValue::from_static("gzip");

/// Identifies a request for sharing: SHA-256 over workspace, method, URL, headers (those of its
/// credential among them) and body.
pub(crate) type CacheKey = [u8; 32];

/// What preparing needs to know.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) guard: Guard,
    pub(crate) max_request_body: usize,
    pub(crate) cache_ttl: Duration,
    pub(crate) timeout: Duration,
    pub(crate) user_agent: HeaderValue,
}

/// A request that may be sent.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) workspace: WorkspaceId,
    pub(crate) target: Target,
    pub(crate) method: FetchMethod,
    pub(crate) path: PathAndQuery,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// For the exchange, from leave to call to the last byte.
    pub(crate) timeout: Duration,
    pub(crate) sharing: Option<Sharing>,
    /// The credential that lets redirects be followed, and says where to.
    pub(crate) redirects: Option<Arc<Credential>>,
}

/// Under which key, and up to which age, an answer may be shared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sharing {
    pub(crate) key: CacheKey,
    pub(crate) max_age: Duration,
    /// For how much longer it may stand in for a failure.
    pub(crate) stale: Duration,
}

impl Prepared {
    pub(crate) fn new(
        rules: &Rules,
        workspace: WorkspaceId,
        request: &FetchRequest,
        credential: Option<&Arc<Credential>>,
    ) -> Result<Self, Problem> {
        let target = rules.guard.check_url(&request.url)?;
        let url = target.url();
        let path = path(url)?;
        let body = request.body.clone().map(Bytes::from).unwrap_or_default();
        if body.len() > rules.max_request_body {
            return Err(Problem::RequestBody(body.len(), rules.max_request_body));
        }
        if request.method == FetchMethod::Get && !body.is_empty() {
            return Err(Problem::BodyOnGet);
        }
        let mut headers = headers(rules, &target, request)?;
        if let Some(credential) = credential {
            let name = || request.credential.clone().unwrap_or_default();
            if !credential.covers(target.origin()) {
                return Err(Problem::CredentialHost(name()));
            }
            if !credential.allows_scheme(target.origin()) {
                return Err(Problem::CredentialPlain(name()));
            }
            credential.apply(&mut headers);
        }
        let max_age = match (request.caching, request.method) {
            (FetchCaching::Default, FetchMethod::Get) => Some(rules.cache_ttl),
            (FetchCaching::Never | FetchCaching::Default, _) => None,
            (FetchCaching::MaxAge(age), _) => Some(age.clamp(SHORTEST_MAX_AGE, LONGEST_MAX_AGE)),
        };
        let sharing = max_age.map(|max_age| {
            let key = cache_key(workspace, request.method, url.as_str(), &headers, &body);
            let stale = request.stale_if_error.unwrap_or_default();
            Sharing {
                key,
                max_age,
                stale: stale.min(LONGEST_STALE),
            }
        });
        Ok(Self {
            workspace,
            target,
            method: request.method,
            path,
            headers,
            body,
            timeout: request.timeout.map_or(rules.timeout, |asked| {
                asked.clamp(SHORTEST_TIMEOUT, FetchRequest::LONGEST_TIMEOUT)
            }),
            sharing,
            redirects: credential.filter(|it| it.follows_redirects()).cloned(),
        })
    }

    /// For the wire: origin form, so that a request means the same on any connection.
    pub(crate) fn to_http(&self) -> http::Request<http_body_util::Full<Bytes>> {
        let mut request = http::Request::new(http_body_util::Full::new(self.body.clone()));
        *request.method_mut() = self.http_method();
        *request.uri_mut() = self.path.clone().into();
        *request.headers_mut() = self.headers.clone();
        request
    }

    /// For the wire, where the host is a part of the URL and the length a header of ours.
    pub(crate) fn to_http2(&self) -> (http::Request<()>, Bytes) {
        let mut request = http::Request::new(());
        *request.method_mut() = self.http_method();
        let mut headers = self.headers.clone();
        let host = headers.remove(HOST);
        let authority = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
        let mut parts = uri::Parts::default();
        parts.scheme = Some(Scheme::HTTPS);
        parts.authority = authority;
        parts.path_and_query = Some(self.path.clone());
        // Without an authority there is none to send to, and the connection says so.
        *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
        if !self.body.is_empty() || self.method == FetchMethod::Post {
            headers.insert(CONTENT_LENGTH, self.body.len().into());
        }
        *request.headers_mut() = headers;
        (request, self.body.clone())
    }

    fn http_method(&self) -> Method {
        match self.method {
            FetchMethod::Get => Method::GET,
            FetchMethod::Post => Method::POST,
            FetchMethod::Put => Method::PUT,
            FetchMethod::Patch => Method::PATCH,
            FetchMethod::Delete => Method::DELETE,
        }
    }
}

fn headers(rules: &Rules, target: &Target, request: &FetchRequest) -> Result<HeaderMap, Problem> {
    let bytes: usize = request
        .headers
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if request.headers.len() > MAX_HEADERS || bytes > MAX_HEADER_BYTES {
        return Err(Problem::Headers(MAX_HEADERS, MAX_HEADER_BYTES));
    }
    let mut headers = HeaderMap::with_capacity(request.headers.len() + 5);
    for (name, value) in &request.headers {
        let parsed = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| Problem::HeaderName(name.chars().take(64).collect()))?;
        if OWNED.contains(&parsed.as_str()) {
            return Err(Problem::HeaderOwned(parsed.to_string()));
        }
        let value = header_value(parsed.as_str(), value)?;
        headers.append(parsed, value);
    }
    let content_type = match &request.content_type {
        Some(text) => Some(header_value("content-type", text)?),
        None => None,
    };
    // A header that the template wrote out is more specific than any of these.
    let accept = content_type.clone().unwrap_or(ANYTHING);
    headers.entry(ACCEPT).or_insert(accept);
    let default_type = match request.method {
        FetchMethod::Get => None,
        FetchMethod::Post | FetchMethod::Put | FetchMethod::Patch => Some(FORM),
        FetchMethod::Delete => request.body.as_ref().map(|_| FORM),
    };
    if let Some(content_type) = content_type.or(default_type) {
        headers.entry(CONTENT_TYPE).or_insert(content_type);
    }
    headers
        .entry(USER_AGENT)
        .or_insert_with(|| rules.user_agent.clone());
    headers.insert(ACCEPT_ENCODING, GZIP);
    headers.insert(HOST, host_header(target.url())?);
    Ok(headers)
}

/// What is asked for, as it stands on the wire.
pub(crate) fn path(url: &Url) -> Result<PathAndQuery, Problem> {
    PathAndQuery::try_from(&url[Position::BeforePath..Position::AfterQuery])
        .map_err(|_| Problem::Path)
}

/// Who is asked for it.
pub(crate) fn host_header(url: &Url) -> Result<HeaderValue, Problem> {
    header_value("host", &url[Position::BeforeHost..Position::AfterPort])
}

fn header_value(name: &str, value: &str) -> Result<HeaderValue, Problem> {
    HeaderValue::from_bytes(value.as_bytes()).map_err(|_| Problem::HeaderValue(name.to_owned()))
}

/// Every part is preceded by its length, so that no two different requests look alike.
fn cache_key(
    workspace: WorkspaceId,
    method: FetchMethod,
    url: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> CacheKey {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(&workspace.to_bytes());
    part(method.as_str().as_bytes());
    part(url.as_bytes());
    part(body);
    // The wanted headers come from a sorted map; the rest follows in a fixed order.
    for (name, value) in headers {
        part(name.as_str().as_bytes());
        part(value.as_bytes());
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests;
