//! The load generator: `wrk` on a CPU of its own, one thread, and what it reports.

mod script;
mod summary;

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::timeout;

pub(crate) use summary::{Errors, Summary};

use crate::child;
use crate::failure::{Failure, Result, While as _};

/// A response that takes longer than this counts as an error.
const TIME_OUT: Duration = Duration::from_secs(5);

/// Beyond its own time it may take so long to read its list and to hang up.
const PATIENCE: Duration = Duration::from_secs(60);

/// One step of load.
#[derive(Debug, Clone)]
pub(crate) struct Load<'a> {
    pub(crate) base: &'a str,
    pub(crate) connections: usize,
    pub(crate) seconds: u64,
    pub(crate) cpus: &'a str,
    pub(crate) requests: &'a Requests,
    /// Sent with every request of [`Requests::One`].
    pub(crate) if_none_match: Option<&'a str>,
}

/// Whose feed is asked for.
#[derive(Debug, Clone)]
pub(crate) enum Requests {
    /// One user's, again and again: this token.
    One(String),
    /// Each user's, or each path, in turn, by a script.
    Many(PathBuf),
    /// The same, but each once.
    Once(PathBuf),
}

impl Requests {
    /// A script that asks for the feed of each token's user in turn. Requests are put together
    /// before the load begins, so that the script costs the generator little.
    pub(crate) fn many(folder: &Path, name: &str, tokens: &[String]) -> Result<Self> {
        let request = r#""GET /v1/feed HTTP/1.1\r\n" .. host .. "Authorization: Bearer " .. line .. "\r\n\r\n""#;
        script::write(folder, name, tokens, request, script::AGAIN).map(Self::Many)
    }

    /// A script that asks for each of the paths in turn; as cheap for the generator.
    pub(crate) fn paths(folder: &Path, name: &str, paths: &[String]) -> Result<Self> {
        let request = r#""GET " .. line .. " HTTP/1.1\r\n" .. host .. "\r\n""#;
        script::write(folder, name, paths, request, script::AGAIN).map(Self::Many)
    }

    /// The same requests, each once: the load ends with the list, if it comes so far.
    pub(crate) fn once(&self) -> Result<Self> {
        match self {
            Self::Many(script) => script::once(script).map(Self::Once),
            other => Ok(other.clone()),
        }
    }
}

impl Load<'_> {
    /// Puts the load on and waits for its end.
    pub(crate) async fn run(&self) -> Result<Summary> {
        let mut command = child::command(Path::new("wrk"), Some(self.cpus));
        command.args(["--threads", "1", "--latency"]);
        command.args(["--connections", &self.connections.to_string()]);
        command.args(["--duration", &format!("{}s", self.seconds)]);
        command.args(["--timeout", &format!("{}s", TIME_OUT.as_secs())]);
        match self.requests {
            Requests::One(token) => {
                command
                    .arg("--header")
                    .arg(format!("Authorization: Bearer {token}"));
            }
            Requests::Many(script) | Requests::Once(script) => {
                command.arg("--script").arg(script);
            }
        }
        if let Some(tag) = self.if_none_match {
            command.arg("--header").arg(format!("If-None-Match: {tag}"));
        }
        command.arg(format!("{}/v1/feed", self.base));
        let script = match self.requests {
            Requests::One(_) => None,
            Requests::Many(script) | Requests::Once(script) => Some(script),
        };
        script.map_or(Ok(()), |script| script::forget(script))?;
        let longest = Duration::from_secs(self.seconds) + PATIENCE;
        let printed = timeout(longest, child::output(command))
            .await
            .map_err(|_| Failure::Late("the end of wrk".to_owned()))??;
        let mut summary = parsed(&printed)?;
        if let Some(seconds) = script.and_then(|script| script::active_seconds(script)) {
            #[expect(clippy::cast_precision_loss, reason = "far below 2^52 requests")]
            let count = summary.requests as f64;
            summary.per_second = count / seconds;
        }
        Ok(summary)
    }
}

/// The same URL again and again, from one thread on whichever CPU is free.
pub(crate) async fn against(url: &str, connections: usize, seconds: u64) -> Result<Summary> {
    let mut command = child::command(Path::new("wrk"), None);
    command.args(["--threads", "1", "--latency"]);
    command.args(["--connections", &connections.to_string()]);
    command
        .args(["--duration", &format!("{seconds}s")])
        .arg(url);
    let printed = child::output(command).await?;
    parsed(&printed)
}

fn parsed(printed: &str) -> Result<Summary> {
    Summary::parse(printed)
        .ok_or_else(|| Failure::unexpected(format!("wrk printed something else:\n{printed}")))
}

/// Checks that the generator is there before minutes of work are spent.
pub(crate) async fn is_there() -> Result<()> {
    let mut command = child::command(Path::new("wrk"), None);
    command.arg("--version");
    // Its status is 1 when it only prints its version.
    command
        .output()
        .await
        .while_doing("wrk is missing (Debian: wrk)")
        .map(drop)
}
