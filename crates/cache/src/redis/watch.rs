//! Joins Redis, listens to it, and looks five times a second whether it is there and takes writes.
//!
//! Joining goes in this order, and nobody uses Redis before its end: listen; forget what was known;
//! deliver what is owed; let readers in. A look is a write (of nothing), because a Redis that
//! refuses writes refuses voids, too. Where a look fails, all that was joined is dropped.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{join_all, try_join_all};
use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::{PushInfo, PushKind, RedisError, Value};
use tokio::time::{Instant, sleep, timeout};

use super::Shared;
use super::address::Address;
use super::debts::Due;
use super::doors::Doors;
use super::link::{CallError, Connections, Session};
use super::message::{self, Message};
use crate::hashing::random;

/// Before trying to join again: at first, and at most.
const PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// Looks between two at where a Cluster's servers are.
const BEATS_PER_LAYOUT: u32 = 5;
/// Looks in a row that find the circuit open.
const MOST_STRIKES: u32 = 5;
/// Debts delivered in one step.
const DEBTS_AT_A_TIME: usize = 500;
/// Absent for less than this, and everybody is let back at once.
const BLINK: Duration = Duration::from_millis(300);
/// Keys that a sweep looks at in one step.
const SWEPT_AT_A_TIME: usize = 1_000;

/// One server, listened to.
struct Listened {
    address: Address,
    place: String,
    connection: MultiplexedConnection,
}

struct Joining {
    listened: Vec<Listened>,
    session: Session,
}

/// Runs for ever.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut pause = PAUSE;
    let mut seen: Option<(Instant, Arc<str>)> = None;
    let mut doors = Doors::of(shared.address.clone());
    loop {
        match join(&shared, doors.next()).await {
            Ok(joined) => {
                let others = joined.listened.iter().filter(|one| !one.place.is_empty());
                doors.learn(others.map(|one| one.address.clone()));
                let (namespace, before) = (Arc::clone(&joined.session.namespace), seen.take());
                let slowly = before
                    .as_ref()
                    .is_some_and(|(last, known)| last.elapsed() > BLINK || *known != namespace);
                let reason = stay(&shared, &joined, slowly).await;
                leave(&shared);
                tracing::warn!(%reason, "redis is left out until it is back");
                metrics::counter!("corkboard_cache_redis_lost_total").increment(1);
                seen = Some((Instant::now(), namespace));
                pause = PAUSE;
            }
            Err(error) => {
                tracing::debug!(%error, "redis cannot be joined");
                if pause == PAUSE {
                    tracing::warn!(%error, "redis cannot be joined; trying on");
                }
                if seen.is_none() {
                    seen = Some((Instant::now(), Arc::from("")));
                }
            }
        }
        metrics::gauge!("corkboard_cache_redis_up").set(0.0);
        let jitter = Duration::from_millis(random() % 20);
        sleep(pause + jitter).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn leave(shared: &Shared) {
    shared.trust.revoke();
    shared.circuit.open();
    shared.link.set(None);
    shared.ears.missed();
}

/// Connects for data and listens at every server, beginning with one.
async fn join(shared: &Arc<Shared>, door: Address) -> Result<Joining, RedisError> {
    // Lines of an attempt before have nothing to say any more, not even that they broke.
    let attempt = shared.attempts.fetch_add(1, Ordering::AcqRel) + 1;
    let _ = shared.broken.notified().now_or_never();
    let all = async {
        let first = listen(shared, attempt, door.clone(), String::new()).await?;
        let info = ask(&first, redis::cmd("INFO").arg("server").arg("cluster")).await?;
        let info = text(&info);
        if field(&info, "cluster_enabled:") == Some("1") {
            let places = layout(&first, &door).await?;
            let listened = places.into_iter().map(|(host, port)| {
                let place = format!("{host}:{port}");
                listen(shared, attempt, door.at(&host, port), place)
            });
            let address = door.clone();
            let connection = at_home(shared, async move { address.connect_cluster().await });
            let connection = connection.await?;
            return Ok(Joining {
                listened: try_join_all(listened).await?,
                session: Session {
                    connections: Connections::Cluster(Box::new(connection)),
                    namespace: "cluster".into(),
                },
            });
        }
        let life = field(&info, "run_id:").unwrap_or("unknown");
        let connections = (0..shared.options.connections.max(1)).map(|_| {
            let address = door.clone();
            at_home(shared, async move { address.connect().await })
        });
        Ok(Joining {
            session: Session {
                connections: Connections::One(try_join_all(connections).await?.into()),
                namespace: life.get(..12).unwrap_or(life).into(),
            },
            listened: vec![first],
        })
    };
    match timeout(shared.options.connect, all).await {
        Ok(joined) => joined,
        Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
    }
}

/// Connects in the runtime that readers run in: what a connection does goes on where it was made.
async fn at_home<T: Send + 'static>(
    shared: &Shared,
    connect: impl Future<Output = Result<T, RedisError>> + Send + 'static,
) -> Result<T, RedisError> {
    let gone = |_| RedisError::from(std::io::Error::from(std::io::ErrorKind::Interrupted));
    let connected = shared.tasks.spawn_on(connect, &shared.home).await;
    connected.map_err(gone)?
}

