//! A database that is not next door: its answers pass through here and take some milliseconds more.
//!
//! An installation's databases are other machines, and what a node can do at once then depends on
//! how many reads it may have under way, not on its CPU. On one machine with everything on it the
//! computing would be the bound, and a node that spends ten times as much on refusing would have to
//! answer less, whatever its admission control does.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::failure::{Failure, Result, While as _};

/// Pieces of one connection on their way; a node waits for an answer before it asks for more than this.
const UNDER_WAY: usize = 64;
const READ_AT_ONCE: usize = 64 * 1024;

/// Passes bytes on for as long as it lives.
#[derive(Debug)]
pub(super) struct Distance {
    url: String,
    _tasks: JoinSet<()>,
}

impl Distance {
    /// Between here and the server of this URL; answers take `delay` longer.
    pub(super) async fn to(url: &str, delay: Duration) -> Result<Self> {
        let place = place(url);
        let place = place.ok_or_else(|| Failure::unexpected("a database's URL names no place"))?;
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.while_doing("a port for a distant database")?;
        let near = listener.local_addr().while_doing("its address")?;
        let (server, mut tasks) = (place.to_owned(), JoinSet::new());
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                connections.spawn(pass(client, server.clone(), delay));
            }
        });
        Ok(Self {
            url: url.replacen(place, &near.to_string(), 1),
            _tasks: tasks,
        })
    }

    /// The same database, further away.
    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

/// The `host:port` of `scheme://user@host:port/name`.
fn place(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    let place = authority.rsplit('@').next()?;
    (!place.is_empty()).then_some(place)
}

async fn pass(client: TcpStream, server: String, delay: Duration) {
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    if client.set_nodelay(true).is_err() || server.set_nodelay(true).is_err() {
        return;
    }
    let (mut from_client, to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    // Either side's end is the end of both.
    tokio::select! {
        _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
        () = later(from_server, to_client, delay) => {}
    }
}

async fn later(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: Duration) {
    let (sender, mut receiver) = mpsc::channel::<(Instant, Vec<u8>)>(UNDER_WAY);
    let reading = async move {
        let mut buffer = vec![0; READ_AT_ONCE];
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            let piece = (Instant::now() + delay, buffer[..count].to_vec());
            if sender.send(piece).await.is_err() {
                return;
            }
        }
    };
    let writing = async move {
        while let Some((at, bytes)) = receiver.recv().await {
            sleep_until(at).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(reading, writing);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_found_in_a_url() {
        assert_eq!(
            place("postgres://a@127.0.0.1:5432/db"),
            Some("127.0.0.1:5432")
        );
        assert_eq!(place("postgres://host/db?x=1"), Some("host"));
        assert_eq!(place("nothing"), None);
    }

    #[tokio::test]
    async fn answers_come_whole_in_order_and_later() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("postgres://{}/db", listener.local_addr().unwrap());
        let delay = Duration::from_millis(30);
        let distance = Distance::to(&url, delay).await.unwrap();
        let mut client = TcpStream::connect(place(distance.url()).unwrap())
            .await
            .unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        let begun = Instant::now();
        client.write_all(b"ask").await.unwrap();
        let mut asked = [0; 3];
        server.read_exact(&mut asked).await.unwrap();
        server.write_all(b"one").await.unwrap();
        server.write_all(b"two").await.unwrap();
        let mut answered = [0; 6];
        client.read_exact(&mut answered).await.unwrap();
        assert_eq!((&asked, &answered), (b"ask", b"onetwo"));
        assert!(begun.elapsed() >= delay, "{:?}", begun.elapsed());
        drop(server);
        assert_eq!(client.read(&mut asked).await.unwrap(), 0);
    }
}
