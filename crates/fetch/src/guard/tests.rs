//! The guard against tables written down independently of its own, and against arbitrary texts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

/// First and last address of every special IPv4 range.
const V4_RANGES: [(&str, &str); 19] = [
    ("0.0.0.0", "0.255.255.255"),
    ("10.0.0.0", "10.255.255.255"),
    ("100.64.0.0", "100.127.255.255"),
    ("127.0.0.0", "127.255.255.255"),
    ("168.63.129.16", "168.63.129.16"),
    ("169.254.0.0", "169.254.255.255"),
    ("172.16.0.0", "172.31.255.255"),
    ("192.0.0.0", "192.0.0.255"),
    ("192.0.2.0", "192.0.2.255"),
    ("192.31.196.0", "192.31.196.255"),
    ("192.52.193.0", "192.52.193.255"),
    ("192.88.99.0", "192.88.99.255"),
    ("192.168.0.0", "192.168.255.255"),
    ("192.175.48.0", "192.175.48.255"),
    ("198.18.0.0", "198.19.255.255"),
    ("198.51.100.0", "198.51.100.255"),
    ("203.0.113.0", "203.0.113.255"),
    ("224.0.0.0", "239.255.255.255"),
    ("240.0.0.0", "255.255.255.255"),
];

/// First and last address of every IPv6 range that may not be called.
const V6_RANGES: [(&str, &str); 21] = [
    ("::", "::"),
    ("::1", "::1"),
    ("::2", "::ffff:ffff"),
    ("::ffff:0:0", "::ffff:ffff:ffff"),
    ("::ffff:0:0:0", "::ffff:0:ffff:ffff"),
    ("64:ff9b::", "64:ff9b::ffff:ffff"),
    ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"),
    ("100::", "100::ffff:ffff:ffff:ffff"),
    ("100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff"),
    ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff"),
    ("3ffe::", "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("4000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
];

const PUBLIC: [&str; 22] = [
    "1.0.0.0",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "168.63.129.17",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.169.0.0",
    "198.20.0.0",
    "223.255.255.255",
    "2001:200::",
    "2606:4700::1111",
    "2a00:1450:4001:81b::200e",
    "3fff:1000::",
    "3ffd:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2606:4700::1:5efe:a00:1",
];

fn open_guard() -> Guard {
    Guard::new(Vec::new(), vec![80, 443])
}

fn allowing(networks: &[&str]) -> Guard {
    let networks = networks.iter().map(|net| net.parse().unwrap()).collect();
    Guard::new(networks, Vec::new())
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// An IPv4 address in every IPv6 costume there is.
fn costumes(address: Ipv4Addr) -> Vec<Ipv6Addr> {
    let bits = u128::from(address.to_bits());
    let (high, low) = (bits >> 16, bits & 0xffff);
    vec![
        Ipv6Addr::from_bits((0xffff << 32) | bits),
        Ipv6Addr::from_bits(bits),
        Ipv6Addr::from_bits((0xffff << 48) | bits),
        Ipv6Addr::from_bits((0x0064_ff9b << 96) | bits),
        Ipv6Addr::from_bits((0x0064_ff9b_0001 << 80) | (high << 64) | (low << 40)),
        Ipv6Addr::from_bits((0x0064_ff9b_0001 << 80) | bits),
        Ipv6Addr::from_bits((0x2002 << 112) | (bits << 80) | 1),
        Ipv6Addr::from_bits((0x2001 << 112) | (!bits & 0xffff_ffff)),
        Ipv6Addr::from_bits((0x2001 << 112) | (bits << 64)),
        Ipv6Addr::from_bits((0x2606_4700 << 96) | (0x5efe << 32) | bits),
        Ipv6Addr::from_bits((0x2a00_1450 << 96) | (0x0200_5efe << 32) | bits),
    ]
}

#[test]
fn the_edges_of_every_range_are_refused_in_every_costume() {
    let guard = open_guard();
    let mut judged = 0;
    for text in V4_RANGES.iter().flat_map(|(first, last)| [first, last]) {
        let address: Ipv4Addr = text.parse().unwrap();
        assert!(!guard.allows(address.into()), "{address}");
        for costume in costumes(address) {
            assert!(!guard.allows(costume.into()), "{address} as {costume}");
            assert!(
                guard.check_url(&format!("http://[{costume}]/")).is_err(),
                "{costume}"
            );
            judged += 1;
        }
    }
    for text in V6_RANGES.iter().flat_map(|(first, last)| [first, last]) {
        assert!(!guard.allows(ip(text)), "{text}");
        assert!(
            guard.check_url(&format!("http://[{text}]/")).is_err(),
            "{text}"
        );
    }
    assert_eq!(judged, 19 * 2 * 11);
}

#[test]
fn what_lies_just_outside_is_public() {
    let guard = open_guard();
    for text in PUBLIC {
        assert_eq!(guard.check_address(ip(text)), Ok(ip(text)), "{text}");
    }
}

#[test]
fn a_public_address_in_costume_is_refused_too() {
    for costume in costumes(Ipv4Addr::new(8, 8, 8, 8)) {
        assert!(!open_guard().allows(costume.into()), "{costume}");
    }
}

#[test]
fn a_listed_network_is_let_through_in_the_costumes_that_lead_there() {
    let guard = allowing(&["127.0.0.0/8"]);
    assert_eq!(guard.check_address(ip("127.0.0.1")), Ok(ip("127.0.0.1")));
    assert_eq!(
        guard.check_address(ip("::ffff:127.0.0.1")),
        Ok(ip("127.0.0.1"))
    );
    for leading_there in ["64:ff9b::7f00:1", "2002:7f00:1::1", "::ffff:0:127.0.0.1"] {
        assert!(guard.allows(ip(leading_there)), "{leading_there}");
    }
    for other in [
        "10.0.0.1",
        "::1",
        "::ffff:10.0.0.1",
        "2002:a00:1::7f00:1",
        "64:ff9b::a00:1",
        "169.254.169.254",
    ] {
        assert!(!guard.allows(ip(other)), "{other}");
    }
}

#[test]
fn listing_a_translation_prefix_opens_it_for_public_addresses_only() {
    let guard = allowing(&["64:ff9b::/96"]);
    assert!(guard.allows(ip("64:ff9b::808:808")));
    for inside in ["64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::a00:1"] {
        assert!(!guard.allows(ip(inside)), "{inside}");
    }
}

#[test]
fn one_bad_address_refuses_the_whole_name() {
    let guard = open_guard();
    let good = [ip("93.184.216.34"), ip("2606:4700::1111")];
    assert_eq!(guard.check_name("a.example", &good), Ok(good.to_vec()));
    for bad in ["10.0.0.1", "::ffff:10.0.0.1", "fd00:ec2::254", "0.0.0.0"] {
        let mixed = [good[0], good[1], ip(bad)];
        let refusal = guard.check_name("a.example", &mixed).unwrap_err();
        assert!(matches!(refusal, Refusal::Name { .. }), "{bad}");
        assert!(
            !refusal.to_string().contains(bad),
            "the inside is not told: {refusal}"
        );
    }
}

#[test]
fn every_notation_of_a_forbidden_address_is_refused() {
    for url in [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://127.0.0.1./",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.01/",
        "http://017700000001/",
        "http://%31%32%37.0.0.1/",
        "http://①②⑦.⓪.⓪.①/",
        "http://127。0。0。1/",
        "http://１２７.0.0.1/",
        "http://0/",
        "http://0.0.0.0/",
        "http://[::]/",
        "http://[::1]/",
        "http://[0:0:0:0:0:0:0:1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[::ffff:0:7f00:1]/",
        "http://[::127.0.0.1]/",
        "http://[64:ff9b::127.0.0.1]/",
        "http:127.0.0.1/",
        "http:/127.0.0.1/",
        "http:\\\\127.0.0.1\\",
        "http:////127.0.0.1/",
        " \thttp://127.0.0.1/",
        "ht\ntp://127.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/",
        "http://100.100.100.200/",
        "http://192.0.0.192/",
        "http://168.63.129.16/",
    ] {
        let refusal = open_guard().check_url(url).unwrap_err();
        assert!(matches!(refusal, Refusal::Address(_)), "{url}: {refusal:?}");
    }
}

#[test]
fn only_http_and_https_on_listed_ports_without_credentials() {
    let guard = open_guard();
    let refused = |url: &str| guard.check_url(url).unwrap_err();
    assert_eq!(
        refused("ftp://example.com/"),
        Refusal::Scheme("ftp".to_owned())
    );
    for scheme in [
        "file", "gopher", "ws", "wss", "dict", "ldap", "jar", "data", "mailto", "httpx", "unix",
    ] {
        let refusal = Refusal::Scheme(scheme.to_owned());
        assert_eq!(refused(&format!("{scheme}://example.com/a")), refusal);
    }
    assert_eq!(refused("https://user@example.com/"), Refusal::Credentials);
    assert_eq!(refused("https://:word@example.com/"), Refusal::Credentials);
    assert_eq!(refused("https://8.8.8.8@127.0.0.1/"), Refusal::Credentials);
    assert_eq!(refused("http://example.com:8080/"), Refusal::Port(8080));
    assert_eq!(refused("http://example.com:0/"), Refusal::Port(0));
    assert_eq!(
        refused(&format!("http://example.com/{}", "a".repeat(9_000))),
        Refusal::TooLong
    );
    for relative in [
        "",
        "/path",
        "example.com",
        "//example.com/",
        "http://",
        "http:///",
    ] {
        assert!(
            matches!(refused(relative), Refusal::NotAUrl(_)),
            "{relative}"
        );
    }
    let any_port = Guard::new(Vec::new(), Vec::new());
    assert!(any_port.check_url("http://example.com:8080/").is_ok());
    assert_eq!(
        any_port.check_url("http://example.com:0/"),
        Err(Refusal::Port(0))
    );
}

#[test]
fn good_urls_pass_and_lose_only_their_fragment() {
    let guard = open_guard();
    let target = guard.check_url("HTTPS://Exämple.com:443/ä?b=1#c").unwrap();
    assert_eq!(
        target.url().as_str(),
        "https://xn--exmple-cua.com/%C3%A4?b=1"
    );
    assert_eq!((target.origin().https, target.origin().port), (true, 443));
    let plain = guard.check_url("http://example.com/").unwrap();
    assert_eq!((plain.origin().https, plain.origin().port), (false, 80));
    let longest = format!("http://example.com/{}", "a".repeat(MAX_URL_BYTES - 19));
    assert!(guard.check_url(&longest).is_ok());
    assert_eq!(
        guard.check_url(&format!("{longest}a")),
        Err(Refusal::TooLong)
    );
    assert!(guard.check_url("http://8.8.8.8/").is_ok());
    assert!(guard.check_url("https://[2606:4700::1111]/").is_ok());
}

/// What the standard library can say about an address, as a second opinion.
fn looks_inside(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_broadcast()
                || v4.is_documentation()
                || v4.is_multicast()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(v6) => {
            let first = v6.segments()[0];
            !(0x2000..0x4000).contains(&first)
                || first == 0x2002
                || v6.segments()[..2] == [0x2001, 0xdb8]
                || v6.to_ipv4().is_some()
        }
    }
}

fn urlish() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("http://".to_owned()),
        Just("https:".to_owned()),
        Just("@".to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just("::".to_owned()),
        Just("%2e".to_owned()),
        Just("127.1".to_owned()),
        Just("0x".to_owned()),
        Just("//\\".to_owned()),
        Just("#".to_owned()),
        any::<u32>().prop_map(|bits| bits.to_string()),
        any::<u32>().prop_map(|bits| Ipv4Addr::from_bits(bits).to_string()),
        any::<u128>().prop_map(|bits| format!("[{}]", Ipv6Addr::from_bits(bits))),
        "[a-f0-9:.]{0,12}",
        "\\PC{0,6}",
    ];
    proptest::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn no_text_panics_and_no_literal_inside_passes(text in prop_oneof![urlish(), "\\PC*"]) {
        if let Ok(target) = open_guard().check_url(&text) {
            prop_assert!(matches!(target.origin().port, 80 | 443));
            match &target.origin().host {
                Host::Ipv4(address) => prop_assert!(!looks_inside((*address).into()), "{address}"),
                Host::Ipv6(address) => prop_assert!(!looks_inside((*address).into()), "{address}"),
                Host::Domain(name) => prop_assert!(name.parse::<IpAddr>().is_err(), "{name}"),
            }
        }
    }

    #[test]
    fn no_address_that_looks_inside_passes(v4 in any::<u32>(), v6 in any::<u128>()) {
        for address in [IpAddr::V4(Ipv4Addr::from_bits(v4)), IpAddr::V6(Ipv6Addr::from_bits(v6))] {
            if looks_inside(address) {
                prop_assert!(!open_guard().allows(address), "{address}");
            }
        }
        for costume in costumes(Ipv4Addr::from_bits(v4)) {
            prop_assert!(!open_guard().allows(costume.into()), "{costume}");
        }
    }

    #[test]
    fn what_passes_leads_to_the_same_place_when_read_again(text in urlish()) {
        let guard = Guard::new(Vec::new(), Vec::new());
        if let Ok(target) = guard.check_url(&text) {
            let again = guard.check_url(target.url().as_str());
            prop_assert_eq!(again.map(|target| target.origin().clone()), Ok(target.origin().clone()));
        }
    }
}
