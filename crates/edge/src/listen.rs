//! Binding a listener with a backlog that a spike fits into.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;

use tokio::net::{TcpListener, TcpSocket};

/// Connections the kernel keeps for us while we do not accept. Linux cuts it to
/// `net.core.somaxconn`, which is 4096 by default.
pub const BACKLOG: u32 = 4096;

/// The address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen on {address}; another process may hold the port, or the address is not this host's"
)]
pub struct ListenError {
    /// The address asked for.
    pub address: SocketAddr,
    /// What the system said.
    pub source: io::Error,
}

/// Binds `address` with `SO_REUSEADDR` (a restart does not wait for old connections to fade) and a
/// backlog of [`BACKLOG`]. Port 0 picks a free one. Must be called inside a tokio runtime.
pub fn listen(address: SocketAddr) -> Result<TcpListener, ListenError> {
    let bind = || {
        let socket = socket(address)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    bind().map_err(|source| ListenError { address, source })
}

/// Like [`listen()`], `count` times on one address (`SO_REUSEPORT`): the kernel gives each
/// connection to one of them by a hash of its two ends, and each has a backlog of its own. An
/// address that anybody listens on already is an error, as it is for [`listen()`].
pub fn listen_shared(
    address: SocketAddr,
    count: NonZeroUsize,
) -> Result<Vec<TcpListener>, ListenError> {
    let bind = || {
        // Sockets that share an address let strangers of the same user join in; a second process
        // would take half of our connections without a word. A socket that shares nothing fails
        // where any other is, so it goes first. With port 0, it also picks the port.
        let alone = socket(address)?;
        alone.bind(address)?;
        let address = alone.local_addr()?;
        drop(alone);
        (0..count.get())
            .map(|_| {
                let socket = socket(address)?;
                socket.set_reuseport(true)?;
                socket.bind(address)?;
                socket.listen(BACKLOG)
            })
            .collect::<io::Result<Vec<_>>>()
    };
    bind().map_err(|source| ListenError { address, source })
}

fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_an_error_that_names_the_address() {
        let first = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = first.local_addr().unwrap();
        let error = listen(address).unwrap_err();
        assert!(error.to_string().contains(&address.to_string()));
        assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
    }
}
