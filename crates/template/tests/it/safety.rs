//! Inputs made to kill the process. Each ends in time, with output or a clean error, on a small
//! stack.

use std::time::{Duration, Instant};

use corkboard_template::{Limits, TemplateError};

use crate::support::render_with;

/// What a worker thread has.
const STACK: usize = 2 << 20;
/// Far more than any input needs in an unoptimised build on a busy machine; optimised ones take
/// milliseconds. A hang fails here.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sources of any length, so that the other limits are what is tested.
fn long() -> Limits {
    Limits {
        source_bytes: 16 << 20,
        output_bytes: 1 << 20,
        deadline: Duration::from_secs(60),
        ..Limits::default()
    }
}

fn long_values() -> Limits {
    Limits {
        value_bytes: 64 << 20,
        ..long()
    }
}

fn try_in_small_stack(
    source: String,
    data: &'static str,
    limits: Limits,
) -> Result<String, TemplateError> {
    let shown: String = source.chars().take(60).collect();
    #[expect(
        clippy::disallowed_methods,
        reason = "measures a thread outside of any runtime"
    )]
    let started = Instant::now();
    let outcome = std::thread::Builder::new()
        .stack_size(STACK)
        .spawn(move || render_with(&source, data, &limits))
        .expect("a thread starts")
        .join()
        .unwrap_or_else(|_| panic!("{shown}: panicked"));
    assert!(
        started.elapsed() < PATIENCE,
        "{shown}: took {:?}",
        started.elapsed()
    );
    outcome
}

fn code(source: impl Into<String>) -> &'static str {
    match try_in_small_stack(source.into(), "{}", long()) {
        Ok(output) => panic!("rendered {} bytes", output.len()),
        Err(error) => error.code,
    }
}

