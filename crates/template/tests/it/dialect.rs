//! `${…}`: names as the marketing dialect writes them.

use corkboard_template::{Data, Limits, Machine, Scope, Step, Template};

use crate::support::{error, render};

const DATA: &str = r#"{
    "user": {"first_name": "Ada", "plan": "pro", "größe": "M", "Favourite Colour": "red", "n": 1},
    "city": "Bern", "first_name": "not her",
    "event_properties": {"sku": "A-1"}, "api_trigger_properties": {"x": {"y": [7]}}
}"#;

#[test]
fn a_bare_name_is_the_users_and_otherwise_a_variable() {
    assert_eq!(
        render("{{${first_name}}} {{ ${city} }}|{{${nobody}}}", DATA),
        "Ada Bern|"
    );
    assert_eq!(
        render("{% assign colour = 'blue' %}{{ ${colour} }}", DATA),
        "blue"
    );
}

#[test]
fn custom_attributes_are_the_users_unless_there_is_such_a_root() {
    assert_eq!(render("{{custom_attribute.${plan}}}", DATA), "pro");
    let own = r#"{"user":{"plan":"pro"},"custom_attribute":{"plan":"free"}}"#;
    assert_eq!(render("{{custom_attribute.${plan}}}", own), "free");
}

#[test]
fn names_may_hold_spaces_and_any_script() {
    assert_eq!(
        render(
            "{{ custom_attribute.${Favourite Colour} }}/{{${größe}}}",
            DATA
        ),
        "red/M"
    );
}

#[test]
fn other_roots_are_plain() {
    assert_eq!(render("{{event_properties.${sku}}}", DATA), "A-1");
    assert_eq!(render("{{api_trigger_properties.${x}.y[0]}}", DATA), "7");
    assert_eq!(
        render("{{api_trigger_properties.${x}['y'].size}}", DATA),
        "1"
    );
}

#[test]
fn braces_inside_tags_are_allowed() {
    assert_eq!(
        render(
            "{% if {{custom_attribute.${n}}} == 1 %}yes{% endif %}",
            DATA
        ),
        "yes"
    );
    assert_eq!(
        render("{% assign a = {{${first_name}}} | upcase %}{{ a }}", DATA),
        "ADA"
    );
    assert_eq!(
        render("{% assign a = {{${first_name} | upcase}} %}{{ a }}", DATA),
        "ADA"
    );
    assert_eq!(
        render("{% case {{${plan}}} %}{% when 'pro' %}P{% endcase %}", DATA),
        "P"
    );
    assert_eq!(
        error("{% if {{${plan} == 1 %}{% endif %}", DATA).code,
        "syntax_error"
    );
}

#[test]
fn both_dialects_mix_with_filters_and_defaults() {
    assert_eq!(
        render("Hi {{${nick} | default: ${city} }}", DATA),
        "Hi Bern"
    );
    assert_eq!(
        render("{{ user.first_name }} {{${first_name} | downcase}}", DATA),
        "Ada ada"
    );
}

#[test]
fn broken_names_are_errors() {
    for source in [
        "{{ ${} }}",
        "{{ ${ }}",
        "{{ custom_attribute.${ x }}",
        "{{ a.${} }}",
    ] {
        assert_eq!(error(source, DATA).code, "syntax_error", "{source}");
    }
}

#[test]
fn layers_are_searched_from_the_named_roots_to_the_globals() {
    let data = |json: &str| Data::from_slice(json.as_bytes()).expect("JSON");
    let scope = Scope::new()
        .with_globals(data(r#"{"user":{"name":"global"},"x":1,"y":1}"#))
        .with_globals(data(r#"{"y":2}"#))
        .with("user", data(r#"{"name":"root"}"#));
    let template =
        Template::compile("{{ user.name }}{{ x }}{{ y }}", &Limits::default()).expect("compiles");
    let mut machine = Machine::start(&template, scope, &Limits::default());
    assert_eq!(machine.run(), Ok(Step::Done));
    assert_eq!(machine.take_output(), "root12");
}
