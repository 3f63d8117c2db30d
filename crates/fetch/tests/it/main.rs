//! Connected content over real sockets: every rule against a peer that keeps or breaks it.

mod answers;
mod bench_client;
mod credentials;
mod guarding;
mod guest;
mod lifecycle;
mod limits;
mod metering;
mod rebinding;
mod recording;
mod retrying;
mod sharing;
mod wire;
