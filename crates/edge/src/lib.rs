//! The accept loop, time-outs, connection caps and drain that every role serves through.
//!
//! [`serve()`] takes a bound listener, a tower service (an `axum::Router` is one) and a token, and
//! answers HTTP until the token is cancelled: HTTP/1.1, and TLS and HTTP/2 where the options ask
//! for them. What a hostile or broken client can hold is bounded here: connections, header bytes,
//! and the time spent silent, in a header, in a body, idle or not reading its response. So is what
//! all clients together ask for: [`AdmissionOptions`] says how much work is taken on. What a
//! request means is not known here. Start reading in `serve.rs`, then `event_loop.rs` and `connection.rs`, then
//! `admission.rs`.

mod accept;
mod activity;
mod admission;
mod chatter;
mod closing;
mod connection;
mod delivery;
mod drain;
mod event_loop;
mod gate;
mod http2;
mod lane;
mod listen;
mod meters;
mod opening;
mod options;
mod pace;
mod peers;
mod place;
mod reply;
mod request;
mod serve;
mod service;
mod signal;
mod socket;
mod tag;
mod tls;
mod turn;
mod watchdog;

pub use admission::{AdmissionOptions, Bearer, Inspect, Passport, Priority, retry_after};
pub use gate::{DrainSignal, PeerAddr};
pub use lane::{Asked, FixedHeaders, Found, Lane, Later, Reply, ReplyHead, Verdict};
pub use listen::{BACKLOG, ListenError, listen, listen_shared};
pub use options::EdgeOptions;
pub use reply::ReplyBody;
pub use request::{RequestBody, RequestBodyError};
pub use serve::{DrainReport, serve};
pub use signal::termination;
pub use tag::names_tag;
pub use tls::{Certificates, TlsError};
