//! Whatever text comes: compile and render end with a value.

use std::collections::BTreeMap;

use corkboard_core::connected::FetchResponse;
use corkboard_template::{Data, Limits, Machine, Partials, Scope, Step, Template};
use proptest::prelude::*;

/// Pieces that get deeper into the engine than random characters do.
const PIECES: &[&str] = &[
    "{{",
    "}}",
    "{%",
    "%}",
    "{%-",
    "-%}",
    "{{-",
    "-}}",
    "${",
    "}",
    "[",
    "]",
    "(",
    ")",
    "..",
    ".",
    ":",
    ",",
    "|",
    "'",
    "\"",
    " ",
    "\n",
    "#",
    "=",
    "==",
    "<",
    "contains",
    "and",
    "or",
    "in",
    "if",
    "elsif",
    "else",
    "endif",
    "unless",
    "endunless",
    "for",
    "endfor",
    "break",
    "continue",
    "case",
    "when",
    "endcase",
    "assign",
    "capture",
    "endcapture",
    "comment",
    "endcomment",
    "raw",
    "endraw",
    "doc",
    "enddoc",
    "liquid",
    "echo",
    "cycle",
    "increment",
    "decrement",
    "ifchanged",
    "tablerow",
    "endtablerow",
    "cols:",
    "endifchanged",
    "abort_message",
    "message_extras",
    ":key",
    ":value",
    "render",
    "include",
    "content_blocks",
    "'p'",
    "with",
    "as",
    "connected_content",
    "https://x.test/",
    ":save",
    ":headers",
    "limit:",
    "offset:",
    "reversed",
    "forloop",
    "a",
    "b",
    "user",
    "first",
    "size",
    "nil",
    "empty",
    "blank",
    "true",
    "0",
    "-1",
    "1.5",
    "99999999999999999999",
    "'%s'",
    "é",
    "🎉",
    "x ",
    "text",
    "append",
    "split",
    "join",
    "slice",
    "date",
    "round",
    "times",
    "divided_by",
    "modulo",
    "map",
    "where",
    "sort",
    "uniq",
    "concat",
    "truncate",
    "truncatewords",
    "replace",
    "strip_html",
    "escape_once",
    "url_decode",
    "base64_decode",
    "json",
    "default",
    "allow_false",
    "sum",
    "find",
    "json_parse",
    "time_zone",
    "money",
    "hmac_sha256",
    "property_accessor",
];

const DATA: &str =
    r#"{"a":[1,2.5,"x",null,{"b":"é"},[true]],"b":{"a":1,"size":"s"},"user":{"a":"A"}}"#;

fn exercise(source: &str) {
    let limits = Limits {
        fuel: 20_000,
        ..Limits::default()
    };
    // A partial that may call itself: the source, under a name.
    let partials = Partials {
        templates: BTreeMap::from([("p".to_owned(), source.to_owned())]),
        content_blocks: BTreeMap::from([("a".to_owned(), source.to_owned())]),
    };
    let Ok(template) = Template::compile_with(source, &partials, &limits) else {
        return;
    };
    assert!(template.variables().all(|name| !name.is_empty()));
    let data = Data::from_slice(DATA.as_bytes()).expect("JSON");
    let mut machine = Machine::start(&template, Scope::new().with_globals(data), &limits);
    while let Ok(Step::Fetch(_)) = machine.run() {
        if machine.resume(&FetchResponse::default()).is_err() {
            return;
        }
    }
    machine.take_output();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(2_000)))]

    #[test]
    fn any_text_ends_with_a_value(source in "\\PC{0,80}") {
        exercise(&source);
    }

    #[test]
    fn any_row_of_words_ends_with_a_value(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40),
        spaced in any::<bool>(),
    ) {
        exercise(&pieces.join(if spaced { " " } else { "" }));
    }

    #[test]
    fn any_expression_ends_with_a_value(
        pieces in prop::collection::vec(prop::sample::select(&PIECES[8..]), 0..12),
    ) {
        let inner = pieces.join(" ");
        exercise(&format!("{{{{ {inner} }}}}"));
        exercise(&format!("{{% if {inner} %}}x{{% else %}}y{{% endif %}}"));
        exercise(&format!("{{% assign v = {inner} %}}{{% for i in {inner} %}}{{{{ i }}}}{{% endfor %}}"));
        exercise(&format!("{{% connected_content https://x.test/ {inner} %}}"));
    }
}
