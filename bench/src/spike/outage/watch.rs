//! What the database bears, seen from the database itself: statements at a time, and how many in all.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::failure::{Failure, Result};
use crate::postgres::Database;

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Looks at one database from another one of the same server.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    pub(super) looking: &'a Database,
    pub(super) watched: &'a str,
}

/// One look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sample {
    pub(super) at: Instant,
    /// Statements under way.
    pub(super) under_way: u64,
    /// Statements so far.
    pub(super) ended: u64,
}

impl Watch<'_> {
    /// Looks on while something else is done.
    pub(super) async fn during<T>(
        &self,
        work: impl Future<Output = Result<T>>,
    ) -> Result<(T, Vec<Sample>)> {
        let mut samples = Vec::new();
        let done = tokio::select! {
            done = work => done?,
            failed = self.look_on(&mut samples) => return Err(failed),
        };
        Ok((done, samples))
    }

    /// Ends only when looking fails.
    async fn look_on(&self, samples: &mut Vec<Sample>) -> Failure {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let sql = format!(
            "SELECT (SELECT count(*) FROM pg_stat_activity WHERE datname = '{0}' \
             AND state = 'active' AND backend_type = 'client backend') || ' ' || \
             (SELECT coalesce(sum(calls), 0) FROM pg_stat_statements(false) AS statement \
             JOIN pg_database AS one ON one.oid = statement.dbid WHERE one.datname = '{0}')",
            self.watched
        );
        loop {
            looks.tick().await;
            match self.looking.text(&sql).await {
                Ok(text) => samples.extend(parsed(&text, Instant::now())),
                Err(failure) => return failure,
            }
        }
    }
}

fn parsed(text: &str, at: Instant) -> Option<Sample> {
    let (under_way, ended) = text.split_once(' ')?;
    Some(Sample {
        at,
        under_way: under_way.parse().ok()?,
        ended: ended.parse().ok()?,
    })
}

/// The most statements at a time between two times, and how many there were a second.
pub(super) fn between(samples: &[Sample], from: Instant, until: Instant) -> (u64, f64) {
    let within = samples.iter();
    let within: Vec<&Sample> = within
        .filter(|one| from <= one.at && one.at < until)
        .collect();
    let most = within.iter().map(|one| one.under_way).max();
    let rate = match (within.first(), within.last()) {
        (Some(first), Some(last)) if first.at < last.at => {
            let ended = last.ended.saturating_sub(first.ended);
            ended as f64 / (last.at - first.at).as_secs_f64()
        }
        _ => 0.0,
    };
    (most.unwrap_or_default(), rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_what_lies_between_counts() {
        let begun = Instant::now();
        let sample = |millis, under_way, ended| Sample {
            at: begun + Duration::from_millis(millis),
            under_way,
            ended,
        };
        let samples = [
            sample(0, 90, 0),
            sample(1_000, 3, 100),
            sample(1_500, 7, 150),
            sample(2_000, 2, 300),
            sample(3_000, 80, 900),
        ];
        let second = |number| begun + Duration::from_secs(number);
        assert_eq!(between(&samples, second(1), second(3)), (7, 200.0));
        assert_eq!(between(&samples, second(9), second(10)), (0, 0.0));
    }

    #[test]
    fn a_look_is_two_numbers() {
        let at = Instant::now();
        let seen = parsed("12 3456", at).map(|one| (one.under_way, one.ended));
        assert_eq!(seen, Some((12, 3_456)));
        assert_eq!(parsed("", at), None);
    }
}
