//! The HTTP surface: client API, server API, OpenAPI, problem+json, auth, limits, idempotency.
//!
//! [`surface()`] is the whole of it, for the edge. Handlers read a request, call `send` or
//! `feed`, and write the reply; what they decide themselves is only who may ask and what is
//! malformed. Errors of all rooms become problems in [`problem`], and nowhere else.

pub mod auth;
mod client;
mod extract;
mod idempotency;
mod lane;
mod limits;
mod observe;
pub mod openapi;
pub mod problem;
mod router;
mod schema;
mod server;
mod state;

pub use router::{Surface, surface};
pub use state::{ApiDeps, ApiOptions};
