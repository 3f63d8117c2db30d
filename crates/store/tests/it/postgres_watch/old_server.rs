//! A server that is older than Corkboard needs.

use corkboard_testkit::PgServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::{Severity, look, wrong};

/// 14.11, as `server_version_num` has it.
const OLD: i64 = 140_011;

/// Stands before a server and says another version number than the server does.
async fn pretend(listener: TcpListener, server: u16, version: i64) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        connections.spawn(async move {
            drop(tokio::io::copy(&mut from_client, &mut to_server).await);
        });
        connections.spawn(async move {
            let (mut bytes, said) = (vec![0; 65_536], version.to_be_bytes());
            while let Ok(count @ 1..) = from_server.read(&mut bytes).await {
                let bytes = &mut bytes[..count];
                let found = bytes.windows(said.len()).position(|part| part == said);
                if let Some(at) = found {
                    bytes[at..at + said.len()].copy_from_slice(&OLD.to_be_bytes());
                }
                if to_client.write_all(bytes).await.is_err() {
                    return;
                }
            }
        });
    }
}

#[tokio::test]
async fn a_server_that_is_too_old_is_named_with_its_version() {
    let database = PgServer::shared().await.database().await;
    let version = database.sql("SHOW server_version_num").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (before, name) = database.url().rsplit_once('/').unwrap();
    let (before, real) = before.rsplit_once(':').unwrap();
    let mut proxy = JoinSet::new();
    let (real, version) = (real.parse().unwrap(), version.parse().unwrap());
    proxy.spawn(pretend(listener, real, version));
    let (_, findings) = look(&format!("{before}:{port}/{name}")).await;
    let version = wrong(&findings, "version");
    assert_eq!(
        version,
        [(
            Severity::Fail,
            "PostgreSQL 14.11, 15 or newer is needed".to_owned()
        )]
    );
}
