//! A connection's way through us: cut, or held without a word, while the server is well.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// Passes bytes on between clients and one address.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    state: Arc<watch::Sender<State>>,
    _end: DropGuard,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Passing,
    /// Takes nothing and gives nothing; connections stay open.
    Frozen,
    /// Closes every connection and refuses new ones.
    Cut,
}

impl Relay {
    /// Listens on a free port and passes on to `to`.
    pub async fn to(to: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("loopback works");
        let address = listener.local_addr().expect("bound");
        let state = Arc::new(watch::Sender::new(State::Passing));
        let (tasks, end) = (TaskTracker::new(), CancellationToken::new());
        let (accepting, token) = (Arc::clone(&state), end.clone());
        let spawner = tasks.clone();
        tasks.spawn(end.clone().run_until_cancelled_owned(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *accepting.borrow() == State::Cut {
                    continue;
                }
                let pass = pass(client, to, accepting.subscribe());
                spawner.spawn(token.clone().run_until_cancelled_owned(pass));
            }
        }));
        Self {
            address,
            state,
            _end: end.drop_guard(),
        }
    }

    /// A Redis URL that leads through here.
    #[must_use]
    pub fn redis_url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// From now on nothing passes; nobody is told.
    pub fn freeze(&self) {
        self.state.send_replace(State::Frozen);
    }

    /// Cuts every connection and takes no new one.
    pub fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    /// What was held back passes, and so does everything new.
    pub fn pass(&self) {
        self.state.send_replace(State::Passing);
    }
}

async fn pass(client: TcpStream, to: SocketAddr, state: watch::Receiver<State>) {
    let Ok(server) = TcpStream::connect(to).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = copy(from_client, to_server, state.clone()) => {}
        () = copy(from_server, to_client, state) => {}
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<State>) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            _ = state.wait_for(|state| *state == State::Cut) => return,
        };
        let Ok(length @ 1..) = read else {
            return;
        };
        let now = state.wait_for(|state| *state != State::Frozen).await;
        if !now.is_ok_and(|now| *now == State::Passing) {
            return;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
