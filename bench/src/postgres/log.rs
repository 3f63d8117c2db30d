//! What the server's log says: how long each logged statement took, and who waited for locks.

use serde::{Deserialize, Serialize};

/// Statements of one kind, as the server timed them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct LoggedStatement {
    /// Its first words.
    pub(crate) kind: String,
    pub(crate) count: u64,
    pub(crate) total_ms: f64,
    pub(crate) longest_ms: f64,
}

/// How many words name a kind of statement.
const WORDS: usize = 3;

/// All timed statements of a stretch of log, by kind, in the order of their first appearance.
/// Preparing and binding are added to running.
pub(crate) fn logged_statements(log: &str) -> Vec<LoggedStatement> {
    let mut kinds: Vec<LoggedStatement> = Vec::new();
    for (took, text, is_run) in log.lines().filter_map(timed) {
        let words: Vec<&str> = text.split_whitespace().take(WORDS).collect();
        let kind = words.join(" ");
        let place = kinds.iter().position(|known| known.kind == kind);
        let place = place.unwrap_or_else(|| {
            kinds.push(LoggedStatement {
                kind,
                count: 0,
                total_ms: 0.0,
                longest_ms: 0.0,
            });
            kinds.len() - 1
        });
        let known = &mut kinds[place];
        known.count += u64::from(is_run);
        known.total_ms += took;
        known.longest_ms = known.longest_ms.max(took);
    }
    kinds
}

/// `… duration: 0.123 ms  statement: TEXT`, or `parse`, `bind`, `execute` and a name.
fn timed(line: &str) -> Option<(f64, &str, bool)> {
    let (_, rest) = line.split_once("LOG:  duration: ")?;
    let (took, rest) = rest.split_once(" ms  ")?;
    let (how, text) = rest.split_once(": ")?;
    let is_run = how == "statement" || how.starts_with("execute");
    Some((took.parse().ok()?, text, is_run))
}

/// How often somebody waited for a lock longer than the server's `deadlock_timeout`, and the longest
/// such wait in milliseconds that ended.
pub(crate) fn logged_waits(log: &str) -> (u64, f64) {
    let begun = log
        .lines()
        .filter(|line| line.contains(" still waiting for "))
        .count();
    let ended = log.lines().filter_map(|line| {
        let (before, after) = line.rsplit_once(" after ")?;
        if !before.contains(" acquired ") {
            return None;
        }
        after.trim().strip_suffix(" ms")?.parse::<f64>().ok()
    });
    (begun as u64, ended.fold(0.0, f64::max))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
2026-11-21 23:00:00.000 UTC 71 test LOG:  duration: 0.500 ms  parse s1: DROP TABLE card_d1
2026-11-21 23:00:00.001 UTC 71 test LOG:  duration: 0.250 ms  bind s1: DROP TABLE card_d1
2026-11-21 23:00:00.003 UTC 71 test LOG:  duration: 2.000 ms  execute s1: DROP TABLE card_d1
2026-11-21 23:00:00.004 UTC 71 test LOG:  duration: 1.000 ms  statement: COMMIT
2026-11-21 23:00:00.009 UTC 71 test LOG:  duration: 3.000 ms  statement: COMMIT
2026-11-21 23:00:00.010 UTC 72 test LOG:  process 72 still waiting for AccessShareLock on relation 5 of database 1 after 20.1 ms
2026-11-21 23:00:00.011 UTC 72 test DETAIL:  Process holding the lock: 71. Wait queue: 72.
2026-11-21 23:00:00.050 UTC 72 test LOG:  process 72 acquired AccessShareLock on relation 5 of database 1 after 61.500 ms
2026-11-21 23:00:00.051 UTC 72 test ERROR:  something else after 900 ms
";

    #[test]
    fn statements_are_timed_by_kind() {
        let kinds = logged_statements(LOG);
        let seen: Vec<(&str, u64)> = kinds
            .iter()
            .map(|one| (one.kind.as_str(), one.count))
            .collect();
        assert_eq!(seen, [("DROP TABLE card_d1", 1), ("COMMIT", 2)]);
        assert!((kinds[0].total_ms - 2.75).abs() < 1e-9);
        assert!((kinds[1].longest_ms - 3.0).abs() < 1e-9);
    }

    #[test]
    fn waits_are_counted_and_the_longest_is_kept() {
        let (waits, longest) = logged_waits(LOG);
        assert_eq!(waits, 1);
        assert!((longest - 61.5).abs() < 1e-9);
        assert_eq!(logged_waits("").0, 0);
    }
}
