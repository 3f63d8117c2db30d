//! The call log: one record for every call that was made or refused.
//!
//! Answers from the cache and shared answers are not calls and are only counted in the metrics;
//! logging them would drown the calls in a large send. Recording never waits: where the log is
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
    /// As called, with its query and without user name or password; at most 2,048 bytes.
    pub url: String,
    /// Host name or address; empty when the URL could not be read.
    pub host: String,
    /// As templates see it: an HTTP status, 0 (refused) or 599 (no complete answer).
    pub status: u16,
    pub elapsed_ms: u64,
    /// Bytes of the body that arrived.
    pub bytes: u64,
    /// `Network` or `Refused`.
    pub source: FetchSource,
    pub problem: Option<String>,
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
    let mut shown = String::from(url);
    // A serialised URL is ASCII, so any byte is a boundary.
    shown.truncate(LOGGED_URL_BYTES);
    (shown, host)
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
    fn long_urls_are_cut() {
        let (url, host) = for_log(&format!("https://example.com/{}", "é".repeat(5_000)));
        assert_eq!(
            (url.len(), host.as_str()),
            (LOGGED_URL_BYTES, "example.com")
        );
    }
}
