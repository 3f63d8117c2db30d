//! Every block of the registries, as IANA writes them: its first, its last and its middle address, as it
//! is and in every form that carries an IPv4 address. Read by a few lines of its own, so that a mistake
//! of the generator does not hide behind itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::{Guard, Refusal};

const REGISTRIES: [&str; 2] = [
    include_str!("../../registry/ipv4.csv"),
    include_str!("../../registry/ipv6.csv"),
];

/// Beside the registries: what is multicast, was IPv6 once, or belongs to a cloud.
const OTHERS: [&str; 7] = [
    "168.63.129.16/32",
    "224.0.0.0/4",
    "::/96",
    "::ffff:0:0:0/96",
    "3ffe::/16",
    "fec0::/10",
    "ff00::/8",
];

fn blocks() -> Vec<IpNet> {
    let registered = REGISTRIES.iter().flat_map(|registry| registry.lines());
    let registered = registered.flat_map(|line| line.split([',', ' ', '"']).take(4));
    let parsed = registered
        .chain(OTHERS)
        .filter_map(|text| text.parse().ok());
    parsed.collect()
}

/// First, last and middle.
fn samples(block: IpNet) -> [IpAddr; 3] {
    let (first, last) = (block.network(), block.broadcast());
    let middle = match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            let (first, last) = (first.to_bits(), last.to_bits());
            IpAddr::V4(Ipv4Addr::from_bits(first + (last - first) / 2))
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            let (first, last) = (first.to_bits(), last.to_bits());
            IpAddr::V6(Ipv6Addr::from_bits(first + (last - first) / 2))
        }
        _ => first,
    };
    [first, middle, last]
}

/// Mapped, compatible, translated, NAT64 under both prefixes, 6to4, Teredo, ISATAP.
fn carriers(address: Ipv4Addr) -> [Ipv6Addr; 9] {
    let bits = u128::from(address.to_bits());
    let (high, low) = (bits >> 16, bits & 0xffff);
    [
        (0xffff << 32) | bits,
        bits,
        (0xffff << 48) | bits,
        (0x0064_ff9b << 96) | bits,
        (0x0064_ff9b_0001 << 80) | bits,
        (0x0064_ff9b_0001 << 80) | (high << 64) | (low << 40),
        (0x2002 << 112) | (bits << 80) | 1,
        (0x2001 << 112) | (!bits & 0xffff_ffff),
        (0x2606_4700 << 96) | (0x5efe << 32) | bits,
    ]
    .map(Ipv6Addr::from_bits)
}

#[test]
fn every_registered_block_is_refused_in_every_form() {
    let (guard, blocks) = (Guard::new(Vec::new(), Vec::new()), blocks());
    assert_eq!(blocks.len(), 26 + 25 + OTHERS.len());
    let mut judged = 0;
    let mut refused = |address: IpAddr, of: IpNet| {
        let refusal = guard.check_address(address);
        assert!(
            matches!(refusal, Err(Refusal::Address(_))),
            "{address} of {of}"
        );
        let host = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        assert!(
            guard.check_url(&format!("https://{host}/")).is_err(),
            "{host}"
        );
        assert!(guard.check_name("a.example", &[address]).is_err());
        judged += 1;
    };
    for block in blocks {
        for address in samples(block) {
            refused(address, block);
            if let IpAddr::V4(address) = address {
                for carrier in carriers(address) {
                    refused(carrier.into(), block);
                }
            }
        }
    }
    assert_eq!(judged, 28 * 3 * 10 + 30 * 3);
}

#[test]
fn addresses_where_clouds_keep_secrets_are_refused_by_name_and_by_number() {
    let guard = Guard::new(Vec::new(), Vec::new());
    for address in [
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "fd20:ce::254",
    ] {
        let address: IpAddr = address.parse().expect("an address");
        assert!(!guard.allows(address), "{address}");
        assert!(guard.check_name("metadata.example", &[address]).is_err());
    }
}

#[test]
fn a_refusal_names_the_most_specific_block() {
    let guard = Guard::new(Vec::new(), Vec::new());
    for (address, name) in [
        ("192.0.0.9", "port control protocol anycast"),
        ("192.0.0.200", "ietf protocol assignments"),
        ("255.255.255.255", "limited broadcast"),
        ("2001::1", "teredo"),
        ("2001:2::1", "benchmarking"),
        ("2001:1ff::1", "ietf protocol assignments"),
        ("4000::1", "reserved"),
        ("::1", "loopback address"),
        ("::2", "IPv4-compatible address"),
    ] {
        let address: IpAddr = address.parse().expect("an address");
        assert_eq!(
            guard.check_address(address),
            Err(Refusal::Address(name)),
            "{address}"
        );
    }
}
