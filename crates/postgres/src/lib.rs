//! Where a PostgreSQL server is, and how far TLS goes to it.
//!
//! The card store and the origin's source speak to servers in their own ways, but a URL must mean the
//! same to both. It is read here, `sslmode` included; who connects is their own affair.

mod tls;
mod url;

pub use tls::Tls;
pub use url::{Target, UrlError, check_url};

/// A source error without a type of its own.
type BoxError = Box<dyn std::error::Error + Send + Sync>;
