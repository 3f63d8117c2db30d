//! `corkboard doctor`: looks for what is wrong or soon will be, and says what to do about it.

mod databases;
mod explain;
mod host;
mod installation;

use std::sync::Arc;

use corkboard_config::{Config, StoreKind};
use corkboard_core::time::{SharedClock, SystemClock};
use corkboard_store::postgres::watch;
use serde::Serialize;

use crate::cli::Doctor;
use crate::exit::{Failure, Outcome};
use crate::output::{self, Table};
use crate::settings::Settings;
use crate::telemetry::{self, Verbosity};
use crate::{runtime, watches};

/// How one check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Ok,
    /// Works, and is probably not meant or will not last.
    Warn,
    /// Does not work.
    Fail,
}

impl Verdict {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Finding {
    /// What the configuration calls the database that it is about, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<String>,
    check: &'static str,
    verdict: Verdict,
    found: String,
    /// What to do; empty when there is nothing to do.
    remedy: String,
}

impl Finding {
    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self {
            database: None,
            check,
            verdict: Verdict::Ok,
            found: found.into(),
            remedy: String::new(),
        }
    }

    fn warn(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            database: None,
            check,
            verdict: Verdict::Warn,
            found: found.into(),
            remedy: remedy.into(),
        }
    }

    fn fail(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            database: None,
            check,
            verdict: Verdict::Fail,
            found: found.into(),
            remedy: remedy.into(),
        }
    }

    fn of_database(name: Option<&str>, finding: &watch::Finding) -> Self {
        Self {
            database: name.map(str::to_owned),
            check: finding.name,
            verdict: match finding.severity {
                watch::Severity::Ok => Verdict::Ok,
                watch::Severity::Warn => Verdict::Warn,
                watch::Severity::Fail => Verdict::Fail,
            },
            found: finding.what.clone(),
            remedy: finding.remedy.clone(),
        }
    }

    /// The check, after its database's name.
    fn title(&self) -> String {
        match &self.database {
            Some(database) => format!("{database}: {}", self.check),
            None => self.check.to_owned(),
        }
    }
}

pub(crate) fn run(arguments: &Doctor) -> Outcome {
    let settings = Settings::from_file(arguments.config.path()?)?;
    telemetry::install_logs(&settings.config.log, Verbosity::Command);
    let clock: SharedClock = Arc::new(SystemClock);
    let findings = runtime::block_on(examine(&settings, &clock, arguments.explain))?;
    if arguments.json {
        output::json(&findings)?;
    } else {
        let mut table = Table::new(&["check", "verdict", "found; what to do"]);
        for finding in &findings {
            let (check, verdict) = (finding.title(), finding.verdict.as_str().to_owned());
            let separator = if finding.remedy.is_empty() { "" } else { "; " };
            table.row(vec![
                check,
                verdict,
                format!("{}{separator}{}", finding.found, finding.remedy),
            ]);
        }
        table.print()?;
    }
    let mut failed: Vec<String> = findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Fail)
        .map(Finding::title)
        .collect();
    failed.dedup();
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::Unavailable(format!(
        "the doctor found problems with: {}",
        failed.join(", ")
    )))
}

async fn examine(settings: &Settings, clock: &SharedClock, explain: bool) -> Outcome<Vec<Finding>> {
    let config = &settings.config;
    let mut findings = configuration(settings);
    findings.push(host::clock(clock.now()));
    findings.push(host::open_files(config));
    match config.store.kind {
        StoreKind::Sqlite { .. } => {
            findings.extend(installation::store(config, clock.now()).await);
        }
        StoreKind::Postgres { .. } => {
            let watches = watches::of(&config.store, clock)?;
            findings.extend(databases::examine(watches).await);
            if explain {
                findings.extend(explain::reads(&config.store, clock.now()).await);
            }
        }
    }
    findings.push(host::disk(config));
    Ok(findings)
}

/// What can be told from the configuration alone.
fn configuration(settings: &Settings) -> Vec<Finding> {
    let mut findings: Vec<Finding> = settings
        .warnings
        .iter()
        .map(|warning| Finding::warn("configuration", warning.to_string(), "change the key"))
        .collect();
    if findings.is_empty() {
        findings.push(Finding::ok("configuration", "valid"));
    }
    findings.push(guard(&settings.config));
    findings
}

/// Whether templates may reach what is not for the public.
fn guard(config: &Config) -> Finding {
    const CHECK: &str = "fetch guard";
    let networks: Vec<String> = config
        .fetch
        .allow_networks
        .iter()
        .map(ToString::to_string)
        .collect();
    if networks.is_empty() {
        return Finding::ok(CHECK, "templates reach public addresses only");
    }
    let ports = if config.fetch.allow_ports.is_empty() {
        " on any port"
    } else {
        ""
    };
    Finding::warn(
        CHECK,
        format!("templates reach {}{ports}", networks.join(", ")),
        "empty fetch.allow_networks unless these hold nothing that campaign authors must not read",
    )
}
