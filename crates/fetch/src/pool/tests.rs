//! Bounds of the pool, on connections that lead nowhere.

use corkboard_core::id::Id;
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio::task::JoinSet;
use url::Host;

use super::*;

/// Keeps the far ends and the connection tasks of idle connections.
#[derive(Default)]
struct World {
    far_ends: Vec<DuplexStream>,
    tasks: JoinSet<()>,
}

impl World {
    async fn connection(&mut self) -> Sender {
        let (near, far) = tokio::io::duplex(1_024);
        let handshake =
            hyper::client::conn::http1::handshake::<_, Full<bytes::Bytes>>(TokioIo::new(near));
        let (sender, connection) = handshake.await.unwrap();
        self.far_ends.push(far);
        self.tasks.spawn(async { drop(connection.await) });
        sender
    }

    /// Closes every connection from over there, and sees to it that this side has noticed.
    async fn close_far_ends(&mut self) {
        self.far_ends.clear();
        let noticed = async { while self.tasks.join_next().await.is_some() {} };
        tokio::time::timeout(LONG, noticed)
            .await
            .expect("closing is noticed");
    }
}

fn key(workspace: u8, host: &str) -> PoolKey {
    let origin = Origin {
        https: false,
        host: Host::Domain(host.to_owned()),
        port: 80,
    };
    PoolKey {
        workspace: WorkspaceId::from_bytes([workspace; 16]),
        origin,
    }
}

/// Connections kept, and keys they are kept under.
fn counts(pool: &Pool) -> (usize, usize) {
    let shelves = pool.shelves();
    (shelves.total, shelves.by_key.len())
}

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn keeps_up_to_its_bounds_and_gives_to_the_right_key_only() {
    let (mut world, pool) = (World::default(), Pool::new(3, 2, LONG));
    for _ in 0..3 {
        pool.give_back(key(1, "a"), world.connection().await);
    }
    assert_eq!(pool.shelves().total, 2, "two for one host");
    for host in ["b", "c"] {
        pool.give_back(key(1, host), world.connection().await);
    }
    assert_eq!(pool.shelves().total, 3, "three in all");
    assert!(pool.take(&key(2, "a")).is_none(), "another workspace");
    assert!(
        pool.take(&key(1, "c")).is_none(),
        "there was no room for it"
    );
    for host in ["a", "a", "b"] {
        assert!(pool.take(&key(1, host)).is_some(), "{host}");
    }
    assert!(pool.take(&key(1, "a")).is_none());
    assert_eq!(counts(&pool), (0, 0));
}

#[tokio::test]
async fn what_was_idle_for_too_long_is_not_used_again() {
    let (mut world, pool) = (World::default(), Pool::new(8, 8, Duration::ZERO));
    pool.give_back(key(1, "a"), world.connection().await);
    assert!(pool.take(&key(1, "a")).is_none());
    pool.give_back(key(1, "a"), world.connection().await);
    pool.sweep();
    assert_eq!(counts(&pool), (0, 0));
}

#[tokio::test]
async fn what_was_closed_over_there_is_swept() {
    let (mut world, pool) = (World::default(), Pool::new(8, 8, LONG));
    pool.give_back(key(1, "a"), world.connection().await);
    pool.give_back(key(1, "b"), world.connection().await);
    pool.sweep();
    assert_eq!(pool.shelves().total, 2);
    world.close_far_ends().await;
    pool.sweep();
    assert_eq!(pool.shelves().total, 0);
    let closed = world.connection().await;
    world.close_far_ends().await;
    pool.give_back(key(1, "a"), closed);
    assert_eq!(pool.shelves().total, 0, "a closed connection is not kept");
}