async fn listen(
    shared: &Arc<Shared>,
    attempt: u64,
    address: Address,
    place: String,
) -> Result<Listened, RedisError> {
    let hears = Arc::clone(shared);
    let heard = move |push: PushInfo| {
        hear(&hears, attempt, &push);
        Ok::<(), ()>(())
    };
    let mut connection = address.listen(heard).await?;
    connection.subscribe(shared.channel()).await?;
    Ok(Listened {
        address,
        place,
        connection,
    })
}

/// Called by the connection's own task, before any answer that came after the push.
fn hear(shared: &Shared, attempt: u64, push: &PushInfo) {
    match (&push.kind, push.data.as_slice()) {
        (PushKind::Message, [_, Value::BulkString(bytes)]) => match message::read(bytes) {
            Some((from, Message::Voided { keys, loud })) => {
                // Whoever writes tells its own listeners; memory is voided by everybody.
                shared.ears.voided(&keys, loud && from != shared.id);
            }
            Some((from, Message::Told(what))) if from != shared.id => shared.ears.told(what),
            Some((_, Message::Told(_))) => {}
            // What cannot be understood may have been anything.
            Some((_, Message::Everything)) | None => shared.ears.missed(),
        },
        (PushKind::Disconnection, _) if shared.attempts.load(Ordering::Acquire) == attempt => {
            shared.trust.revoke();
            shared.broken.notify_one();
        }
        _ => {}
    }
}

/// Uses what was joined until a look fails; why.
async fn stay(shared: &Shared, joined: &Joining, slowly: bool) -> String {
    shared.ears.missed();
    if let Err(error) = settle(shared, joined).await {
        return describe(&error);
    }
    let sent = Instant::now();
    if let Err(error) = look(shared, joined).await {
        return describe(&error);
    }
    shared.link.set(Some(joined.session.clone()));
    shared.let_in(slowly);
    shared.trust.renew(sent);
    shared.joined.notify_waiters();
    metrics::gauge!("corkboard_cache_redis_up").set(1.0);
    tracing::info!(servers = joined.listened.len(), slowly, "redis is joined");
    let mut strikes = 0;
    for beats in 1_u32.. {
        let doubted = tokio::select! {
            () = sleep(shared.options.beat) => false,
            () = shared.link.doubt.raised() => true,
            () = shared.broken.notified() => {
                return "a connection broke".to_owned();
            }
        };
        let sent = Instant::now();
        if let Err(error) = look(shared, joined).await {
            return describe(&error);
        }
        shared.link.doubt.settle(sent);
        if shared.circuit.is_closed() {
            strikes = 0;
        } else if !doubted {
            // Readers met with silence, the look did not. Once that is a slow moment, of this
            // process perhaps; again and again it asks for new connections.
            strikes += 1;
            if strikes == MOST_STRIKES {
                return "calls were not answered".to_owned();
            }
            shared.let_in(true);
        }
        if let Err(error) = settle(shared, joined).await {
            return describe(&error);
        }
        shared.trust.renew(sent);
        if beats % BEATS_PER_LAYOUT == 0 && moved(joined).await {
            return "the cluster has other masters".to_owned();
        }
    }
    "the end of numbers".to_owned()
}

