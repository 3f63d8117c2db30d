//! The edge as a client sees it: raw bytes over loopback, short time-outs, no sleeps.

#![expect(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]

mod abuse;
mod admission;
mod books;
mod caps;
mod coming;
mod crowd;
mod drain;
mod drain_load;
mod frames;
mod http2;
mod lane;
mod limits;
mod protocol;
mod server;
mod time_outs;
mod tls;
mod together;
