//! One hop of a redirect: what it asks for, judged like a first request.
//!
//! Followed only where a credential says so: who can store one knows the endpoint and where it sends
//! people. The hop passes the guard, has to lead to a host of the credential and never from https to
//! http. At another origin nothing of what might be secret arrives: no header of the credential, none
//! that the template wrote, no `Referer`.

use std::time::Duration;

use bytes::Bytes;
use corkboard_core::connected::FetchMethod;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderName};

use crate::guard::{Guard, MAX_URL_BYTES};
use crate::problem::Problem;
use crate::request::{Prepared, host_header, path};

/// Hops of one call.
pub(crate) const MOST_HOPS: usize = 3;

/// What another origin may see.
const HARMLESS: [HeaderName; 4] = [ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, USER_AGENT];

/// Whether an answer of this status may name another place to ask.
pub(crate) fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// The request that a redirect asks for. It has this long.
pub(crate) fn hop(
    guard: &Guard,
    request: &Prepared,
    status: u16,
    location: &str,
    timeout: Duration,
) -> Result<Prepared, Problem> {
    let credential = request.redirects.as_ref();
    let credential = credential.ok_or(Problem::Redirect(status))?;
    let joined = (location.len() <= MAX_URL_BYTES).then(|| request.target.url().join(location));
    let joined = joined.and_then(Result::ok);
    let joined = joined.ok_or(Problem::Location(status))?;
    let target = guard.check_url(joined.as_str())?;
    let (from, to) = (request.target.origin(), target.origin());
    if from.https && !to.https {
        return Err(Problem::Downgrade);
    }
    if !credential.covers(to) {
        return Err(Problem::RedirectHost);
    }
    let method = match (status, request.method) {
        (301 | 302, FetchMethod::Post) | (303, _) => FetchMethod::Get,
        (_, method) => method,
    };
    let mut headers = request.headers.clone();
    let mut body = request.body.clone();
    if method != request.method {
        body = Bytes::new();
        headers.remove(CONTENT_TYPE);
    }
    if from != to {
        let kept = headers.iter().filter(|(name, _)| HARMLESS.contains(name));
        let kept = kept.map(|(name, value)| (name.clone(), value.clone()));
        headers = kept.collect::<HeaderMap>();
    }
    headers.insert(HOST, host_header(target.url())?);
    Ok(Prepared {
        workspace: request.workspace,
        path: path(target.url())?,
        target,
        method,
        headers,
        body,
        timeout,
        sharing: request.sharing,
        redirects: request.redirects.clone(),
    })
}
