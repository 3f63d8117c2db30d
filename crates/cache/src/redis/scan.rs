//! Looking through the hashes of a prefix, a page at a time, without holding Redis up.
//!
//! A page that failed is asked for again by asking for the next one: the place is kept. A server's place
//! (its cursor) means nothing to a server that has started again, even with the same hashes, so every page
//! says which life of the server it is from; in another one, and when a Cluster has other masters after
//! a failure, the look begins once more.

use std::collections::BTreeSet;

use redis::cluster_routing::{RoutingInfo, SingleNodeRoutingInfo};
use redis::{Pipeline, Value};

use super::link::{Connections, Session};
use super::watch::{field, text};
use super::{CallError, Redis};

/// How many names a server looks at in one step.
const STEP: u32 = 1_000;
/// Beyond so many beginnings a look has no end.
const MOST_BEGINNINGS: u32 = 10;

/// A look through names. A name may come twice; one that comes or goes meanwhile may be missed.
pub struct HashScan {
    redis: Redis,
    pattern: Vec<u8>,
    /// The servers to be looked at, of a Cluster all masters.
    servers: Option<Vec<Server>>,
    /// The one that is looked at now.
    at: usize,
    /// Where the look at that one goes on; `None` before its first step.
    place: Option<Place>,
    /// After a failure a Cluster may have other masters.
    is_doubtful: bool,
    /// To be told with the next page.
    begins_again: bool,
    beginnings: u32,
}

/// Some names, possibly none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashPage {
    pub names: Vec<Vec<u8>>,
    /// The look has begun once more: all names come, also those that came before.
    pub begins_again: bool,
}

/// Of a Cluster, where; of a single server, nothing.
type Server = Option<(String, u16)>;

struct Place {
    life: String,
    cursor: u64,
}

impl std::fmt::Debug for HashScan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HashScan").finish_non_exhaustive()
    }
}

impl Redis {
    /// Begins to look through the hashes whose names begin with these bytes.
    #[must_use]
    pub fn scan_hashes(&self, prefix: &[u8]) -> HashScan {
        HashScan {
            redis: self.clone(),
            pattern: pattern(prefix),
            servers: None,
            at: 0,
            place: None,
            is_doubtful: false,
            begins_again: false,
            beginnings: 1,
        }
    }

    /// Asks one server several things in one go.
    async fn ask_server(
        &self,
        session: &Session,
        server: &Server,
        questions: Pipeline,
    ) -> Result<Vec<Value>, CallError> {
        match (&session.connections, server) {
            (Connections::Cluster(connection), Some((host, port))) => {
                let (host, port) = (host.clone(), *port);
                let server = SingleNodeRoutingInfo::ByAddress { host, port };
                let mut connection = connection.clone();
                let count = questions.len();
                let call = connection.route_pipeline(questions, 0, count, server);
                self.shared.link.in_time(call).await
            }
            _ => self.shared.calls_in(session, &questions).await,
        }
    }

    async fn servers(&self, session: &Session) -> Result<Vec<Server>, CallError> {
        let Connections::Cluster(connection) = &session.connections else {
            return Ok(vec![None]);
        };
        let mut slots = redis::cmd("CLUSTER");
        slots.arg("SLOTS");
        let mut connection = connection.clone();
        let any = RoutingInfo::SingleNode(SingleNodeRoutingInfo::Random);
        let call = connection.route_command(slots, any);
        Ok(primaries(&self.shared.link.in_time(call).await?))
    }
}

impl HashScan {
    /// The next names; `None` after the last. After a failure it may be called again, and goes on where
    /// it was.
    ///
    /// # Errors
    ///
    /// When Redis has no say, or starts again and again.
    pub async fn next(&mut self) -> Result<Option<HashPage>, CallError> {
        let page = self.step().await;
        self.is_doubtful |= page.is_err();
        page
    }

