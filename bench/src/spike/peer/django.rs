//! The ladder's own steps: Django behind gunicorn and behind waitress, in a virtual environment that
//! the bench makes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use corkboard_testkit::TestClient;
use serde_json::Value;
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};

use crate::Setting;
use crate::child::{self, Child};
use crate::failure::{Failure, Result};
use crate::node::free_port;
use crate::spike::SERVER_CPU;
use crate::spike::site::OriginSite;

/// Installed from PyPI.
pub(crate) const VERSIONS: [&str; 6] = [
    "django==5.2.19",
    "gunicorn==27.0.1",
    "waitress==3.0.2",
    "psycopg[binary]==3.3.9",
    "redis==8.1.0",
    "hiredis==3.5.0",
];
/// A network that hangs must not take the rest of the run with it.
const LONGEST_INSTALL: Duration = Duration::from_mins(3);
const READY_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A step of the ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ladder {
    GunicornPostgres,
    WaitressPostgres,
    WaitressRedis,
}

/// The installed environment.
#[derive(Debug)]
pub(crate) struct Django {
    python: PathBuf,
    sources: PathBuf,
}

impl Django {
    /// Makes the environment, unless an earlier run has.
    pub(crate) async fn install(setting: &Setting) -> Result<Self> {
        let work = setting.work.join("engines/django");
        let django = Self {
            python: work.join("bin/python"),
            sources: Path::new(env!("CARGO_MANIFEST_DIR")).join("spike/django"),
        };
        let install = async {
            let mut environment = child::command(Path::new("python3"), None);
            environment.args(["-m", "venv"]).arg(&work);
            child::output(environment).await?;
            let mut install = child::command(&django.python, None);
            install.args(["-m", "pip", "install", "--quiet"]);
            install.arg("--disable-pip-version-check").args(VERSIONS);
            child::output(install).await
        };
        timeout(LONGEST_INSTALL, install)
            .await
            .map_err(|_| Failure::Late("the installation of Django".to_owned()))??;
        Ok(django)
    }

    /// Starts a step on the servers' CPU, and waits until it gives an offer.
    pub(crate) async fn start(
        &self,
        setting: &Setting,
        ladder: Ladder,
        origin: &OriginSite,
    ) -> Result<(Child, String)> {
        let port = free_port()?;
        let mut command = child::command(&self.python, Some(SERVER_CPU));
        ladder.arguments(&mut command, port);
        let address = origin.database.url().rsplit_once('@');
        let (address, name) = address
            .and_then(|(_, rest)| rest.split_once('/'))
            .ok_or_else(|| Failure::unexpected("the database's URL has no address"))?;
        let postgres_port = address.rsplit_once(':').map_or("5432", |(_, port)| port);
        command
            .current_dir(&self.sources)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("LADDER_SOURCE", ladder.source())
            .env("LADDER_CONN_MAX_AGE", ladder.keeps_connections_seconds())
            .env("LADDER_POSTGRES_PORT", postgres_port)
            .env("LADDER_POSTGRES_NAME", name)
            .env("LADDER_REDIS_PORT", origin.redis.port().to_string());
        let log = setting.scratch.join(format!("{ladder:?}.log"));
        let mut child = Child::start(command, log)?;
        let base = format!("http://127.0.0.1:{port}");
        answers(&mut child, &base, origin).await?;
        Ok((child, base))
    }
}

impl Ladder {
    pub(crate) const ALL: [Self; 3] = [
        Self::GunicornPostgres,
        Self::WaitressPostgres,
        Self::WaitressRedis,
    ];

    fn source(self) -> &'static str {
        match self {
            Self::GunicornPostgres | Self::WaitressPostgres => "postgres",
            Self::WaitressRedis => "redis",
        }
    }

    /// The ladder begins with Django's default, a connection for each request; its next step keeps them.
    fn keeps_connections_seconds(self) -> &'static str {
        match self {
            Self::GunicornPostgres => "0",
            Self::WaitressPostgres | Self::WaitressRedis => "600",
        }
    }

    /// gunicorn: 2 workers for the CPU and one more, as its guide says. waitress: one process, so many
    /// threads, `poll` and room for the connections of every step, which its defaults do not have.
    fn arguments(self, command: &mut Command, port: u16) {
        let address = format!("127.0.0.1:{port}");
        match self {
            Self::GunicornPostgres => {
                command.args([
                    "-m",
                    "gunicorn",
                    "wsgi:application",
                    "--worker-class",
                    "sync",
                ]);
                command.args(["--workers", "3", "--backlog", "4096"]);
                command.args(["--no-control-socket", "--bind", &address]);
            }
            Self::WaitressPostgres | Self::WaitressRedis => {
                command.args(["-m", "waitress", "--listen", &address, "--threads", "8"]);
                command.args(["--connection-limit", "18000", "--backlog", "4096"]);
                command.args(["--asyncore-use-poll", "wsgi:application"]);
            }
        }
    }
}

/// Waits for the first offer, which must be the origin's: prices are texts here, so it is compared
/// by what it says.
async fn answers(child: &mut Child, base: &str, origin: &OriginSite) -> Result<()> {
    let wanted = said(&origin.body);
    let client = TestClient::new(base);
    let end = Instant::now() + READY_WITHIN;
    loop {
        child.check()?;
        if let Ok(reply) = client.get(&origin.paths[0]).try_send().await {
            if reply.status == 200 && said(&reply.body) == wanted {
                return Ok(());
            }
            return Err(Failure::Answer {
                what: "Django".to_owned(),
                status: reply.status,
                body: reply.text(),
            });
        }
        if Instant::now() > end {
            return Err(Failure::Late("a Django that answers".to_owned()));
        }
        sleep(LOOK_EVERY).await;
    }
}

/// A row's fields as texts.
fn said(body: &[u8]) -> Vec<(String, String)> {
    let parsed: Value = serde_json::from_slice(body).unwrap_or_default();
    let fields = parsed.as_object().into_iter().flatten();
    let texts = fields.map(|(name, value)| {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        (name.clone(), text)
    });
    let mut texts: Vec<(String, String)> = texts.collect();
    texts.sort_unstable();
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_the_same_whether_numbers_are_texts_or_not() {
        let ours = said(br#"{"user_id":7,"price":24.99}"#);
        let theirs = said(br#"{"price":"24.99","user_id":"7"}"#);
        assert_eq!(ours, theirs);
        assert_ne!(ours, said(br#"{"user_id":8,"price":24.99}"#));
        assert_eq!(said(b"<html>"), []);
    }
}
