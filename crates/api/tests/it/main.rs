//! The HTTP surface over real sockets, real stores and a real edge.

mod app;
mod campaigns;
mod credentials;
mod feeds;
mod hostile;
mod idempotency;
mod openapi;
mod sending;
mod tokens;
mod users;
