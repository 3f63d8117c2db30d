//! Everything that runs side by side during the closed loop, warmed.

use super::step::Target;
use super::{LeftOut, Lists, Server};
use crate::Setting;
use crate::console::say;
use crate::failure::{Failure, Result};
use crate::spike::LOAD_CPU;
use crate::spike::peer::{Fixed, Lua};
use crate::spike::site::{Ground, Running, Tuning};
use crate::wrk::{Load, Requests};

/// Connections of the reads that fill caches.
const WARMING: usize = 64;
/// The last try takes so long.
const LONGEST_WARMING_SECONDS: u64 = 64;

#[derive(Debug)]
pub(super) struct LineUp {
    fixed: Fixed,
    /// Absent where its packages are not installed.
    lua: Option<Lua>,
    nodes: Vec<(Server, Running)>,
}

impl LineUp {
    /// Says in `left_out` what cannot be had.
    pub(super) async fn start(
        setting: &Setting,
        ground: &Ground,
        lists: &Lists,
        left_out: &mut Vec<LeftOut>,
    ) -> Result<Self> {
        say("spike: starting and warming everything that runs side by side");
        let (origin, feed) = (&ground.origin, &ground.feed);
        let fixed = Fixed::start(setting, &origin.body, &feed.body).await?;
        let lua = Lua::start(setting, &origin.paths, &origin.body).await;
        let lua = lua.map_err(|failure| {
            left_out.push(LeftOut::server(Server::LuaRedis, &failure));
        });
        let mut nodes = Vec::new();
        let base = Tuning {
            edge: Tuning::EVERYBODY,
            redis_patience: Tuning::PATIENT,
            ..Tuning::default()
        };
        let tunings = [
            (Server::OriginMemory, "origin-memory", "128MiB", "64MiB"),
            (Server::OriginRedis, "origin-redis", "1MiB", "64MiB"),
            (Server::FeedMemory, "feed-memory", "1GiB", "64MiB"),
            (Server::FeedFirstSeen, "feed-first-seen", "1GiB", "0B"),
            (Server::FeedRedis, "feed-redis", "0B", "64MiB"),
        ];
        for (server, name, memory, token_memory) in tunings {
            let tuning = Tuning {
                name,
                memory,
                token_memory,
                ..base
            };
            let node = if is_origin(server) {
                origin.start(&tuning).await?
            } else {
                feed.start(&tuning).await?
            };
            warm(&node, list(server, lists), ground).await?;
            nodes.push((server, node));
        }
        Ok(Self {
            fixed,
            lua: lua.ok(),
            nodes,
        })
    }

    /// In the order in which they are measured: who is compared follows each other.
    pub(super) fn targets<'a>(&'a self, ground: &'a Ground, lists: &'a Lists) -> Vec<Target<'a>> {
        let target = |server, base, pid, redis| Target {
            server,
            base,
            pid,
            redis,
            database: &ground.origin.database,
            requests: list(server, lists),
        };
        let fixed = &self.fixed;
        let mut targets = vec![
            target(Server::FixedValue, fixed.value_base(), fixed.worker(), None),
            target(Server::FixedFeed, fixed.feed_base(), fixed.worker(), None),
        ];
        targets.extend(self.lua.as_ref().map(|lua| {
            target(
                Server::LuaRedis,
                lua.base(),
                lua.worker(),
                Some(lua.redis()),
            )
        }));
        targets.extend(self.nodes.iter().map(|(server, node)| {
            let redis = if is_origin(*server) {
                &ground.origin.redis
            } else {
                &ground.feed.redis
            };
            target(*server, node.base(), node.pid(), Some(redis))
        }));
        let place = |target: &Target<'_>| Server::ALL.iter().position(|one| *one == target.server);
        targets.sort_by_key(place);
        targets
    }

    pub(super) async fn stop(self) -> Result<()> {
        for (_, node) in self.nodes {
            node.stop().await?;
        }
        if let Some(lua) = self.lua {
            lua.stop().await?;
        }
        self.fixed.stop().await
    }
}

fn is_origin(server: Server) -> bool {
    matches!(server, Server::OriginMemory | Server::OriginRedis)
}

/// What is asked of a server. nginx with fixed bytes gets the requests of whom it is compared with.
fn list(server: Server, lists: &Lists) -> &Requests {
    match server {
        Server::LuaRedis | Server::FixedValue | Server::OriginMemory | Server::OriginRedis => {
            &lists.paths
        }
        _ => &lists.tokens,
    }
}

/// Asks for everything at least once, in one go: the generator begins its list anew each time.
async fn warm(node: &Running, requests: &Requests, ground: &Ground) -> Result<()> {
    let (base, keys) = (&node.base(), ground.keys());
    say(&format!("spike: warming {base}"));
    let mut seconds = 1;
    loop {
        let load = Load {
            base,
            connections: WARMING,
            seconds,
            cpus: LOAD_CPU,
            requests,
            if_none_match: None,
        };
        let summary = load.run().await?;
        if summary.errors.total() > 0 {
            return Err(Failure::unexpected(format!(
                "{base} fails while it is warmed: {:?}; it says: {}; PostgreSQL says: {}",
                summary.errors,
                node.last_words(),
                ground.databases_last_words()
            )));
        }
        if summary.requests > keys as u64 {
            return Ok(());
        }
        if seconds == LONGEST_WARMING_SECONDS {
            return Err(Failure::Late(format!("the warming of {base}")));
        }
        seconds = next_try(seconds, summary.requests, keys);
    }
}

/// Long enough at the rate so far, which only rises: what has been read is warm.
fn next_try(seconds: u64, requests: u64, keys: usize) -> u64 {
    let wanted = keys as u64 * seconds / requests.max(1);
    (wanted + 1).clamp(seconds + 1, LONGEST_WARMING_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warming_is_tried_as_long_as_its_rate_says_and_not_for_ever() {
        assert_eq!(next_try(1, 10_000, 100_000), 11);
        assert_eq!(next_try(4, 99_999, 100_000), 5);
        assert_eq!(next_try(1, 0, 100_000), LONGEST_WARMING_SECONDS);
        assert_eq!(next_try(63, 1, 100_000), LONGEST_WARMING_SECONDS);
    }
}
