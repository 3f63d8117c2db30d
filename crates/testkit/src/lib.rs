//! Dev only: what the tests of every room share.
//!
//! A clock that stands still, waiting for a condition without sleeping, a scripted HTTP peer that
//! misbehaves on demand, a plain HTTP client and a raw connection for bytes no client would send.
//! Private PostgreSQL servers that may be killed and frozen, and whose disk may fail, and private Redis
//! servers that may be killed, frozen and cut off. Everything talks over real sockets on the
//! loopback interface and stops when it is dropped.

pub mod client;
pub mod clock;
pub mod identity;
pub mod peer;
pub mod postgres;
pub mod raw;
pub mod redis;
pub mod wait;

pub use client::{TestClient, TestResponse};
pub use clock::HeldClock;
pub use identity::write_identity;
pub use peer::{Gate, Peer, RecordedRequest, Reply};
pub use postgres::{PgDatabase, PgServer, PgSettings};
pub use raw::{RawConnection, RawEnd};
pub use redis::{RedisCluster, RedisServer, Relay};
pub use wait::wait_until;
