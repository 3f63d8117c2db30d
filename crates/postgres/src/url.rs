//! What a URL says about a server, before anybody connects: where it is, and how far TLS goes.
//!
//! `sslmode` is read here, because the driver knows neither `verify-full` nor `sslrootcert`.

use std::path::PathBuf;
use std::str::FromStr;

use tokio_postgres::config::{Config, Host, SslMode};

use crate::BoxError;
use crate::tls::Tls;

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
    /// The mode is unknown, or one that promises more than it keeps.
    #[error(
        "has an unknown sslmode: use disable, prefer (when there is none), require (encrypted, from \
         anybody) or verify-full (from the host that it names)"
    )]
    UnknownMode,
    /// Roots without anything to verify.
    #[error("has sslrootcert and does not require TLS: add sslmode=verify-full")]
    NothingToVerify,
    /// A socket in the file system cannot be encrypted.
    #[error("requires TLS on a socket in the file system: leave sslmode out")]
    NoNetwork,
    /// The file of `sslrootcert` cannot be used.
    #[error("has an sslrootcert that cannot be used")]
    Roots(#[source] BoxError),
}

/// Fails when no connection can be made by this URL, whatever the server says.
///
/// # Errors
/// What is wrong with it.
pub fn check_url(url: &str) -> Result<(), UrlError> {
    Target::parse(url).map(drop)
}

/// Where to connect to.
#[derive(Debug, Clone)]
pub struct Target {
    pub config: Config,
    pub tls: Tls,
}

/// As in `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Disable,
    Prefer,
    Require,
    VerifyFull,
}

impl FromStr for Mode {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        match text {
            "disable" => Ok(Self::Disable),
            "prefer" => Ok(Self::Prefer),
            "require" => Ok(Self::Require),
            "verify-full" => Ok(Self::VerifyFull),
            _ => Err(UrlError::UnknownMode),
        }
    }
}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        let (mut mode, mut roots) = (Mode::Prefer, None);
        // Options begin behind the password, which may have any character but one.
        let host = url.find('@').map_or(0, |at| at + 1);
        let options = url[host..].find('?').map_or(url.len(), |at| host + at);
        let (address, query) = url.split_at(options);
        let query = query.strip_prefix('?').unwrap_or(query);
        let mut others = Vec::new();
        for option in query.split('&') {
            match option.split_once('=') {
                Some(("sslmode", text)) => mode = text.parse()?,
                Some(("sslrootcert", file)) => roots = Some(decoded(file)),
                _ => others.push(option),
            }
        }
        let address = format!("{address}?{}", others.join("&"));
        let mut config: Config = address.parse().map_err(UrlError::Invalid)?;
        if config.get_ssl_mode() != SslMode::Prefer {
            // Written in a way that was not recognised here.
            return Err(UrlError::UnknownMode);
        }
        let [first, ..] = config.get_hosts() else {
            return Err(UrlError::NoHost);
        };
        let required = matches!(mode, Mode::Require | Mode::VerifyFull);
        if roots.is_some() && !required {
            return Err(UrlError::NothingToVerify);
        }
        #[cfg(unix)]
        if required && matches!(first, Host::Unix(_)) {
            return Err(UrlError::NoNetwork);
        }
        config.ssl_mode(match mode {
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyFull => SslMode::Require,
        });
        let tls = if mode == Mode::VerifyFull || roots.is_some() {
            Tls::verified(roots.as_deref())
        } else {
            Tls::unverified()
        };
        let tls = tls.map_err(UrlError::Roots)?;
        Ok(Self { config, tls })
    }
}

/// A path as it was before somebody made it part of a URL.
fn decoded(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let escaped = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (first, escaped) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    PathBuf::from(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_told_apart() {
        let check = |rest: &str| check_url(&format!("postgres://me:secret@db:5432/cards{rest}"));
        for fine in [
            "",
            "?application_name=x",
            "?sslmode=disable",
            "?sslmode=prefer&application_name=x",
            "?application_name=x&sslmode=require",
            "?sslmode=verify-full",
        ] {
            assert!(check(fine).is_ok(), "{fine}");
        }
        for unknown in ["bogus", "allow", "verify-ca", "Require", ""] {
            let refused = check(&format!("?sslmode={unknown}"));
            assert!(matches!(refused, Err(UrlError::UnknownMode)), "{unknown}");
        }
        let disguised = check("?ssl%6Dode=require");
        assert!(matches!(disguised, Err(UrlError::UnknownMode)));
        let target = Target::parse("postgres://me:a?b=c@db/cards?sslmode=require").unwrap();
        assert_eq!(target.config.get_ssl_mode(), SslMode::Require);
        assert_eq!(target.config.get_password(), Some(b"a?b=c".as_slice()));
        let refused = check("?sslrootcert=/nowhere.pem&sslmode=prefer");
        assert!(matches!(refused, Err(UrlError::NothingToVerify)));
        let refused = check("?sslrootcert=/nowhere.pem&sslmode=verify-full");
        assert!(matches!(refused, Err(UrlError::Roots(_))), "{refused:?}");
        assert!(matches!(check("?sslcert=x"), Err(UrlError::Invalid(_))));
        let socket = "postgres://%2Frun%2Fpostgresql/cards";
        assert!(check_url(socket).is_ok());
        let refused = check_url(&format!("{socket}?sslmode=require"));
        assert!(matches!(refused, Err(UrlError::NoNetwork)), "{refused:?}");
        let refused = check_url("postgres:///cards");
        assert!(matches!(refused, Err(UrlError::NoHost)));
    }

    #[test]
    fn a_path_is_taken_out_of_its_escapes() {
        assert_eq!(decoded("/a%20b/%C3%A9.pem"), PathBuf::from("/a b/é.pem"));
        assert_eq!(decoded("/100%/%zz"), PathBuf::from("/100%/%zz"));
    }
}
