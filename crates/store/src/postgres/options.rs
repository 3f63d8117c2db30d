//! What may be tuned for one PostgreSQL database; every pool and wait has its bound here.

use std::time::Duration;

/// Bounds of one database's pool and of what runs on its connections. The defaults suit a node
/// with a few cores and a database in the same region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PgOptions {
    /// Most connections of this process to the database. The next caller waits for one.
    pub connections: usize,
    /// Most statements at a time that read users' cards; fewer than `connections` leaves some for
    /// writes.
    pub reads: usize,
    /// Longest wait for one of them to begin; then the read fails as `Overloaded`.
    pub read_wait: Duration,
    /// Most that wait for one, some hundred bytes each: as many as clients can bring.
    pub read_line: usize,
    /// Connections opened before the store is given out, so that the first requests find them.
    pub warm: usize,
    /// Longest wait for a connection, opening a new one included; then the call fails as
    /// `Overloaded`. Short, so that a database that hangs holds up nobody else.
    pub acquire: Duration,
    /// Longest wait for the connections that are opened at the start.
    pub connect: Duration,
    /// The server gives up a statement after this long.
    pub statement: Duration,
    /// The server gives up waiting for another transaction's lock after this long.
    pub lock: Duration,
    /// The server ends a transaction in which nothing happens for this long.
    pub idle_in_transaction: Duration,
    /// How much longer than `statement` an answer may take before we stop listening: a server
    /// that hangs cannot keep its own time-outs.
    pub answer: Duration,
    /// A connection that is older than this is replaced by a new one, so that what the server
    /// remembers for it (plans, catalogue entries of dropped partitions) does not grow for ever.
    pub max_age: Duration,
}

impl Default for PgOptions {
    fn default() -> Self {
        Self {
            connections: 16,
            reads: 12,
            read_wait: Duration::from_millis(500),
            read_line: 4_096,
            warm: 2,
            acquire: Duration::from_millis(250),
            connect: Duration::from_secs(5),
            statement: Duration::from_secs(5),
            lock: Duration::from_secs(2),
            idle_in_transaction: Duration::from_secs(10),
            answer: Duration::from_secs(1),
            max_age: Duration::from_secs(30 * 60),
        }
    }
}
