//! The caps on connections under a flood, and what the metrics say of it.

use std::num::NonZeroU32;
use std::time::Duration;

use corkboard_edge::EdgeOptions;
use tokio::net::TcpSocket;
use tokio::time::Instant;

use crate::books::Books;
use crate::server::{Client, Server, patient};

const NEIGHBOUR: &str = "127.0.0.2:0";

async fn from(server: &Server, address: &str) -> Client {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(address.parse().unwrap()).unwrap();
    let stream = socket.connect(server.address).await.unwrap();
    Client::new(stream)
}

#[tokio::test]
async fn one_address_that_holds_its_whole_cap_keeps_nobody_else_out() {
    let books = Books::open();
    let server = Server::start(EdgeOptions {
        max_connections: 12,
        max_connections_per_peer: NonZeroU32::new(8),
        ..patient()
    });
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(server.connect().await);
    }
    let mut neighbour = None;
    for turn in 0..200 {
        server.connect().await.silently_closed().await;
        if turn == 100 {
            let mut client = from(&server, NEIGHBOUR).await;
            client.get("/neighbour").await;
            client.until("/neighbour").await;
            neighbour = Some(client);
        }
    }
    assert_eq!(books.read("corkboard_edge_refused_total peer_cap"), 200.0);
    assert_eq!(books.read("corkboard_edge_accepted_total"), 9.0);
    assert_eq!(books.read("corkboard_edge_connections"), 9.0);
    assert_eq!(books.read("corkboard_edge_connections_limit"), 12.0);
    assert_eq!(books.read("corkboard_edge_at_capacity"), 0.0);

    drop((held, neighbour));
    books
        .until(|books| books.read("corkboard_edge_connections") == 0.0)
        .await;
    assert_eq!(books.read("corkboard_edge_closed_total closed"), 9.0);
    assert_eq!(books.read("corkboard_edge_requests_total"), 1.0);
    let mut back = server.connect().await;
    back.get("/back").await;
    back.until("/back").await;
}

#[tokio::test(start_paused = true)]
async fn at_the_connection_cap_a_silent_crowd_makes_room_within_the_header_time_out() {
    let books = Books::open();
    let server = Server::start(EdgeOptions {
        max_connections: 10,
        ..patient()
    });
    let mut crowd = Vec::new();
    for _ in 0..10 {
        crowd.push(server.connect().await);
    }
    let start = Instant::now();
    let mut client = from(&server, NEIGHBOUR).await;
    client.get("/served").await;
    books
        .until(|books| books.read("corkboard_edge_at_capacity") == 1.0)
        .await;
    assert_eq!(books.read("corkboard_edge_connections"), 10.0);
    client.until("/served").await;
    assert_eq!(start.elapsed().as_secs(), 10);
    books
        .until(|books| books.read("corkboard_edge_closed_total header_timeout") == 10.0)
        .await;
    assert_eq!(books.read("corkboard_edge_at_capacity"), 0.0);
    assert_eq!(books.read("corkboard_edge_connections"), 1.0);
    assert!(start.elapsed() < Duration::from_secs(11));
}
