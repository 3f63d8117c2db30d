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

#[test]
fn digests_are_those_that_the_dialects_manual_prints() {
    let cases = [
        ("'hey' | md5", "6057f13c496ecf7fd777ceb9e79ae285"),
        ("'hey' | sha1", "7f550a9f4c44173a37664d938f1355f0f92a47a7"),
        ("'hey' | sha2 | slice: 0, 8", "fa690b82"),
        (
            "'hey' | hmac_sha1_hex: 'secret_key'",
            "2a3969bed25bfeefb00aca4063eb9590b4df8f0e",
        ),
        ("'hey' | hmac_sha1: 'secret_key' | slice: 0, 8", "2a3969be"),
        (
            "'hey' | hmac_sha1_base64: 'secret_key'",
            "KjlpvtJb/u+wCspAY+uVkLTfjw4=",
        ),
    ];
    for (expression, wanted) in cases {
        assert_eq!(
            render(&format!("{{{{ {expression} }}}}"), "{}"),
            wanted,
            "{expression}"
        );
    }
    let hex = render("{{ 'hey' | hmac_sha256_hex: 'secret_key' }}", "{}");
    assert!(
        hex.starts_with("8df897f8") && hex.ends_with("508e"),
        "{hex}"
    );
    assert_eq!(render("{{ 'hey' | hmac_sha256: 'secret_key' }}", "{}"), hex);
    let same = "{% assign a = 'hey' | hmac_sha512: 'k' %}{% assign b = 'hey' | hmac_sha512_hex: 'k' %}{% if a == b %}{{ a.size }}{% endif %}";
    assert_eq!(render(same, "{}"), "128");
}

#[test]
fn amounts_have_two_places() {
    let cases = [
        ("145", "145.00"),
        ("'17.5'", "17.50"),
        ("0.005", "0.01"),
        ("-1.005", "-1.01"),
        ("-0.001", "0.00"),
        ("1234567.891", "1234567.89"),
        ("'no number'", "0.00"),
        ("nil", ""),
    ];
    for (amount, wanted) in cases {
        assert_eq!(
            render(&format!("{{{{ {amount} | money }}}}"), "{}"),
            wanted,
            "{amount}"
        );
    }
    assert_eq!(
        render("{{ 1234.5 | money | number_with_delimiter }}", "{}"),
        "1,234.50"
    );
}

#[test]
fn a_moment_can_be_read_off_another_clock() {
    let cases = [
        (
            "'2024-07-01T12:00:00Z' | time_zone: 'America/Chicago' | date: '%H:%M %z'",
            "07:00 -0500",
        ),
        (
            "'2024-01-01 12:00' | time_zone: 'Europe/Berlin' | date: '%H:%M'",
            "13:00",
        ),
        (
            "1700000000 | time_zone: '+05:30' | date: '%s %H:%M'",
            "1700000000 03:43",
        ),
        ("'now' | timezone: '-3' | date: '%H:%M'", "07:00"),
        (
            "'2024-07-01T12:00:00Z' | time_zone: 'Asia/Tokyo'",
            "2024-07-01 21:00:00 +0900",
        ),
        ("'soon' | time_zone: 'UTC'", "soon"),
        ("nil | time_zone: 'UTC'", ""),
    ];
    for (expression, wanted) in cases {
        assert_eq!(
            render(&format!("{{{{ {expression} }}}}"), "{}"),
            wanted,
            "{expression}"
        );
    }
    for zone in ["Mars/Olympus", "", "+99", "+a", "-1:2:3"] {
        let e = error(&format!("{{{{ 'now' | time_zone: '{zone}' }}}}"), "{}");
        assert_eq!(e.code, "invalid_value", "{zone}");
    }
}

#[test]
fn json_text_becomes_a_value_and_members_are_reached_by_name() {
    let data = r#"{"j":"{\"a\":[1,{\"b c\":\"é\"}]}","bad":"{","k":"a"}"#;
    assert_eq!(
        render(
            "{% assign v = j | json_parse %}{{ v.a[1]['b c'] }}{{ v | property_accessor: k | size }}",
            data
        ),
        "é2"
    );
    assert_eq!(
        render("{{ j | json_parse | as_json_string }}", data),
        r#"{"a":[1,{"b c":"é"}]}"#
    );
    assert_eq!(
        render(
            "[{{ nosuch | json_parse }}{{ '' | json_parse }}{{ k | property_accessor: 'x' }}]",
            data
        ),
        "[]"
    );
    assert_eq!(render("{{ '7.5' | json_parse | plus: 1 }}", data), "8.5");
    assert_eq!(error("{{ bad | json_parse }}", data).code, "invalid_value");
    let deep = format!(r#"{{"d":"{}"}}"#, "[".repeat(100_000));
    assert_eq!(error("{{ d | json_parse }}", &deep).code, "invalid_value");
}

#[test]
fn every_form_of_dollar_names_is_a_name() {
    let cases = [
        ("{{${first_name}}}", "Ada"),
        ("{{ ${first_name} }}", "Ada"),
        ("{{- ${first_name} -}}", "Ada"),
        ("{{${first_name}|upcase}}", "ADA"),
        ("{{${ first_name }}}", "Ada"),
        ("{{custom_attribute.${plan}}}", "pro"),
        ("{{custom_attribute.${plan}.size}}", "3"),
        ("{{api_trigger_properties.${x}.${y}[0]}}", "7"),
        ("{{api_trigger_properties[${k}]}}", ""),
        (
            "{{ 'x' | append: ${plan} | append: custom_attribute.${plan} }}",
            "xpropro",
        ),
        (
            "{% if ${plan} == 'pro' and {{custom_attribute.${n}}} > 0 %}y{% endif %}",
            "y",
        ),
        (
            "{% unless {{${plan}}} contains 'r' %}{% else %}z{% endunless %}",
            "z",
        ),
        (
            "{% for i in {{api_trigger_properties.${x}.${y}}} %}{{i}}{% endfor %}",
            "7",
        ),
        (
            "{% assign ok = {{custom_attribute.${plan}}} %}{{ok}}",
            "pro",
        ),
        ("{% liquid assign l = ${plan} | upcase\necho l %}", "PRO"),
        ("{% capture c %}{{${plan}}}{% endcapture %}{{c}}", "pro"),
        ("{{ '}' }}{{ '${plan}' }}", "}${plan}"),
        ("{% raw %}{{${plan}}}{% endraw %}", "{{${plan}}}"),
    ];
    for (source, wanted) in cases {
        assert_eq!(render(source, DATA), wanted, "{source}");
    }
}
