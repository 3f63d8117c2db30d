//! PostgreSQL: one control database, one or more card databases, any number of nodes.
//!
//! What every database has in common is in this folder: a bounded [pool], a
//! [session] whose answers have deadlines, the [meaning of errors](failure), and
//! [migrations](migrate). Connections must reach the server itself or a proxy that keeps sessions:
//! statements are prepared, and session settings are given when connecting.

mod cards;
mod circuit;
mod control;
mod failure;
mod lock;
mod migrate;
mod options;
mod ping;
mod plan;
mod pool;
mod session;
mod statement;
mod values;
pub mod watch;

pub use cards::{CardLayout, CohortSet, PgCardStore, Plan};
pub use control::PgControlStore;
pub use corkboard_postgres::{UrlError, check_url};
pub use options::PgOptions;
pub use ping::PgPing;
