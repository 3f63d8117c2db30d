//! Taking connections from the kernel without spinning when it cannot give any.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use crate::meters::Meters;

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The next connection. Errors of a single connection are passed over; an exhausted host (no
/// descriptors, no memory) is waited out, for the readiness stays and accept would fail again at
/// once. Dropping the future loses no connection.
pub(crate) async fn next(listener: &TcpListener, meters: &Meters) -> (TcpStream, SocketAddr) {
    let mut pause = FIRST_PAUSE;
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                meters.accept_errors.increment(1);
                if concerns_one_connection(&error) {
                    continue;
                }
                tracing::warn!(
                    %error,
                    pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
                    "cannot accept connections; raise the limit of open files if this stays"
                );
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// The connections whose handshake is complete already, without waiting for more; the listener is
/// closed after the last. Asks the kernel itself, for the runtime may not have heard of them yet.
pub(crate) fn waiting(listener: TcpListener) -> impl Iterator<Item = (TcpStream, SocketAddr)> {
    let listener = listener.into_std().ok();
    std::iter::from_fn(move || {
        let (stream, peer) = listener.as_ref()?.accept().ok()?;
        stream.set_nonblocking(true).ok()?;
        Some((TcpStream::from_std(stream).ok()?, peer))
    })
}

/// The peer was gone before it was accepted; the next one may be fine.
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_error_of_one_connection_is_passed_over_without_a_pause() {
        const EMFILE: i32 = 24;
        const ENFILE: i32 = 23;
        const ECONNABORTED: i32 = 103;
        assert!(concerns_one_connection(&io::Error::from_raw_os_error(
            ECONNABORTED
        )));
        assert!(!concerns_one_connection(&io::Error::from_raw_os_error(
            EMFILE
        )));
        assert!(!concerns_one_connection(&io::Error::from_raw_os_error(
            ENFILE
        )));
    }
}
