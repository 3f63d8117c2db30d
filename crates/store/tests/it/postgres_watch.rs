//! The watch over a PostgreSQL database, against real servers: what it sees, and what it names when
//! a database is not what it should be.

mod failing;
mod old_server;
mod seeing;

use std::sync::Arc;
use std::time::Duration;

use corkboard_core::time::SystemClock;
use corkboard_store::postgres::watch::{
    DatabaseWatch, Expected, Finding, Layout, Purpose, Sample, Severity,
};
use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls};

const CARDS: Expected = Expected {
    purpose: Purpose::Cards(Layout::Cohorts),
    connections: 16,
    grace: Duration::from_secs(48 * 3_600),
};

fn watch(url: &str) -> DatabaseWatch {
    DatabaseWatch::new("cards-0", url, CARDS, Arc::new(SystemClock)).unwrap()
}

async fn look(url: &str) -> (Sample, Vec<Finding>) {
    let mut watch = watch(url);
    let sample = watch.sample().await.unwrap();
    let findings = watch.judge(&sample);
    watch.close();
    (sample, findings)
}

/// What is found wrong under this name.
fn wrong(findings: &[Finding], name: &str) -> Vec<(Severity, String)> {
    let findings = findings.iter();
    findings
        .filter(|finding| finding.name == name && finding.severity > Severity::Ok)
        .map(|finding| (finding.severity, finding.what.clone()))
        .collect()
}

/// A connection beside the watch's, open until both are dropped.
async fn connect(url: &str) -> (Client, JoinSet<()>) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let _ = connection.await;
    });
    (client, tasks)
}
