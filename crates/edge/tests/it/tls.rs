//! TLS: both versions of HTTP behind it, the handshake's time, and certificates that are replaced.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use corkboard_edge::{Certificates, EdgeOptions, TlsError};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::server::{DEADLINE, Server, short};

/// Writes a fresh certificate and its key; the files' times tell one writing from the next.
fn write_identity(folder: &Path, age: u64) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let when = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 - age);
    for (name, text) in [
        ("tls.crt", pem("CERTIFICATE", made.cert.der())),
        (
            "tls.key",
            pem("PRIVATE KEY", &made.signing_key.serialize_der()),
        ),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
        let file = std::fs::File::options()
            .write(true)
            .open(folder.join(name))
            .unwrap();
        file.set_modified(when).unwrap();
    }
    made.cert.der().clone()
}

fn pem(kind: &str, der: &[u8]) -> String {
    let lines = STANDARD.encode(der);
    format!("-----BEGIN {kind}-----\n{lines}\n-----END {kind}-----\n")
}

fn load(folder: &Path) -> Result<Certificates, TlsError> {
    Certificates::load(&folder.join("tls.crt"), &folder.join("tls.key"))
}

/// A certificate that a server can use and clients trust.
pub(crate) struct Identity {
    folder: TempDir,
    trusted: CertificateDer<'static>,
}

impl Identity {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let trusted = write_identity(folder.path(), 0);
        Self { folder, trusted }
    }

    pub(crate) fn certificates(&self) -> Certificates {
        load(self.folder.path()).unwrap()
    }

    pub(crate) async fn connect(
        &self,
        server: &Server,
        protocol: &[u8],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        connect(server, &self.trusted, protocol).await
    }
}

fn with(certificates: &Certificates) -> Server {
    Server::start(EdgeOptions {
        tls: Some(certificates.clone()),
        http2: true,
        ..short()
    })
}

async fn connect(
    server: &Server,
    trusted: &CertificateDer<'static>,
    protocol: &[u8],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let stream = server.dial().await;
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    timeout(DEADLINE, connector.connect(name, stream))
        .await
        .unwrap()
}

async fn get(stream: &mut TlsStream<TcpStream>) -> String {
    let request = b"GET /secret HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    timeout(DEADLINE, stream.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    answer
}

#[tokio::test]
async fn requests_go_over_tls_in_the_version_that_both_choose() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = write_identity(folder.path(), 0);
    let server = with(&load(folder.path()).unwrap());
    let mut one = connect(&server, &trusted, b"http/1.1").await.unwrap();
    let answer = get(&mut one).await;
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("/secret"),
        "{answer}"
    );

    let mut two = connect(&server, &trusted, b"h2").await.unwrap();
    assert_eq!(two.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    two.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await
        .unwrap();
    let mut header = [0; 9];
    timeout(DEADLINE, two.read_exact(&mut header))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(header[3], 4, "the server begins with its settings");
}

#[tokio::test]
async fn a_handshake_that_does_not_come_or_stops_is_closed_at_the_header_time_out() {
    let folder = tempfile::tempdir().unwrap();
    write_identity(folder.path(), 0);
    let server = with(&load(folder.path()).unwrap());
    for opening in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
        let mut client = server.connect().await;
        client.send(opening).await;
        let took = client.silently_closed().await;
        assert!(
            took >= short().header_timeout - Duration::from_millis(50),
            "{took:?}"
        );
    }
}

#[tokio::test]
async fn who_speaks_plain_http_to_tls_is_closed_at_once() {
    let folder = tempfile::tempdir().unwrap();
    write_identity(folder.path(), 0);
    let server = with(&load(folder.path()).unwrap());
    let mut client = server.connect().await;
    client.get("/").await;
    client.ended().await;
}

#[tokio::test]
async fn replaced_files_are_served_to_new_connections_and_broken_ones_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let old = write_identity(folder.path(), 20);
    let certificates = load(folder.path()).unwrap();
    let server = with(&certificates);
    let mut open = connect(&server, &old, b"http/1.1").await.unwrap();
    assert!(!certificates.reload().unwrap(), "nothing has changed");

    let new = write_identity(folder.path(), 10);
    assert!(certificates.reload().unwrap());
    assert!(get(&mut open).await.ends_with("/secret"));
    assert!(connect(&server, &old, b"http/1.1").await.is_err());
    assert!(
        get(&mut connect(&server, &new, b"http/1.1").await.unwrap())
            .await
            .ends_with("/secret")
    );

    std::fs::write(folder.path().join("tls.key"), "no key").unwrap();
    assert!(matches!(certificates.reload(), Err(TlsError::Pem { .. })));
    connect(&server, &new, b"http/1.1").await.unwrap();
}

#[test]
fn what_cannot_be_served_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let error = load(folder.path()).unwrap_err();
    assert!(error.to_string().contains("tls.crt"), "{error}");
    write_identity(folder.path(), 0);
    let key = std::fs::read(folder.path().join("tls.key")).unwrap();
    write_identity(folder.path(), 0);
    std::fs::write(folder.path().join("tls.key"), key).unwrap();
    assert!(matches!(load(folder.path()), Err(TlsError::Unfit { .. })));
}
