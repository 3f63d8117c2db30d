//! The language as authors use it.

use corkboard_template::{Limits, Template};

use crate::support::{error, render, render_with};

#[test]
fn undefined_is_nothing_and_never_an_error() {
    assert_eq!(
        render("[{{ a }}][{{ a.b.c }}][{{ a[0] }}][{{ a | upcase }}]", "{}"),
        "[][][][]"
    );
    assert_eq!(render("{{ a | default: 'there' }}", "{}"), "there");
    assert_eq!(
        render("{% for x in a %}x{% else %}none{% endfor %}", "{}"),
        "none"
    );
}

#[test]
fn members_keep_the_order_of_the_data() {
    let source = "{% for pair in o %}{{ pair[0] }}={{ pair[1] }};{% endfor %}";
    assert_eq!(
        render(source, r#"{"o":{"z":1,"a":2,"m":3}}"#),
        "z=1;a=2;m=3;"
    );
}

#[test]
fn numbers_are_decimal_and_print_as_they_were_written() {
    assert_eq!(
        render("{{ 5.0 }} {{ 10 | plus: 2.0 }} {{ 0.1 | plus: 0.2 }}", "{}"),
        "5.0 12.0 0.3"
    );
    assert_eq!(
        render("{{ 19.99 | times: 3 }} {{ 7 | divided_by: 2 }}", "{}"),
        "59.97 3"
    );
    assert_eq!(
        render("{{ -7 | divided_by: 2 }} {{ -7 | modulo: 3 }}", "{}"),
        "-4 2"
    );
    assert_eq!(
        render("{{ n }}", r#"{"n":18446744073709551615}"#),
        "18446744073709551615"
    );
}

#[test]
fn integers_print_to_the_last_digit() {
    for n in [0, 7, -7, 10, -10, 1_234_567_890, i64::MAX, i64::MIN] {
        assert_eq!(render("{{ n }}", &format!(r#"{{"n":{n}}}"#)), n.to_string());
    }
}

#[test]
fn arithmetic_at_the_edge_of_64_bits_stays_exact() {
    let data = r#"{"max":9223372036854775807,"min":-9223372036854775808}"#;
    assert_eq!(render("{{ max | plus: 1 }}", data), "9223372036854775808");
    assert_eq!(
        render("{{ min | divided_by: -1 }}", data),
        "9223372036854775808"
    );
    assert_eq!(
        render("{{ max | times: max | abs }}", data),
        "85070591730234615847396907784232501249"
    );
    assert_eq!(
        render("{{ min | abs }} {{ min | minus: 1 }}", data),
        "9223372036854775808 -9223372036854775809"
    );
    assert_eq!(
        render("{{ 99999999999999999999 }}", data),
        "99999999999999999999"
    );
}

#[test]
fn break_inside_a_capture_keeps_what_was_captured() {
    let source = "{% for i in (1..9) %}{% capture c %}a{{ i }}{% if i == 2 %}{% break %}{% endif %}\
                  {% endcapture %}{% endfor %}{{ c }}.";
    assert_eq!(render(source, "{}"), "a2.");
}

#[test]
fn a_loop_variable_hides_an_assignment_only_inside_the_loop() {
    let source = "{% for x in (1..2) %}{% assign x = 9 %}{{ x }}{% endfor %}{{ x }}";
    assert_eq!(render(source, "{}"), "129");
}

#[test]
fn a_kept_forloop_is_nothing_after_its_loop() {
    let source = "{% for x in (1..2) %}{% assign l = forloop %}{% endfor %}\
                  {% for y in (1..3) %}[{{ l.index }}]{% endfor %}";
    assert_eq!(render(source, "{}"), "[][][]");
}

#[test]
fn texts_are_cut_at_characters() {
    assert_eq!(
        render(
            "{{ 'héé🎉' | slice: -2, 2 }}|{{ 'héé🎉' | truncate: 3, '…' }}",
            "{}"
        ),
        "é🎉|hé…"
    );
    assert_eq!(
        render(
            "{% assign t = 'éaü' %}{{ 'héé🎉' | size }}{{ t.first }}{{ t.last }}",
            "{}"
        ),
        "4éü"
    );
}

#[test]
fn dates_print_by_pattern_and_now_is_the_time_of_the_render() {
    assert_eq!(
        render("{{ 'now' | date: '%Y-%m-%d %H:%M' }}", "{}"),
        "2026-11-21 10:00"
    );
    assert_eq!(
        render("{{ 1700000000 | date: '%-d. %b %y, %l %p' }}", "{}"),
        "14. Nov 23, 10 PM"
    );
    assert_eq!(
        render(
            "{{ '2024-03-05T10:20:30+01:00' | date: '%s %z %:z %j' }}",
            "{}"
        ),
        "1709630430 +0100 +01:00 065"
    );
    assert_eq!(render("{{ 'soon' | date: '%Y' }}", "{}"), "soon");
}

#[test]
fn errors_have_a_code_and_a_position() {
    let e = error("a\nbé {{ x | upcas }}", "{}");
    assert_eq!((e.code, e.line, e.column), ("unknown_filter", 2, 11));
    assert_eq!(
        e.message,
        "there is no filter 'upcas'; did you mean 'upcase'?"
    );
    let e = error("{% asign x = 1 %}", "{}");
    assert_eq!((e.code, e.line, e.column), ("unknown_tag", 1, 1));
    assert!(e.message.contains("'assign'"), "{}", e.message);
    let e = error("\n\n{{ 1 | divided_by: 0 }}", "{}");
    assert_eq!((e.code, e.line, e.column), ("zero_division", 3, 1));
    let e = error("{% if a %}\n{% for x in y %}", "{}");
    assert_eq!((e.code, e.line), ("syntax_error", 2));
    assert_eq!(error("{{ 'a' | append }}", "{}").code, "wrong_arguments");
    assert_eq!(error("{% else %}", "{}").code, "syntax_error");
    assert_eq!(
        error("{% if '2' > 1 %}{% endif %}", "{}").code,
        "invalid_value"
    );
}

#[test]
fn a_source_over_the_limit_is_refused_before_it_is_read() {
    let limits = Limits {
        source_bytes: 10,
        ..Limits::default()
    };
    let e = render_with("01234567890", "{}", &limits).expect_err("11 bytes");
    assert_eq!((e.code, e.line), ("source_too_large", 1));
}

#[test]
fn what_depends_on_nothing_outside_is_static() {
    let is_static = |source| {
        Template::compile(source, &Limits::default())
            .expect("compiles")
            .is_static()
    };
    for source in [
        "plain text",
        "{% assign a = 'x' %}{{ a | upcase }}",
        "{% for i in (1..3) %}{{ i }}{{ forloop.last }}{% endfor %}",
        "{% raw %}{{ user.name }}{% endraw %}",
        "{% for i in (1..3) %}{% assign x = i %}{% if x == 2 %}{{ x }}{% endif %}{% endfor %}",
        "{% if true %}{% capture c %}{% assign d = 1 %}{% endcapture %}{{ c }}{{ d }}{% endif %}",
        "{% tablerow i in (1..3) cols: 2 %}{{ i }}{{ tablerowloop.row }}{% endtablerow %}",
    ] {
        assert!(is_static(source), "{source}");
    }
    for source in [
        "{{ user.name }}",
        "{{ ${first_name} }}",
        "{% if false %}{% assign a = 1 %}{% endif %}{{ a }}",
        "{{ a }}{% assign a = 1 %}",
        "{% if true %}{% assign a = 1 %}{% else %}{{ a }}{% endif %}",
        "{% if true %}{% assign a = 1 %}{% elsif a %}{% endif %}",
        "{% for i in (1..3) %}{% assign x = i %}{% endfor %}{{ x }}",
        "{% for i in (1..3) %}{% endfor %}{{ i }}",
        "{{ 'now' | date: '%Y' }}",
        "{{ ['user'].name }}",
        "{% abort_message %}",
        "{% connected_content https://x.test/ %}",
    ] {
        assert!(!is_static(source), "{source}");
    }
}

#[test]
fn the_variables_read_are_known() {
    let source = "{{ user.plan }}{{ ${city} }}{{ custom_attribute.${a b} }}{% assign x = 1 %}{{ x }}\
                  {{ list[0].name }}{{ user.plan }}";
    let template = Template::compile(source, &Limits::default()).expect("compiles");
    let read: Vec<&str> = template.variables().collect();
    assert_eq!(
        read,
        ["custom_attribute.a b", "list", "user.city", "user.plan"]
    );
}

#[test]
fn values_as_json() {
    let data = r#"{"o":{"b":[1,2.5,null,true],"a":"q\"\n"}}"#;
    assert_eq!(
        render("{{ o | json }}", data),
        r#"{"b":[1,2.5,null,true],"a":"q\"\n"}"#
    );
    assert_eq!(render("{{ o.a | json_escape }}", data), "q\\\"\\n");
    assert_eq!(
        render("{{ o }}", data),
        r#"{"b"=>[1, 2.5, nil, true], "a"=>"q\"\n"}"#
    );
}

#[test]
fn encodings_of_the_marketing_filters() {
    assert_eq!(
        render(
            "{{ 'hey<>hi' | url_escape }} {{ 'hey<&>hi' | url_param_escape }}",
            "{}"
        ),
        "hey%3C%3Ehi hey%3C%26%3Ehi"
    );
    assert_eq!(
        render(
            "{{ 123456 | number_with_delimiter }} {{ -1234.5 | number_with_delimiter }}",
            "{}"
        ),
        "123,456 -1,234.5"
    );
}

#[test]
fn the_small_print_of_the_language() {
    let data = r#"{"n":5,"s":"","m":[{"a":1},{"a":null},{"b":2}],"f":[1.5,2.5],"t":[true,true]}"#;
    let cases = [
        (
            "{{ f | upcase }}{{ m | append: '!' }}{{ f }}",
            "[1.5, 2.5][{\"a\"=>1}, {\"a\"=>nil}, {\"b\"=>2}]!1.52.5",
        ),
        (
            "{% if 'a[]' contains '' %}y{% endif %}{% if 'a' contains f %}n{% endif %}",
            "y",
        ),
        ("{{ n.size }} {{ n | size }} {{ 1.5 | size }}", "8 8 0"),
        ("{{ s.first | default: 'none' }}", "none"),
        (
            "{{ 'a b ' | truncatewords: 2 }}|{{ 'a b' | truncatewords: 2 }}",
            "a b...|a b",
        ),
        (
            "{{ nosuch | truncate: nil }}{{ nosuch | truncatewords: 'x' }}",
            "",
        ),
        ("{{ '' | truncate: -1 }}{{ nosuch | truncate: 5 }}", "..."),
        ("{{ '<<script>x</script>b>c' | strip_html }}", "c"),
        (
            "{{ '<style>a</style>b<!-- < -->c<script>d' | strip_html }}",
            "bcd",
        ),
        (
            "{% if (1..3) contains 2.5 %}y{% endif %}{% if (1..3) contains 4 %}n{% endif %}",
            "y",
        ),
        (
            "{{ '1_000' | plus: 1 }} {{ ' 12abc' | plus: 1 }} {{ '1__0' | plus: 0 }}",
            "1001 13 1",
        ),
        ("{{ 'abcdef' | slice: '0x2', '0b11' }}", "cde"),
        (
            "{{ f | sort: 'x' }}{{ f | compact: 'x' }}{{ t | sort | join }}",
            "true true",
        ),
        ("{{ m | compact: 'a' | size }}", "1"),
        (
            "{% for i in (1..4) %}{% cycle 1: 'a', 'b' %}{% cycle '1': 'c', 'd' %}{% endfor %}",
            "acbdacbd",
        ),
        (
            "{% tablerow i in (1..2) limit: 'x' %}{{ i }}{% endtablerow %}",
            "<tr class=\"row1\">\n</tr>\n",
        ),
        (
            "{{ 15.5 | round: -1 }} {{ 2.5 | round }} {{ -2.5 | round }} {{ 1.005 | round: 2 }}",
            "20 3 -3 1.01",
        ),
        (
            "{{ '2024-03-05T10:20:30.1234567Z' | date: '%3N %L %6N %-e %#p %#a %^b %::z' }}",
            "123 123 123456 5 am TUE MAR +00:00:00",
        ),
        (
            "{{ 0 | date: '%10Y|%-m|%_m|%010d|%e|%q|%' }}",
            "0000001970|1| 1|0000000001| 1|%q|%",
        ),
    ];
    for (source, wanted) in cases {
        assert_eq!(render(source, data), wanted, "{source}");
    }
}
