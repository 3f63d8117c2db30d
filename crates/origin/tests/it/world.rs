//! A shop's database and an origin in front of it.

use std::sync::Arc;
use std::time::Duration;

use corkboard_cache::{Ears, Key, Redis, RedisOptions};
use corkboard_core::time::Timestamp;
use corkboard_edge::{EdgeOptions, Lane};
use corkboard_origin::{
    Content, EndpointSpec, Endpoints, Origin, OriginOptions, Parts, Rows, SourceOptions, describe,
};
use corkboard_testkit::{
    HeldClock, PgDatabase, PgServer, RedisServer, TestClient, TestResponse, wait_until,
};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Tables of a shop, with some rows.
const SHOP: &str = "
    CREATE TABLE offers (user_id bigint PRIMARY KEY, title text NOT NULL, price numeric(8,2),
        until timestamptz, more jsonb);
    INSERT INTO offers VALUES
        (1, 'Socks', 12.50, '2026-12-01 10:00:00+00', '{\"size\": [39, 42]}'),
        (2, 'A \"quoted\" hat', NULL, NULL, NULL);
    INSERT INTO offers SELECT n, 'Offer ' || n, n FROM generate_series(100, 1099) AS n;
    CREATE TABLE pages (slug text PRIMARY KEY, body text);
    INSERT INTO pages VALUES ('hello', '<p>hello</p>'), ('a b/c', 'odd'), ('en:hello', 'a colon');
    CREATE TABLE english (slug text PRIMARY KEY, body text);
    INSERT INTO english VALUES ('hello', 'Hello.');
    CREATE TABLE bare (id int PRIMARY KEY, note text, size int);
    INSERT INTO bare VALUES (1, NULL, NULL), (2, 'two', 2);
    CREATE TYPE pair AS (a int, b text);
    CREATE TABLE kinds (id bigint PRIMARY KEY, on_day date, for_time interval, bits bytea, list int[],
        words text[], truth bool, odd float8, pair pair, word char(4), raw json, \"We ird\"\"name\" text);
    INSERT INTO kinds VALUES (-9223372036854775808, '2026-01-02', '1 day 2 hours', '\\xbeef', '{1,NULL}',
        '{a,\"b c\"}', true, 'NaN', '(1,x)', 'ab', '{\"a\" : 1,  \"a\":2}', E'line\\n');
    INSERT INTO kinds (id) VALUES (9223372036854775807), (0);
    CREATE SEQUENCE asked;
";

pub(crate) struct World {
    /// As an origin is served.
    pub(crate) client: TestClient,
    /// The same origin without the short way.
    pub(crate) long_way: TestClient,
    pub(crate) clock: Arc<HeldClock>,
    pub(crate) origin: Origin,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

pub(crate) async fn shop() -> PgDatabase {
    make(&PgServer::shared().await).await
}

/// A shop on this server.
pub(crate) async fn make(server: &Arc<PgServer>) -> PgDatabase {
    let database = server.database().await;
    database.sql(SHOP).await;
    database
}

/// A shop on a server of its own, which may be frozen.
pub(crate) async fn shop_of_its_own() -> (Arc<PgServer>, PgDatabase) {
    let server = Arc::new(PgServer::start(corkboard_testkit::PgSettings::quick()).await);
    let database = make(&server).await;
    (server, database)
}

pub(crate) fn endpoint(path: &str, key: &str, content: Content) -> EndpointSpec {
    EndpointSpec {
        path: path.to_owned(),
        key: key.to_owned(),
        content,
        ttl: Duration::from_secs(3_600),
        prefix: EndpointSpec::default_prefix(path),
    }
}

pub(crate) fn endpoints() -> Vec<EndpointSpec> {
    let table = |name: &str| Content::Table {
        name: name.to_owned(),
        columns: Vec::new(),
    };
    let query = |text: &str| Content::Query(text.to_owned());
    vec![
        endpoint("/users/{user_id}/offer", "user_id", table("offers")),
        endpoint(
            "/pages/{slug}",
            "slug",
            query("select body from pages where slug = $1;"),
        ),
        // Counts how often the source is asked.
        endpoint(
            "/counted/{user_id}",
            "user_id",
            query("select title from offers where user_id = $1 and nextval('asked') > 0"),
        ),
        endpoint(
            "/kinds/{id}",
            "id",
            Content::Table {
                name: "kinds".to_owned(),
                columns: Vec::new(),
            },
        ),
        endpoint(
            "/bare/{id}",
            "id",
            Content::Table {
                name: "bare".to_owned(),
                columns: vec!["note".to_owned(), "size".to_owned()],
            },
        ),
        // Under a prefix that begins with that of the pages.
        endpoint(
            "/pages/en/{slug}",
            "slug",
            Content::Table {
                name: "english".to_owned(),
                columns: vec!["body".to_owned()],
            },
        ),
    ]
}

pub(crate) fn options() -> OriginOptions {
    OriginOptions {
        source: SourceOptions {
            connections: 2,
            statement: Duration::from_millis(500),
            connect: Duration::from_millis(500),
            ..SourceOptions::default()
        },
        ..OriginOptions::default()
    }
}

/// Nobody listens: an origin hears of changes from its journal.
struct Deaf;

impl Ears for Deaf {
    fn voided(&self, _: &[Key], _: bool) {}
    fn told(&self, _: &[u8]) {}
    fn missed(&self) {}
}

impl World {
    /// An origin in front of this database, and of Redis if there is one.
    pub(crate) async fn start(source: &str, redis: Option<&RedisServer>) -> Self {
        Self::start_with(source, redis, options()).await
    }

    pub(crate) async fn start_with(
        source: &str,
        redis: Option<&RedisServer>,
        options: OriginOptions,
    ) -> Self {
        let redis = redis.map(RedisServer::url);
        Self::start_over(source, redis.as_deref(), options).await
    }

    /// An origin in front of this database and the Redis at this URL.
    pub(crate) async fn start_over(
        source: &str,
        redis: Option<&str>,
        options: OriginOptions,
    ) -> Self {
        let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let specs = endpoints();
        let described = describe(source, &specs, &options.source)
            .await
            .expect("the test's own world works");
        let rows = match redis {
            None => None,
            Some(redis) => {
                let options = RedisOptions {
                    area: "origin",
                    // A busy machine is no fault of Redis.
                    timeout: Duration::from_millis(500),
                    ..RedisOptions::default()
                };
                let ears = Arc::new(Deaf);
                let redis = Redis::open(redis, options, ears, &tasks, shutdown.clone())
                    .expect("the test's own world works");
                assert!(redis.joined(SOON).await, "redis is not joined");
                Some(Rows::new(redis))
            }
        };
        let clock = Arc::new(HeldClock::at(Timestamp::from_seconds(1_800_000_000)));
        let parts = Parts {
            source: source.to_owned(),
            endpoints: specs.into_iter().zip(described).collect(),
            rows,
            clock: clock.clone(),
            options,
        };
        let origin = Origin::new(parts, &tasks, &shutdown).expect("the test's own world works");
        origin.follow(&shutdown);
        let service = Endpoints::new(origin.clone());
        let serve = |lane: Option<Arc<dyn Lane>>| {
            let listener =
                corkboard_edge::listen("127.0.0.1:0".parse().expect("the test's own world works"))
                    .expect("the test's own world works");
            let address = listener.local_addr().expect("the test's own world works");
            let options = EdgeOptions {
                lane,
                ..EdgeOptions::default()
            };
            tasks.spawn(corkboard_edge::serve(
                listener,
                service.clone(),
                options,
                shutdown.clone(),
            ));
            TestClient::new(format!("http://{address}"))
        };
        Self {
            client: serve(Some(Arc::new(service.clone()))),
            long_way: serve(None),
            clock,
            origin,
            tasks,
            shutdown,
        }
    }

    /// Ends it, and waits until its connections are closed.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.tasks.close();
        tokio::time::timeout(SOON, self.tasks.wait())
            .await
            .expect("an origin ends when it is told to");
    }

    pub(crate) async fn get(&self, path: &str) -> TestResponse {
        self.client.get(path).send().await
    }

    /// Waits until a path's answer is as wanted.
    pub(crate) async fn until(&self, path: &str, what: &str, fine: impl Fn(&TestResponse) -> bool) {
        wait_until(SOON, what, || async {
            let response = self.get(path).await;
            if fine(&response) {
                Ok(())
            } else {
                Err(format!("{} {}", response.status, response.text()))
            }
        })
        .await;
    }
}

/// Which tier an answer says that it came from.
pub(crate) fn tier(response: &TestResponse) -> &str {
    response.header("x-cache").unwrap_or_default()
}
