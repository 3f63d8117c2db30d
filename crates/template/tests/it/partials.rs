//! Templates inside templates: `render`, `include` and content blocks.

use std::collections::BTreeMap;

use corkboard_template::{Limits, Machine, Partials, Step, Template, TemplateError};

use crate::support::scope;

fn named(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(name, source): &(&str, &str)| ((*name).to_owned(), (*source).to_owned());
    pairs.iter().map(owned).collect()
}

fn run(source: &str, partials: &Partials, data: &str) -> Result<String, TemplateError> {
    let limits = Limits::default();
    let template = Template::compile_with(source, partials, &limits)?;
    let mut machine = Machine::start(&template, scope(data), &limits);
    match machine.run()? {
        Step::Done => Ok(machine.take_output()),
        other => panic!("{source}: {other:?}"),
    }
}

fn with(templates: &[(&str, &str)], source: &str, data: &str) -> Result<String, TemplateError> {
    let partials = Partials {
        templates: named(templates),
        ..Partials::default()
    };
    run(source, &partials, data)
}

fn blocks(content_blocks: &[(&str, &str)], source: &str) -> Result<String, TemplateError> {
    let partials = Partials {
        content_blocks: named(content_blocks),
        ..Partials::default()
    };
    run(source, &partials, r#"{"user":{"name":"Ada"}}"#)
}

#[test]
fn a_render_sees_data_and_arguments_but_no_variables() {
    let p = [(
        "p",
        "[{{ x }}{{ y }}{{ d }}]{% assign x = 9 %}{% assign z = 1 %}",
    )];
    let source = "{% assign x = 1 %}{% render 'p', y: x %}{{ x }}{{ z }}";
    assert_eq!(with(&p, source, r#"{"d":"D"}"#).as_deref(), Ok("[1D]1"));
}

#[test]
fn an_include_shares_variables_but_its_arguments_end_with_it() {
    let p = [("p", "[{{ x }}{{ y }}]{% assign z = 1 %}")];
    let source = "{% assign x = 1 %}{% include 'p', y: 2 %}{{ y }}{{ z }}";
    assert_eq!(with(&p, source, "{}").as_deref(), Ok("[12]1"));
}

#[test]
fn a_collection_is_gone_through_item_by_item() {
    let p = [
        ("a/p", "{{ forloop.index }}{{ p }};"),
        ("q", "{{ forloop.name }}{{ i[0] }};"),
    ];
    let data = r#"{"l":["x","y"],"m":{"k":1}}"#;
    let cases = [
        ("{% render 'a/p' for l %}", "1x;2y;"),
        ("{% render 'a/p' with l %}", "xy;"),
        ("{% render 'a/p' for (3..4) %}", "13;24;"),
        ("{% render 'a/p' for nosuch %}|", ";|"),
        ("{% render 'a/p' for 'one' %}", "one;"),
        ("{% render 'q' for m as i %}", "qk;"),
        ("{% include 'a/p' for l %}", "x;y;"),
        ("{% include 'a/p' with l %}", "x;y;"),
        ("{% include 'a/p' with p: 7, x: 1 %}", ";"),
        ("{% render 'a/p' with p: 7 %}", "7;"),
        ("{% assign p = l %}{% include 'a/p' %}", ";"),
    ];
    for (source, wanted) in cases {
        assert_eq!(with(&p, source, data).as_deref(), Ok(wanted), "{source}");
    }
}

#[test]
fn break_leaves_the_callers_loop_through_an_include_but_not_through_a_render() {
    let p = [
        ("b", "b{% break %}x"),
        ("c", "{% if i == 1 %}{% continue %}{% endif %}c"),
        ("bb", "{% include 'b' %}y"),
    ];
    let over = |body: &str| format!("{{% for i in (1..3) %}}{{{{ i }}}}{body}.{{% endfor %}}!");
    let cases = [
        ("{% include 'b' %}", "1b!"),
        ("{% include 'bb' %}", "1b!"),
        ("{% include 'c' %}", "12c.3c.!"),
        ("{% include 'b' for l %}", "1b!"),
        ("{% capture x %}{% include 'b' %}{% endcapture %}", "1!"),
        ("{% render 'b' %}", "1b.2b.3b.!"),
        ("{% render 'b' for l %}", "1bb.2bb.3bb.!"),
    ];
    for (body, wanted) in cases {
        assert_eq!(
            with(&p, &over(body), r#"{"l":[1,2]}"#).as_deref(),
            Ok(wanted),
            "{body}"
        );
    }
    assert_eq!(with(&p, "a{% include 'b' %}z", "{}").as_deref(), Ok("ab"));
}

#[test]
fn counters_and_groups_of_a_render_are_its_own() {
    let p = [("p", "{% increment n %}{% cycle 'a', 'b' %}")];
    let source = "{% increment n %}{% render 'p' %}{% render 'p' %}{% include 'p' %}{% include 'p' %}{% increment n %}";
    assert_eq!(with(&p, source, "{}").as_deref(), Ok("00a0a1a2b3"));
}

#[test]
fn a_partial_that_runs_inside_itself_ends() {
    let count = [(
        "p",
        "{{ n }}{% if n > 0 %}{% assign m = n | minus: 1 %}{% render 'p', n: m %}{{ n }}{% endif %}",
    )];
    assert_eq!(
        with(&count, "{% render 'p', n: 3 %}", "{}").as_deref(),
        Ok("3210123")
    );
    let nested = [(
        "p",
        "{% case n %}{% when 2 %}{% include 'p', n: 1 %}two{% when 1 %}one{% endcase %}",
    )];
    assert_eq!(
        with(&nested, "{% include 'p', n: 2 %}", "{}").as_deref(),
        Ok("onetwo")
    );
    for tag in ["render", "include"] {
        let endless = [("p", format!("{{% {tag} 'p' %}}"))];
        let endless = [("p", endless[0].1.as_str())];
        let error = with(&endless, &format!("{{% {tag} 'p' %}}"), "{}").expect_err("no end");
        assert_eq!(error.code, "nesting_too_deep");
    }
    let fork = [("p", "{% render 'p' for (1..9) %}")];
    let error = with(&fork, "{% render 'p' %}", "{}").expect_err("no end");
    assert_eq!(error.code, "nesting_too_deep");
}

#[test]
fn a_computed_name_is_resolved_when_it_is_known() {
    let p = [
        ("one", "1{{ one }}"),
        ("a/two", "2{{ two }}"),
        ("bad", "{% if %}"),
    ];
    let source = "{% for n in l %}{% include n with 7 %},{% endfor %}";
    assert_eq!(
        with(&p, source, r#"{"l":["one","a/two"]}"#).as_deref(),
        Ok("17,27,")
    );
    for (name, code) in [
        (r#""nosuch""#, "unknown_partial"),
        (r#""bad""#, "syntax_error"),
        ("5", "invalid_value"),
    ] {
        let error = with(&p, source, &format!(r#"{{"l":[{name}]}}"#)).expect_err(name);
        assert_eq!(error.code, code, "{name}");
    }
}

#[test]
fn mistakes_around_partials_are_found_when_compiling() {
    let p = [
        ("header", "x"),
        ("bad", "a\n {{ b | nope }}"),
        ("worse", "{% render 'bad' %}"),
    ];
    let error = with(&p, "{% render 'haeder' %}", "{}").expect_err("no such partial");
    assert_eq!(error.code, "unknown_partial");
    assert_eq!(
        error.message,
        "there is no partial 'haeder'; did you mean 'header'?"
    );
    for source in [
        "\n\n{% render 'bad' %}",
        "{% if false %}{% render 'worse' %}{% endif %}",
    ] {
        let error = with(&p, source, "{}").expect_err("a partial is broken");
        assert_eq!(
            (error.code, error.line, error.column),
            ("unknown_filter", 2, 9)
        );
        assert!(error.message.ends_with("(in 'bad')"), "{}", error.message);
    }
    for source in [
        "{% render header %}",
        "{% render %}",
        "{% include %}",
        "{% include 5 %}",
        "{% render 'header' with %}",
        "{% render 'header', a %}",
        "{% render 'header' as %}",
    ] {
        assert_eq!(
            with(&p, source, "{}").expect_err(source).code,
            "syntax_error",
            "{source}"
        );
    }
}

#[test]
fn an_error_inside_a_partial_names_it_and_its_line() {
    let p = [
        ("p", "a\n{{ 1 | divided_by: 0 }}"),
        ("q", "{% render 'p' %}"),
        ("i", "{% include 'p' %}"),
    ];
    let error = with(&p, "\n\n\n{% render 'q' %}", "{}").expect_err("a division by zero");
    assert_eq!(
        (error.code, error.line, error.column),
        ("zero_division", 2, 1)
    );
    assert_eq!(error.message, "divided by zero (in 'p')");
    let error = with(&p, "{% render 'i' %}", "{}").expect_err("not there");
    assert_eq!(error.code, "invalid_value");
}

#[test]
fn many_large_partials_are_refused() {
    let big = "x".repeat(60_000);
    let names: Vec<String> = (0..30).map(|i| format!("p{i}")).collect();
    let p: Vec<(&str, &str)> = names
        .iter()
        .map(|name| (name.as_str(), big.as_str()))
        .collect();
    let all: String = names
        .iter()
        .map(|name| format!("{{% render '{name}' %}}"))
        .collect();
    assert_eq!(
        with(&p, &all, "{}").expect_err("too much").code,
        "source_too_large"
    );
    assert_eq!(
        with(&p, "{% render 'p7' %}", "{}").map(|output| output.len()),
        Ok(60_000)
    );
}

#[test]
fn content_blocks_run_in_place_one_level_deep() {
    let b = [
        ("greeting", "Hi {{ user.name }}{% assign seen = 'yes' %}"),
        ("with spaces", "[{{ content_blocks.${greeting} }}]"),
    ];
    assert_eq!(
        blocks(&b, "{{content_blocks.${greeting}}}! {{ seen }}").as_deref(),
        Ok("Hi Ada! yes")
    );
    assert_eq!(
        blocks(&b, "{{ content_blocks.greeting | upcase }}").as_deref(),
        Ok("HI ADA")
    );
    assert_eq!(
        blocks(&b, "a{{ content_blocks.${with spaces} }}z").as_deref(),
        Ok("a[]z")
    );
    let compared = "{% if content_blocks.${greeting} contains 'Ada' %}y{% endif %}";
    assert_eq!(blocks(&b, compared).as_deref(), Ok("y"));
    let error = blocks(&b, "{{content_blocks.${greting}}}").expect_err("no such block");
    assert_eq!(error.code, "unknown_partial");
    assert!(error.message.contains("'greeting'"), "{}", error.message);
}

#[test]
fn the_content_blocks_a_source_wants_are_known_beforehand() {
    let source = "{{content_blocks.${b}}}{{ content_blocks.a | upcase }}{{ user.name }}";
    let template = Template::compile(source, &Limits::default()).expect("compiles");
    assert_eq!(template.content_blocks().collect::<Vec<_>>(), ["a", "b"]);
}
