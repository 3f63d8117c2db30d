//! From an accepted socket to the first byte of HTTP: the TLS handshake, and which version it is.
//!
//! Nothing here outlives the time for the first header, and a connection that has sent nothing yet
//! leaves with the drain like any other silent one.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{sleep, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::connection::Ended;
use crate::gate::Shared;
use crate::http2::PREFACE;
use crate::socket::Socket;

/// A method of HTTP/1.1 that we route differs from the preface by then.
const TELLING: usize = 4;

/// Does the handshake; true when both sides chose HTTP/2.
pub(crate) async fn handshake(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    shared: &Shared,
) -> Result<(TlsStream<TcpStream>, bool), Ended> {
    first_byte(&stream, shared).await?;
    let stream = match in_time(shared, acceptor.accept(stream).into_fallible()).await? {
        Ok(stream) => stream,
        Err((_, stream)) => {
            say_goodbye(stream, shared).await;
            return Err(Ended::Broken);
        }
    };
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    Ok((stream, http2))
}

/// What was not TLS got an alert, which a reset would overtake: plain HTTP, most of all, of which
/// more is on its way.
async fn say_goodbye(stream: TcpStream, shared: &Shared) {
    shared.activity.received();
    let mut socket = Socket::new(stream, Bytes::new(), Arc::clone(&shared.activity));
    let _late_or_gone = timeout(shared.options.linger_timeout, socket.shutdown()).await;
}

/// Reads until it is clear whether the client speaks HTTP/2 without having been asked (prior
/// knowledge). Gives back what was read.
pub(crate) async fn version(stream: &TcpStream, shared: &Shared) -> Result<(Bytes, bool), Ended> {
    first_byte(stream, shared).await?;
    let mut read = BytesMut::with_capacity(PREFACE.len());
    let reading = async {
        loop {
            let told = read.len().min(TELLING);
            if read[..told] != PREFACE[..told] {
                return Ok(false);
            }
            if told == TELLING {
                return Ok(true);
            }
            stream.readable().await?;
            match stream.try_read_buf(&mut read) {
                Ok(0) => return Ok(false),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    };
    let http2 = in_time(shared, reading).await?.map_err(broken)?;
    Ok((read.freeze(), http2))
}

async fn first_byte(stream: &TcpStream, shared: &Shared) -> Result<(), Ended> {
    let leaving = async {
        shared.drain.cancelled().await;
        sleep(shared.options.drain_idle_grace).await;
    };
    tokio::select! {
        biased;
        ready = in_time(shared, stream.readable()) => ready?.map_err(broken),
        () = leaving => Err(Ended::Closed),
    }
}

async fn in_time<T>(shared: &Shared, work: impl Future<Output = T>) -> Result<T, Ended> {
    let end = shared.activity.born() + shared.options.header_timeout;
    tokio::select! {
        biased;
        done = work => Ok(done),
        () = sleep_until(end) => Err(Ended::HeaderTimeout),
    }
}

fn broken(_: io::Error) -> Ended {
    Ended::Broken
}
