//! A bare TCP connection for bytes that no HTTP client would send: half a header, garbage, nothing.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

/// Connecting on loopback takes no longer than this, or something is wrong.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// How reading came to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawEnd {
    /// The other side closed in an orderly way.
    Closed,
    /// The other side reset the connection.
    Reset,
    /// The deadline passed and the connection is still open.
    StillOpen,
    /// The awaited bytes arrived.
    Found,
}

/// One TCP connection under the test's control.
#[derive(Debug)]
pub struct RawConnection {
    stream: TcpStream,
}

impl RawConnection {
    /// Connects.
    ///
    /// # Panics
    ///
    /// When nobody accepts within five seconds.
    pub async fn open(address: SocketAddr) -> Self {
        let stream = timeout(CONNECT_DEADLINE, TcpStream::connect(address))
            .await
            .unwrap_or_else(|_| panic!("no connection to {address} within {CONNECT_DEADLINE:?}"))
            .unwrap_or_else(|error| panic!("no connection to {address}: {error}"));
        Self { stream }
    }

    /// Sends bytes as they are. An error is an answer too: the other side may have closed already.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await?;
        self.stream.flush().await
    }

    /// Says that nothing more will be sent, and keeps reading possible.
    pub async fn finish_sending(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }

    /// Everything the other side sends until it closes, or until `deadline` has passed.
    pub async fn read_to_close(&mut self, deadline: Duration) -> (Vec<u8>, RawEnd) {
        self.read(deadline, None).await
    }

    /// Everything up to and including `marker` (and what came along with it).
    pub async fn read_until(&mut self, marker: &[u8], deadline: Duration) -> (Vec<u8>, RawEnd) {
        self.read(deadline, Some(marker)).await
    }

    async fn read(&mut self, deadline: Duration, marker: Option<&[u8]>) -> (Vec<u8>, RawEnd) {
        let end = Instant::now() + deadline;
        let mut seen = Vec::new();
        loop {
            match timeout_at(end, self.stream.read_buf(&mut seen)).await {
                Err(_) => return (seen, RawEnd::StillOpen),
                Ok(Ok(0)) => return (seen, RawEnd::Closed),
                Ok(Err(_)) => return (seen, RawEnd::Reset),
                Ok(Ok(_)) => {}
            }
            if let Some(marker) = marker
                && seen
                    .windows(marker.len().max(1))
                    .any(|window| window == marker)
            {
                return (seen, RawEnd::Found);
            }
        }
    }
}
