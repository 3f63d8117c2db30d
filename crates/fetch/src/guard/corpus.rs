//! A corpus of URLs that lead inside, made by a generator: every special IPv4 range, each address in
//! every spelling that some parser somewhere understands, each spelling in every frame that once
//! fooled a check. Beside it URLs that lead outside, because a guard that refuses everything passes
//! every other test.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Guard, Refusal};

/// First, last and one in between.
const INSIDE: [(u32, u32); 19] = [
    (0x0000_0000, 0x00ff_ffff),
    (0x0a00_0000, 0x0aff_ffff),
    (0x6440_0000, 0x647f_ffff),
    (0x7f00_0000, 0x7fff_ffff),
    (0xa83f_8110, 0xa83f_8110),
    (0xa9fe_0000, 0xa9fe_ffff),
    (0xac10_0000, 0xac1f_ffff),
    (0xc000_0000, 0xc000_00ff),
    (0xc000_0200, 0xc000_02ff),
    (0xc01f_c400, 0xc01f_c4ff),
    (0xc034_c100, 0xc034_c1ff),
    (0xc058_6300, 0xc058_63ff),
    (0xc0a8_0000, 0xc0a8_ffff),
    (0xc0af_3000, 0xc0af_30ff),
    (0xc612_0000, 0xc613_ffff),
    (0xc633_6400, 0xc633_64ff),
    (0xcb00_7100, 0xcb00_71ff),
    (0xe000_0000, 0xefff_ffff),
    (0xf000_0000, 0xffff_ffff),
];

fn spellings(bits: u32) -> Vec<String> {
    let address = Ipv4Addr::from_bits(bits);
    let [a, b, c, d] = address.octets();
    let dotted = address.to_string();
    let replaced = |zero: char| -> String {
        let digit = |c: char| c.to_digit(10).and_then(|n| char::from_u32(zero as u32 + n));
        dotted.chars().map(|c| digit(c).unwrap_or(c)).collect()
    };
    let percent: String = dotted.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let low = u128::from(bits);
    let v6 = |high: u128| format!("[{}]", Ipv6Addr::from_bits(high | low));
    vec![
        dotted.clone(),
        format!("{dotted}."),
        bits.to_string(),
        format!("{bits:#x}"),
        format!("{bits:#X}").replace("0X", "0x0000"),
        format!("0{bits:o}"),
        format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("000{a:o}.{b}.{c:#x}.{d}"),
        format!("{a}.{}", bits & 0x00ff_ffff),
        format!("{a}.{b}.{}", bits & 0xffff),
        format!("{a}.{b}.{:#x}", bits & 0xffff),
        percent,
        replaced('０'),
        replaced('𝟎'),
        replaced('𝟘'),
        dotted.replace('.', "。"),
        dotted.replace('.', "．"),
        dotted.replace('.', "\u{ff61}"),
        dotted.replace('.', "%2e"),
        format!("{a}\t.{b}.\n{c}.{d}"),
        v6(0xffff << 32),
        v6(0),
        v6(0xffff << 48),
        v6(0x0064_ff9b << 96),
        v6(0x0064_ff9b_0001 << 80),
        v6((0x2606_4700 << 96) | (0x5efe << 32)),
        format!("[::ffff:{dotted}]"),
        format!("[::FFFF:{dotted}]"),
        format!("[0:0:0:0:0:FFFF:{dotted}]"),
        format!("[{}]", Ipv6Addr::from_bits((0x2002 << 112) | (low << 80))),
    ]
}

fn frames(host: &str) -> [String; 5] {
    [
        format!("http://{host}/"),
        format!("https://{host}:443/a?b=https://example.com/#@example.com"),
        format!("HTTP:\\\\{host}\\@example.com/"),
        format!("  http:///{host}/latest/meta-data/"),
        format!("http:{host}/"),
    ]
}

fn guard() -> Guard {
    Guard::new(Vec::new(), vec![80, 443])
}

#[test]
fn no_spelling_of_an_inside_address_passes_in_any_frame() {
    let (guard, mut judged) = (guard(), 0);
    for (first, last) in INSIDE {
        for bits in [first, first + (last - first) / 3 * 2, last] {
            for host in spellings(bits) {
                for url in frames(&host) {
                    let judgement = guard.check_url(&url);
                    assert!(judgement.is_err(), "{url:?} leads to {judgement:?}");
                    judged += 1;
                }
            }
        }
    }
    assert_eq!(judged, 19 * 3 * 31 * 5);
}

#[test]
fn the_spellings_are_understood_and_not_just_unreadable() {
    let guard = guard();
    let count = |bits: u32| {
        let hosts = spellings(bits);
        let judged = hosts.iter().filter(|host| {
            let judgement = guard.check_url(&format!("http://{host}/"));
            matches!(judgement, Err(Refusal::Address(_)))
        });
        judged.count()
    };
    assert_eq!(count(0x7f00_0001), 31);
    assert_eq!(count(0xa9fe_a9fe), 31);
}

#[test]
fn user_info_never_hides_where_a_url_leads() {
    let guard = guard();
    for (url, leads) in [
        ("http://example.com@127.0.0.1/", None),
        ("http://127.0.0.1@example.com/", None),
        ("http://example.com:80@127.0.0.1:80/", None),
        ("http://127.0.0.1#@example.com/", None),
        ("http://127.0.0.1\\@example.com/", None),
        ("http://example.com#@127.0.0.1/", Some("example.com")),
        ("http://example.com\\@127.0.0.1/", Some("example.com")),
        ("http://example.com?@127.0.0.1/", Some("example.com")),
        ("http://example.com/@127.0.0.1", Some("example.com")),
    ] {
        let target = guard.check_url(url).ok();
        let host = target.as_ref().and_then(|target| target.url().host_str());
        assert_eq!(host, leads, "{url}");
    }
}

#[test]
fn good_urls_are_let_through() {
    let guard = guard();
    let hosts = [
        "example.com",
        "api.example.co.uk",
        "xn--bcher-kva.example",
        "bücher.example",
        "a-b.c-d.example.org",
        "1.example.com",
        "127.0.0.1.example.com",
        "localhost.example.com",
        "8.8.8.8",
        "93.184.216.34",
        "11.0.0.1",
        "172.32.0.1",
        "192.169.1.1",
        "100.128.0.1",
        "169.253.1.1",
        "[2606:4700:4700::1111]",
        "[2a00:1450:4001:81b::200e]",
        "[2001:4860:4860::8888]",
        "[2620:fe::fe]",
        "[2400:cb00::1]",
        "sub_domain.example.com",
    ];
    let rests = [
        "",
        "/",
        "/a/b/c",
        "/users/7?plan=pro&x=1",
        ":443/a",
        ":80/",
        "/?u=http://127.0.0.1/",
        "/127.0.0.1",
        "/a%20b/%c3%a4",
        "?q=[::1]",
        "/#127.0.0.1",
    ];
    let mut judged = 0;
    for host in hosts {
        for rest in rests {
            for scheme in ["http", "https"] {
                let url = format!("{scheme}://{host}{rest}");
                assert!(guard.check_url(&url).is_ok(), "{url}");
                judged += 1;
            }
        }
    }
    assert!(judged > 200);
}
