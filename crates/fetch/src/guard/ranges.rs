//! Which addresses are not the public internet.
//!
//! From the IANA IPv4 and IPv6 Special-Purpose Address Registries ([`registry`], generated), and what
//! stands in other registries or in none: multicast, what IPv6 once had, and what cloud providers put
//! in ordinary-looking places.
//!
//! IPv4 is a list of exceptions. IPv6 is the other way round: only `2000::/3` has been given out,
//! so everything else is refused, and the names in the lists only make the refusal readable.
//! Exceptions inside an exception that the registries call reachable (anycast for a protocol, AS112)
//! stay refused: no endpoint lives there.

mod registry;

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

const fn v4(bits: u32, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::from_bits(bits), prefix)
}

const fn v6(bits: u128, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::from_bits(bits), prefix)
}

const V4: [(Ipv4Net, &str); 2] = [
    (v4(0xa83f_8110, 32), "cloud platform address"), // 168.63.129.16, Azure
    (v4(0xe000_0000, 4), "multicast"),               // 224.0.0.0, RFC 5771
];

/// All that has been given out of IPv6.
const V6_GLOBAL: Ipv6Net = v6(0x2000 << 112, 3);

const V6: [(Ipv6Net, &str); 3] = [
    (v6(0x3ffe << 112, 16), "former test network"), // RFC 3701
    (v6(0xfec0 << 112, 10), "site-local"),          // RFC 3879
    (v6(0xff00 << 112, 8), "multicast"),            // RFC 4291
];

/// Ranges whose last 32 bits are an IPv4 address. Behind the exact `::` and `::1` of the registry.
const CARRIERS: [(Ipv6Net, &str); 4] = [
    (v6(0, 96), "IPv4-compatible address"),            // RFC 4291
    (v6(0xffff << 32, 96), "IPv4-mapped address"),     // RFC 4291
    (v6(0xffff << 48, 96), "IPv4-translated address"), // RFC 2765
    (v6(0x0064_ff9b << 96, 96), "NAT64 address"),      // RFC 6052
];

/// RFC 3056.
const SIX_TO_FOUR: Ipv6Net = v6(0x2002 << 112, 16);

/// RFC 5214: in any network, an interface called `::0:5efe:a.b.c.d` or `::200:5efe:a.b.c.d` is a
/// tunnel to that IPv4 address.
const ISATAP: [u32; 2] = [0x0000_5efe, 0x0200_5efe];

pub(super) fn classify(address: IpAddr) -> Class {
    match address {
        IpAddr::V4(address) => V4
            .iter()
            .chain(&registry::V4)
            .find(|(net, _)| net.contains(&address))
            .map_or(Class::Public, |(_, name)| Class::Refused(name)),
        IpAddr::V6(address) => classify_v6(address),
    }
}

fn classify_v6(address: Ipv6Addr) -> Class {
    let mut special = V6.iter().chain(&registry::V6);
    if let Some((_, name)) = special.find(|(net, _)| net.contains(&address)) {
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
    if ISATAP.contains(&((bits >> 32) as u32)) {
        return Class::Carries {
            form: "ISATAP address",
            inside: low_v4(bits),
        };
    }
    if V6_GLOBAL.contains(&address) {
        Class::Public
    } else {
        Class::Refused("reserved")
    }
}
