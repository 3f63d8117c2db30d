//! `connected_content`: what is asked for, and what the answers become.

use std::time::Duration;

use corkboard_core::connected::{FetchCaching, FetchMethod, FetchRequest};
use corkboard_template::{Limits, Machine, RenderError, Scope, Step, Template};

use crate::support::{Script, failed, fetching, json, render, text};

fn output(source: &str, globals: &str, script: Script) -> String {
    fetching(source, globals, script)
        .0
        .unwrap_or_else(|e| panic!("{source}: {e:?}"))
        .0
}

fn request(markup: &str, globals: &str) -> FetchRequest {
    let source = format!("{{% connected_content {markup} %}}");
    let (outcome, script) = fetching(&source, globals, Script::new([failed(500)]));
    assert!(outcome.is_ok(), "{outcome:?}");
    script.request(0)
}

#[test]
fn json_without_a_name_becomes_connected_and_prints_nothing() {
    let source = "[{% connected_content https://x.test/a %}]{{ connected.offer.price }}";
    assert_eq!(
        output(
            source,
            "{}",
            Script::new([json(200, r#"{"offer":{"price":9.5}}"#)])
        ),
        "[]9.5"
    );
}

#[test]
fn text_without_a_name_is_inserted_in_place() {
    assert_eq!(
        output(
            "[{% connected_content https://x.test/a %}]",
            "{}",
            Script::new([text("hi <b>")])
        ),
        "[hi <b>]"
    );
}

#[test]
fn a_saved_result_has_its_status_whatever_it_is() {
    let source = "{% connected_content https://x.test/ :save r %}{{ r }}/{{ r.__http_status_code__ }}/{{ r[0] }}";
    assert_eq!(
        output(source, "{}", Script::new([json(200, "[1,2]")])),
        "12/200/1"
    );
    assert_eq!(
        output(source, "{}", Script::new([text("plain")])),
        "plain/200/"
    );
    assert_eq!(output(source, "{}", Script::new([failed(404)])), "/404/");
    let source = "{% connected_content https://x.test/ :save r %}{{ r.a }}/{{ r.__http_status_code__ }}\
                  {% assign s = r %}/{{ s.__http_status_code__ }}";
    assert_eq!(
        output(source, "{}", Script::new([json(201, r#"{"a":1}"#)])),
        "1/201/201"
    );
}

#[test]
fn the_status_of_a_text_in_place_is_that_of_connected() {
    let source = "{% connected_content https://x.test/a %}{% connected_content https://x.test/b %}\
                  |{{ connected.a }}|{{ connected.__http_status_code__ }}";
    let answers = [json(201, r#"{"a":1}"#), text("hi")];
    assert_eq!(output(source, "{}", Script::new(answers)), "hi||200");
    let answers = [text("hi"), failed(503)];
    assert_eq!(output(source, "{}", Script::new(answers)), "hi||503");
}

#[test]
fn a_failure_is_nil_and_can_abort() {
    let source = "{% connected_content https://x.test/ :save r %}\
                  {% if r.__http_status_code__ != 200 %}{% abort_message('no offer') %}{% endif %}{{ r.a }}";
    let (outcome, _) = fetching(source, "{}", Script::new([failed(599)]));
    let Err(RenderError::Aborted { reason, trace }) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(reason.as_deref(), Some("no offer"));
    assert_eq!((trace.len(), trace[0].status), (1, 599));
    assert_eq!(
        output(
            "{% connected_content https://x.test/ %}{% if connected %}a{% else %}b{% endif %}",
            "{}",
            Script::new([failed(500)])
        ),
        "b"
    );
}

#[test]
fn a_new_assignment_takes_the_status_away() {
    let source = "{% connected_content https://x.test/ :save r %}{% assign r = 'x' %}[{{ r.__http_status_code__ }}]";
    assert_eq!(output(source, "{}", Script::new([failed(404)])), "[]");
}

#[test]
fn urls_and_options_are_text_with_liquid_inside() {
    let data = r#"{"user":{"id":"u 1","k":"secret"},"body":"a=1"}"#;
    let asked = request(
        r#"https://x.test/{{ ${id} | url_param_escape }}/offer?q={{ 'a b' | url_encode }} :method post
           :headers {"Authorization": "Bearer {{${k}}}", "X-Int": 5} :body {{ body }}&b=2
           :content_type application/x-www-form-urlencoded :cache_max_age 900 :save offer"#,
        data,
    );
    assert_eq!(asked.url, "https://x.test/u%201/offer?q=a+b");
    assert_eq!(asked.method, FetchMethod::Post);
    assert_eq!(asked.headers["Authorization"], "Bearer secret");
    assert_eq!(asked.headers["X-Int"], "5");
    assert_eq!(asked.body.as_deref(), Some("a=1&b=2"));
    assert_eq!(
        asked.content_type.as_deref(),
        Some("application/x-www-form-urlencoded")
    );
    assert_eq!(
        asked.caching,
        FetchCaching::MaxAge(Duration::from_secs(900))
    );
}

#[test]
fn caching_options_are_bounded_and_a_form_becomes_json_where_json_is_declared() {
    assert_eq!(
        request("https://x.test/ :no_cache", "{}").caching,
        FetchCaching::Never
    );
    assert_eq!(
        request("https://x.test/ :cache_max_age 1", "{}").caching,
        FetchCaching::MaxAge(Duration::from_secs(300))
    );
    assert_eq!(
        request("https://x.test/", "{}").caching,
        FetchCaching::Default
    );
    let asked = request(
        "https://x.test/ :method post :body a=1&b=x :content_type application/json",
        "{}",
    );
    assert_eq!(asked.body.as_deref(), Some(r#"{"a":"1","b":"x"}"#));
    let asked = request(
        r#"https://x.test/ :method post :body {"a": " :c "} :content_type application/json"#,
        "{}",
    );
    assert_eq!(asked.body.as_deref(), Some(r#"{"a": " :c "}"#));
}

#[test]
fn headers_that_are_no_json_once_rendered_are_an_error() {
    let source = r#"{% connected_content https://x.test/ :headers {"a": "{{ v }}"} %}"#;
    let (outcome, script) = fetching(source, r#"{"v":"\""}"#, Script::default());
    let Err(RenderError::Template { error, .. }) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(error.code, "invalid_value");
    assert!(script.asked.lock().expect("no panic").is_empty());
}

#[test]
fn fetches_stand_in_loops_and_captures_and_are_bounded() {
    let source = "{% capture c %}{% for i in (1..3) %}{% connected_content https://x.test/{{ i }} %};{% endfor %}{% endcapture %}{{ c | upcase }}";
    assert_eq!(
        output(source, "{}", Script::new(["a", "b", "c"].map(text))),
        "A;B;C;"
    );
    let source =
        "{% for i in (1..100) %}{% connected_content https://x.test/{{ i }} %}{% endfor %}";
    let (outcome, script) = fetching(source, "{}", Script::new((0..20).map(|_| text("x"))));
    let Err(RenderError::Template { error, trace, .. }) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!((error.code, trace.len()), ("too_many_fetches", 20));
    assert_eq!(script.asked.lock().expect("no panic").len(), 20);
}

#[test]
fn abort_stands_with_and_without_a_reason() {
    for (source, wanted) in [
        ("a{% abort_message %}b", None),
        ("{% abort_message() %}", None),
        ("{% abort_message('why') %}", Some("why")),
        (
            "{% if true %}{% abort_message(\"why not\") %}{% endif %}",
            Some("why not"),
        ),
    ] {
        let (outcome, _) = fetching(source, "{}", Script::default());
        let Err(RenderError::Aborted { reason, .. }) = outcome else {
            panic!("{source}")
        };
        assert_eq!(reason.as_deref(), wanted, "{source}");
    }
    assert_eq!(
        render("{% if false %}{% abort_message %}{% endif %}ok", "{}"),
        "ok"
    );
}

#[test]
fn a_machine_driven_out_of_order_says_so_and_goes_on() {
    let limits = Limits::default();
    let template =
        Template::compile("{% connected_content https://x.test/ %}!", &limits).expect("compiles");
    let mut machine = Machine::start(&template, Scope::new(), &limits);
    assert_eq!(
        machine
            .resume(&text("early"))
            .expect_err("nothing asked")
            .code,
        "misuse"
    );
    assert!(matches!(machine.run(), Ok(Step::Fetch(_))));
    assert_eq!(machine.run().expect_err("not answered").code, "misuse");
    machine.resume(&text("x")).expect("answered");
    assert_eq!(machine.run(), Ok(Step::Done));
    assert_eq!(machine.take_output(), "x!");
}

#[test]
fn a_paused_machine_can_go_anywhere() {
    fn goes_anywhere<T: Send + 'static>() {}
    goes_anywhere::<Machine>();
}

#[test]
fn fetched_results_are_bounded_together() {
    let big = format!("[{}0]", "0,".repeat(100_000));
    let source =
        "{% for i in (1..20) %}{% connected_content https://x.test/{{ i }} :save r %}{% endfor %}";
    let (outcome, script) = fetching(source, "{}", Script::new((0..20).map(|_| json(200, &big))));
    let Err(RenderError::Template { error, .. }) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(error.code, "memory_limit");
    assert!(script.asked.lock().expect("no panic").len() > 5);
}
