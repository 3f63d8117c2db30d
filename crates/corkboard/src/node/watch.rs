//! Looks at one database once a minute: ages and runway of its transaction ids, its horizon, its
//! cohorts. Figures go to the metrics, what is wrong goes to the log when it begins and when it ends.
//!
//! Every node with the role keeper watches every database, each from where it stands.

use std::collections::BTreeMap;
use std::time::Duration;

use corkboard_core::story::story;
use corkboard_store::postgres::watch::{
    DatabaseWatch, Finding, HolderKind, Layout, Purpose, Sample, Severity, runway_days,
};
use metrics::{describe_gauge, gauge};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

const PERIOD: Duration = Duration::from_secs(60);
/// A look asks a dozen short questions.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was wrong at the last look, by the name of the finding.
type Wrong = BTreeMap<&'static str, Severity>;

/// Runs until `shutdown`.
pub(super) async fn run(mut watch: DatabaseWatch, shutdown: CancellationToken) {
    describe();
    let mut wrong = Wrong::new();
    let mut tick = interval(PERIOD);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while shutdown.run_until_cancelled(tick.tick()).await.is_some() {
        let look = look(&mut watch, &mut wrong);
        if shutdown.run_until_cancelled(look).await.is_none() {
            break;
        }
    }
    watch.close();
}

fn describe() {
    let gauges = [
        ("xid_age", "age of the server's oldest transaction id"),
        ("mxid_age", "age of the server's oldest multixact id"),
        (
            "xid_burn_per_second",
            "transaction ids used, the worse of the last hour and the last day",
        ),
        (
            "xid_runway_days",
            "days until the server refuses writes at that rate if nothing is frozen",
        ),
        (
            "horizon_age",
            "age of the oldest transaction id that somebody may still need",
        ),
        (
            "oldest_transaction_seconds",
            "how long the oldest transaction is open",
        ),
        (
            "slot_retained_bytes",
            "log that the worst replication slot keeps",
        ),
        (
            "pending_detaches",
            "partitions that were not detached to the end",
        ),
        (
            "cohort_headroom_days",
            "days for which cards of every lifetime find their cohort",
        ),
        (
            "clock_ahead_seconds",
            "the database's clock minus this host's",
        ),
        ("watch_up", "1 when the last look at the database succeeded"),
        ("finding", "what the last look found: 0 ok, 1 warn, 2 fail"),
    ];
    for (name, meaning) in gauges {
        describe_gauge!(format!("corkboard_store_{name}"), meaning);
    }
}

async fn look(watch: &mut DatabaseWatch, wrong: &mut Wrong) {
    let seen = timeout(PATIENCE, watch.sample()).await;
    let database = watch.name().to_owned();
    let up = matches!(seen, Ok(Ok(_)));
    gauge!("corkboard_store_watch_up", "database" => database).set(if up { 1.0 } else { 0.0 });
    let findings = match seen {
        Ok(Ok(sample)) => {
            export(watch, &sample);
            let mut findings = watch.judge(&sample);
            findings.push(connected());
            findings
        }
        Ok(Err(error)) => {
            tracing::debug!(database = watch.name(), problem = story(&error), "no look");
            vec![watch.judge_failure(&error)]
        }
        Err(_) => {
            tracing::debug!(database = watch.name(), "no look within {PATIENCE:?}");
            return;
        }
    };
    tell(watch.name(), &findings, wrong);
}

/// The counterpart of what `judge_failure` says.
fn connected() -> Finding {
    Finding {
        name: "connection",
        severity: Severity::Ok,
        what: "answers".to_owned(),
        remedy: String::new(),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "gauges are floating-point numbers"
)]
fn export(watch: &DatabaseWatch, sample: &Sample) {
    let set = |name: &str, value: f64| {
        let database = watch.name().to_owned();
        gauge!(format!("corkboard_store_{name}"), "database" => database).set(value);
    };
    let ages = &sample.ages;
    set("xid_age", f64::from(ages.xid.ids));
    set("mxid_age", f64::from(ages.mxid.ids));
    if let Some(rate) = watch.rate() {
        set("xid_burn_per_second", rate.per_second);
        set(
            "xid_runway_days",
            runway_days(ages.xid.ids, rate.per_second),
        );
    }
    let holders = &sample.holders;
    let oldest = holders.iter().filter_map(|holder| holder.ids).max();
    set("horizon_age", f64::from(oldest.unwrap_or(0)));
    let longest = holders
        .iter()
        .filter(|holder| matches!(holder.kind, HolderKind::Session | HolderKind::Prepared))
        .filter_map(|holder| holder.since)
        .max();
    set(
        "oldest_transaction_seconds",
        longest.unwrap_or_default().as_secs_f64(),
    );
    let retained = holders.iter().map(|holder| holder.wal).max();
    set("slot_retained_bytes", retained.unwrap_or(0) as f64);
    set("pending_detaches", sample.partitions.pending.len() as f64);
    set(
        "clock_ahead_seconds",
        sample.server.clock_ahead_micros as f64 / 1e6,
    );
    if watch.expected().purpose == Purpose::Cards(Layout::Cohorts) {
        let headroom = sample.partitions.headroom_days(sample.at);
        set("cohort_headroom_days", f64::from(headroom));
    }
}

/// Sets a gauge for each name, and logs what has changed.
fn tell(database: &str, findings: &[Finding], wrong: &mut Wrong) {
    let mut now = Wrong::new();
    for finding in findings {
        let worst = now.entry(finding.name).or_insert(Severity::Ok);
        *worst = finding.severity.max(*worst);
    }
    for (check, severity) in &now {
        let value = match severity {
            Severity::Ok => 0.0,
            Severity::Warn => 1.0,
            Severity::Fail => 2.0,
        };
        gauge!("corkboard_store_finding", "database" => database.to_owned(), "check" => *check)
            .set(value);
        let before = wrong.get(check).copied().unwrap_or(Severity::Ok);
        if *severity == Severity::Ok && before > Severity::Ok {
            tracing::info!(database, check, "in order again");
        } else if *severity != before {
            for finding in findings.iter().filter(|one| one.name == *check) {
                log(database, finding);
            }
        }
    }
    wrong.extend(now);
}

fn log(database: &str, finding: &Finding) {
    let Finding {
        name: check,
        what,
        remedy,
        ..
    } = finding;
    match finding.severity {
        Severity::Ok => {}
        Severity::Warn => tracing::warn!(database, check, remedy, "{what}"),
        Severity::Fail => tracing::error!(database, check, remedy, "{what}"),
    }
}

#[cfg(test)]
mod tests;
