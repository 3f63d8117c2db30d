//! What only shows when all databases are looked at side by side.

use std::collections::BTreeMap;

use super::finding::{Finding, some_of};
use super::partitions::Layout;
use super::sample::Sample;

/// Findings about several databases of one installation, each under the name that the configuration
/// gives it. Empty when nothing is wrong.
#[must_use]
pub fn judge_together(samples: &[(&str, &Sample)]) -> Vec<Finding> {
    let mut findings = same_twice(samples);
    findings.extend(other_cohorts(samples));
    findings
}

/// Two card databases that are one: slots would be in each other's way.
fn same_twice(samples: &[(&str, &Sample)]) -> Vec<Finding> {
    let mut known: BTreeMap<(u64, u32, Option<&str>), &str> = BTreeMap::new();
    let mut findings = Vec::new();
    for (name, sample) in samples
        .iter()
        .filter(|(_, sample)| sample.partitions.layout.is_some())
    {
        let server = &sample.server;
        let schema = sample.rights.schema.as_deref();
        if let Some(first) = known.insert((server.system, server.database, schema), name) {
            findings.push(Finding::fail(
                "databases",
                format!("{first} and {name} are the same database"),
                "give each [[store.database]] a URL of its own",
            ));
        }
    }
    findings
}

/// Every database must take every card: the same cohorts everywhere.
fn other_cohorts(samples: &[(&str, &Sample)]) -> Vec<Finding> {
    let mut sets = samples
        .iter()
        .filter(|(_, sample)| sample.partitions.layout == Some(Layout::Cohorts))
        .map(|(name, sample)| (name, sample.partitions.cohorts(), sample.at));
    let Some((first, expected, _)) = sets.next() else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for (name, found, at) in sets {
        // Those that have ended are dropped one database after the other.
        let apart: Vec<String> = expected
            .symmetric_difference(&found)
            .filter(|cohort| cohort.ends_at() > at)
            .map(ToString::to_string)
            .collect();
        if !apart.is_empty() {
            findings.push(Finding::fail(
                "cohorts",
                format!("{first} and {name} differ in {}", some_of(&apart)),
                "run a node with the role keeper: it makes the same cohorts everywhere",
            ));
        }
    }
    findings
}
