//! The endpoint: a process of its own that answers late, in slots, and counts.
//!
//! It is the bench's own program with the word `endpoint`. It says its port on standard output, takes
//! its script from `/_play` and tells what it saw at `/_seen`; every other path is a call.

mod counts;
mod server;

use std::path::PathBuf;
use std::process::Stdio;

use corkboard_testkit::TestClient;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;

use crate::Setting;
use crate::child;
use crate::failure::{Failure, Result, While as _};

pub(crate) use counts::Seen;
pub(crate) use server::serve;

/// The word on the command line that makes this program an endpoint.
pub(crate) const WORD: &str = "endpoint";

/// How it behaves from now on.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Script {
    /// Calls that are worked on at a time.
    pub(crate) slots: usize,
    pub(crate) latency_ms: u64,
    /// Whether it refuses what finds no slot, instead of letting it wait.
    pub(crate) sheds: bool,
    /// So long after the first call it becomes slow; 0 for never.
    pub(crate) slow_after_ms: u64,
    pub(crate) slow_latency_ms: u64,
    /// Whether it never answers.
    pub(crate) is_dead: bool,
}

impl Script {
    pub(super) fn steady(slots: usize, latency_ms: u64) -> Self {
        Self {
            slots,
            latency_ms,
            sheds: false,
            slow_after_ms: 0,
            slow_latency_ms: 0,
            is_dead: false,
        }
    }

    /// As the query of its request.
    fn in_url(&self) -> Result<String> {
        let script = serde_json::to_string(self).map_err(Failure::unexpected)?;
        Ok(script.replace('"', "%22").replace(['{', '}'], ""))
    }
}

/// The running process.
#[derive(Debug)]
pub(super) struct Endpoint {
    _child: Child,
    base: String,
    client: TestClient,
}

impl Endpoint {
    pub(super) async fn start(setting: &Setting) -> Result<Self> {
        let own: PathBuf = std::env::current_exe().while_doing("the bench's own path")?;
        let mut command = child::command(&own, None);
        command.arg(WORD).stdout(Stdio::piped());
        command.current_dir(&setting.scratch);
        let mut child = command.spawn().while_doing("the endpoint")?;
        let output = child.stdout.take();
        let output = output.ok_or_else(|| Failure::unexpected("the endpoint has no output"))?;
        let line = BufReader::new(output).lines().next_line().await;
        let port = line.while_doing("the endpoint's port")?.unwrap_or_default();
        let port: u16 = port
            .parse()
            .map_err(|_| Failure::unexpected(format!("the endpoint says '{port}'")))?;
        let base = format!("http://127.0.0.1:{port}");
        Ok(Self {
            _child: child,
            client: TestClient::new(base.clone()),
            base,
        })
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Begins counting anew.
    pub(super) async fn play(&self, script: Script) -> Result<()> {
        let reply = self.client.get(&format!("/_play?{}", script.in_url()?));
        let reply = reply.try_send().await?;
        if reply.status == 200 {
            Ok(())
        } else {
            Err(Failure::unexpected(format!(
                "the endpoint refuses its script: {}",
                reply.text()
            )))
        }
    }

    pub(super) async fn seen(&self) -> Result<Seen> {
        let reply = self.client.get("/_seen").try_send().await?;
        serde_json::from_slice(&reply.body).map_err(Failure::unexpected)
    }
}
