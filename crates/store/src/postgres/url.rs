//! Whether a URL is one that can be connected by, before anybody tries.

use tokio_postgres::config::{Config, SslMode};

/// Why a URL cannot be used. Never shows the URL, which may hold a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// Not a URL as PostgreSQL knows it.
    #[error("is not a PostgreSQL URL such as postgres://user@host/database")]
    Invalid(#[source] tokio_postgres::Error),
    /// It names no host.
    #[error("names no host: write it as postgres://user@host/database")]
    NoHost,
    /// It asks for TLS.
    #[error(
        "asks for TLS, which this program does not speak: leave sslmode out and use a private \
         network, or a proxy that encrypts"
    )]
    Encrypted,
}

/// Fails when no connection can be made by this URL, whatever the server says.
///
/// # Errors
/// What is wrong with it.
pub fn check_url(url: &str) -> Result<(), UrlError> {
    let config: Config = url.parse().map_err(UrlError::Invalid)?;
    if config.get_hosts().is_empty() {
        return Err(UrlError::NoHost);
    }
    match config.get_ssl_mode() {
        SslMode::Disable | SslMode::Prefer => Ok(()),
        _ => Err(UrlError::Encrypted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_told_apart() {
        assert!(check_url("postgres://me:secret@db:5432/cards?application_name=x").is_ok());
        assert!(matches!(
            check_url("postgres://db/cards?sslmode=bogus"),
            Err(UrlError::Invalid(_))
        ));
        assert!(matches!(
            check_url("postgres:///cards"),
            Err(UrlError::NoHost)
        ));
        assert!(matches!(
            check_url("postgres://db/cards?sslmode=require"),
            Err(UrlError::Encrypted)
        ));
    }
}
