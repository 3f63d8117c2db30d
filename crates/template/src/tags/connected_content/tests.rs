//! What the tag refuses, and what is known about its requests before rendering.

use crate::limits::Limits;
use crate::program::Template;

fn compile(markup: &str) -> Template {
    let source = format!("{{% connected_content {markup} %}}");
    Template::compile(&source, &Limits::default()).unwrap_or_else(|e| panic!("{source}: {e}"))
}

fn refusal(markup: &str) -> (&'static str, String) {
    let source = format!("{{% connected_content {markup} %}}");
    let error = Template::compile(&source, &Limits::default()).expect_err(&source);
    (error.code, error.message)
}

#[test]
fn the_host_is_known_only_when_no_liquid_decides_about_it() {
    let host = |url: &str| compile(url).fetches()[0].host.clone();
    assert_eq!(
        host("https://API.example.com:8443/x/{{ user.id }}"),
        Some("api.example.com:8443".into())
    );
    assert_eq!(
        host("https://example.com?u={{u}}"),
        Some("example.com".into())
    );
    assert_eq!(host("'https://me@example.com'"), Some("example.com".into()));
    assert_eq!(host("https://{{ shop }}.example.com/"), None);
    assert_eq!(host("https://example.com{{ path }}"), None);
    assert_eq!(host("{{ url }}"), None);
}

#[test]
fn a_site_says_what_is_known_before_rendering() {
    let template = compile("https://example.com/offers :method post :body a=1 :save offers");
    let site = &template.fetches()[0];
    assert!(site.literal_url && site.saved);
    assert_eq!((site.method.as_str(), site.line), ("POST", 1));
    assert!(!template.is_static());
}

#[test]
fn unknown_refused_and_malformed_options_say_so() {
    let (code, message) = refusal("https://x.test/ :sav y");
    assert_eq!(code, "unsupported_option");
    assert!(
        message.contains("did you mean ':save'") || message.contains("'save'"),
        "{message}"
    );
    assert_eq!(refusal("https://x.test/ :save").0, "syntax_error");
    assert_eq!(refusal("https://x.test/ :no_cache 5").0, "syntax_error");
    assert_eq!(refusal("https://x.test/ :save a b").0, "syntax_error");
    assert_eq!(refusal("https://x.test/ :body a :body b").0, "syntax_error");
    assert_eq!(refusal("").0, "syntax_error");
    assert_eq!(refusal(":save x").0, "syntax_error");
}

/// The message and what the caret points at.
fn pointed(markup: &str) -> (String, String) {
    let source = format!("{{% connected_content {markup} %}}");
    let error = Template::compile(&source, &Limits::default()).expect_err(&source);
    let column = (error.column as usize).saturating_sub(1);
    let at = source.chars().skip(column);
    (
        error.message,
        at.take_while(|c| !c.is_whitespace()).collect(),
    )
}

#[test]
fn constant_values_are_checked_when_compiled_with_the_caret_on_the_value() {
    for (option, wanted) in [
        (":method fetch", "is get, post, put, patch or delete"),
        (":timeout 0", "above 0 and up to 10"),
        (":timeout 10.5", "above 0 and up to 10"),
        (":timeout 1e1", "above 0 and up to 10"),
        (":timeout -1", "above 0 and up to 10"),
        (":retry_max 11", "from 0 to 10"),
        (":retry_max x", "from 0 to 10"),
        (":stale_if_error 86401", "at most 86400 seconds"),
        (":stale_if_error 1.5", "whole number of seconds"),
        (":cache_max_age soon", "whole number of seconds"),
        (":headers {a}", "is not a JSON object"),
    ] {
        let (message, at) = pointed(&format!("https://x.test/ {option}"));
        let (name, value) = option.split_once(' ').expect("an option with a value");
        assert!(message.contains(wanted), "{option}: {message}");
        assert!(message.starts_with(&format!("'{name}' ")), "{message}");
        assert_eq!(at, value, "{option}");
    }
}

#[test]
fn options_that_exclude_each_other_are_refused_at_the_second() {
    for (options, second) in [
        (":basic_auth a :auth_credentials b", "auth_credentials"),
        (":no_cache :cache_max_age 600", "cache_max_age"),
        (":retry :retry", "retry"),
        (":save a :save b", "save"),
    ] {
        let (_, at) = pointed(&format!("https://x.test/ {options}"));
        assert_eq!(at, second, "{options}");
    }
    let (message, _) = pointed("https://x.test/ :cache");
    assert!(message.contains(":cache_max_age"), "{message}");
    assert_eq!(refusal("https://x.test/ :retry 3").0, "syntax_error");
    assert_eq!(refusal("https://x.test/ :rerender yes").0, "syntax_error");
    assert_eq!(refusal("https://x.test/ :basic_auth").0, "syntax_error");
}
