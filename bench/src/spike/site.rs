//! The ground that all parts stand on: one PostgreSQL, the rows of an origin, the users of a feed,
//! a Redis for each, and how to start nodes on them.

mod feed;
mod origin;

use crate::Setting;
use crate::child::Child;
use crate::failure::Result;
use crate::node::Node;
use crate::postgres::Postgres;

pub(crate) use feed::FeedSite;
pub(crate) use origin::OriginSite;

const KEYS: usize = 100_000;
const QUICK_KEYS: usize = 10_000;
/// Above the 15,000 of the largest step, below what a process may open.
const MOST_CONNECTIONS: usize = 18_000;

/// Rows and users are there, servers are on their CPU, no node runs.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) origin: OriginSite,
    pub(crate) feed: FeedSite,
    keys: usize,
    /// Its databases go first.
    postgres: Postgres,
}

/// How a node differs from the default configuration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tuning<'a> {
    /// Of its configuration and its log; two nodes that run at a time have different ones.
    pub(crate) name: &'a str,
    pub(crate) cpus: Option<&'a str>,
    /// For rows or feeds.
    pub(crate) memory: &'a str,
    /// For verified tokens; an origin has none.
    pub(crate) token_memory: &'a str,
    /// Lines of the `[edge]` table.
    pub(crate) edge: &'a str,
    /// How long a feed's read waits for Redis; an origin has no such setting.
    pub(crate) redis_patience: &'a str,
    /// The database is reached at this URL, by one reader of feeds or a slow query, and there is nothing
    /// before it: no Redis, as little memory as there can be, the default wait for a turn.
    pub(crate) only_source: Option<&'a str>,
    /// Redis and the database are at these URLs, and how they are used is as it ships.
    pub(crate) shipped: Option<Shipped<'a>>,
}

/// What a node has behind it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shipped<'a> {
    pub(crate) redis: &'a str,
    pub(crate) database: &'a str,
}

impl Default for Tuning<'_> {
    /// As it ships, on the servers' CPU, but with everything in memory.
    fn default() -> Self {
        Self {
            name: "node",
            cpus: Some(super::SERVER_CPU),
            memory: "1GiB",
            token_memory: "64MiB",
            edge: "",
            redis_patience: "50ms",
            only_source: None,
            shipped: None,
        }
    }
}

impl Tuning<'_> {
    /// What a closed loop needs: it always asks for more than can be done, so that with admission
    /// control on it would measure refusals.
    pub(crate) const EVERYBODY: &'static str = "admission = \"off\"\n";
    /// And without admission control thousands of reads are at Redis at a time: each waits for the
    /// others, longer than for a Redis that has gone away.
    pub(crate) const PATIENT: &'static str = "1s";
}

/// A node that answers.
#[derive(Debug)]
pub(crate) struct Running {
    process: Process,
    base: String,
}

#[derive(Debug)]
enum Process {
    Origin(Box<Child>),
    Node(Box<Node>),
}

impl Ground {
    pub(crate) async fn prepare(setting: &Setting) -> Result<Self> {
        let keys = if setting.is_quick { QUICK_KEYS } else { KEYS };
        let postgres = Postgres::start(setting).await?;
        let origin = OriginSite::prepare(setting, &postgres, keys).await?;
        let feed = FeedSite::prepare(setting, &postgres, keys).await?;
        origin.database.pin_server(super::SERVER_CPU).await?;
        Ok(Self {
            origin,
            feed,
            keys,
            postgres,
        })
    }

    /// The end of the log of the databases' server.
    pub(crate) fn databases_last_words(&self) -> String {
        self.postgres.last_words()
    }

    /// How many rows and users there are.
    pub(crate) fn keys(&self) -> usize {
        self.keys
    }
}

impl Running {
    pub(crate) fn base(&self) -> String {
        self.base.clone()
    }

    pub(crate) fn pid(&self) -> u32 {
        match &self.process {
            Process::Origin(child) => child.pid(),
            Process::Node(node) => node.pid(),
        }
    }

    /// The end of its log.
    pub(crate) fn last_words(&self) -> String {
        match &self.process {
            Process::Origin(child) => child.last_words(),
            Process::Node(node) => node.last_words(),
        }
    }

    pub(crate) async fn stop(self) -> Result<()> {
        match self.process {
            Process::Origin(child) => child.stop().await,
            Process::Node(node) => node.stop().await,
        }
    }
}

/// The same numbers in an order that looks random and is the same every time.
pub(crate) fn shuffled(count: usize) -> Vec<usize> {
    let mut numbers: Vec<usize> = (0..count).collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for place in (1..count).rev() {
        // xorshift: any generator does that visits all places.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let other = usize::try_from(state % (place as u64 + 1)).unwrap_or_default();
        numbers.swap(place, other);
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shuffled_order_holds_every_number_once_and_not_in_order() {
        let mut numbers = shuffled(1_000);
        let neighbours = numbers.windows(2).filter(|two| two[1] == two[0] + 1);
        assert!(neighbours.count() < 20);
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..1_000));
    }
}