/// Asks every server to write nothing.
async fn look(shared: &Shared, joined: &Joining) -> Result<(), RedisError> {
    let looks = joined.listened.iter().map(|server| async {
        let cluster = matches!(joined.session.connections, Connections::Cluster(_));
        let mut write = redis::cmd("DEL");
        write.arg(format!("{}:beat", shared.options.prefix));
        let late = || RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
        let answer = timeout(shared.options.beat_timeout, ask(server, &write)).await;
        match answer.map_err(|_| late())? {
            // The key is another server's: a master answers so, and it is there.
            Err(error) if cluster && error.code() == Some("MOVED") => Ok(()),
            other => other.map(|_| ()),
        }
    });
    join_all(looks).await.into_iter().collect()
}

/// Delivers what is owed.
async fn settle(shared: &Shared, joined: &Joining) -> Result<(), CallError> {
    loop {
        let due = shared.debts.due(DEBTS_AT_A_TIME);
        match &due {
            Due::Nothing => return Ok(()),
            Due::Keys(keys) => {
                shared.void_in(&joined.session, keys, true).await?;
                shared.ears.voided(keys, true);
            }
            Due::Everything => sweep(shared, joined).await?,
        }
        shared.debts.paid(&due);
    }
}

/// Removes every value and lease, and tells everybody to forget what they know.
async fn sweep(shared: &Shared, joined: &Joining) -> Result<(), CallError> {
    let options = &shared.options;
    let pattern = format!(
        "{}:{}:{}:*",
        options.prefix, options.area, joined.session.namespace
    );
    for server in &joined.listened {
        let mut cursor = "0".to_owned();
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(&cursor).arg("MATCH").arg(&pattern);
            scan.arg("COUNT").arg(SWEPT_AT_A_TIME);
            let Value::Array(answer) = ask(server, &scan).await? else {
                break;
            };
            let [next, Value::Array(names)] = answer.as_slice() else {
                break;
            };
            let removals = names.iter().filter_map(|name| match name {
                Value::BulkString(name) => {
                    let mut removal = redis::cmd("UNLINK");
                    removal.arg(name);
                    Some(async move { ask(server, &removal).await })
                }
                _ => None,
            });
            for removed in join_all(removals).await {
                removed?;
            }
            cursor = text(next);
            if cursor == "0" {
                break;
            }
        }
        ask(server, &shared.publish(&message::everything(shared.id))).await?;
    }
    tracing::warn!("too many voids were owed: every value was removed from redis");
    Ok(())
}

/// Whether a Cluster has other masters than those that are listened to.
async fn moved(joined: &Joining) -> bool {
    if matches!(joined.session.connections, Connections::One(_)) {
        return false;
    }
    let Some(first) = joined.listened.first() else {
        return true;
    };
    let mut places: Vec<String> = match layout(first, &first.address).await {
        Ok(places) => places
            .iter()
            .map(|(host, port)| format!("{host}:{port}"))
            .collect(),
        Err(_) => return true,
    };
    let mut known: Vec<String> = joined
        .listened
        .iter()
        .map(|one| one.place.clone())
        .collect();
    places.sort();
    known.sort();
    places != known
}

/// Hosts and ports of a Cluster's masters.
async fn layout(server: &Listened, address: &Address) -> Result<Vec<(String, u16)>, RedisError> {
    let answer = ask(server, redis::cmd("CLUSTER").arg("SLOTS")).await?;
    let mut places = Vec::new();
    let Value::Array(ranges) = answer else {
        return Ok(places);
    };
    for range in ranges {
        let Value::Array(range) = range else { continue };
        let Some(Value::Array(master)) = range.get(2) else {
            continue;
        };
        let (Some(host), Some(Value::Int(port))) = (master.first(), master.get(1)) else {
            continue;
        };
        let host = Some(text(host)).filter(|host| !host.is_empty());
        let host = host.unwrap_or_else(|| address.host());
        let place = (host, u16::try_from(*port).unwrap_or_default());
        if !places.contains(&place) {
            places.push(place);
        }
    }
    Ok(places)
}

async fn ask(server: &Listened, command: &redis::Cmd) -> Result<Value, RedisError> {
    let mut connection = server.connection.clone();
    match connection.req_packed_command(command).await? {
        Value::ServerError(error) => Err(error.into()),
        answer => Ok(answer),
    }
}

pub(super) fn text(value: &Value) -> String {
    match value {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => text.clone(),
        _ => String::new(),
    }
}

pub(super) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines()
        .find_map(|line| line.strip_prefix(name))
        .map(str::trim)
}

fn describe(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    if let Some(source) = error.source() {
        text.push_str(": ");
        text.push_str(&source.to_string());
    }
    text
}
