//! Whether the control database's tables that grow with sends have their days and months: those to
//! come made ahead, those that are over dropped.

use std::time::Duration;

use corkboard_core::time::Timestamp;

use super::finding::{Finding, some_of};
use super::partitions::Partitions;
use crate::postgres::control::housekeeping::{Upkeep, upkeep};

/// Pruning comes round every few minutes; after this it is stuck, or something is not over.
const DROPPING_LATE: Duration = Duration::from_secs(24 * 3_600);

const NAME: &str = "partitions";

impl Partitions {
    /// Findings for what is not in order; none when all is. A table that is not there has been
    /// reported with the schema.
    pub(super) fn judge_control(&self, now: Timestamp) -> Vec<Finding> {
        let tables = upkeep(now, DROPPING_LATE);
        let mut findings: Vec<Finding> = tables
            .iter()
            .filter_map(|table| self.judge_late(table))
            .collect();
        let missing: Vec<&str> = tables
            .iter()
            .flat_map(|table| self.missing(table))
            .collect();
        if !missing.is_empty() {
            findings.push(Finding::warn(
                NAME,
                format!(
                    "not made ahead: {}; whoever needs one has to make it",
                    some_of(&missing)
                ),
                "run a node with the role keeper; see its log",
            ));
        }
        findings
    }

    fn missing<'a>(&self, table: &'a Upkeep) -> Vec<&'a str> {
        let Some(leaves) = self.leaves.get(table.table) else {
            return Vec::new();
        };
        let there = |name: &String| leaves.contains(name) && !self.pending.contains(name);
        let missing = table.wanted.iter().filter(|name| !there(name));
        missing.map(String::as_str).collect()
    }

    fn judge_late(&self, table: &Upkeep) -> Option<Finding> {
        // Names of one table sort by time.
        let leaves = self.leaves.get(table.table)?.iter();
        let late: Vec<&String> = leaves.filter(|leaf| **leaf < table.oldest).collect();
        if late.is_empty() {
            return None;
        }
        let late = some_of(&late);
        Some(match table.table {
            "chunk" | "dispatch" | "frozen_definition" => Finding::warn(
                NAME,
                format!("kept for dispatches that are not over, or not pruned: {late}"),
                "stop the campaigns whose dispatches are planned or running since then; if there \
                 are none, run a node with the role keeper and see its log",
            ),
            _ => Finding::warn(
                NAME,
                format!("past their time: {late}"),
                "run a node with the role keeper; see its log, and 'horizon' for who holds it up",
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn now() -> Timestamp {
        Timestamp::from_seconds(1_795_255_200)
    }

    /// The partitions that pruning leaves behind at a time.
    fn pruned(now: Timestamp) -> Partitions {
        let tables = upkeep(now, Duration::ZERO).into_iter();
        Partitions {
            leaves: tables
                .map(|table| (table.table.to_owned(), table.wanted.into_iter().collect()))
                .collect(),
            ..Partitions::default()
        }
    }

    fn judge(partitions: &Partitions) -> Vec<String> {
        let findings = partitions.judge_control(now()).into_iter();
        findings.map(|finding| finding.what).collect()
    }

    #[test]
    fn partitions_that_were_not_made_ahead_are_named() {
        let mut partitions = pruned(now());
        assert_eq!(judge(&partitions), [""; 0]);
        partitions.pending.push("chunk_20261122".to_owned());
        let calls = partitions.leaves.get_mut("call").unwrap();
        calls.remove("call_20261121");
        let found = judge(&partitions);
        let start = "not made ahead: chunk_20261122, call_20261121; whoever";
        assert!(found.len() == 1 && found[0].starts_with(start), "{found:?}");
        // Nobody has pruned for a week.
        let found = judge(&pruned(now().minus(DAY * 7)));
        assert!(found.iter().any(|what| what.starts_with("not made")));
        // There is no schema yet, which has been said.
        assert_eq!(judge(&Partitions::default()), [""; 0]);
    }

    #[test]
    fn partitions_whose_time_is_over_are_named() {
        for (table, late, kept) in [
            ("chunk", "chunk_20261118", "chunk_20261119"),
            ("dispatch", "dispatch_202609", "dispatch_202610"),
            (
                "idempotency",
                "idempotency_20261118",
                "idempotency_20261119",
            ),
            ("call", "call_20261020", "call_20261021"),
        ] {
            let mut partitions = pruned(now());
            let mut add = |leaf: &str| {
                let leaves = partitions.leaves.get_mut(table).unwrap();
                leaves.insert(leaf.to_owned());
                judge(&partitions)
            };
            assert_eq!(add(kept), [""; 0], "{kept}");
            let found = add(late);
            assert!(found.len() == 1 && found[0].ends_with(late), "{found:?}");
        }
    }
}
