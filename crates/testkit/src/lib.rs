//! Dev only: what the tests of every room share.
//!
//! A clock that stands still, waiting for a condition without sleeping, a scripted HTTP peer that
//! misbehaves on demand, a plain HTTP client and a raw connection for bytes no client would send.
//! Private PostgreSQL servers that may be killed and frozen, and whose disk may fail. Everything talks over real sockets on the
//! loopback interface and stops when it is dropped.

pub mod client;
pub mod clock;
pub mod peer;
pub mod postgres;
pub mod raw;
pub mod wait;

pub use client::{TestClient, TestResponse};
pub use clock::HeldClock;
pub use peer::{Gate, Peer, RecordedRequest, Reply};
pub use postgres::{PgDatabase, PgServer, PgSettings};
pub use raw::{RawConnection, RawEnd};
pub use wait::wait_until;
