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
    pub(super) connections: u64,
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
            "SELECT (SELECT count(*) FILTER (WHERE state = 'active') || ' ' || count(*) \
             FROM pg_stat_activity WHERE datname = '{0}' AND backend_type = 'client backend') || ' ' || \
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
    let mut numbers = text.split(' ').map(|word| word.parse().ok());
    Some(Sample {
        at,
        under_way: numbers.next()??,
        connections: numbers.next()??,
        ended: numbers.next()??,
    })
}

/// What the database bore between two times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bore {
    /// At a time.
    pub(super) most_statements: u64,
    pub(super) most_connections: u64,
    pub(super) statements_each_second: f64,
}

pub(super) fn between(samples: &[Sample], from: Instant, until: Instant) -> Bore {
    let within = samples.iter();
    let within: Vec<&Sample> = within
        .filter(|one| from <= one.at && one.at < until)
        .collect();
    let most = |of: fn(&Sample) -> u64| within.iter().map(|one| of(one)).max();
    let statements_each_second = match (within.first(), within.last()) {
        (Some(first), Some(last)) if first.at < last.at => {
            let ended = last.ended.saturating_sub(first.ended);
            ended as f64 / (last.at - first.at).as_secs_f64()
        }
        _ => 0.0,
    };
    Bore {
        most_statements: most(|one| one.under_way).unwrap_or_default(),
        most_connections: most(|one| one.connections).unwrap_or_default(),
        statements_each_second,
    }
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
            connections: under_way + 1,
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
        let bore = between(&samples, second(1), second(3));
        let expected = Bore {
            most_statements: 7,
            most_connections: 8,
            statements_each_second: 200.0,
        };
        assert_eq!(bore, expected);
        assert_eq!(between(&samples, second(9), second(10)).most_statements, 0);
    }

    #[test]
    fn a_look_is_three_numbers() {
        let at = Instant::now();
        let expected = Sample {
            at,
            under_way: 12,
            connections: 20,
            ended: 3_456,
        };
        assert_eq!(parsed("12 20 3456", at), Some(expected));
        assert_eq!(parsed("12 20", at), None);
    }
}
