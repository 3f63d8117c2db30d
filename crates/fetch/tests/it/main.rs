//! Connected content over real sockets: every rule against a peer that keeps or breaks it.

mod answers;
mod bench_client;
mod credentials;
mod guarding;
mod guest;
mod http2;
mod http2_hostile;
mod lifecycle;
mod limits;
mod metering;
mod misdeclared;
mod rebinding;
mod recording;
mod redirects;
mod retrying;
mod sharing;
mod ssrf;
mod tier;
mod wire;
