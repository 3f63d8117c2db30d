//! A feed's users: an installation on PostgreSQL in which each has a feed of about 2 KiB.

use std::time::Duration;

use super::{MOST_CONNECTIONS, Process, Running, Tuning, shuffled};
use crate::console::say;
use crate::failure::{Failure, Result};
use crate::node::Site;
use crate::postgres::{Database, Postgres};
use crate::spike::redis::Redis;
use crate::{Setting, campaigns, http, users};

const LONGEST_LAUNCH: Duration = Duration::from_mins(5);
const BROADCASTS: usize = 2;
/// A feed that is much shorter or longer than 2 KiB is another measurement.
const WANTED_BYTES: std::ops::Range<usize> = 1_700..2_400;

/// The installation, and a Redis for it.
#[derive(Debug)]
pub(crate) struct FeedSite {
    site: Site,
    control: Database,
    pub(crate) cards: Database,
    pub(crate) redis: Redis,
    /// One for each user, in random order.
    pub(crate) tokens: Vec<String>,
    /// The first one's feed.
    pub(crate) body: Vec<u8>,
}

impl FeedSite {
    pub(super) async fn prepare(
        setting: &Setting,
        postgres: &Postgres,
        keys: usize,
    ) -> Result<Self> {
        say(&format!("spike: {keys} users of a feed"));
        let (control, cards) = (postgres.database().await?, postgres.database().await?);
        let redis = Redis::start(setting, "redis-feed").await?;
        let loading = Tuning {
            cpus: None,
            ..Tuning::default()
        };
        let config = config(&control, &cards, &redis, &loading);
        let site = Site::create_on(setting, "spike-feed", &config).await?;
        let signer = site.signer();
        let token = |number| signer.token(&users::id(number));
        let tokens: Vec<String> = shuffled(keys).into_iter().map(token).collect();
        let node = site.start(None).await?;
        node.api.track(keys).await?;
        let mut launched = vec![campaigns::personal()];
        launched.extend((0..BROADCASTS).map(campaigns::broadcast));
        for campaign in launched {
            let campaign = node.api.create(&campaign).await?;
            let dispatch = node.api.launch(&campaign).await?;
            node.api
                .finish(&dispatch, LONGEST_LAUNCH, || Ok(()))
                .await?;
        }
        let reply = http::feed(&http::reader(&site.base(), &tokens[0])).await?;
        node.stop().await?;
        cards.run("VACUUM (ANALYZE)").await?;
        if !WANTED_BYTES.contains(&reply.body.len()) {
            return Err(Failure::unexpected(format!(
                "a feed has {} bytes, wanted about 2 KiB",
                reply.body.len()
            )));
        }
        let body = reply.body.to_vec();
        Ok(Self {
            site,
            control,
            cards,
            redis,
            tokens,
            body,
        })
    }

    /// Starts a node that serves feeds, and waits until it answers.
    pub(crate) async fn start(&self, tuning: &Tuning<'_>) -> Result<Running> {
        let config = config(&self.control, &self.cards, &self.redis, tuning);
        let site = self.site.beside(tuning.name, "api", &config)?;
        let process = Process::Node(Box::new(site.start(tuning.cpus).await?));
        let base = site.base();
        Ok(Running { process, base })
    }
}

/// Feeds stay in the caches for the whole run, and a read may wait for its turn at the database as
/// long as a client waits: what is measured is how fast each tier is, not when it gives up.
fn config(control: &Database, cards: &Database, redis: &Redis, tuning: &Tuning<'_>) -> String {
    let Tuning {
        memory,
        token_memory,
        edge,
        redis_patience,
        only_source,
        shipped,
        ..
    } = tuning;
    let cache = match (only_source, shipped) {
        (Some(_), _) => "memory = \"0B\"\nreads = 1\n".to_owned(),
        (None, Some(shipped)) => {
            format!("url = \"{}\"\nmemory = \"{memory}\"\n", shipped.redis)
        }
        (None, None) => format!(
            "url = \"{}\"\nttl = \"1d\"\nmemory = \"{memory}\"\nmemory_ttl = \"1h\"\nread_wait = \"10s\"\ntimeout = \"{redis_patience}\"\n",
            redis.url()
        ),
    };
    format!(
        "[limits]\nmax_connections = {MOST_CONNECTIONS}\n[edge]\n{edge}\
         [store]\nkind = \"postgres\"\ncontrol = \"{}\"\n\
         [[store.database]]\nname = \"cards-0\"\nurl = \"{}\"\n\
         [cache]\n{cache}token_memory = \"{token_memory}\"\n",
        control.url(),
        only_source
            .or(shipped.map(|shipped| shipped.database))
            .unwrap_or(cards.url()),
    )
}
