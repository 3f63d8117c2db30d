//! A customer's endpoint from a script: answers JSON, counts calls, can be made to wait.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use corkboard_core::connected::{
    ConnectedContent, FetchBody, FetchReport, FetchRequest, FetchResponse, FetchScope,
};
use serde_json::Value;
use tokio::sync::Semaphore;

/// Answers what it was told to answer; 404 for everything else.
#[derive(Debug)]
pub(crate) struct Endpoint {
    answers: Mutex<HashMap<String, Value>>,
    pub(crate) calls: AtomicUsize,
    /// One permit per call that may be answered.
    pub(crate) gate: Semaphore,
}

impl Default for Endpoint {
    fn default() -> Self {
        Self {
            answers: Mutex::default(),
            calls: AtomicUsize::new(0),
            gate: Semaphore::new(1_000_000),
        }
    }
}

impl Endpoint {
    pub(crate) fn answers(&self, url: &str, body: Value) {
        self.answers.lock().unwrap().insert(url.to_owned(), body);
    }

    /// No call is answered from now on, until permits are added.
    pub(crate) fn hold(&self) {
        self.gate.forget_permits(1_000_000);
    }

    pub(crate) fn count(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl ConnectedContent for Endpoint {
    async fn fetch(&self, _: FetchScope, request: FetchRequest) -> FetchResponse {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.gate.acquire().await.unwrap().forget();
        let answer = self.answers.lock().unwrap().get(&request.url).cloned();
        match answer {
            Some(body) => FetchResponse {
                status: 200,
                body: FetchBody::Json(body.into()),
                report: FetchReport {
                    bytes: 10,
                    ..FetchReport::default()
                },
            },
            None => FetchResponse {
                status: 404,
                body: FetchBody::Empty,
                report: FetchReport {
                    problem: Some("the endpoint answered 404".to_owned()),
                    ..FetchReport::default()
                },
            },
        }
    }
}
