//! Looking through the hashes of a prefix, a page at a time, without holding Redis up.

use std::collections::BTreeSet;

use redis::Value;
use redis::cluster_routing::{RoutingInfo, SingleNodeRoutingInfo};
use tokio::time::timeout;

use super::link::{Connections, Session};
use super::{CallError, Redis};

/// How many names a server looks at in one step.
const STEP: u32 = 1_000;

/// A look through names. A name may come twice; one that comes or goes meanwhile may be missed.
pub struct HashScan {
    redis: Redis,
    session: Session,
    pattern: Vec<u8>,
    /// Servers of a Cluster that are still to be looked at; of a single server, nothing.
    servers: Vec<(String, u16)>,
    /// Where the look at the current server goes on; `None` before the first and after the last step.
    cursor: Option<u64>,
    is_over: bool,
}

impl std::fmt::Debug for HashScan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HashScan").finish_non_exhaustive()
    }
}

impl Redis {
    /// Begins to look through the hashes whose names begin with these bytes.
    ///
    /// # Errors
    ///
    /// When Redis is away.
    pub async fn scan_hashes(&self, prefix: &[u8]) -> Result<HashScan, CallError> {
        let session = self.shared.link.session()?;
        let servers = match &session.connections {
            Connections::One(_) => Vec::new(),
            Connections::Cluster(_) => {
                let mut slots = redis::cmd("CLUSTER");
                slots.arg("SLOTS");
                primaries(&self.shared.call_in(&session, &slots).await?)
            }
        };
        Ok(HashScan {
            redis: self.clone(),
            session,
            pattern: pattern(prefix),
            servers,
            cursor: None,
            is_over: false,
        })
    }
}

impl HashScan {
    /// The next names, possibly none; `None` after the last.
    ///
    /// # Errors
    ///
    /// When Redis has no say.
    pub async fn next(&mut self) -> Result<Option<Vec<Vec<u8>>>, CallError> {
        if self.is_over {
            return Ok(None);
        }
        let mut scan = redis::cmd("SCAN");
        scan.arg(self.cursor.unwrap_or(0))
            .arg("MATCH")
            .arg(&self.pattern);
        scan.arg("COUNT").arg(STEP).arg("TYPE").arg("hash");
        let answer = match &self.session.connections {
            Connections::One(_) => self.redis.shared.call_in(&self.session, &scan).await?,
            Connections::Cluster(connection) => {
                let Some((host, port)) = self.servers.last().cloned() else {
                    self.is_over = true;
                    return Ok(None);
                };
                let server = SingleNodeRoutingInfo::ByAddress { host, port };
                let mut connection = connection.clone();
                let call = connection.route_command(scan, RoutingInfo::SingleNode(server));
                let answer = timeout(self.redis.shared.options.timeout, call).await;
                answer.map_err(|_| CallError::TimedOut)??
            }
        };
        let (cursor, names) = page(answer);
        self.cursor = (cursor != 0).then_some(cursor);
        if cursor == 0 {
            self.servers.pop();
            self.is_over = self.servers.is_empty();
        }
        Ok(Some(names))
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

fn page(answer: Value) -> (u64, Vec<Vec<u8>>) {
    let Value::Array(answer) = answer else {
        return (0, Vec::new());
    };
    let mut answer = answer.into_iter();
    let cursor = match answer.next() {
        Some(Value::BulkString(text)) => String::from_utf8(text).ok(),
        _ => None,
    };
    let cursor = cursor.and_then(|text| text.parse().ok()).unwrap_or(0);
    let Some(Value::Array(names)) = answer.next() else {
        return (cursor, Vec::new());
    };
    let names = names.into_iter().filter_map(|name| match name {
        Value::BulkString(name) => Some(name),
        _ => None,
    });
    (cursor, names.collect())
}

/// The servers that have slots: the first of each range.
fn primaries(slots: &Value) -> Vec<(String, u16)> {
    let Value::Array(ranges) = slots else {
        return Vec::new();
    };
    let found: BTreeSet<_> = ranges.iter().filter_map(primary).collect();
    found.into_iter().collect()
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
