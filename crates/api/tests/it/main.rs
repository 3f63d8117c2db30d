//! The HTTP surface over real sockets, real stores and a real edge.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod app;
mod campaigns;
mod content_blocks;
mod credentials;
mod feeds;
mod fetches;
mod hostile;
mod idempotency;
mod lane;
mod openapi;
mod sending;
mod stored_credentials;
mod tokens;
mod users;
