//! What the closed loop was to show, and whether it has.

use serde::{Deserialize, Serialize};

use super::ratios::Compared;
use super::{LeftOut, Ratio, Server, Step};

const OF_FIXED: f64 = 0.85;
const OF_LUA: f64 = 1.5;
const OF_LUA_P99: f64 = 0.5;
const OF_LADDER: f64 = 40.0;

/// A goal, and what was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Goal {
    pub(crate) wanted: String,
    pub(crate) is_reached: bool,
    pub(crate) measured: String,
}

pub(super) fn of(steps: &[Step], ratios: &[Ratio], left_out: &[LeftOut]) -> Vec<Goal> {
    let rate = |server, than, least: f64, wanted: &str| {
        at_every_step(ratios, (Compared::Rate, server, than), wanted, |ratio| {
            ratio >= least
        })
    };
    vec![
        rate(
            Server::OriginMemory,
            Server::FixedValue,
            OF_FIXED,
            "an origin from memory gives at least 0.85 of nginx's fixed bytes, at every step",
        ),
        rate(
            Server::FeedMemory,
            Server::FixedFeed,
            OF_FIXED,
            "a feed from memory gives at least 0.85 of nginx's fixed bytes, at every step",
        ),
        rate(
            Server::OriginRedis,
            Server::LuaRedis,
            OF_LUA,
            "an origin from Redis gives at least 1.5 times nginx with Lua and Redis, at every step",
        ),
        slowest(ratios),
        ladder(steps),
        without_errors(steps, left_out),
    ]
}

/// A ratio that must hold wherever it was measured.
fn at_every_step(
    ratios: &[Ratio],
    (compared, server, than): (Compared, Server, Server),
    wanted: &str,
    holds: impl Fn(f64) -> bool,
) -> Goal {
    let found: Vec<&Ratio> = ratios
        .iter()
        .filter(|one| one.compared == compared && one.server == server && one.than == than)
        .collect();
    let each = found
        .iter()
        .map(|one| format!("{:.2} at {}", one.ratio, one.connections));
    let each: Vec<String> = each.collect();
    Goal {
        wanted: wanted.to_owned(),
        is_reached: !found.is_empty() && found.iter().all(|one| holds(one.ratio)),
        measured: or_nothing(each.join(", ")),
    }
}

/// At the largest step only.
fn slowest(ratios: &[Ratio]) -> Goal {
    let most = ratios.iter().map(|one| one.connections).max();
    let largest: Vec<Ratio> = ratios
        .iter()
        .filter(|one| Some(one.connections) == most)
        .cloned()
        .collect();
    at_every_step(
        &largest,
        (Compared::P99, Server::OriginRedis, Server::LuaRedis),
        "and its p99 at the largest step is below half of that",
        |ratio| ratio < OF_LUA_P99,
    )
}

/// An origin from memory at its best against the ladder at its best, each with the connections that suit
/// it most; and at its slowest, which is told and not judged.
fn ladder(steps: &[Step]) -> Goal {
    let best = steps
        .iter()
        .filter(|step| Server::LADDER.contains(&step.server))
        .max_by(|a, b| a.per_second.total_cmp(&b.per_second));
    let rates = |server| {
        let ours = steps.iter().filter(move |step| step.server == server);
        ours.map(|step| step.per_second)
    };
    let most = |server| rates(server).max_by(f64::total_cmp);
    let least = |server| rates(server).min_by(f64::total_cmp);
    let wanted = "an origin at its best gives at least 40 times the best step in Django".to_owned();
    let (Some(best), Some(memory)) = (best, most(Server::OriginMemory)) else {
        return Goal {
            wanted,
            is_reached: false,
            measured: or_nothing(String::new()),
        };
    };
    let times = |rate: f64| rate / best.per_second.max(f64::MIN_POSITIVE);
    let range = |server| match (least(server), most(server)) {
        (Some(least), Some(most)) => format!("{:.0} to {:.0} times", times(least), times(most)),
        _ => "not measured".to_owned(),
    };
    Goal {
        wanted,
        is_reached: times(memory) >= OF_LADDER,
        measured: format!(
            "{} from memory, {} from Redis, over all steps; the best in Django was {} with {} connections, {:.0}/s",
            range(Server::OriginMemory),
            range(Server::OriginRedis),
            best.server.name(),
            best.connections,
            best.per_second
        ),
    }
}

