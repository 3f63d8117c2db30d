//! The call log: one record for every call that was made or refused, and for every old answer that
//! stood in for a failure.
//!
//! Answers from the cache and shared answers are not calls: in a large send they would drown the
//! calls, so there they are only counted in the metrics. A preview, which is one person's question,
//! leaves a record of them, too. Recording never waits: where the log is
//! written is the listener's business, and a listener that falls behind loses the newest records
//! (counted), not the render its time.

use std::fmt;

use corkboard_core::connected::{FetchMethod, FetchSource};
use corkboard_core::id::{CampaignId, WorkspaceId};
use corkboard_core::time::Timestamp;
use tokio::sync::mpsc;
use url::Url;

use crate::meter;

/// Longer URLs are cut in the log.
const LOGGED_URL_BYTES: usize = 2_048;

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchRecord {
    /// When the call was asked for.
    pub at: Timestamp,
    pub workspace: WorkspaceId,
    /// Absent for previews and the command line.
    pub campaign: Option<CampaignId>,
    pub method: FetchMethod,
    /// As called, with its query, but without user name, password and the values of query parameters
    /// that look like secrets; at most 2,048 bytes.
    pub url: String,
    /// Host name or address; empty when the URL could not be read.
    pub host: String,
    /// As templates see it: an HTTP status, 0 (refused) or 599 (no complete answer).
    pub status: u16,
    pub elapsed_ms: u64,
    /// The part of it that was spent waiting for leave to call.
    pub waited_ms: u64,
    /// Bytes of the body that arrived.
    pub bytes: u64,
    /// How the answer came about.
    pub source: FetchSource,
    pub cache: CacheUse,
    /// Which try this was, counted from 1.
    pub attempt: u8,
    pub problem: Option<String>,
}

/// What the cache had to do with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CacheUse {
    /// It had the answer, or somebody's call under way did.
    Hit,
    /// It was asked and had nothing fresh.
    Miss,
    /// It was not asked: the request is not to be shared, or was refused.
    #[default]
    Bypass,
}

impl CacheUse {
    /// One word for logs and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Bypass => "bypass",
        }
    }
}

/// Where records go.
pub trait CallLog: Send + Sync + fmt::Debug {
    /// Takes a record. Never blocks and never fails; may drop.
    fn record(&self, record: FetchRecord);
}

/// Hands records to a listener through a bounded channel.
#[derive(Debug, Clone)]
pub struct ChannelCallLog {
    sender: mpsc::Sender<FetchRecord>,
}

impl ChannelCallLog {
    /// A log and its listening end. `capacity` records (at most about 3 KiB each) may be waiting;
    /// beyond, new ones are dropped and counted in `corkboard_fetch_log_dropped_total`.
    #[must_use]
    pub fn new(capacity: usize) -> (Self, mpsc::Receiver<FetchRecord>) {
        let (sender, receiver) = mpsc::channel(capacity.max(1));
        (Self { sender }, receiver)
    }
}

impl CallLog for ChannelCallLog {
    fn record(&self, record: FetchRecord) {
        if self.sender.try_send(record).is_err() {
            meter::log_dropped();
        }
    }
}

/// Keeps nothing: for the command line, whose trace shows every fetch anyway.
#[derive(Debug, Clone, Copy, Default)]
pub struct DiscardCallLog;

impl CallLog for DiscardCallLog {
    fn record(&self, _record: FetchRecord) {}
}

/// A URL fit for a log, and its host. What cannot be parsed may hide a password anywhere, so it is
/// not repeated.
pub(crate) fn for_log(text: &str) -> (String, String) {
    let Ok(mut url) = Url::parse(text) else {
        return ("(not a valid URL)".to_owned(), String::new());
    };
    if (!url.username().is_empty() || url.password().is_some())
        && (url.set_username("").is_err() || url.set_password(None).is_err())
    {
        return ("(a URL with credentials)".to_owned(), String::new());
    }
    let host = url.host_str().unwrap_or_default().to_owned();
    hide_secrets(&mut url);
    let mut shown = String::from(url);
    // A serialised URL is ASCII, so any byte is a boundary.
    shown.truncate(LOGGED_URL_BYTES);
    (shown, host)
}

/// Query parameters whose names contain one of these have values that are nobody's business.
const SECRET_WORDS: [&str; 12] = [
    "token",
    "secret",
    "password",
    "passwd",
    "pwd",
    "apikey",
    "accesskey",
    "signature",
    "credential",
    "auth",
    "session",
    "jwt",
];

/// Whole names, too short to look for inside others.
const SECRET_NAMES: [&str; 4] = ["key", "sig", "pass", "hmac"];

fn hide_secrets(url: &mut Url) {
    let is_secret = |name: &str| {
        let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        let plain = plain.to_ascii_lowercase();
        let contains = SECRET_WORDS.iter().any(|word| plain.contains(word));
        contains || SECRET_NAMES.contains(&plain.as_str())
    };
    if !url.query_pairs().any(|(name, _)| is_secret(&name)) {
        return;
    }
    let pieces = url.query().unwrap_or_default().split('&').map(|piece| {
        let name = piece.split('=').next().unwrap_or_default();
        let decoded = url::form_urlencoded::parse(name.as_bytes());
        let secret = decoded.into_iter().any(|(name, _)| is_secret(&name));
        if secret {
            format!("{name}=***")
        } else {
            piece.to_owned()
        }
    });
    let hidden: Vec<String> = pieces.collect();
    url.set_query(Some(&hidden.join("&")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_info_never_reaches_the_log() {
        for text in [
            "https://user:secret@example.com/a?q=1",
            "ftp://secret@example.com/",
            "http://secret:secret@exa mple.com/",
            "mailto:secret@example.com",
            "data:secret",
        ] {
            let (url, host) = for_log(text);
            assert!(!host.contains("secret"), "{host}");
            let opaque = text.starts_with("mailto") || text.starts_with("data");
            assert!(opaque || !url.contains("secret"), "{url}");
        }
        let (url, host) = for_log("https://user:secret@example.com/a?q=1");
        assert_eq!(
            (url.as_str(), host.as_str()),
            ("https://example.com/a?q=1", "example.com")
        );
    }

    #[test]
    fn values_of_parameters_that_look_like_secrets_are_hidden() {
        for (query, shown) in [
            ("a=1&access_token=s3cret&b=2", "a=1&access_token=***&b=2"),
            ("API-Key=s3cret", "API-Key=***"),
            ("api%5Fkey=s3cret", "api%5Fkey=***"),
            (
                "X-Amz-Signature=s3cret&key=s3cret",
                "X-Amz-Signature=***&key=***",
            ),
            ("token=a=s3cret", "token=***"),
            (
                "user=7&keyword=shoes&design=x",
                "user=7&keyword=shoes&design=x",
            ),
        ] {
            let (url, _) = for_log(&format!("https://example.com/p?{query}"));
            assert_eq!(url, format!("https://example.com/p?{shown}"));
        }
    }

    #[test]
    fn long_urls_are_cut() {
        let (url, host) = for_log(&format!("https://example.com/{}", "é".repeat(5_000)));
        assert_eq!(
            (url.len(), host.as_str()),
            (LOGGED_URL_BYTES, "example.com")
        );
    }
}
