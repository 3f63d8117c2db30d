//! Checks of PostgreSQL: every database of the configuration, and all of them side by side.

use std::time::Duration;

use corkboard_store::postgres::watch::{
    DatabaseWatch, Finding as Looked, Sample, Severity, judge_together,
};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Finding;

/// Two looks this far apart give a first idea of how fast transaction ids are used. A node's metrics
/// know it of hours and days.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);
/// Longest time for one database. All are looked at at once.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was found out about one database.
struct Examined {
    name: String,
    /// Absent when it could not be looked at.
    sample: Option<Sample>,
    findings: Vec<Looked>,
}

/// Looks at all of them at once. Findings are in the order of the watches.
pub(super) async fn examine(watches: Vec<DatabaseWatch>) -> Vec<Finding> {
    let mut looking = JoinSet::new();
    for (place, mut watch) in watches.into_iter().enumerate() {
        looking.spawn(async move {
            let name = watch.name().to_owned();
            let looked = timeout(PATIENCE, one(&mut watch)).await;
            watch.close();
            let examined = looked.unwrap_or_else(|_| Examined {
                findings: vec![silent(&name)],
                sample: None,
                name,
            });
            (place, examined)
        });
    }
    let mut examined: Vec<(usize, Examined)> = Vec::with_capacity(looking.len());
    while let Some(one) = looking.join_next().await {
        // A task ends early by a defect only, which the panic hook has told about.
        examined.extend(one);
    }
    examined.sort_by_key(|(place, _)| *place);
    let examined: Vec<Examined> = examined.into_iter().map(|(_, one)| one).collect();
    let samples: Vec<(&str, &Sample)> = examined
        .iter()
        .filter_map(|one| Some((one.name.as_str(), one.sample.as_ref()?)))
        .collect();
    let together = judge_together(&samples);
    let apart = examined.iter().flat_map(|one| {
        let findings = one.findings.iter();
        findings.map(|finding| Finding::of_database(Some(&one.name), finding))
    });
    apart
        .chain(
            together
                .iter()
                .map(|finding| Finding::of_database(None, finding)),
        )
        .collect()
}

async fn one(watch: &mut DatabaseWatch) -> Examined {
    let looked = async {
        watch.sample().await?;
        sleep(BETWEEN_LOOKS).await;
        watch.sample().await
    };
    let (sample, findings) = match looked.await {
        Ok(sample) => {
            let findings = watch.judge(&sample);
            (Some(sample), findings)
        }
        Err(error) => (None, vec![watch.judge_failure(&error)]),
    };
    Examined {
        name: watch.name().to_owned(),
        sample,
        findings,
    }
}

fn silent(name: &str) -> Looked {
    Looked {
        name: "connection",
        severity: Severity::Fail,
        what: format!("{name} did not answer within {} s", PATIENCE.as_secs()),
        remedy: "see what keeps the server busy: pg_stat_activity and its log".to_owned(),
    }
}

#[cfg(test)]
mod tests;
