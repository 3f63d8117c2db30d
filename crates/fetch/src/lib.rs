//! Connected content: one HTTP call in the middle of a template, made safely and only once.
//!
//! [`FetchClient`] answers `corkboard_core::connected::FetchRequest`s. On the way stand, in this
//! order: validation of the request, the address [`guard`], the response cache and the sharing of
//! calls in flight, admission (bounded concurrency), and the network with its own small connection
//! pool. Every failure is an answer with a status and a reason, never an error.
//!
//! There is one path: sends, previews and the command line use the same client.

mod admission;
mod body;
mod cache;
mod call;
mod client;
mod connect;
mod content;
pub mod credential;
pub mod guard;
mod host;
mod http2;
pub mod log;
mod meter;
mod multiplexed;
mod network;
mod options;
mod pool;
mod problem;
mod redirect;
mod request;
pub mod resolve;
mod retry;
mod retry_after;
mod shared;
pub mod tier;
mod tls;

pub use client::FetchClient;
pub use credential::{
    Credential, CredentialBook, CredentialError, Credentials, NoCredentials, Sealed, Secret, Vault,
};
pub use guard::Guard;
pub use log::{CallLog, ChannelCallLog, DiscardCallLog, FetchRecord};
pub use meter::describe_metrics;
pub use options::{FetchOptions, FetchOptionsError};
pub use resolve::{Resolve, SystemResolver};
pub use tier::ResponseTier;