    async fn step(&mut self) -> Result<Option<HashPage>, CallError> {
        // Each time the one of now: connections of before may be gone for good.
        let session = self.redis.shared.link.session()?;
        if self.servers.is_none() || self.is_doubtful {
            let servers = Some(self.redis.servers(&session).await?);
            if self.servers.is_some() && self.servers != servers {
                self.begin_again()?;
            }
            self.servers = servers;
            self.is_doubtful = false;
        }
        let Some(server) = self.servers.iter().flatten().nth(self.at) else {
            return Ok(None);
        };
        let mut questions = redis::pipe();
        questions.cmd("INFO").arg("server");
        let scan = questions.cmd("SCAN");
        scan.arg(self.place.as_ref().map_or(0, |place| place.cursor));
        scan.arg("MATCH").arg(&self.pattern);
        scan.arg("COUNT").arg(STEP).arg("TYPE").arg("hash");
        let answers = self.redis.ask_server(&session, server, questions).await?;
        let (life, cursor, mut names) = page(answers)?;
        if self.place.as_ref().is_some_and(|place| place.life != life) {
            self.begin_again()?;
            names.clear();
        } else if cursor == 0 {
            self.place = None;
            self.at += 1;
        } else {
            self.place = Some(Place { life, cursor });
        }
        Ok(Some(HashPage {
            names,
            begins_again: std::mem::take(&mut self.begins_again),
        }))
    }

    fn begin_again(&mut self) -> Result<(), CallError> {
        if self.beginnings >= MOST_BEGINNINGS {
            return Err(CallError::Restless);
        }
        self.beginnings += 1;
        self.begins_again = true;
        (self.at, self.place) = (0, None);
        Ok(())
    }
}

/// A prefix as a pattern that matches only what begins with it.
fn pattern(prefix: &[u8]) -> Vec<u8> {
    let mut pattern = Vec::with_capacity(prefix.len() + 1);
    for byte in prefix {
        if matches!(byte, b'*' | b'?' | b'[' | b']' | b'\\' | b'^' | b'-') {
            pattern.push(b'\\');
        }
        pattern.push(*byte);
    }
    pattern.push(b'*');
    pattern
}

/// Which life of the server it is, where the look goes on (0: it is over), and names.
fn page(answers: Vec<Value>) -> Result<(String, u64, Vec<Vec<u8>>), CallError> {
    let odd = || CallError::Broken((redis::ErrorKind::Parse, "no page of a SCAN").into());
    let [info, Value::Array(scanned)] = <[Value; 2]>::try_from(answers).map_err(|_| odd())? else {
        return Err(odd());
    };
    let life = field(&text(&info), "run_id:")
        .unwrap_or_default()
        .to_owned();
    let [cursor, Value::Array(names)] = <[Value; 2]>::try_from(scanned).map_err(|_| odd())? else {
        return Err(odd());
    };
    let cursor = text(&cursor).parse().map_err(|_| odd())?;
    let names = names.into_iter().filter_map(|name| match name {
        Value::BulkString(name) => Some(name),
        _ => None,
    });
    Ok((life, cursor, names.collect()))
}

/// The servers that have slots: the first of each range.
fn primaries(slots: &Value) -> Vec<Server> {
    let Value::Array(ranges) = slots else {
        return Vec::new();
    };
    let found: BTreeSet<_> = ranges.iter().filter_map(primary).collect();
    found.into_iter().map(Some).collect()
}

fn primary(range: &Value) -> Option<(String, u16)> {
    let Value::Array(range) = range else {
        return None;
    };
    let Value::Array(server) = range.get(2)? else {
        return None;
    };
    match server.as_slice() {
        [Value::BulkString(host), Value::Int(port), ..] => {
            let host = String::from_utf8(host.clone()).ok()?;
            Some((host, u16::try_from(*port).ok()?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_matches_itself_only() {
        assert_eq!(pattern(b"users:offer:"), b"users:offer:*");
        assert_eq!(pattern(b"a*[b]"), br"a\*\[b\]*");
    }
}
