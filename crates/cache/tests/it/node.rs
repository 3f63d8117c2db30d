//! A process with all tiers, over a source that counts, can be held, and can be written to.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use corkboard_cache::{
    Codec, Ears, Key, Memory, ReadError, Redis, RedisOptions, TierOptions, Tiers, Weigh,
};
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

pub(crate) const SOON: Duration = Duration::from_secs(30);

/// A version of one key's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) key: String,
    pub(crate) version: u64,
}

impl Weigh for Row {
    fn weight(&self) -> usize {
        64
    }
}

#[derive(Debug)]
struct Text;

impl Codec<Row> for Text {
    fn encode(&self, row: &Row) -> Vec<u8> {
        format!("{} {}", row.version, row.key).into_bytes()
    }

    fn decode(&self, bytes: &[u8]) -> Option<Row> {
        let (version, key) = std::str::from_utf8(bytes).ok()?.split_once(' ')?;
        let version = version.parse().ok()?;
        Some(Row {
            key: key.to_owned(),
            version,
        })
    }
}

/// Rows that every process sees, with the time a look takes.
#[derive(Debug)]
pub(crate) struct Source {
    rows: Mutex<HashMap<String, u64>>,
    pub(crate) looks: AtomicUsize,
    now: AtomicUsize,
    pub(crate) most: AtomicUsize,
    pub(crate) delay: AtomicU64,
    /// A look takes one before it answers; plenty unless a test takes them away.
    pub(crate) answers: Semaphore,
}

impl Source {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            rows: Mutex::default(),
            looks: AtomicUsize::new(0),
            now: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            delay: AtomicU64::new(0),
            answers: Semaphore::new(Semaphore::MAX_PERMITS),
        })
    }

    /// No look is answered from now on, until permits are added.
    pub(crate) fn hold(&self) {
        self.answers.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(crate) fn write(&self, key: &str) -> u64 {
        let mut rows = self.rows.lock().unwrap();
        let version = rows.entry(key.to_owned()).or_default();
        *version += 1;
        *version
    }

    fn row(&self, key: &str) -> Row {
        let version = self.rows.lock().unwrap().get(key).copied();
        Row {
            key: key.to_owned(),
            version: version.unwrap_or_default(),
        }
    }

    /// Reads first and answers later, as a slow database does.
    pub(crate) async fn look(self: Arc<Self>, key: String) -> Result<Row, &'static str> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let row = self.row(&key);
        let delay = self.delay.load(Ordering::SeqCst);
        if delay > 0 {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
        self.answers.acquire().await.map_err(|_| "closed")?.forget();
        self.answers.add_permits(1);
        self.now.fetch_sub(1, Ordering::SeqCst);
        Ok(row)
    }

    pub(crate) fn looks(&self) -> usize {
        self.looks.load(Ordering::SeqCst)
    }
}

struct Heard {
    memory: Arc<Memory<Row, ReadError<&'static str>>>,
    loud: Arc<AtomicUsize>,
    told: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Ears for Heard {
    fn voided(&self, keys: &[Key], loud: bool) {
        for key in keys {
            self.memory.void(key.as_bytes());
        }
        self.loud.fetch_add(usize::from(loud), Ordering::SeqCst);
    }

    fn told(&self, what: &[u8]) {
        self.told.lock().unwrap().push(what.to_vec());
    }

    fn missed(&self) {
        self.memory.flush();
    }
}

pub(crate) struct Node {
    pub(crate) tiers: Tiers<Row, &'static str>,
    pub(crate) redis: Redis,
    pub(crate) source: Arc<Source>,
    pub(crate) loud: Arc<AtomicUsize>,
    pub(crate) told: Arc<Mutex<Vec<Vec<u8>>>>,
    _end: DropGuard,
}

pub(crate) fn key(name: &str) -> Key {
    Key::from(name.as_bytes())
}

impl Node {
    pub(crate) async fn join(url: &str, source: &Arc<Source>) -> Self {
        Self::with(url, source, TierOptions::default()).await
    }

    pub(crate) async fn with(url: &str, source: &Arc<Source>, options: TierOptions) -> Self {
        let node = Self::begin(url, source, options);
        assert!(node.redis.joined(SOON).await, "redis is there");
        node
    }

    /// Without waiting for Redis.
    pub(crate) fn begin(url: &str, source: &Arc<Source>, options: TierOptions) -> Self {
        let (tasks, end) = (TaskTracker::new(), CancellationToken::new());
        let tiers = Tiers::new(Box::new(Text), options, tasks.clone());
        let (loud, told) = (Arc::default(), Arc::default());
        let ears = Heard {
            memory: Arc::clone(tiers.memory()),
            loud: Arc::clone(&loud),
            told: Arc::clone(&told),
        };
        let settings = RedisOptions {
            // A machine that runs all tests at once is slow.
            timeout: Duration::from_millis(250),
            ..RedisOptions::default()
        };
        let redis = Redis::open(url, settings, Arc::new(ears), &tasks, end.clone()).unwrap();
        tiers.share(redis.clone());
        Self {
            tiers,
            redis,
            source: Arc::clone(source),
            loud,
            told,
            _end: end.drop_guard(),
        }
    }

    pub(crate) async fn try_read(&self, name: &str) -> Result<Row, ReadError<&'static str>> {
        let (source, owned) = (Arc::clone(&self.source), name.to_owned());
        self.tiers
            .read(&key(name), 0, move || source.look(owned))
            .await
    }

    /// The version that a reader of this process gets.
    pub(crate) async fn read(&self, name: &str) -> u64 {
        let row = self.try_read(name).await.unwrap();
        assert_eq!(row.key, name, "somebody else's row");
        row.version
    }

    pub(crate) async fn write(&self, name: &str) -> u64 {
        let version = self.source.write(name);
        self.tiers.void(&[key(name)], true).await;
        version
    }
}
