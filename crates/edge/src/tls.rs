//! TLS in front of HTTP: certificates that can be replaced while serving.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, ServerConfig};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

/// The certificate or its key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file holds no PEM block of the wanted kind.
    #[error("{path} is not in PEM form, or holds no {wanted}")]
    Pem {
        /// Which one.
        path: PathBuf,
        /// What was looked for.
        wanted: &'static str,
        /// What was found instead.
        source: pem::Error,
    },
    /// Certificate and key do not fit each other, or are of a kind that is not supported.
    #[error("the certificate in {path} cannot be served with its key")]
    Unfit {
        /// Where the certificate is.
        path: PathBuf,
        /// What does not fit.
        source: rustls::Error,
    },
}

/// A certificate chain and its key, in two PEM files. Clones share what is loaded.
#[derive(Debug, Clone)]
pub struct Certificates(Arc<Loaded>);

#[derive(Debug)]
struct Loaded {
    certificate: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
    // Read for every handshake, written when the files change; never held across an await.
    current: RwLock<Arc<CertifiedKey>>,
    seen: Mutex<[Option<SystemTime>; 2]>,
}

impl Certificates {
    /// Reads both files, so that a mistake is known before anything is served.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let seen = [modified(certificate), modified(key)];
        let current = read(certificate, key, &provider)?;
        Ok(Self(Arc::new(Loaded {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            provider,
            current: RwLock::new(current),
            seen: Mutex::new(seen),
        })))
    }

    /// Reads both files again if one of them has changed since they were last looked at. True when
    /// they were replaced; connections that are open keep what they have. On an error the loaded
    /// ones stay in use.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let files = &self.0;
        let now = [modified(&files.certificate), modified(&files.key)];
        let mut seen = files.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == now {
            return Ok(false);
        }
        *seen = now;
        drop(seen);
        let fresh = read(&files.certificate, &files.key, &files.provider)?;
        *files
            .current
            .write()
            .unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(true)
    }

    pub(crate) fn acceptor(&self, http2: bool) -> TlsAcceptor {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.0.provider))
            .with_safe_default_protocol_versions()
            .expect("ring's provider supports TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&self.0) as Arc<dyn ResolvesServerCert>);
        let protocols: &[&[u8]] = if http2 {
            &[b"h2", b"http/1.1"]
        } else {
            &[b"http/1.1"]
        };
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

impl ResolvesServerCert for Loaded {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&current))
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path)
        .and_then(|data| data.modified())
        .ok()
}

fn read(
    certificate: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, TlsError> {
    let text = |path: &Path| {
        std::fs::read(path).map_err(|source| TlsError::Read {
            path: path.to_owned(),
            source,
        })
    };
    let not_pem = |path: &Path, wanted, source| TlsError::Pem {
        path: path.to_owned(),
        wanted,
        source,
    };
    let chain = CertificateDer::pem_slice_iter(&text(certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .and_then(|chain| {
            if chain.is_empty() {
                Err(pem::Error::NoItemsFound)
            } else {
                Ok(chain)
            }
        })
        .map_err(|source| not_pem(certificate, "certificate", source))?;
    let private = PrivateKeyDer::from_pem_slice(&text(key)?)
        .map_err(|source| not_pem(key, "private key", source))?;
    CertifiedKey::from_der(chain, private, provider)
        .map(Arc::new)
        .map_err(|source| TlsError::Unfit {
            path: certificate.to_owned(),
            source,
        })
}
