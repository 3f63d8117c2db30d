//! The last line of the guard: what happens at the socket itself.

use std::net::Ipv4Addr;

use corkboard_testkit::Peer;

use super::*;
use crate::resolve::SystemResolver;

fn connector() -> Connector {
    let timeout = Duration::from_secs(2);
    Connector {
        guard: Guard::new(Vec::new(), Vec::new()),
        resolver: Arc::new(SystemResolver::default()),
        tls: tls::client_config(&[]).unwrap(),
        connect_timeout: timeout,
        max_arrival: 1024 * 1024,
        tasks: TaskTracker::new(),
        stop: CancellationToken::new(),
    }
}

#[tokio::test]
async fn the_connector_judges_for_itself_whatever_was_judged_before() {
    let peer = Peer::start().await;
    let port = peer.address().port();
    for host in [
        Host::Ipv4(Ipv4Addr::LOCALHOST),
        Host::Domain("localhost".to_owned()),
    ] {
        let origin = Origin {
            https: false,
            host,
            port,
        };
        let deadline = Deadline::in_time(Duration::from_secs(5));
        let refused = connector().open(&origin, deadline).await;
        let refused = refused.unwrap_err();
        assert!(matches!(refused, Problem::Guard(_)), "{refused:?}");
        assert_eq!(refused.status(), 0);
    }
    assert_eq!(peer.connections(), 0);
}

#[tokio::test]
async fn another_address_at_the_other_end_is_refused() {
    let peer = Peer::start().await;
    let reached = || async { TcpStream::connect(peer.address()).await.unwrap() };
    assert!(confirm(reached().await, peer.address()).is_ok());
    let mut other_port = peer.address();
    other_port.set_port(1);
    let other_address = SocketAddr::new(Ipv4Addr::new(127, 0, 0, 2).into(), peer.address().port());
    for other in [other_port, other_address] {
        let refused = confirm(reached().await, other).unwrap_err();
        assert_eq!(refused, Problem::Guard(Refusal::OtherPeer));
    }
}
