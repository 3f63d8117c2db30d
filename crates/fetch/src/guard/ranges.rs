//! Which addresses are not the public internet.
//!
//! From the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890), the multicast
//! registries and the IPv6 Global Unicast registry, up to RFC 9780 (dummy prefix), RFC 9602 (segment
//! routing) and RFC 9637 (documentation); and what cloud providers put in ordinary-looking places.
//! Written by hand from the RFCs named at each line and not yet compared with the registries
//! themselves: whoever changes a line looks there.
//!
//! IPv4 is a list of exceptions. IPv6 is the other way round: only `2000::/3` has been given out,
//! so everything else is refused, and the names in the list only make the refusal readable.
//! Exceptions inside an exception that the registries call reachable (anycast for a protocol, AS112)
//! stay refused: no endpoint lives there.

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
    (v4(0, 0, 0, 0, 8), "this network"),                  // RFC 791
    (v4(10, 0, 0, 0, 8), "private network"),              // RFC 1918
    (v4(100, 64, 0, 0, 10), "shared carrier network"),    // RFC 6598
    (v4(127, 0, 0, 0, 8), "loopback"),                    // RFC 1122
    (v4(168, 63, 129, 16, 32), "cloud platform address"), // Azure
    (v4(169, 254, 0, 0, 16), "link-local"),               // RFC 3927
    (v4(172, 16, 0, 0, 12), "private network"),           // RFC 1918
    (v4(192, 0, 0, 0, 24), "protocol assignments"),       // RFC 6890
    (v4(192, 0, 2, 0, 24), "documentation"),              // RFC 5737
    (v4(192, 31, 196, 0, 24), "AS112 sink"),              // RFC 7535
    (v4(192, 52, 193, 0, 24), "multicast tunnelling"),    // RFC 7450
    (v4(192, 88, 99, 0, 24), "6to4 relay"),               // RFC 7526
    (v4(192, 168, 0, 0, 16), "private network"),          // RFC 1918
    (v4(192, 175, 48, 0, 24), "AS112 sink"),              // RFC 7534
    (v4(198, 18, 0, 0, 15), "benchmarking"),              // RFC 2544
    (v4(198, 51, 100, 0, 24), "documentation"),           // RFC 5737
    (v4(203, 0, 113, 0, 24), "documentation"),            // RFC 5737
    (v4(224, 0, 0, 0, 4), "multicast"),                   // RFC 5771
    (v4(240, 0, 0, 0, 4), "reserved"),                    // RFC 1112; with 255.255.255.255
];

/// All that has been given out of IPv6.
const V6_GLOBAL: Ipv6Net = v6(0x2000 << 112, 3);

const V6: [(Ipv6Net, &str); 16] = [
    (v6(0, 128), "unspecified"),                           // RFC 4291
    (v6(1, 128), "loopback"),                              // RFC 4291
    (v6(0x0064_ff9b_0001 << 80, 48), "local NAT64"),       // RFC 8215
    (v6(0x0100 << 112, 64), "discard only"),               // RFC 6666
    (v6((0x0100 << 112) | (1 << 64), 64), "dummy prefix"), // RFC 9780
    (v6(0x2001 << 112, 32), "Teredo"),                     // RFC 4380
    (v6(0x2001 << 112, 23), "protocol assignments"),       // RFC 2928; ORCHID, benchmarking, AMT, …
    (v6(0x2001_0db8 << 96, 32), "documentation"),          // RFC 3849
    (v6(0x2620_004f_8000 << 80, 48), "AS112 sink"),        // RFC 7534
    (v6(0x3ffe << 112, 16), "former test network"),        // RFC 3701
    (v6(0x3fff << 112, 20), "documentation"),              // RFC 9637
    (v6(0x5f00 << 112, 16), "segment routing"),            // RFC 9602
    (v6(0xfc00 << 112, 7), "unique local"),                // RFC 4193
    (v6(0xfe80 << 112, 10), "link-local"),                 // RFC 4291
    (v6(0xfec0 << 112, 10), "site-local"),                 // RFC 3879
    (v6(0xff00 << 112, 8), "multicast"),                   // RFC 4291
];

/// Ranges whose last 32 bits are an IPv4 address. Behind the exact `::` and `::1` above.
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
