//! What goes over the wire for what a template asked.

use std::collections::BTreeMap;

use super::*;

fn rules() -> Rules {
    Rules {
        guard: Guard::new(Vec::new(), vec![80, 443]),
        max_request_body: 1_000,
        cache_ttl: Duration::from_secs(300),
        timeout: Duration::from_secs(2),
        user_agent: HeaderValue::from_static("Corkboard/test"),
    }
}

fn get(url: &str) -> FetchRequest {
    FetchRequest {
        url: url.to_owned(),
        ..FetchRequest::default()
    }
}

fn post(body: &str) -> FetchRequest {
    FetchRequest {
        method: FetchMethod::Post,
        body: Some(body.to_owned()),
        ..get("https://example.com/")
    }
}

fn prepare(request: &FetchRequest) -> Result<Prepared, Problem> {
    Prepared::new(&rules(), WorkspaceId::from_bytes([1; 16]), request, None)
}

fn with_headers(pairs: &[(&str, &str)]) -> FetchRequest {
    let headers: BTreeMap<_, _> = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    FetchRequest {
        headers,
        ..get("https://example.com/")
    }
}

#[test]
fn a_get_asks_for_anything_and_says_who_we_are() {
    let prepared = prepare(&get("https://example.com:443/a b?c=d#e")).unwrap();
    let request = prepared.to_http();
    assert_eq!(request.uri().to_string(), "/a%20b?c=d");
    let header = |name: &str| {
        request
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap())
    };
    assert_eq!(header("host"), Some("example.com"));
    assert_eq!(header("accept"), Some("*/*"));
    assert_eq!(header("accept-encoding"), Some("gzip"));
    assert_eq!(header("user-agent"), Some("Corkboard/test"));
    assert_eq!(header("content-type"), None);
    assert_eq!(request.headers().len(), 4);
}

#[test]
fn a_post_is_a_form_unless_said_otherwise() {
    let form = prepare(&post("a=b")).unwrap();
    assert_eq!(
        form.headers[CONTENT_TYPE],
        "application/x-www-form-urlencoded"
    );
    assert_eq!(form.headers[ACCEPT], "*/*");
    let json = FetchRequest {
        content_type: Some("application/json".into()),
        ..post("{}")
    };
    let json = prepare(&json).unwrap();
    assert_eq!(json.headers[CONTENT_TYPE], "application/json");
    assert_eq!(json.headers[ACCEPT], "application/json");
}

#[test]
fn headers_that_the_template_wrote_win_over_derived_ones() {
    let mut request = with_headers(&[("ACCEPT", "text/plain"), ("User-Agent", "mine")]);
    request.content_type = Some("application/json".into());
    let prepared = prepare(&request).unwrap();
    assert_eq!(prepared.headers[ACCEPT], "text/plain");
    assert_eq!(prepared.headers[USER_AGENT], "mine");
    assert_eq!(prepared.headers[CONTENT_TYPE], "application/json");
}

#[test]
fn headers_of_the_connection_and_malformed_ones_are_refused() {
    for name in OWNED {
        let shouted = name.to_ascii_uppercase();
        let refused = prepare(&with_headers(&[(&shouted, "x")])).unwrap_err();
        assert_eq!(refused, Problem::HeaderOwned(name.to_owned()));
    }
    for name in ["", "a b", "a:b", "a\r\nb", "ä"] {
        assert!(matches!(
            prepare(&with_headers(&[(name, "x")])),
            Err(Problem::HeaderName(_))
        ));
    }
    for value in ["a\r\nx: y", "a\nb", "a\0b", "\u{7f}"] {
        assert!(matches!(
            prepare(&with_headers(&[("x", value)])),
            Err(Problem::HeaderValue(_))
        ));
    }
    let odd_type = FetchRequest {
        content_type: Some("a\nb".into()),
        ..get("http://example.com/")
    };
    assert_eq!(
        prepare(&odd_type).unwrap_err(),
        Problem::HeaderValue("content-type".into())
    );
    let long = "x".repeat(MAX_HEADER_BYTES);
    assert!(matches!(
        prepare(&with_headers(&[("x", &long)])),
        Err(Problem::Headers(..))
    ));
    let unicode = prepare(&with_headers(&[("x-name", "Zoë")])).unwrap();
    assert_eq!(unicode.headers["x-name"].as_bytes(), "Zoë".as_bytes());
}

#[test]
fn bodies_have_a_limit_and_belong_to_a_post() {
    assert!(prepare(&post(&"x".repeat(1_000))).is_ok());
    let long = prepare(&post(&"x".repeat(1_001))).unwrap_err();
    assert_eq!(long, Problem::RequestBody(1_001, 1_000));
    let on_get = FetchRequest {
        method: FetchMethod::Get,
        ..post("x")
    };
    assert_eq!(prepare(&on_get).unwrap_err(), Problem::BodyOnGet);
    assert_eq!(Problem::BodyOnGet.status(), 0);
}

#[test]
fn lifetimes_follow_the_method_and_are_clamped() {
    let age = |request: FetchRequest| prepare(&request).unwrap().sharing.map(|it| it.max_age);
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let asking = |request: FetchRequest, seconds| FetchRequest {
        caching: FetchCaching::MaxAge(Duration::from_secs(seconds)),
        ..request
    };
    let url = "https://example.com/";
    assert_eq!(age(get(url)), seconds(300));
    assert_eq!(age(post("a")), None);
    assert_eq!(age(asking(get(url), 1)), seconds(300));
    assert_eq!(age(asking(post("a"), 3_600)), seconds(3_600));
    assert_eq!(age(asking(get(url), 100_000)), seconds(14_400));
    assert_eq!(
        age(FetchRequest {
            caching: FetchCaching::Never,
            ..get(url)
        }),
        None
    );
}

#[test]
fn the_key_tells_every_part_apart() {
    let key = |workspace: u8, request: &FetchRequest| {
        let workspace = WorkspaceId::from_bytes([workspace; 16]);
        let request = FetchRequest {
            caching: FetchCaching::MaxAge(Duration::from_secs(300)),
            ..request.clone()
        };
        Prepared::new(&rules(), workspace, &request, None)
            .unwrap()
            .sharing
            .unwrap()
            .key
    };
    let base = get("https://example.com/a");
    assert_eq!(key(1, &base), key(1, &get("HTTPS://example.com:443/a#x")));
    let typed = FetchRequest {
        content_type: Some("application/json".into()),
        ..base.clone()
    };
    let different = [
        key(1, &base),
        key(2, &base),
        key(1, &get("https://example.com/b")),
        key(1, &get("http://example.com/a")),
        key(1, &get("https://example.com/a?")),
        key(1, &typed),
        key(
            1,
            &FetchRequest {
                method: FetchMethod::Post,
                ..typed.clone()
            },
        ),
        key(1, &post("")),
        key(1, &post("a")),
        key(1, &with_headers(&[("a", "bc")])),
        key(1, &with_headers(&[("ab", "c")])),
        key(1, &with_headers(&[("a", "b"), ("c", "d")])),
    ];
    for (at, one) in different.iter().enumerate() {
        assert!(!different[..at].contains(one), "number {at}");
    }
}
