//! What a credential is, and where it goes.

use super::*;
use crate::guard::Guard;

fn covers(host: &str, url: &str) -> bool {
    let credential = Credential::headers([("x-key", "secret")], &[host]).unwrap();
    let target = Guard::new(Vec::new(), Vec::new()).check_url(url).unwrap();
    credential.covers(target.origin())
}

#[test]
fn a_credential_goes_to_its_hosts_only() {
    for (host, url) in [
        ("example.com", "https://example.com/a"),
        ("EXAMPLE.com", "https://Example.COM:8443/"),
        ("example.com:8443", "https://example.com:8443/"),
        ("*.example.com", "https://a.example.com/"),
        ("*.example.com", "https://a.b.example.com/"),
        ("8.8.8.8", "https://8.8.8.8/"),
        ("[2606:4700::1111]:443", "https://[2606:4700::1111]/"),
    ] {
        assert!(covers(host, url), "{host} {url}");
    }
    for (host, url) in [
        ("example.com", "https://example.com.evil.example/"),
        ("example.com", "https://a.example.com/"),
        ("example.com", "https://notexample.com/"),
        ("example.com", "https://example.com./"),
        ("example.com:8443", "https://example.com/"),
        ("*.example.com", "https://example.com/"),
        ("*.example.com", "https://notexample.com/"),
        ("*.example.com", "https://a.example.com.evil.example/"),
        ("*.example.com", "https://.example.com/"),
        ("8.8.8.8", "https://8.8.8.9/"),
    ] {
        assert!(!covers(host, url), "{host} {url}");
    }
}

#[test]
fn what_is_no_credential_is_refused() {
    let with = |name, value, hosts: &[&str]| Credential::headers([(name, value)], hosts);
    for host in [
        "",
        "*",
        "*.com",
        "*.8.8.8.8",
        "a b",
        "example.com:x",
        "a.*.example.com",
    ] {
        let refused = with("x-key", "v", &[host]);
        assert!(matches!(refused, Err(CredentialError::Host(_))), "{host}");
    }
    assert_eq!(with("x-key", "v", &[]), Err(CredentialError::NoHost));
    for name in ["Host", "content-length", "a b", ""] {
        let refused = with(name, "v", &["example.com"]);
        assert!(matches!(refused, Err(CredentialError::Header(_))), "{name}");
    }
    let split = with("x-key", "a\r\nb: c", &["example.com"]);
    assert_eq!(split, Err(CredentialError::Value("x-key".to_owned())));
    let user = Credential::basic("a:b", "c", &["example.com"]);
    assert_eq!(user, Err(CredentialError::User));
    let none = Credential::headers([], &["example.com"]);
    assert_eq!(none, Err(CredentialError::NoHeader));
}

#[test]
fn its_values_are_never_shown() {
    let basic = Credential::basic("user", "secret", &["example.com"]).unwrap();
    let shown = format!("{basic:?}");
    let encoded = STANDARD.encode("user:secret");
    assert!(
        !shown.contains("secret") && !shown.contains(&encoded),
        "{shown}"
    );
    let mut headers = HeaderMap::new();
    basic.apply(&mut headers);
    assert_eq!(headers[AUTHORIZATION], format!("Basic {encoded}"));
    assert!(headers[AUTHORIZATION].is_sensitive());
}
