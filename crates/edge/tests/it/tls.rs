//! TLS: both versions of HTTP behind it, the handshake's time, and certificates that are replaced.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use corkboard_edge::{Certificates, EdgeOptions, TlsError};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::server::{DEADLINE, Server, patient, short};

/// The first byte of a record that says what is wrong.
const ALERT: u8 = 21;

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

fn roots(trusted: &CertificateDer<'static>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    roots
}

fn client_config(trusted: &CertificateDer<'static>, protocols: &[&[u8]]) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots(trusted))
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    config
}

async fn connect(
    server: &Server,
    trusted: &CertificateDer<'static>,
    protocol: &[u8],
) -> std::io::Result<TlsStream<TcpStream>> {
    connect_with(server, client_config(trusted, &[protocol])).await
}

async fn connect_with(
    server: &Server,
    config: ClientConfig,
) -> std::io::Result<TlsStream<TcpStream>> {
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

#[tokio::test(start_paused = true)]
async fn a_handshake_that_stops_anywhere_is_closed_in_time() {
    let identity = Identity::new();
    let server = Server::start(EdgeOptions {
        tls: Some(identity.certificates()),
        ..patient()
    });
    let mut hello = Vec::new();
    let mut session = ClientConnection::new(
        Arc::new(client_config(&identity.trusted, &[b"http/1.1"])),
        ServerName::try_from("localhost").unwrap(),
    )
    .unwrap();
    session.write_tls(&mut hello).unwrap();
    for part in [1, 5, hello.len() / 2, hello.len() - 1, hello.len()] {
        let mut client = server.connect().await;
        client.send(&hello[..part]).await;
        let start = Instant::now();
        client.ended().await;
        assert_eq!(start.elapsed().as_secs(), 10, "after {part} bytes");
    }
    let mut drip = server.connect().await;
    let start = Instant::now();
    for byte in &hello[..9] {
        drip.send([*byte]).await;
        sleep(Duration::from_secs(1)).await;
    }
    drip.ended().await;
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn who_speaks_plain_http_to_tls_is_told_so_and_closed_in_order() {
    let identity = Identity::new();
    let server = with(&identity.certificates());
    let large = "x".repeat(100_000);
    for request in [
        "GET / HTTP/1.1\r\nhost: t\r\n\r\n",
        &format!("POST / HTTP/1.1\r\nhost: t\r\ncontent-length: 100000\r\n\r\n{large}"),
    ] {
        let mut client = server.connect().await;
        client.send(request).await;
        client.finish().await;
        // A reset would fail here.
        let alert = client.bytes_until_closed().await;
        assert_eq!(alert[0], ALERT, "{alert:?}");
    }
}

/// The hello of a client that knows no later version than this one, and is fine otherwise.
fn hello_of(version: u8) -> Vec<u8> {
    let mut hello = vec![3, version];
    hello.extend([7; 32]);
    hello.push(0);
    // ECDHE and ECDSA with AES-GCM; no compression.
    hello.extend([0, 2, 0xc0, 0x2b, 1, 0]);
    // The curve x25519, its points as they are, signatures by P-256 with SHA-256.
    hello.extend([0, 22, 0, 10, 0, 4, 0, 2, 0, 0x1d, 0, 11, 0, 2, 1, 0]);
    hello.extend([0, 13, 0, 4, 0, 2, 4, 3]);
    let length = u8::try_from(hello.len()).unwrap();
    [&[22, 3, 1, 0, length + 4, 1, 0, 0, length][..], &hello].concat()
}

#[tokio::test]
async fn versions_before_1_2_are_refused_with_an_alert() {
    const HANDSHAKE: u8 = 22;
    const PROTOCOL_VERSION: u8 = 70;
    let identity = Identity::new();
    let server = with(&identity.certificates());
    for version in [0, 1, 2] {
        let mut client = server.connect().await;
        client.send(hello_of(version)).await;
        client.finish().await;
        let alert = client.bytes_until_closed().await;
        assert_eq!((alert[0], alert[6]), (ALERT, PROTOCOL_VERSION), "{alert:?}");
    }
    let mut client = server.connect().await;
    client.send(hello_of(3)).await;
    client.finish().await;
    assert_eq!(client.bytes_until_closed().await[0], HANDSHAKE);
}

#[tokio::test]
async fn both_versions_from_1_2_on_are_spoken() {
    let identity = Identity::new();
    let server = with(&identity.certificates());
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let roots = roots(&identity.trusted);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut stream = connect_with(&server, config).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
        assert!(get(&mut stream).await.ends_with("/secret"));
    }
}

/// To whom, which versions, and what is chosen.
type Offer<'a> = (&'a Server, &'a [&'a [u8]], Option<&'a [u8]>);

#[tokio::test]
async fn the_version_of_http_is_what_both_name_and_1_1_without_a_name() {
    let identity = Identity::new();
    let old = Server::start(EdgeOptions {
        tls: Some(identity.certificates()),
        ..short()
    });
    let both = with(&identity.certificates());
    let offers: [Offer<'_>; 5] = [
        (&both, &[b"h2", b"http/1.1"], Some(b"h2")),
        (&both, &[b"http/1.1"], Some(b"http/1.1")),
        (&both, &[], None),
        (&old, &[b"h2", b"http/1.1"], Some(b"http/1.1")),
        (&old, &[], None),
    ];
    for (server, offered, chosen) in offers {
        let config = client_config(&identity.trusted, offered);
        let mut stream = connect_with(server, config).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), chosen);
        if chosen != Some(b"h2") {
            assert!(get(&mut stream).await.ends_with("/secret"));
        }
    }
    let strange = client_config(&identity.trusted, &[b"spdy/1"]);
    let error = connect_with(&both, strange).await.unwrap_err();
    assert!(
        error.to_string().contains("NoApplicationProtocol"),
        "{error}"
    );
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
