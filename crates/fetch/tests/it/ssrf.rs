//! URLs that lead inside, several thousand of them, through the whole client: not one connection reaches
//! the canaries, and not one call leaves.
//!
//! Eight targets, each in every spelling that some parser somewhere understands, each spelling in every
//! frame that once fooled a check. Whatever is taken for a name is answered by a name server that always
//! points at the canaries, so what is not refused is heard.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::sync::Arc;

use async_trait::async_trait;
use corkboard_core::connected::{ConnectedContent, FetchCaching, FetchRequest, FetchSource};
use corkboard_core::time::SystemClock;
use corkboard_fetch::{DiscardCallLog, FetchClient, FetchOptions, Resolve};

use crate::bench_client::{get, scope};

const TARGETS: [&str; 8] = [
    "127.0.0.1",
    "0.0.0.0",
    "169.254.169.254",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.100.100.200",
    "168.63.129.16",
];

/// Every name leads to the canaries, by one of their addresses.
#[derive(Debug)]
struct LyingResolver;

#[async_trait]
impl Resolve for LyingResolver {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let canary = match host.len() % 3 {
            0 => IpAddr::V4(Ipv4Addr::LOCALHOST),
            1 => IpAddr::V6(Ipv6Addr::LOCALHOST),
            _ => IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped()),
        };
        Ok(vec![canary])
    }
}

/// Digits of another script.
fn script(text: &str, zero: char) -> String {
    let digit = |c: char| c.to_digit(10).and_then(|n| char::from_u32(zero as u32 + n));
    text.chars().map(|c| digit(c).unwrap_or(c)).collect()
}

fn circled(text: &str) -> String {
    let digit = |c: char| match c.to_digit(10) {
        Some(0) => '⓪',
        Some(n) => char::from_u32('①' as u32 + n - 1).unwrap_or(c),
        None => c,
    };
    text.chars().map(digit).collect()
}

fn spellings(target: Ipv4Addr) -> Vec<String> {
    let (bits, dotted) = (target.to_bits(), target.to_string());
    let [a, b, c, d] = target.octets();
    let low = u128::from(bits);
    let v6 = |high: u128| Ipv6Addr::from_bits(high | low);
    let percent = |text: &str| -> String { text.bytes().map(|it| format!("%{it:02X}")).collect() };
    let mut all = vec![
        dotted.clone(),
        format!("{dotted}."),
        format!("{bits}"),
        format!("{bits}."),
        format!("{bits:#x}"),
        format!("{bits:#X}"),
        format!("0x0000000000{bits:x}"),
        format!("0{bits:o}"),
        format!("000000{bits:o}"),
        format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("0000{a:o}.000{b:o}.00{c:o}.0{d:o}"),
        format!("{a:#x}.0{b:o}.{c}.{d}"),
        format!("0{a:o}.{b}.{c:#x}.{d}"),
        format!("{a}.{b:#x}.0{c:o}.{d:#x}"),
        format!("{a}.{}", bits & 0x00ff_ffff),
        format!("{a:#x}.{:#x}", bits & 0x00ff_ffff),
        format!("0{a:o}.0{:o}", bits & 0x00ff_ffff),
        format!("{a}.{b}.{}", bits & 0xffff),
        format!("{a}.{b}.{:#x}", bits & 0xffff),
        percent(&dotted),
        percent(&bits.to_string()),
        dotted.replace('.', "%2e"),
        dotted.replace('.', "%E3%80%82"),
        dotted.replace('.', "。"),
        dotted.replace('.', "．"),
        dotted.replace('.', "\u{ff61}"),
        dotted.replacen('.', "\t.", 1),
        dotted.replacen('.', ".\r\n", 1),
        dotted.replacen('.', "\u{ad}.", 1),
        dotted.replacen('.', "\u{200b}.", 1),
        script(&dotted, '０'),
        script(&dotted, '𝟎'),
        script(&dotted, '𝟘'),
        script(&dotted, '𝟶'),
        script(&bits.to_string(), '０'),
        circled(&dotted),
        format!("[{}]", v6(0xffff << 32)),
        format!("[{}]", v6(0)),
        format!("[{}]", v6(0xffff << 48)),
        format!("[{}]", v6(0x0064_ff9b << 96)),
        format!("[{}]", v6(0x0064_ff9b_0001 << 80)),
        format!("[{}]", Ipv6Addr::from_bits((0x2002 << 112) | (low << 80))),
        format!(
            "[{}]",
            Ipv6Addr::from_bits((0x2001 << 112) | (!low & 0xffff_ffff))
        ),
        format!("[{}]", v6((0x2606_4700 << 96) | (0x5efe << 32))),
        format!("[::ffff:{dotted}]"),
        format!("[::FFFF:{dotted}]"),
        format!("[0:0:0:0:0:ffff:{dotted}]"),
        format!("[::{dotted}]"),
        format!("[64:ff9b::{dotted}]"),
        format!("[::ffff:{dotted}%25lo]"),
        format!("[{dotted}]"),
        format!("{dotted}.nip.example"),
        format!("{a}-{b}-{c}-{d}.dyn.example"),
        "localhost".to_owned(),
        "LOCALHOST.".to_owned(),
    ];
    all.push(format!("{}.{}.{}.{}", u32::from(a) + 256, b, c, d));
    all
}

