//! Connected content from a script, with a door that can be closed.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use corkboard_core::connected::{
    ConnectedContent, FetchBody, FetchReport, FetchRequest, FetchResponse, FetchScope, FetchVerdict,
};
use serde_json::{Value, json};
use tokio::sync::watch;

type Script = Box<dyn FnMut(&str) -> Option<Value> + Send>;
type Attempts = Box<dyn FnMut(&str, u8) -> Option<FetchResponse> + Send>;

/// Answers each URL as the script says: an object with status 200, or nothing with status 599.
pub(crate) struct Fetcher {
    script: Mutex<Script>,
    /// Says what becomes of a try, where it is not what the script says.
    attempts: Mutex<Attempts>,
    asked: Mutex<Vec<String>>,
    /// Calls whose URL ends like this wait.
    held: watch::Sender<Option<&'static str>>,
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fetcher")
    }
}

impl Default for Fetcher {
    fn default() -> Self {
        Self::scripted(|url| Some(json!({ "url": url })))
    }
}

impl Fetcher {
    pub(crate) fn scripted(script: impl FnMut(&str) -> Option<Value> + Send + 'static) -> Self {
        Self {
            script: Mutex::new(Box::new(script)),
            attempts: Mutex::new(Box::new(|_, _| None)),
            asked: Mutex::default(),
            held: watch::channel(None).0,
        }
    }

    /// With tries that may fail: told the URL and the number of the try.
    pub(crate) fn trying(
        attempts: impl FnMut(&str, u8) -> Option<FetchResponse> + Send + 'static,
    ) -> Self {
        Self {
            attempts: Mutex::new(Box::new(attempts)),
            ..Self::default()
        }
    }

    /// From now on calls wait, once they have been counted.
    pub(crate) fn close(&self) {
        self.close_for("");
    }

    /// From now on calls of URLs that end like this wait.
    pub(crate) fn close_for(&self, end: &'static str) {
        self.held.send_replace(Some(end));
    }

    pub(crate) fn open(&self) {
        self.held.send_replace(None);
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl ConnectedContent for Fetcher {
    async fn fetch(&self, _: FetchScope, request: FetchRequest) -> FetchResponse {
        self.asked.lock().unwrap().push(request.url.clone());
        let mut held = self.held.subscribe();
        let is_free = |held: &Option<&str>| held.is_none_or(|end| !request.url.ends_with(end));
        held.wait_for(is_free).await.unwrap();
        let answer = (self.script.lock().unwrap_or_else(PoisonError::into_inner))(&request.url);
        match answer {
            Some(body) => FetchResponse {
                status: 200,
                body: FetchBody::Json(body.into()),
                ..FetchResponse::default()
            },
            None => FetchResponse {
                status: 599,
                ..FetchResponse::default()
            },
        }
    }

    async fn attempt(
        &self,
        scope: FetchScope,
        request: FetchRequest,
        attempt: u8,
    ) -> FetchResponse {
        let planned = (self.attempts.lock().unwrap())(&request.url, attempt);
        match planned {
            Some(response) => {
                self.asked.lock().unwrap().push(request.url);
                response
            }
            None => self.fetch(scope, request).await,
        }
    }
}

/// A failure that is to be tried again.
pub(crate) fn again(after: Duration, attempt: u8) -> FetchResponse {
    failed(FetchVerdict::Again { after, attempt })
}

/// A failure that is not tried again any more.
pub(crate) fn gave_up() -> FetchResponse {
    failed(FetchVerdict::GaveUp)
}

fn failed(verdict: FetchVerdict) -> FetchResponse {
    let report = FetchReport {
        problem: Some("status 503".to_owned()),
        verdict,
        ..FetchReport::default()
    };
    FetchResponse {
        status: 503,
        report,
        ..FetchResponse::default()
    }
}
