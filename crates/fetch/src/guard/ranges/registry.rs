//! The blocks of the special-purpose registries, written by `cargo xtask ranges`: change the registries.

use ipnet::{Ipv4Net, Ipv6Net};

use super::{v4, v6};

#[rustfmt::skip]
pub(super) const V4: [(Ipv4Net, &str); 26] = [
    // [RFC1122], Section 3.2.1.3
    (v4(0x0000_0000, 32), "this host on this network"),
    // [RFC7600]
    (v4(0xc000_0008, 32), "ipv4 dummy address"),
    // [RFC7723]
    (v4(0xc000_0009, 32), "port control protocol anycast"),
    // [RFC8155]
    (v4(0xc000_000a, 32), "traversal using relays around nat anycast"),
    // [RFC8880][RFC7050], Section 2.2
    (v4(0xc000_00aa, 32), "nat64/dns64 discovery"),
    // [RFC8880][RFC7050], Section 2.2
    (v4(0xc000_00ab, 32), "nat64/dns64 discovery"),
    // [RFC6751]
    (v4(0xc058_6302, 32), "6a44-relay anycast address"),
    // [RFC8190] [RFC919], Section 7
    (v4(0xffff_ffff, 32), "limited broadcast"),
    // [RFC7335]
    (v4(0xc000_0000, 29), "ipv4 service continuity prefix"),
    // [RFC6890], Section 2.1
    (v4(0xc000_0000, 24), "ietf protocol assignments"),
    // [RFC5737]
    (v4(0xc000_0200, 24), "documentation (test-net-1)"),
    // [RFC7535]
    (v4(0xc01f_c400, 24), "as112-v4"),
    // [RFC7450]
    (v4(0xc034_c100, 24), "amt"),
    // [RFC7526]
    (v4(0xc058_6300, 24), "deprecated (6to4 relay anycast)"),
    // [RFC7534]
    (v4(0xc0af_3000, 24), "direct delegation as112 service"),
    // [RFC5737]
    (v4(0xc633_6400, 24), "documentation (test-net-2)"),
    // [RFC5737]
    (v4(0xcb00_7100, 24), "documentation (test-net-3)"),
    // [RFC3927]
    (v4(0xa9fe_0000, 16), "link local"),
    // [RFC1918]
    (v4(0xc0a8_0000, 16), "private-use"),
    // [RFC2544]
    (v4(0xc612_0000, 15), "benchmarking"),
    // [RFC1918]
    (v4(0xac10_0000, 12), "private-use"),
    // [RFC6598]
    (v4(0x6440_0000, 10), "shared address space"),
    // [RFC791], Section 3.2
    (v4(0x0000_0000, 8), "this network"),
    // [RFC1918]
    (v4(0x0a00_0000, 8), "private-use"),
    // [RFC1122], Section 3.2.1.3
    (v4(0x7f00_0000, 8), "loopback"),
    // [RFC1112], Section 4
    (v4(0xf000_0000, 4), "reserved"),
];

#[rustfmt::skip]
pub(super) const V6: [(Ipv6Net, &str); 22] = [
    // [RFC4291]
    (v6(0x0000_0000_0000_0000_0000_0000_0000_0000, 128), "unspecified address"),
    // [RFC4291]
    (v6(0x0000_0000_0000_0000_0000_0000_0000_0001, 128), "loopback address"),
    // [RFC7723]
    (v6(0x2001_0001_0000_0000_0000_0000_0000_0001, 128), "port control protocol anycast"),
    // [RFC8155]
    (v6(0x2001_0001_0000_0000_0000_0000_0000_0002, 128), "traversal using relays around nat anycast"),
    // [RFC9665]
    (v6(0x2001_0001_0000_0000_0000_0000_0000_0003, 128), "dns-sd service registration protocol anycast"),
    // [RFC6666]
    (v6(0x0100_0000_0000_0000_0000_0000_0000_0000, 64), "discard-only address block"),
    // [RFC9780]
    (v6(0x0100_0000_0000_0001_0000_0000_0000_0000, 64), "dummy ipv6 prefix"),
    // [RFC8215]
    (v6(0x0064_ff9b_0001_0000_0000_0000_0000_0000, 48), "ipv4-ipv6 translat."),
    // [RFC5180][RFC Errata 1752]
    (v6(0x2001_0002_0000_0000_0000_0000_0000_0000, 48), "benchmarking"),
    // [RFC7535]
    (v6(0x2001_0004_0112_0000_0000_0000_0000_0000, 48), "as112-v6"),
    // [RFC7534]
    (v6(0x2620_004f_8000_0000_0000_0000_0000_0000, 48), "direct delegation as112 service"),
    // [RFC4380] [RFC8190]
    (v6(0x2001_0000_0000_0000_0000_0000_0000_0000, 32), "teredo"),
    // [RFC7450]
    (v6(0x2001_0003_0000_0000_0000_0000_0000_0000, 32), "amt"),
    // [RFC3849]
    (v6(0x2001_0db8_0000_0000_0000_0000_0000_0000, 32), "documentation"),
    // [RFC4843]
    (v6(0x2001_0010_0000_0000_0000_0000_0000_0000, 28), "deprecated (previously orchid)"),
    // [RFC7343]
    (v6(0x2001_0020_0000_0000_0000_0000_0000_0000, 28), "orchidv2"),
    // [RFC9374]
    (v6(0x2001_0030_0000_0000_0000_0000_0000_0000, 28), "drone remote id protocol entity tags (dets) prefix"),
    // [RFC2928]
    (v6(0x2001_0000_0000_0000_0000_0000_0000_0000, 23), "ietf protocol assignments"),
    // [RFC9637]
    (v6(0x3fff_0000_0000_0000_0000_0000_0000_0000, 20), "documentation"),
    // [RFC9602]
    (v6(0x5f00_0000_0000_0000_0000_0000_0000_0000, 16), "segment routing (srv6) sids"),
    // [RFC4291]
    (v6(0xfe80_0000_0000_0000_0000_0000_0000_0000, 10), "link-local unicast"),
    // [RFC4193] [RFC8190]
    (v6(0xfc00_0000_0000_0000_0000_0000_0000_0000, 7), "unique-local"),
];
