//! One server's figures as a part of another's, at each number of connections.

use serde::{Deserialize, Serialize};

use super::{Server, Step};
use crate::statistics::{median, rounded, spread};

/// What is compared with what.
const PAIRS: [(Compared, Server, Server); 7] = [
    (Compared::Rate, Server::OriginMemory, Server::FixedValue),
    (Compared::Rate, Server::FeedMemory, Server::FixedFeed),
    (Compared::Rate, Server::FeedFirstSeen, Server::FixedFeed),
    (Compared::Rate, Server::OriginRedis, Server::LuaRedis),
    (Compared::Rate, Server::FeedRedis, Server::LuaRedis),
    (Compared::P99, Server::OriginRedis, Server::LuaRedis),
    (Compared::P99, Server::OriginMemory, Server::FixedValue),
];

/// Of which figure a ratio is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Compared {
    Rate,
    P99,
    /// CPU time for each request, with what works for the server; the ratio of rates on a machine
    /// where neither the generator nor anybody else is in the way.
    Cpu,
}

/// `server`'s figure divided by `than`'s.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ratio {
    pub(crate) compared: Compared,
    pub(crate) server: Server,
    pub(crate) than: Server,
    pub(crate) connections: usize,
    /// The median over rounds of the ratio within a round.
    pub(crate) ratio: f64,
    /// Largest less smallest, as a part of the median.
    pub(crate) spread: f64,
}

/// All there are; a step that is missing, or that gave nothing, has none.
pub(super) fn of(steps: &[Step]) -> Vec<Ratio> {
    let found = |server, connections| {
        let mut steps = steps.iter();
        steps.find(|step| step.server == server && step.connections == connections)
    };
    let mut ratios = Vec::new();
    for (compared, server, than) in PAIRS {
        for ours in steps.iter().filter(|step| step.server == server) {
            let Some(theirs) = found(than, ours.connections) else {
                continue;
            };
            let ratio = |compared| Ratio::between(compared, ours, theirs);
            ratios.extend(ratio(compared));
            if compared == Compared::Rate {
                ratios.extend(ratio(Compared::Cpu));
            }
        }
    }
    ratios
}

impl Ratio {
    fn between(compared: Compared, ours: &Step, theirs: &Step) -> Option<Self> {
        let cpu = |step: &Step| {
            vec![step.cpu_micros_each + step.redis_micros_each + step.postgres_micros_each]
        };
        let (over, under) = match compared {
            Compared::Rate => (ours.rounds.clone(), theirs.rounds.clone()),
            Compared::P99 => (ours.p99_rounds.clone(), theirs.p99_rounds.clone()),
            // The other way round, so that more is better, as with rates.
            Compared::Cpu => (cpu(theirs), cpu(ours)),
        };
        let pairs = over.iter().zip(&under);
        let ratios: Vec<f64> = pairs
            // A step without an answer has no p99, and no other figure.
            .filter(|(over, under)| **over > 0.0 && **under > 0.0)
            .map(|(over, under)| over / under)
            .collect();
        (!ratios.is_empty()).then(|| Self {
            compared,
            server: ours.server,
            than: theirs.server,
            connections: ours.connections,
            ratio: rounded(median(&ratios)),
            spread: rounded(spread(&ratios)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spike::closed::step::sample;

    #[test]
    fn ratios_are_taken_within_rounds_and_at_the_same_number_of_connections() {
        // The machine halves its speed in the second round; the ratio does not notice.
        let steps = [
            sample(Server::FixedValue, 500, &[100.0, 50.0]),
            sample(Server::OriginMemory, 500, &[80.0, 40.0]),
            sample(Server::OriginMemory, 5_000, &[80.0, 40.0]),
        ];
        let ratios = of(&steps);
        let rates: Vec<&Ratio> = ratios
            .iter()
            .filter(|ratio| ratio.compared == Compared::Rate)
            .collect();
        assert_eq!(rates.len(), 1);
        assert!((rates[0].ratio - 0.8).abs() < 1e-9 && rates[0].spread.abs() < 1e-9);
        assert_eq!(rates[0].connections, 500);
    }

    #[test]
    fn nothing_is_divided_by_a_step_that_gave_nothing() {
        let steps = [
            sample(Server::LuaRedis, 500, &[0.0]),
            sample(Server::OriginRedis, 500, &[80.0]),
        ];
        assert!(
            of(&steps)
                .iter()
                .all(|ratio| ratio.compared != Compared::Rate)
        );
    }
}