fn frames(host: &str, port: u16) -> Vec<String> {
    [
        "http://HOST:PORT/",
        "https://HOST:PORT/",
        "http:HOST:PORT/",
        "http:/HOST:PORT/",
        "http:///HOST:PORT/",
        "http:\\\\HOST:PORT\\",
        "hTTp://HOST:PORT/latest/meta-data/",
        " \t\nhttp://HOST:PORT/ ",
        "http://example.com@HOST:PORT/",
        "http://example.com:80@HOST:PORT/",
        "http://example.com%40@HOST:PORT/",
        "http://HOST:PORT\\@example.com/",
        "http://HOST:PORT#@example.com/",
        "http://HOST:PORT?@example.com/",
        "http://HOST:0PORT/",
        "http://HOST:PORT/%0d%0aHost:%20example.com",
        "http://HOST:PORT/\r\nHost: example.com",
        "ftp://HOST:PORT/",
        "gopher://HOST:PORT/_GET",
        "ws://HOST:PORT/",
    ]
    .iter()
    .map(|frame| {
        let frame = frame.replace("HOST", host);
        // Of the last host in a URL, whatever `Host:` header is smuggled behind it.
        frame.replace("PORT", &port.to_string())
    })
    .collect()
}

/// On every address that the kernel takes for this host, on one port.
fn canaries() -> (u16, Vec<TcpListener>) {
    let first = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a port is free");
    let port = first.local_addr().expect("a bound listener has one").port();
    let mut all = vec![first];
    all.extend(TcpListener::bind((Ipv6Addr::LOCALHOST, port)).ok());
    for canary in &all {
        canary.set_nonblocking(true).expect("any listener can");
    }
    (port, all)
}

#[tokio::test]
async fn no_url_of_the_corpus_reaches_a_canary() {
    let (port, canaries) = canaries();
    let options = FetchOptions {
        allow_ports: Vec::new(),
        ..FetchOptions::default()
    };
    let log = Arc::new(DiscardCallLog);
    let client = FetchClient::new(options, Arc::new(SystemClock), log, Arc::new(LyingResolver));
    let client = client.expect("the options are good");
    let mut corpus = HashSet::new();
    for target in TARGETS {
        for host in spellings(target.parse().expect("an address")) {
            corpus.extend(frames(&host, port));
        }
    }
    assert!(corpus.len() >= 4_500, "{}", corpus.len());
    for url in &corpus {
        let request = FetchRequest {
            caching: FetchCaching::Never,
            ..get(url)
        };
        let response = client.fetch(scope(1), request).await;
        assert_eq!(response.status, 0, "{url:?}: {response:?}");
        assert_eq!(response.report.source, FetchSource::Refused, "{url:?}");
    }
    let heard: usize = canaries
        .iter()
        .map(|it| std::iter::from_fn(|| it.accept().ok()).count())
        .sum();
    assert_eq!(heard, 0);
    // They do hear when somebody calls.
    drop(std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("it listens"));
    assert!(canaries[0].accept().is_ok());
}
