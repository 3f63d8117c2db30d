//! An origin's rows: offers in PostgreSQL whose answers are 140 bytes of JSON each.

use std::path::{Path, PathBuf};
use std::time::Duration;

use corkboard_testkit::TestClient;
use tokio::time::{Instant, sleep};

use super::{MOST_CONNECTIONS, Process, Running, Shipped, Tuning, shuffled};
use crate::Setting;
use crate::child::{self, Child};
use crate::console::say;
use crate::failure::{Failure, Result, While as _};
use crate::node::{free_port, write};
use crate::postgres::{Database, Postgres};
use crate::spike::redis::Redis;

const VALUE_BYTES: usize = 140;
/// Ids have six digits, all of them, so that all answers are equally long.
const FIRST_ID: usize = 100_000;
/// For a source without anything before it. Rows of a table are read by the hundred in one statement,
/// faster than they can be asked for here; a query is asked for each, and this one takes 10 ms.
const SLOW_QUERY: &str =
    "query = \"SELECT offers.* FROM offers, pg_sleep(0.01) WHERE user_id = $1\"";
const READY_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The rows, and a Redis for them.
#[derive(Debug)]
pub(crate) struct OriginSite {
    folder: PathBuf,
    binary: PathBuf,
    pub(crate) database: Database,
    pub(crate) redis: Redis,
    /// What is asked for, in random order; each once.
    pub(crate) paths: Vec<String>,
    /// The answer to the first of them.
    pub(crate) body: Vec<u8>,
}

impl OriginSite {
    pub(super) async fn prepare(
        setting: &Setting,
        postgres: &Postgres,
        keys: usize,
    ) -> Result<Self> {
        say(&format!("spike: {keys} rows for an origin"));
        let folder = setting.scratch.join("spike-origin");
        std::fs::create_dir(&folder).at(&folder)?;
        let database = postgres.database().await?;
        let last = FIRST_ID + keys - 1;
        // 76 characters of title make 140 bytes of JSON.
        let sql = format!(
            "CREATE TABLE offers (user_id bigint PRIMARY KEY, title text NOT NULL, \
             price numeric(8, 2) NOT NULL, until date NOT NULL); \
             INSERT INTO offers SELECT n, rpad('Only for you, member ' || n || ': warm socks', 76, '!'), \
             10.99 + n % 80, '2036-12-01' FROM generate_series({FIRST_ID}, {last}) AS n"
        );
        database.run(&sql).await?;
        database.run("VACUUM (ANALYZE) offers").await?;
        let mut site = Self {
            binary: setting.binary.clone(),
            database,
            redis: Redis::start(setting, "redis-origin").await?,
            paths: shuffled(keys)
                .into_iter()
                .map(|number| format!("/users/{}/offer", FIRST_ID + number))
                .collect(),
            body: Vec::new(),
            folder,
        };
        let hooks = site.configure(&Tuning::default(), [free_port()?, free_port()?])?;
        site.command(&hooks, "install-hooks").await?;
        site.command(&hooks, "warm").await?;
        let node = site.start(&Tuning::default()).await?;
        site.body = site.answer(&node.base()).await?;
        node.stop().await?;
        Ok(site)
    }

    /// Starts an origin, and waits until it answers.
    pub(crate) async fn start(&self, tuning: &Tuning<'_>) -> Result<Running> {
        let (port, admin_port) = (free_port()?, free_port()?);
        let config = self.configure(tuning, [port, admin_port])?;
        let mut command = child::command(&self.binary, tuning.cpus);
        command.arg("origin").arg("--config").arg(&config);
        let mut child = Child::start(command, self.folder.join(format!("{}.log", tuning.name)))?;
        let base = format!("http://127.0.0.1:{port}");
        let admin = TestClient::new(format!("http://127.0.0.1:{admin_port}"));
        let end = Instant::now() + READY_WITHIN;
        while !is_ready(&admin).await {
            child.check()?;
            if Instant::now() > end {
                return Err(Failure::Late("a ready origin".to_owned()));
            }
            sleep(LOOK_EVERY).await;
        }
        let process = Process::Origin(Box::new(child));
        Ok(Running { process, base })
    }

    /// Fails unless a server gives the rows as it should.
    async fn answer(&self, base: &str) -> Result<Vec<u8>> {
        let path = &self.paths[0];
        let reply = TestClient::new(base).get(path).try_send().await?;
        if reply.status == 200 && reply.body.len() == VALUE_BYTES {
            return Ok(reply.body.to_vec());
        }
        Err(Failure::Answer {
            what: format!("{base}{path}, of which {VALUE_BYTES} bytes were expected,"),
            status: reply.status,
            body: reply.text(),
        })
    }

    /// Forgets all rows but those in the database, and loads Redis again.
    pub(crate) async fn warm_redis(&self) -> Result<()> {
        self.redis.flush().await?;
        self.warm(&Tuning::default()).await
    }

    fn configure(&self, tuning: &Tuning<'_>, ports: [u16; 2]) -> Result<PathBuf> {
        let [port, admin_port] = ports;
        let Tuning {
            memory,
            edge,
            only_source,
            shipped,
            ..
        } = tuning;
        let own = Shipped {
            redis: &self.redis.url(),
            database: self.database.url(),
        };
        let Shipped { redis, database } = shipped.unwrap_or(own);
        let (cache, content) = match only_source {
            Some(_) => ("memory = \"1MiB\"\n".to_owned(), SLOW_QUERY),
            None => {
                let cache = format!("redis = \"{redis}\"\nmemory = \"{memory}\"\n");
                (cache, "table = \"offers\"")
            }
        };
        let text = format!(
            "listen = \"127.0.0.1:{port}\"\nadmin_listen = \"127.0.0.1:{admin_port}\"\n\
             [log]\nlevel = \"warn\"\n[limits]\nmax_connections = {MOST_CONNECTIONS}\n\
             [edge]\n{edge}[origin]\ndatabase = \"{}\"\n{cache}\
             [[origin.endpoint]]\npath = \"/users/{{user_id}}/offer\"\n{content}\n\
             key = \"user_id\"\nttl = \"12h\"\n",
            only_source.unwrap_or(database),
        );
        let path = self.folder.join(format!("{}.toml", tuning.name));
        write(&path, &text)?;
        Ok(path)
    }

    /// Loads all rows into the Redis that a node with this tuning has.
    pub(crate) async fn warm(&self, tuning: &Tuning<'_>) -> Result<()> {
        let config = self.configure(tuning, [free_port()?, free_port()?])?;
        self.command(&config, "warm").await
    }

    async fn command(&self, config: &Path, word: &str) -> Result<()> {
        let mut command = child::command(&self.binary, None);
        command.arg("origin").arg("--config").arg(config).arg(word);
        child::output(command).await.map(drop)
    }
}

async fn is_ready(admin: &TestClient) -> bool {
    let reply = admin.get("/readyz").try_send().await;
    reply.is_ok_and(|reply| reply.status == 200)
}
