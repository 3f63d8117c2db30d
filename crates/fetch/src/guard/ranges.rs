//! Which addresses are not the public internet, from the IANA special-purpose registries (IPv4 and
//! IPv6, with the multicast and IPv6 global unicast registries), and what cloud providers put in
//! ordinary-looking places.
//!
//! IPv4 is a list of exceptions. IPv6 is the other way round: only `2000::/3` has been given out,
//! so everything else is refused, and the names in the list only make the refusal readable.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

use super::low_v4;

/// What an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Part of the public internet.
    Public,
    /// In a special range, named for people.
    Refused(&'static str),
    /// An IPv6 address that leads to an IPv4 address.
    Carries {
        form: &'static str,
        inside: Ipv4Addr,
    },
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(bits: u128, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::from_bits(bits), prefix)
}

const V4: [(Ipv4Net, &str); 19] = [
    (v4(0, 0, 0, 0, 8), "this network"),
    (v4(10, 0, 0, 0, 8), "private network"),
    (v4(100, 64, 0, 0, 10), "shared carrier network"),
    (v4(127, 0, 0, 0, 8), "loopback"),
    (v4(168, 63, 129, 16, 32), "cloud platform address"),
    (v4(169, 254, 0, 0, 16), "link-local"),
    (v4(172, 16, 0, 0, 12), "private network"),
    (v4(192, 0, 0, 0, 24), "protocol assignments"),
    (v4(192, 0, 2, 0, 24), "documentation"),
    (v4(192, 31, 196, 0, 24), "AS112 sink"),
    (v4(192, 52, 193, 0, 24), "multicast tunnelling"),
    (v4(192, 88, 99, 0, 24), "6to4 relay"),
    (v4(192, 168, 0, 0, 16), "private network"),
    (v4(192, 175, 48, 0, 24), "AS112 sink"),
    (v4(198, 18, 0, 0, 15), "benchmarking"),
    (v4(198, 51, 100, 0, 24), "documentation"),
    (v4(203, 0, 113, 0, 24), "documentation"),
    (v4(224, 0, 0, 0, 4), "multicast"),
    (v4(240, 0, 0, 0, 4), "reserved"),
];

/// All that has been given out of IPv6.
const V6_GLOBAL: Ipv6Net = v6(0x2000 << 112, 3);

const V6: [(Ipv6Net, &str); 13] = [
    (v6(0, 128), "unspecified"),
    (v6(1, 128), "loopback"),
    (v6(0x0064_ff9b_0001 << 80, 48), "local NAT64"),
    (v6(0x0100 << 112, 64), "discard only"),
    (v6(0x2001 << 112, 32), "Teredo"),
    (v6(0x2001 << 112, 23), "protocol assignments"),
    (v6(0x2001_0db8 << 96, 32), "documentation"),
    (v6(0x2620_004f_8000 << 80, 48), "AS112 sink"),
    (v6(0x3fff << 112, 20), "documentation"),
    (v6(0xfc00 << 112, 7), "unique local"),
    (v6(0xfe80 << 112, 10), "link-local"),
    (v6(0xfec0 << 112, 10), "site-local"),
    (v6(0xff00 << 112, 8), "multicast"),
];

/// Ranges whose last 32 bits are an IPv4 address. Behind the exact `::` and `::1` above.
const CARRIERS: [(Ipv6Net, &str); 4] = [
    (v6(0, 96), "IPv4-compatible address"),
    (v6(0xffff << 32, 96), "IPv4-mapped address"),
    (v6(0xffff << 48, 96), "IPv4-translated address"),
    (v6(0x0064_ff9b << 96, 96), "NAT64 address"),
];

const SIX_TO_FOUR: Ipv6Net = v6(0x2002 << 112, 16);

pub(super) fn classify(address: IpAddr) -> Class {
    match address {
        IpAddr::V4(address) => V4
            .iter()
            .find(|(net, _)| net.contains(&address))
            .map_or(Class::Public, |(_, name)| Class::Refused(name)),
        IpAddr::V6(address) => classify_v6(address),
    }
}

fn classify_v6(address: Ipv6Addr) -> Class {
    if let Some((_, name)) = V6.iter().find(|(net, _)| net.contains(&address)) {
        return Class::Refused(name);
    }
    let bits = address.to_bits();
    if let Some((_, form)) = CARRIERS.iter().find(|(net, _)| net.contains(&address)) {
        return Class::Carries {
            form,
            inside: low_v4(bits),
        };
    }
    if SIX_TO_FOUR.contains(&address) {
        return Class::Carries {
            form: "6to4 address",
            inside: low_v4(bits >> 80),
        };
    }
    if V6_GLOBAL.contains(&address) {
        Class::Public
    } else {
        Class::Refused("reserved")
    }
}
