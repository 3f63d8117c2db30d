//! `:rerender`: Liquid in a fetched result.

use corkboard_core::connected::FetchResponse;
use corkboard_template::RenderError;

use crate::support::{Script, failed, fetching, json, text};

const TAG: &str = "{% connected_content https://x.test/ :rerender :save r %}";

fn output(source: &str, answer: FetchResponse) -> String {
    let data =
        r#"{"user":{"first_name":"Ann","quoted":"a \"b\"","liquid":"{{ user.first_name }}"}}"#;
    fetching(source, data, Script::new([answer]))
        .0
        .unwrap_or_else(|e| panic!("{source}: {e:?}"))
        .0
}

fn error(source: &str, answer: FetchResponse) -> RenderError {
    let outcome = fetching(source, "{}", Script::new([answer])).0;
    outcome.expect_err(source)
}

#[test]
fn a_text_is_rendered_with_the_data_of_the_card() {
    let source = "[{% connected_content https://x.test/ :rerender %}]";
    assert_eq!(
        output(source, text("Hi {{ ${first_name} | upcase }}!")),
        "[Hi ANN!]"
    );
    assert_eq!(output(source, text("no Liquid")), "[no Liquid]");
    let plain = "[{% connected_content https://x.test/ %}]";
    assert_eq!(
        output(plain, text("{{ user.first_name }}")),
        "[{{ user.first_name }}]"
    );
}

#[test]
fn json_stays_json_unless_the_values_break_it() {
    let source = format!("{TAG}{{{{ r.title }}}}/{{{{ r.__http_status_code__ }}}}/{{{{ r }}}}");
    let answer = json(200, r#"{"title":"Hi {{${first_name}}}"}"#);
    assert!(output(&source, answer).starts_with("Hi Ann/200/"));
    let quoted = json(200, r#"{"title":"{{${quoted} | json_escape}}"}"#);
    assert!(output(&source, quoted).starts_with("a \"b\"/200/"));
    let broken = json(200, r#"{"title":"{{${quoted}}}"}"#);
    assert_eq!(output(&source, broken), r#"/200/{"title":"a "b""}"#);
    // What becomes JSON by being rendered is JSON.
    let list = text(
        r#"{"title": [{% for i in (1..3) %}{{ i }}{% unless forloop.last %},{% endunless %}{% endfor %}]}"#,
    );
    assert!(output(&format!("{TAG}{{{{ r.title | join: '-' }}}}"), list) == "1-2-3");
}

#[test]
fn it_is_one_level_deep() {
    let source = format!("{TAG}{{{{ r }}}}");
    let nested =
        "a{% connected_content https://y.test/ :save s %}[{{ s }}|{{ s.__http_status_code__ }}]";
    // The script has one answer only: a second fetch would panic.
    assert_eq!(output(&source, text(nested)), "a[|0]");
    assert_eq!(
        output(&source, text("{{ user.liquid }}")),
        "{{ user.first_name }}"
    );
}

#[test]
fn the_templates_own_variables_stay_its_own() {
    let source = format!("{{% assign a = 1 %}}{TAG}{{{{ r }}}}{{{{ a }}}}{{{{ b }}}}");
    assert_eq!(
        output(
            &source,
            text("<{{ a }}>{% assign a = 2 %}{% assign b = 3 %}")
        ),
        "<>1"
    );
}

#[test]
fn a_result_can_abort_the_card_and_note_extras() {
    let RenderError::Aborted { reason, trace } =
        error(TAG, text("{% abort_message('sold out') %}"))
    else {
        panic!("it aborts")
    };
    assert_eq!((reason.as_deref(), trace.len()), (Some("sold out"), 1));
}

#[test]
fn a_result_that_does_not_render_fails_the_card_and_says_where() {
    let RenderError::Template { error, .. } =
        error(&format!("x\n{TAG}"), text("a\n {{ b | nosuch }}"))
    else {
        panic!("it fails")
    };
    assert_eq!(
        (error.code, error.line, error.column),
        ("unknown_filter", 2, 1)
    );
    assert!(
        error
            .message
            .contains("the fetched result cannot be rendered"),
        "{}",
        error.message
    );
    assert!(
        error.message.contains("its line 2, column "),
        "{}",
        error.message
    );
}

#[test]
fn a_failure_has_nothing_to_render() {
    let source = format!("{TAG}[{{{{ r }}}}|{{{{ r.__http_status_code__ }}}}]");
    assert_eq!(output(&source, failed(503)), "[|503]");
}

#[test]
fn hostile_results_end_at_the_limits_of_the_render() {
    let looping = "{% for i in (1..1000000000) %}{% endfor %}";
    for (answer, code) in [
        (looping.to_owned(), "out_of_fuel"),
        ("{{ x }}".repeat(20_000), "source_too_large"),
        ("{% if true %}".repeat(200), "nesting_too_deep"),
        (
            "{% assign s = 'aaaaaaaa' %}{% for i in (1..40) %}{% assign s = s | append: s %}{% endfor %}".to_owned(),
            "memory_limit",
        ),
    ] {
        let RenderError::Template { error, .. } = error(TAG, text(&answer)) else {
            panic!("it fails")
        };
        assert_eq!(error.code, code, "{}", error.message);
    }
}

#[test]
fn results_pay_out_of_the_fuel_of_the_whole_render() {
    // Each takes more than a third of it.
    let heavy = "{% for i in (1..150000) %}{% if i %}{% endif %}{% endfor %}";
    let render = |count: usize| {
        let source = format!(
            "{{% for i in (1..{count}) %}}{{% connected_content https://x.test/{{{{ i }}}} :rerender %}}{{% endfor %}}"
        );
        fetching(&source, "{}", Script::new((0..count).map(|_| text(heavy)))).0
    };
    assert!(render(1).is_ok());
    let outcome = render(3);
    let Err(RenderError::Template { error, .. }) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(error.code, "out_of_fuel");
}