/// A step of ours that could not be taken is an error, too.
fn without_errors(steps: &[Step], left_out: &[LeftOut]) -> Goal {
    let ours = || steps.iter().filter(|step| step.server.is_ours());
    let is_silent = |step: &Step| step.per_second <= 0.0;
    let failing = ours().filter(|step| step.errors.total() > 0 || is_silent(step));
    let mut failing: Vec<String> = failing
        .map(|step| {
            let name = step.server.name();
            let what = if is_silent(step) {
                "no answer from".to_owned()
            } else {
                step.errors.total().to_string()
            };
            format!("{what} {name} at {}", step.connections)
        })
        .collect();
    let missing = left_out.iter();
    let missing = missing.filter(|one| one.server.is_none_or(Server::is_ours));
    failing.extend(missing.map(|one| format!("without {one}")));
    let measured = if failing.is_empty() {
        format!("none in {} steps", ours().count())
    } else {
        failing.join("; ")
    };
    Goal {
        wanted: "Corkboard has no error at any step".to_owned(),
        is_reached: failing.is_empty() && ours().next().is_some(),
        measured,
    }
}

fn or_nothing(measured: String) -> String {
    if measured.is_empty() {
        "nothing was measured".to_owned()
    } else {
        measured
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Failure;
    use crate::spike::closed::ratios;
    use crate::spike::closed::step::sample;

    fn goals(steps: &[Step]) -> Vec<bool> {
        let goals = of(steps, &ratios::of(steps), &[]);
        goals.iter().map(|goal| goal.is_reached).collect()
    }

    fn good() -> Vec<Step> {
        let at = |connections| {
            [
                sample(Server::FixedValue, connections, &[100_000.0]),
                sample(Server::OriginMemory, connections, &[86_000.0]),
                sample(Server::FixedFeed, connections, &[90_000.0]),
                sample(Server::FeedMemory, connections, &[90_000.0]),
                sample(Server::LuaRedis, connections, &[30_000.0]).with_p99(100.0),
                sample(Server::OriginRedis, connections, &[45_000.0]).with_p99(49.0),
                sample(Server::WaitressRedis, connections, &[1_000.0]),
            ]
        };
        [500, 15_000].into_iter().flat_map(at).collect()
    }

    #[test]
    fn what_reaches_everything_reaches_every_goal() {
        assert_eq!(goals(&good()), [true; 6]);
    }

    #[test]
    fn one_step_below_misses_a_goal() {
        for (place, server, rate) in [
            (0, Server::OriginMemory, 84_000.0),
            (1, Server::FeedMemory, 70_000.0),
            (2, Server::OriginRedis, 44_000.0),
        ] {
            let mut steps = good();
            let step = steps
                .iter_mut()
                .rfind(|step| step.server == server)
                .unwrap();
            *step = sample(server, step.connections, &[rate]).with_p99(step.p99_ms);
            let reached = goals(&steps);
            let missed: Vec<usize> = (0..6).filter(|goal| !reached[*goal]).collect();
            assert_eq!(missed, [place], "{server:?}");
        }
    }

    #[test]
    fn the_slowest_hundredth_counts_at_the_largest_step_only() {
        for (connections, expected) in [(500, true), (15_000, false)] {
            let mut steps = good();
            let ours = |step: &&mut Step| {
                step.server == Server::OriginRedis && step.connections == connections
            };
            let step = steps.iter_mut().find(ours).unwrap();
            *step = sample(step.server, connections, &[45_000.0]).with_p99(50.0);
            assert_eq!(goals(&steps)[3], expected, "{connections}");
        }
    }

    #[test]
    fn a_faster_ladder_or_a_single_error_misses_a_goal() {
        let mut steps = good();
        steps.push(sample(Server::WaitressPostgres, 64, &[2_151.0]));
        assert_eq!(goals(&steps), [true, true, true, true, false, true]);
        let mut steps = good();
        steps[1].errors.read = 1;
        assert!(!goals(&steps)[5]);
        let mut steps = good();
        steps[0].errors.read = 1;
        assert!(goals(&steps)[5], "nginx's errors are its own");
    }

    #[test]
    fn a_step_of_ours_that_could_not_be_taken_is_an_error_and_a_peers_is_not() {
        for (server, expected) in [(Server::OriginRedis, false), (Server::LuaRedis, true)] {
            let failure = Failure::unexpected("it has ended");
            let left_out = [LeftOut::step(server, 5_000, &failure)];
            let steps = good();
            let goals = of(&steps, &ratios::of(&steps), &left_out);
            assert_eq!(goals[5].is_reached, expected, "{server:?}");
        }
    }

    #[test]
    fn silence_is_no_success() {
        let silent: Vec<Step> = good()
            .into_iter()
            .map(|step| sample(step.server, step.connections, &[0.0]).with_p99(0.0))
            .collect();
        assert_eq!(goals(&silent), [false; 6]);
    }

    #[test]
    fn what_was_not_measured_is_not_reached() {
        assert_eq!(goals(&[]), [false; 6]);
    }
}
