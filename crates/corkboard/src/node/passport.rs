//! What admission control goes by, read from the head of a request before anything is verified: the
//! route says how much it matters, the token says whose it is.
//!
//! A server key carries its id in the clear; a user token names its app in `aud`. Both could be
//! lies, and then a liar competes with the one he names, up to that one's turn. Keys of one
//! workspace count apart, as do its apps.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use corkboard_edge::{Bearer, Passport, Priority};
use http::Method;

/// Claims are looked for in so many characters of a token's middle part.
const CLAIMS: usize = 1_024;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The passport of a request to the public listener.
pub(crate) fn inspect(bearer: &Bearer<'_>) -> Passport {
    let token = bearer
        .authorization
        .and_then(|value| value.strip_prefix(b"Bearer "))
        .unwrap_or_default();
    let mut claims = [0; CLAIMS];
    let name = match token.strip_prefix(b"ck_") {
        Some(key) => key.split(|byte| *byte == b'_').next().unwrap_or_default(),
        None => audience(token, &mut claims),
    };
    Passport::new(priority(bearer.method, bearer.path), name)
}

fn priority(method: &Method, path: &str) -> Priority {
    match path {
        "/v1/feed" | "/v1/feed/live" => Priority::Read,
        "/v1/feed/events" => Priority::Event,
        "/v1/users/track" => Priority::Batch,
        path if method == Method::POST && path.ends_with("/trigger") => Priority::Batch,
        _ => Priority::Server,
    }
}

/// The `aud` of a token, found without reading its other claims; empty when there is none.
fn audience<'a>(token: &[u8], claims: &'a mut [u8; CLAIMS]) -> &'a [u8] {
    let middle = token.split(|byte| *byte == b'.').nth(1).unwrap_or_default();
    // Whole groups of four characters can be read without the rest.
    let middle = &middle[..middle.len().min(CLAIMS)];
    let length = LENIENT.decode_slice(middle, claims).unwrap_or(0);
    let claims = &claims[..length];
    let key: &[u8] = br#""aud":"#;
    let Some(place) = claims.windows(key.len()).position(|part| part == key) else {
        return &[];
    };
    let value = claims[place + key.len()..].trim_ascii_start();
    let text = value.strip_prefix(b"\"").unwrap_or(value);
    text.split(|byte| *byte == b'"').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use http::header;

    use super::*;

    fn of(method: Method, target: &str, token: &str) -> Passport {
        let mut request = http::Request::new(());
        *request.method_mut() = method;
        *request.uri_mut() = target.parse().unwrap();
        let value = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert(header::AUTHORIZATION, value);
        inspect(&Bearer::of(&request.into_parts().0))
    }

    fn token(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn feeds_go_before_events_before_the_server_api_before_its_batches() {
        let order = [
            (Method::GET, "/v1/feed?feed=main"),
            (Method::POST, "/v1/feed/events"),
            (Method::POST, "/v1/campaigns"),
            (Method::POST, "/v1/campaigns/cmp_1/trigger"),
        ];
        let found = order.map(|(method, path)| of(method, path, "").priority);
        assert_eq!(found, Priority::ALL);
    }

    #[test]
    fn tokens_of_one_app_and_requests_of_one_key_belong_together() {
        let turn = |token: &str| of(Method::GET, "/v1/feed", token).tenant;
        let app =
            |app: &str, user: &str| token(&format!(r#"{{"sub":"{user}","aud": "{app}","exp":1}}"#));
        assert_eq!(turn(&app("app_1", "anna")), turn(&app("app_1", "bert")));
        assert_ne!(turn(&app("app_1", "anna")), turn(&app("app_2", "anna")));
        assert_eq!(turn("ck_0123_secret"), turn("ck_0123_other"));
        assert_ne!(turn("ck_0123_secret"), turn("ck_0124_secret"));
    }

    #[test]
    fn no_token_breaks_it() {
        for token in [
            "",
            ".",
            "..",
            "a.b.c",
            "ck_",
            "ck__",
            "e30.!!!!.x",
            &token(r#"{"aud":"#),
        ] {
            of(Method::GET, "/v1/feed", token);
        }
        let long = token(&format!(
            r#"{{"pad":"{}","aud":"app_1"}}"#,
            "x".repeat(5_000)
        ));
        of(Method::GET, "/v1/feed", &long);
    }
}
