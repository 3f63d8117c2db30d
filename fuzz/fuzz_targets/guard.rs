//! Whatever the text, what the address guard lets through is not inside, and means the same when it is
//! read again. The second opinion about addresses is the standard library's and arithmetic, not the
//! guard's own table.
#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use corkboard_fetch::Guard;
use libfuzzer_sys::fuzz_target;

fn inside_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, d] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || a == 0
        || a >= 224
        || (a == 100 && b & 0xc0 == 64)
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && b & 0xfe == 18)
        || [a, b, c, d] == [168, 63, 129, 16]
}

fn inside(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => inside_v4(address),
        IpAddr::V6(address) => {
            let [first, second, ..] = address.segments();
            let tunnel = address.segments()[5] == 0x5efe && address.segments()[4] & 0xfdff == 0;
            !(0x2000..0x4000).contains(&first)
                || first == 0x2002
                || (first == 0x2001 && (second < 0x200 || second == 0xdb8))
                || tunnel
        }
    }
}

fn literal(host: &str) -> Option<IpAddr> {
    host.trim_matches(['[', ']']).parse().ok()
}

fuzz_target!(|data: &[u8]| {
    let guard = Guard::new(Vec::new(), vec![80, 443]);
    if let Some(bytes) = data.first_chunk::<16>() {
        let v6 = IpAddr::V6(Ipv6Addr::from(*bytes));
        let v4 = IpAddr::V4(Ipv4Addr::from(
            *bytes.first_chunk::<4>().expect("four of sixteen"),
        ));
        for address in [v4, v6] {
            assert!(!guard.allows(address) || !inside(address), "{address}");
        }
    }
    let text = String::from_utf8_lossy(data);
    let Ok(target) = guard.check_url(&text) else {
        return;
    };
    let url = target.url();
    assert!(
        url.username().is_empty() && url.password().is_none(),
        "{url}"
    );
    assert!(matches!(target.origin().port, 80 | 443), "{url}");
    let host = url.host_str().expect("what passes has a host");
    if let Some(address) = literal(host) {
        assert!(!inside(address), "{url}");
    }
    let again = guard
        .check_url(url.as_str())
        .expect("what passes once passes again");
    assert_eq!(again.origin(), target.origin());
});
