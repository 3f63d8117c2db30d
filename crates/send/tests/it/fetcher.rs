//! Connected content from a script, with a door that can be closed.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use corkboard_core::connected::{
    ConnectedContent, FetchBody, FetchRequest, FetchResponse, FetchScope,
};
use serde_json::{Value, json};
use tokio::sync::watch;

type Script = Box<dyn FnMut(&str) -> Option<Value> + Send>;

/// Answers each URL as the script says: an object with status 200, or nothing with status 599.
pub(crate) struct Fetcher {
    script: Mutex<Script>,
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
            asked: Mutex::default(),
            held: watch::channel(None).0,
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
}
