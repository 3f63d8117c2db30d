//! Steps that begin with empty caches: a new node each, nothing in its memory nor in Redis, and
//! every key asked for once.

use super::step::{Step, Target};
use super::{LeftOut, Lists, Server};
use crate::console::say;
use crate::failure::Result;
use crate::spike::site::{Ground, Tuning};

/// All of them; and those that failed.
pub(super) async fn steps(
    ground: &Ground,
    lists: &Lists,
    connections: &[usize],
    seconds: u64,
) -> (Vec<Step>, Vec<LeftOut>) {
    let (mut steps, mut left_out) = (Vec::new(), Vec::new());
    for server in [Server::OriginCold, Server::FeedCold] {
        for connections in connections {
            match step(ground, lists, server, *connections, seconds).await {
                Ok(step) => steps.push(step),
                Err(failure) => left_out.push(LeftOut::step(server, *connections, &failure)),
            }
        }
    }
    (steps, left_out)
}

async fn step(
    ground: &Ground,
    lists: &Lists,
    server: Server,
    connections: usize,
    seconds: u64,
) -> Result<Step> {
    say(&format!(
        "spike: {}, {connections} connections",
        server.name()
    ));
    let tuning = Tuning {
        name: "cold",
        edge: Tuning::EVERYBODY,
        redis_patience: Tuning::PATIENT,
        ..Tuning::default()
    };
    let (redis, node, requests) = if server == Server::OriginCold {
        ground.origin.redis.flush().await?;
        let node = ground.origin.start(&tuning).await?;
        (&ground.origin.redis, node, lists.paths.once()?)
    } else {
        ground.feed.redis.flush().await?;
        let node = ground.feed.start(&tuning).await?;
        (&ground.feed.redis, node, lists.tokens.once()?)
    };
    let target = Target {
        server,
        base: node.base(),
        pid: node.pid(),
        redis: Some(redis),
        database: &ground.origin.database,
        requests: &requests,
    };
    let round = target.round(connections, seconds).await;
    // The next one begins with nothing again.
    node.stop().await?;
    let step = Step::of(server, connections, &[round?]);
    say(&format!(
        "  {:.0}/s, p99 {:.0} ms; {} refused, {} late, {} broken; CPU us: {:.1} own, {:.1} Redis, {:.1} PostgreSQL",
        step.per_second,
        step.p99_ms,
        step.errors.status,
        step.errors.timeout,
        step.errors.total() - step.errors.status - step.errors.timeout,
        step.cpu_micros_each,
        step.redis_micros_each,
        step.postgres_micros_each,
    ));
    Ok(step)
}
