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
    assert_eq!(refusal("https://x.test/ :retry").0, "unsupported_option");
    assert_eq!(
        refusal("https://x.test/ :basic_auth shop").0,
        "unsupported_option"
    );
    assert_eq!(
        refusal("https://x.test/ :method delete").0,
        "unsupported_option"
    );
    assert_eq!(refusal("https://x.test/ :save").0, "syntax_error");
    assert_eq!(refusal("https://x.test/ :no_cache 5").0, "syntax_error");
    assert_eq!(refusal("https://x.test/ :save a b").0, "syntax_error");
    assert_eq!(refusal("https://x.test/ :body a :body b").0, "syntax_error");
    assert_eq!(refusal("").0, "syntax_error");
    assert_eq!(refusal(":save x").0, "syntax_error");
}
