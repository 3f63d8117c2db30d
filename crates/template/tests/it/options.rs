//! The options of `connected_content`, as they reach the fetch.

use std::time::Duration;

use corkboard_core::connected::{FetchMethod, FetchRequest};
use corkboard_template::RenderError;

use crate::support::{Script, failed, fetching};

fn asked(options: &str, globals: &str) -> FetchRequest {
    let source = format!("{{% connected_content https://x.test/ {options} %}}");
    let (outcome, script) = fetching(&source, globals, Script::new([failed(500)]));
    assert!(outcome.is_ok(), "{outcome:?}");
    script.request(0)
}

#[test]
fn every_method_can_be_asked_for_in_any_case() {
    for (name, method) in [
        ("get", FetchMethod::Get),
        ("POST", FetchMethod::Post),
        ("put", FetchMethod::Put),
        ("Patch", FetchMethod::Patch),
        ("delete", FetchMethod::Delete),
        ("{{ m }}", FetchMethod::Put),
    ] {
        let asked = asked(&format!(":method {name}"), r#"{"m":"put"}"#);
        assert_eq!(asked.method, method, "{name}");
    }
}

#[test]
fn retries_are_five_unless_said_otherwise_and_none_unless_asked_for() {
    for (options, retries) in [
        ("", 0),
        (":retry", 5),
        (":retry :retry_max 2", 2),
        (":retry_max 10 :retry", 10),
        (":retry_max 3", 3),
        (":retry :retry_max 0", 0),
        (":retry :retry_max {{ n }}", 4),
    ] {
        assert_eq!(asked(options, r#"{"n":4}"#).retries, retries, "{options}");
    }
}

#[test]
fn times_are_seconds() {
    let all = asked(":timeout 2.5 :stale_if_error 3600", "{}");
    assert_eq!(all.timeout, Some(Duration::from_millis(2_500)));
    assert_eq!(all.stale_if_error, Some(Duration::from_secs(3_600)));
    let longest = asked(
        ":timeout {{ t }} :stale_if_error {{ s }}",
        r#"{"t":10,"s":86400}"#,
    );
    assert_eq!(longest.timeout, Some(Duration::from_secs(10)));
    assert_eq!(longest.stale_if_error, Some(Duration::from_secs(86_400)));
    let none = asked("", "{}");
    assert_eq!((none.timeout, none.stale_if_error), (None, None));
}

#[test]
fn a_credential_is_named_by_either_option() {
    let named = |options| asked(options, r#"{"shop":"eu"}"#).credential;
    assert_eq!(named(":basic_auth shop").as_deref(), Some("shop"));
    assert_eq!(
        named(":auth_credentials 'the shop'").as_deref(),
        Some("the shop")
    );
    assert_eq!(
        named(":basic_auth shop-{{ shop }}").as_deref(),
        Some("shop-eu")
    );
    assert_eq!(named(":retry"), None);
}

#[test]
fn a_computed_value_that_no_option_takes_fails_the_card_before_anything_is_fetched() {
    for option in [
        ":timeout",
        ":retry_max",
        ":stale_if_error",
        ":method",
        ":cache_max_age",
    ] {
        let source = format!("{{% connected_content https://x.test/ {option} {{{{ v }}}} %}}");
        let (outcome, script) = fetching(&source, r#"{"v":"never"}"#, Script::default());
        let Err(RenderError::Template { error, .. }) = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(error.code, "invalid_value");
        assert!(
            error.message.starts_with(&format!("'{option}' ")),
            "{}",
            error.message
        );
        assert!(script.asked.lock().expect("no panic").is_empty());
    }
}

#[test]
fn options_may_stand_in_any_order_and_on_lines_of_their_own() {
    let asked = asked(
        ":retry\n  :timeout 1\n  :basic_auth shop\n  :method patch\n  :body a :b c\n  :rerender :save r",
        "{}",
    );
    assert_eq!(asked.method, FetchMethod::Patch);
    assert_eq!(asked.body.as_deref(), Some("a :b c"));
    assert_eq!(
        (asked.retries, asked.credential.as_deref()),
        (5, Some("shop"))
    );
}