fn output(source: impl Into<String>) -> String {
    try_in_small_stack(source.into(), "{}", long()).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn huge_ranges_are_never_expanded() {
    assert_eq!(
        code("{% for i in (1..1000000000) %}{% endfor %}"),
        "out_of_fuel"
    );
    assert_eq!(code("{{ (1..1000000000) | join: ',' }}"), "out_of_fuel");
    assert_eq!(
        code("{{ (-9223372036854775808..9223372036854775807) | sort | first }}"),
        "out_of_fuel"
    );
    let edges = "(-9223372036854775808..9223372036854775807)";
    assert_eq!(
        output(format!("{{{{ {edges} | first }}}}")),
        "-9223372036854775808"
    );
    assert_eq!(
        output(format!(
            "{{% for i in {edges} limit: 1 %}}{{{{ i }}}}{{% endfor %}}"
        )),
        "-9223372036854775808"
    );
    assert_eq!(
        output(format!(
            "{{% for i in {edges} reversed limit: 2 offset: 9223372036854775806 %}}{{{{ i }}}},{{% endfor %}}"
        )),
        "-1,-2,"
    );
}

#[test]
fn loops_without_a_body_cost_fuel_too() {
    let nested = "{% for a in (1..2000) %}{% for b in (1..2000) %}{% for c in (1..2000) %}";
    assert_eq!(
        code(format!("{nested}{}", "{% endfor %}".repeat(3))),
        "out_of_fuel"
    );
}

#[test]
fn nesting_is_an_error_and_never_a_stack() {
    for depth in [101, 1_500, 20_000, 100_000] {
        for block in [
            "if true",
            "for i in (1..2)",
            "unless false",
            "case 1",
            "capture x",
        ] {
            assert_eq!(
                code(format!("{{% {block} %}}").repeat(depth)),
                "nesting_too_deep",
                "{block} x {depth}"
            );
        }
    }
    let hundred = format!(
        "{}x{}",
        "{% if true %}".repeat(100),
        "{% endif %}".repeat(100)
    );
    assert_eq!(output(hundred), "x");
    assert_eq!(
        code(format!("{{{{ {} }}}}", "a[".repeat(20_000))),
        "nesting_too_deep"
    );
    assert_eq!(
        code(format!("{{{{ {} }}}}", "[".repeat(100_000))),
        "nesting_too_deep"
    );
    assert_eq!(
        code(format!("{{% if {} %}}", "(".repeat(100_000))),
        "syntax_error"
    );
    assert_eq!(
        output(format!("{{% {}echo 1 %}}", "liquid ".repeat(50_000))),
        "1"
    );
    assert_eq!(code("{% comment %}".repeat(50_000)), "syntax_error");
}

#[test]
fn long_chains_are_flat() {
    let chain = |word: &str| {
        format!(
            "{{% if true{} %}}y{{% endif %}}",
            format!(" {word} true").repeat(20_000)
        )
    };
    assert_eq!(output(chain("and")), "y");
    assert_eq!(output(chain("or")), "y");
    assert_eq!(
        output(format!("{{{{ 'a'{} }}}}", " | upcase".repeat(20_000))),
        "A"
    );
    assert_eq!(output(format!("{{{{ a{} }}}}", ".b".repeat(50_000))), "");
    let elsifs = format!(
        "{{% if false %}}{}{{% else %}}z{{% endif %}}",
        "{% elsif false %}a".repeat(20_000)
    );
    assert_eq!(output(elsifs), "z");
    assert_eq!(
        code(format!("{{{{ 'a' | slice: {} }}}}", "1,".repeat(100_000))),
        "wrong_arguments"
    );
}

#[test]
fn white_space_is_read_in_linear_time() {
    for white in [" ", "\n", "\t \n"] {
        let white = white.repeat(200_000);
        assert_eq!(output(format!("a{white}{{{{- 'b' -}}}}{white}c")), "abc");
        assert_eq!(
            output(format!("{{{{{white}'b'{white}|{white}upcase{white}}}}}")),
            "B"
        );
        assert_eq!(
            output(format!(
                "{{% if{white}true{white}%}}y{{%{white}endif{white}%}}"
            )),
            "y"
        );
    }
    assert_eq!(output("{ ".repeat(200_000)).len(), 400_000);
    assert_eq!(code("{{".repeat(200_000)), "syntax_error");
    assert_eq!(code("{%".repeat(200_000)), "syntax_error");
    assert_eq!(
        code(format!("{{% raw %}}{}", "{% ".repeat(100_000))),
        "syntax_error"
    );
    assert_eq!(
        code(format!("{{{{ {} }}}}", "${".repeat(100_000))),
        "syntax_error"
    );
    assert_eq!(
        code(format!(
            "{{% connected_content {} %}}",
            ":a ".repeat(100_000)
        )),
        "syntax_error"
    );
    assert_eq!(
        code(format!(
            "{{% connected_content x {} %}}",
            "{{".repeat(100_000)
        )),
        "syntax_error"
    );
}

#[test]
fn growth_is_bounded() {
    let doubling = "{% assign s = 'xxxxxxxxxxxxxxxx' %}{% for i in (1..60) %}{% assign s = s | append: s %}{% endfor %}";
    assert_eq!(code(doubling), "memory_limit");
    let replacing = "{% assign s = 'xxxxxxxxxxxxxxxx' %}{% for i in (1..60) %}{% assign s = s | replace: 'x', s %}{% endfor %}";
    assert_eq!(code(replacing), "memory_limit");
    let lists = "{% assign l = 'a,b,c,d' | split: ',' %}{% for i in (1..60) %}{% assign l = l | concat: l %}{% endfor %}";
    assert_eq!(code(lists), "memory_limit");
    let captured = "{% capture s %}xxxxxxxxxx{% endcapture %}{% for i in (1..60) %}{% capture s %}{{ s }}{{ s }}{% endcapture %}{% endfor %}";
    assert!(["memory_limit", "output_too_large"].contains(&code(captured)));
    assert_eq!(
        code("{% for i in (1..200000) %}0123456789{% endfor %}"),
        "output_too_large"
    );
    let cycles = "{% for i in (1..200000) %}{% cycle i: 1, 2 %}{% endfor %}";
    assert!(["memory_limit", "out_of_fuel"].contains(&code(cycles)));
    assert_eq!(
        code("{% assign l = (1..200000) | join: ' ' | split: ' ' | uniq %}"),
        "memory_limit"
    );
    assert_eq!(
        code("{% assign l = (1..20000) | join: ' ' | split: ' ' | uniq %}"),
        "out_of_fuel"
    );
    assert_eq!(
        code("{{ 1 | date: '%999999999Y' | append: '%' }}{% for i in (1..9999999) %}{% endfor %}"),
        "out_of_fuel"
    );
}

#[test]
fn quadratic_filters_do_not_exist() {
    let data: &'static str = format!(
        r#"{{"s":"{}","t":"{}"}}"#,
        "<script".repeat(60_000),
        "&a".repeat(200_000)
    )
    .leak();
    let limits = Limits {
        output_bytes: 16 << 20,
        value_bytes: 64 << 20,
        ..long()
    };
    for source in [
        "{{ s | strip_html | size }}",
        "{{ t | escape_once | size }}",
        "{{ s | truncatewords: 3 | size }}",
        "{{ s | replace: '<script<', 'x' | size }}",
    ] {
        try_in_small_stack(source.to_owned(), data, limits)
            .unwrap_or_else(|e| panic!("{source}: {e}"));
    }
}

