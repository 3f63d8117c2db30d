//! The way to a PostgreSQL server: where it is, how far TLS goes to it, and who waits for a connection.
//!
//! The card store and the origin's source speak to servers in their own ways, but a URL must mean the
//! same to both, and a spike must not be turned away by one that the other would bear. URLs are read here,
//! `sslmode` included, and here is the line before the connections; who connects is their own affair.

mod line;
mod tls;
mod url;

pub use line::{Entrance, Front, LineBounds, TooLong, Waits, line};
pub use tls::Tls;
pub use url::{Target, UrlError, check_url};

/// A source error without a type of its own.
type BoxError = Box<dyn std::error::Error + Send + Sync>;
