//! Nobody is shown what is another's: requests over kept connections, answered by memory, by Redis
//! and by the databases, while feeds are voided and Redis is killed, hangs, forgets, refuses and
//! comes back.
//!
//! Meanwhile the databases have no more statements under way than they may, a Redis that is lost is left
//! out within a second, and a change that one process makes is seen through the other within one.
//!
//! Every card names its user. Requests are sent in bursts, so that answers must also come in the
//! order of their questions. `CORKBOARD_MARKER_REQUESTS` sets how many (12,000 when absent; `make
//! soak` takes ten million).

mod reader;
mod weather;
mod witness;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use corkboard_testkit::RedisServer;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::installation::{Installation, Node, Tenant};
use reader::{Reader, Seen};
use weather::Weather;

const REQUESTS: u64 = 12_000;
const USERS: u32 = 400;
/// Users beside these whose changes are watched.
const WITNESSES: u32 = 2_000;
/// Statements at a time by which a process may read cards of one database.
const READS: usize = 2;
/// What the product promises, and what a busy machine takes for a request.
const SOON: Duration = Duration::from_millis(1_500);
/// Kept connections to each node.
const CONNECTIONS: u32 = 8;
/// Requests that are sent before the first answer is read.
const BURST: u32 = 16;
/// After so many bursts of a connection, one of its users reports something, which voids a feed.
const REPORT_EVERY: u64 = 8;
/// A busy machine, and a Redis that hangs.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_holds_another_users_card_whatever_becomes_of_redis() {
    let wanted = std::env::var("CORKBOARD_MARKER_REQUESTS").ok();
    let wanted = wanted.map_or(REQUESTS, |text| text.parse().unwrap());
    let (installation, redis) = (
        Installation::migrated().await,
        RedisServer::start(&[]).await,
    );
    let tenant = Tenant::create(&installation);
    let url = redis.url();
    let at_a_time = READS.to_string();
    let mut settings = vec![
        ("CORKBOARD__CACHE__URL", url.as_str()),
        ("CORKBOARD__CACHE__READS", at_a_time.as_str()),
    ];
    // One with all tiers, one that has to ask Redis or the databases every time.
    let first = installation.serve_with("api,worker", &settings);
    settings.push(("CORKBOARD__CACHE__MEMORY", "0B"));
    let nodes = [first, installation.serve_with("api", &settings)];
    let server = tenant.server(&nodes[0]);
    server.users(USERS + WITNESSES).await;
    let everybody = json!({"all": [{"attribute": "n", "op": "gte", "value": 0}]});
    let campaign = server.campaign("for [{{ user.name }}]", everybody).await;
    let dispatch = server.launch(&campaign).await;
    server.until(&dispatch, "done").await;

    let begun = Instant::now();
    let done = Arc::new(AtomicU64::new(0));
    let mut readers = JoinSet::new();
    for connection in 0..2 * CONNECTIONS {
        let node = &nodes[usize::from(connection % 2 == 1)];
        let users = (0..USERS).map(|number| tenant.token(&format!("u-{number}")));
        let reader = Reader::open(&node.api, users.collect()).await;
        readers.spawn(read(reader, connection, Arc::clone(&done), wanted));
    }
    let mut weather = Weather::over(redis);
    let mut seen = Seen::default();
    let (mut statements, mut age) = (0, Duration::ZERO);
    let all = async {
        while let Some(read) = weather
            .passes_until(
                readers.join_next(),
                &nodes,
                || done.load(Ordering::Relaxed),
                wanted,
            )
            .await
        {
            seen.add(&read.unwrap());
        }
    };
    let [one, other] = &nodes;
    tokio::select! {
        () = all => {}
        () = witness::statements(&installation, READS * nodes.len(), &mut statements) => {}
        () = witness::freshness(&tenant, [one, other], USERS..USERS + WITNESSES, &mut age) => {}
    }
    let phases = weather.end(wanted);
    assert!(statements > 0, "nobody was seen reading");
    let seconds = begun.elapsed().as_secs_f64();
    assert!(seen.whole + seen.refused >= wanted, "{seen:?}");
    // Who waits too long for a database is refused; nobody should have to here.
    assert!(seen.refused * 100 <= wanted, "{seen:?}");
    let mut tiers = Vec::new();
    for node in &nodes {
        tiers.push(reads(node).await);
    }
    say(&format!(
        "{} feeds, each its reader's own, {} refused, {} reports, in {seconds:.0} s; reads by node \
         (memory, redis, source): {tiers:?}; at most {statements} statements in a database, {} allowed; an old \
         feed for {} ms at most\n{}",
        seen.whole,
        seen.refused,
        seen.reports,
        READS * nodes.len(),
        age.as_millis(),
        phases.join("\n")
    ));
    let [[memory, _, source], [none, shared, cold]] = tiers[..] else {
        panic!("{tiers:?}");
    };
    assert!(memory > 0.0 && source > 0.0 && shared > 0.0 && cold > 0.0);
    assert!(none <= 0.0, "the second node keeps nothing in memory");
    for node in nodes {
        node.end().await;
    }
}

/// One connection's share, each in another order.
async fn read(mut reader: Reader, number: u32, done: Arc<AtomicU64>, wanted: u64) -> Seen {
    let mut at = number * 61;
    let mut bursts = 0;
    while done.load(Ordering::Relaxed) < wanted {
        let users: Vec<u32> = (0..BURST).map(|_| next(&mut at, number)).collect();
        reader.burst(&users).await;
        done.fetch_add(u64::from(BURST), Ordering::Relaxed);
        bursts += 1;
        if bursts % REPORT_EVERY == 0 {
            reader.report(users[0]).await;
        }
    }
    reader.seen
}

/// A walk that visits every user; the step has no divisor in common with their number.
fn next(at: &mut u32, number: u32) -> u32 {
    *at = (*at + 40 * number + 7) % USERS;
    *at
}

/// Feeds that memory, Redis and the databases have answered.
async fn reads(node: &Node) -> [f64; 3] {
    let metrics = node.admin.get("/metrics").send().await.text();
    ["memory", "redis", "source"].map(|tier| {
        let name = format!("corkboard_cache_reads_total{{tier=\"{tier}\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
        line.map_or(0.0, |number| number.parse().unwrap())
    })
}

#[expect(clippy::print_stderr, reason = "what a long run has shown")]
fn say(text: &str) {
    eprintln!("{text}");
}