#[test]
fn work_that_prints_nothing_costs_fuel_too() {
    let empties = format!(r#"{{"l":[{}""]}}"#, "\"\",".repeat(50_000)).leak();
    let long = format!(
        r#"{{"s":"{}","l":["{}"]}}"#,
        "a".repeat(500_000),
        "a".repeat(500_001)
    )
    .leak();
    for (expression, data) in [
        ("{{ l }}", &*empties),
        ("{% assign x = l | json | size %}", empties),
        (
            "{% if l == l2 %}{% endif %}{% assign n = l | where: 'x' %}",
            empties,
        ),
        ("{% if s contains 'b' %}{% endif %}", long),
        ("{% assign n = s.size %}", long),
        (
            "{% assign n = s | slice: 1, 400000 %}{% assign m = s | slice: 2, 400000 %}{% if n == m %}{% endif %}",
            long,
        ),
        ("{{ [s] }}", long),
        ("{% assign n = l | where: 'b' %}", long),
        ("{% cycle s: '' %}", long),
    ] {
        let source = format!("{{% for i in (1..100000000) %}}{expression}{{% endfor %}}");
        let error = try_in_small_stack(source, data, long_values()).expect_err(expression);
        assert!(
            ["out_of_fuel", "memory_limit"].contains(&error.code),
            "{expression}: {error}"
        );
    }
}

#[test]
fn sorting_long_texts_is_paid_for_in_advance() {
    let data = format!(r#"{{"s":"{}"}}"#, "a".repeat(500_000)).leak();
    let source = "{% assign l = s | split: '!' %}{% for i in (1..12) %}{% assign l = l | concat: l %}{% endfor %}\
                  {{ l | sort | size }}";
    let error = try_in_small_stack(source.to_owned(), data, long_values()).expect_err("too much");
    assert_eq!(error.code, "out_of_fuel");
}

#[test]
fn odd_numbers_end_cleanly() {
    for source in [
        "{{ 99999999999999999999 }}",
        "{{ -9223372036854775808 | divided_by: -1 }}",
        "{{ -9223372036854775808 | modulo: -1 }}",
        "{{ 9223372036854775807 | times: 9223372036854775807 | times: 9223372036854775807 | times: 9 }}",
        "{{ '1e400' | times: 2.5 }}{{ 1.5 | round: 9223372036854775807 }}{{ 15 | round: -9223372036854775808 }}",
        "{{ 0.1 | times: 0.000000000000000000000000000000001 | ceil }}",
        "{{ 'abc' | slice: -9223372036854775808, 9223372036854775807 }}",
        "{{ 'abc' | truncate: 9223372036854775807 }}{{ 'a b' | truncatewords: -9223372036854775808 }}",
        "{{ 9223372036854775807 | date: '%Y' }}{{ -9223372036854775808 | date: '%Y' }}",
        "{% for i in (1..3) limit: -9223372036854775808 offset: -9223372036854775808 %}{% endfor %}",
        "{% for i in (1..3) offset: 9223372036854775807 limit: 9223372036854775807 %}{% endfor %}",
        "{% tablerow i in (1..3) cols: 0 %}{{ i }}{% endtablerow %}",
        "{% tablerow i in (1..3) cols: -9223372036854775808 %}{{ i }}{{ tablerowloop.col0 }}{% endtablerow %}",
        "{% tablerow i in (1..3) cols: 9223372036854775807 %}{{ i }}{% endtablerow %}",
        "{{ a[-9223372036854775808] }}{{ 5 | at_most: 'x' }}",
    ] {
        output(source);
    }
    assert_eq!(code("{{ 1 | divided_by: 0 }}"), "zero_division");
    assert_eq!(code("{{ 1.5 | modulo: 0.0 }}"), "zero_division");
    assert_eq!(code("{{ 'abc' | slice: 2.5 }}"), "invalid_value");
}

#[test]
fn the_deadline_counts_computing() {
    let limits = Limits {
        fuel: u64::MAX,
        deadline: Duration::from_millis(20),
        ..long()
    };
    let source = "{% for i in (1..1000000000) %}{% endfor %}".to_owned();
    let error = try_in_small_stack(source, "{}", limits).expect_err("never ends otherwise");
    assert_eq!(error.code, "deadline_exceeded");
}
