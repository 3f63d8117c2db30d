//! A client wired for tests: loopback let through, a held clock, a log that can be read, names that
//! resolve by script.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use corkboard_core::connected::{
    ConnectedContent, FetchBody, FetchMethod, FetchRequest, FetchResponse, FetchScope,
};
use corkboard_core::id::{CampaignId, Id, WorkspaceId};
use corkboard_core::time::Timestamp;
use corkboard_fetch::{ChannelCallLog, FetchClient, FetchOptions, FetchRecord, Resolve};
use corkboard_testkit::HeldClock;
use tokio::sync::mpsc;

/// Answers lookups from a script: each name has its answers in turn, the last one repeats.
#[derive(Debug, Default)]
pub(crate) struct ScriptedResolver {
    answers: Mutex<HashMap<String, Vec<Vec<IpAddr>>>>,
    lookups: AtomicUsize,
    /// Names that never get an answer.
    stalled: Mutex<Vec<String>>,
    /// Names whose answers take a moment.
    slow: Mutex<Vec<String>>,
}

impl ScriptedResolver {
    pub(crate) fn name(&self, host: &str, turns: &[&[&str]]) {
        let parse = |turn: &&[&str]| {
            turn.iter()
                .map(|ip| ip.parse().expect("the script holds addresses"))
                .collect()
        };
        let turns = turns.iter().map(parse).collect();
        self.answers
            .lock()
            .expect("no test panics with the lock")
            .insert(host.to_owned(), turns);
    }

    pub(crate) fn stall(&self, host: &str) {
        self.stalled
            .lock()
            .expect("no test panics with the lock")
            .push(host.to_owned());
    }

    pub(crate) fn delay(&self, host: &str) {
        let mut slow = self.slow.lock().expect("no test panics with the lock");
        slow.push(host.to_owned());
    }

    pub(crate) fn lookups(&self) -> usize {
        self.lookups.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Resolve for ScriptedResolver {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        self.lookups.fetch_add(1, Ordering::SeqCst);
        let stalled = self
            .stalled
            .lock()
            .expect("no test panics with the lock")
            .iter()
            .any(|name| name == host);
        if stalled {
            return std::future::pending().await;
        }
        let slow = self
            .slow
            .lock()
            .expect("no test panics with the lock")
            .iter()
            .any(|name| name == host);
        if slow {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut answers = self.answers.lock().expect("no test panics with the lock");
        let turns = answers
            .get_mut(host)
            .ok_or_else(|| io::Error::other("no such name"))?;
        Ok(if turns.len() > 1 {
            turns.remove(0)
        } else {
            turns[0].clone()
        })
    }
}

/// The client and everything a test wants to look at.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) client: Arc<FetchClient>,
    pub(crate) clock: HeldClock,
    pub(crate) resolver: Arc<ScriptedResolver>,
    pub(crate) log: mpsc::Receiver<FetchRecord>,
}

/// Loopback let through on any port; otherwise the defaults.
pub(crate) fn open_options() -> FetchOptions {
    FetchOptions {
        allow_networks: vec!["127.0.0.1/32".parse().expect("a network")],
        allow_ports: Vec::new(),
        ..FetchOptions::default()
    }
}

impl Bench {
    pub(crate) fn open() -> Self {
        Self::with(open_options())
    }

    pub(crate) fn with(options: FetchOptions) -> Self {
        let clock = HeldClock::at(Timestamp::from_seconds(1_795_255_200));
        let resolver = Arc::new(ScriptedResolver::default());
        let (log, records) = ChannelCallLog::new(10_000);
        let client = FetchClient::new(
            options,
            Arc::new(clock.clone()),
            Arc::new(log),
            Arc::clone(&resolver) as Arc<dyn Resolve>,
        )
        .expect("the options are good");
        Self {
            client: Arc::new(client),
            clock,
            resolver,
            log: records,
        }
    }

    pub(crate) async fn get(&self, url: &str) -> FetchResponse {
        self.fetch(get(url)).await
    }

    pub(crate) async fn fetch(&self, request: FetchRequest) -> FetchResponse {
        self.client.fetch(scope(1), request).await
    }

    pub(crate) fn records(&mut self) -> Vec<FetchRecord> {
        std::iter::from_fn(|| self.log.try_recv().ok()).collect()
    }
}

pub(crate) fn scope(workspace: u8) -> FetchScope {
    FetchScope {
        workspace: WorkspaceId::from_bytes([workspace; 16]),
        campaign: Some(CampaignId::from_bytes([9; 16])),
    }
}

pub(crate) fn get(url: &str) -> FetchRequest {
    FetchRequest {
        url: url.to_owned(),
        ..FetchRequest::default()
    }
}

pub(crate) fn post(url: &str, body: &str) -> FetchRequest {
    FetchRequest {
        method: FetchMethod::Post,
        body: Some(body.to_owned()),
        ..get(url)
    }
}

pub(crate) fn text(response: &FetchResponse) -> &str {
    match &response.body {
        FetchBody::Text(text) => text,
        other => panic!("no text but {other:?}, {:?}", response.report),
    }
}

/// Asserts a failure: this status, no body, and a reason that says so.
#[track_caller]
pub(crate) fn expect_failure(response: &FetchResponse, status: u16, reason: &str) {
    assert_eq!(response.status, status, "{response:?}");
    assert_eq!(response.body, FetchBody::Empty);
    let problem = response.report.problem.as_deref().unwrap_or_default();
    assert!(
        problem.contains(reason),
        "{problem:?} does not say {reason:?}"
    );
}
