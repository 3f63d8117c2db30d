//! How many connections one peer holds.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

/// Open connections by peer. An entry goes away with its last connection, so the table is never
/// longer than the connection cap.
#[derive(Debug)]
pub(crate) struct Peers {
    cap: Option<NonZeroU32>,
    // A std mutex: held for one map operation, never across an await.
    open: Mutex<HashMap<IpAddr, u32>>,
}

/// One connection's place under the cap, given back on drop.
#[derive(Debug)]
pub(crate) struct PeerSlot {
    peers: Arc<Peers>,
    peer: IpAddr,
}

impl Peers {
    pub(crate) fn new(cap: Option<NonZeroU32>) -> Arc<Self> {
        Arc::new(Self {
            cap,
            open: Mutex::new(HashMap::new()),
        })
    }

    /// `Ok(None)` without a cap, `Err` when the peer holds as many connections as it may.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Option<PeerSlot>, AtPeerCap> {
        let Some(cap) = self.cap else { return Ok(None) };
        let peer = peer_of(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let held = open.entry(peer).or_insert(0);
        if *held >= cap.get() {
            return Err(AtPeerCap);
        }
        *held += 1;
        drop(open);
        Ok(Some(PeerSlot {
            peers: Arc::clone(self),
            peer,
        }))
    }
}

/// The peer holds as many connections as it may.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AtPeerCap;

impl Drop for PeerSlot {
    fn drop(&mut self) {
        let mut open = self
            .peers
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = open.get_mut(&self.peer) {
            *held -= 1;
            if *held == 0 {
                open.remove(&self.peer);
            }
        }
    }
}

/// One customer of an access provider usually has a whole IPv6 /64, so that is what counts as one.
fn peer_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_peer_is_held_to_its_cap_and_gets_its_place_back() {
        let peers = Peers::new(NonZeroU32::new(2));
        let first = peers.admit(ip("192.0.2.1")).unwrap();
        let second = peers.admit(ip("::ffff:192.0.2.1")).unwrap();
        assert!(peers.admit(ip("192.0.2.1")).is_err());
        assert!(peers.admit(ip("192.0.2.2")).is_ok());
        drop(first);
        let third = peers.admit(ip("192.0.2.1")).unwrap();
        drop((second, third));
        assert!(peers.open.lock().unwrap().is_empty());
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_peer() {
        let peers = Peers::new(NonZeroU32::new(1));
        let _held = peers.admit(ip("2001:db8:1:2::1")).unwrap();
        assert!(peers.admit(ip("2001:db8:1:2:ffff::9")).is_err());
        assert!(peers.admit(ip("2001:db8:1:3::1")).is_ok());
    }
}
