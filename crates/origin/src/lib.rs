//! The origin: per-user content out of a relational database at the rate a large send asks for it.
//!
//! A send calls this endpoint once for each recipient, all within a minute. Rows are read once
//! through a few connections, kept in Redis in a layout that anybody may write, and in memory in
//! front of it; one fill serves all who wait for a key. Changes of the source reach both tiers through
//! a journal that triggers write. Start reading in `origin.rs`.

mod answer;
mod endpoint;
mod hooks;
mod http;
mod key;
mod lane;
mod meters;
mod names;
mod origin;
mod row;
mod rows;
mod source;

pub use answer::Lifetimes;
pub use endpoint::{Content, EndpointSpec, conflicts};
pub use hooks::{Hooked, install};
pub use http::Endpoints;
pub use origin::{Origin, OriginOptions, Parts, UpkeepError, Verified, Warmed};
pub use rows::Rows;
pub use source::{Description, SourceError, SourceOptions, describe};
