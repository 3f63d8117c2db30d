//! The fields of a card together.

use corkboard_template::{CardSource, CardTemplate, Limits, RenderError};

use crate::support::{Script, failed, json, options, scope};

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime starts")
        .block_on(work)
}

fn card(title: &str, description: &str) -> CardSource {
    CardSource {
        title: Some(title.into()),
        description: Some(description.into()),
        ..CardSource::default()
    }
}

#[test]
fn fields_render_apart_from_each_other() {
    let mut source = card(
        "{% connected_content https://x.test/ :save r %}{{ r.a }}",
        "[{{ r.a }}] {{ user.name }}",
    );
    source
        .extras
        .insert("badge".into(), "{{ user.name | upcase }}".into());
    let template = CardTemplate::compile(&source, &Limits::default()).expect("compiles");
    assert!(!template.is_static());
    assert_eq!(template.fetches().len(), 1);
    let script = Script::new([json(200, r#"{"a":1}"#)]);
    let rendered =
        block_on(template.render(scope(r#"{"user":{"name":"Ada"}}"#), &options(), &script))
            .expect("renders");
    assert_eq!(rendered.fields.title.as_deref(), Some("1"));
    assert_eq!(rendered.fields.description.as_deref(), Some("[] Ada"));
    assert_eq!(rendered.fields.extras["badge"], "ADA");
    assert_eq!(rendered.fields.url, None);
    assert_eq!(
        (rendered.trace.len(), rendered.trace[0].field.as_str()),
        (1, "title")
    );
    assert!(rendered.warnings.is_empty());
}

#[test]
fn every_field_that_does_not_compile_is_reported() {
    let mut source = card("{{ a | nope }}", "fine");
    source.url = Some("{% if %}".into());
    source.extras.insert("k".into(), "{{".into());
    let errors = CardTemplate::compile(&source, &Limits::default()).expect_err("three errors");
    let paths: Vec<&str> = errors.iter().map(|e| e.path.as_str()).collect();
    assert_eq!(paths, ["title", "url", "extras/k"]);
}

#[test]
fn a_failed_fetch_without_an_abort_is_a_warning() {
    let template = CardTemplate::compile(
        &card("{% connected_content https://x.test/ %}hello", ""),
        &Limits::default(),
    )
    .expect("compiles");
    let rendered = block_on(template.render(scope("{}"), &options(), &Script::new([failed(503)])))
        .expect("renders");
    assert_eq!(rendered.fields.title.as_deref(), Some("hello"));
    assert_eq!(rendered.warnings.len(), 1);
    assert!(
        rendered.warnings[0].contains("503"),
        "{:?}",
        rendered.warnings
    );
}

#[test]
fn an_error_names_its_field_and_an_abort_ends_the_card() {
    let limits = Limits::default();
    let template =
        CardTemplate::compile(&card("ok", "{{ 1 | modulo: 0 }}"), &limits).expect("compiles");
    let outcome = block_on(template.render(scope("{}"), &options(), &Script::default()));
    let Err(RenderError::Template { field, error, .. }) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(
        (field.as_str(), error.code),
        ("description", "zero_division")
    );

    let template =
        CardTemplate::compile(&card("{% abort_message('x') %}", "y"), &limits).expect("compiles");
    let outcome = block_on(template.render(scope("{}"), &options(), &Script::default()));
    assert!(
        matches!(outcome, Err(RenderError::Aborted { .. })),
        "{outcome:?}"
    );
}

#[test]
fn a_card_of_plain_text_is_static() {
    let template = CardTemplate::compile(&card("a", "b"), &Limits::default()).expect("compiles");
    assert!(template.is_static());
    assert_eq!(template.variables().count(), 0);
}

#[test]
fn message_extras_stand_beside_the_fields() {
    let limits = Limits::default();
    let title = "a{% message_extras :key plan :value {{ user.plan }} {{ 1 | plus: 1 }} %}b";
    let description = "{% message_extras :key 'source' :value 'news letter' %}{% message_extras :key plan :value last %}";
    let template = CardTemplate::compile(&card(title, description), &limits).expect("compiles");
    assert!(!template.is_static());
    let data = r#"{"user":{"plan":"pro"}}"#;
    let rendered =
        block_on(template.render(scope(data), &options(), &Script::default())).expect("renders");
    assert_eq!(rendered.fields.title.as_deref(), Some("ab"));
    let extras: Vec<(&str, &str)> = rendered
        .message_extras
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    assert_eq!(extras, [("plan", "last"), ("source", "news letter")]);
    for wrong in [
        "{% message_extras %}",
        "{% message_extras :key a %}",
        "{% message_extras :value a :key b %}",
        "{% message_extras x :key a :value b %}",
        "{% message_extras :key :value b %}",
    ] {
        assert!(
            CardTemplate::compile(&card(wrong, ""), &limits).is_err(),
            "{wrong}"
        );
    }
    let long =
        "{% for i in (1..99) %}{% message_extras :key k{{ i }} :value 0123456789 %}{% endfor %}";
    let template = CardTemplate::compile(&card(long, ""), &limits).expect("compiles");
    let outcome = block_on(template.render(scope("{}"), &options(), &Script::default()));
    assert!(
        matches!(outcome, Err(RenderError::Template { .. })),
        "{outcome:?}"
    );
}
