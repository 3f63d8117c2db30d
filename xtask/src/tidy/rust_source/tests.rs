//! The scanner must not mistake comments, strings, characters and lifetimes for one another.

use super::*;

fn literals(text: &str) -> Vec<String> {
    scan(text)
        .literals
        .into_iter()
        .map(|literal| literal.text)
        .collect()
}

#[test]
fn comments_are_neither_code_nor_literals() {
    let scanned = scan("a // \"no\" 'x\n/* b /* \"no\" */ c */ d");
    assert!(scanned.literals.is_empty(), "{:?}", scanned.literals);
    assert_eq!(
        scanned.code.split_whitespace().collect::<Vec<_>>(),
        ["a", "d"]
    );
}

#[test]
fn every_form_of_string_is_a_literal() {
    assert_eq!(literals(r#"f("a\"b", "c")"#), [r#"a\"b"#, "c"]);
    assert_eq!(
        literals(r###"f(r#"x "y" z"#, br"\", b"q", c"w")"###),
        ["x \"y\" z", "\\", "q", "w"]
    );
}

#[test]
fn literals_know_the_line_they_begin_on() {
    let scanned = scan("one\n\"two\nthree\"\n\"four\"");
    let lines: Vec<usize> = scanned
        .literals
        .iter()
        .map(|literal| literal.line)
        .collect();
    assert_eq!(lines, [2, 4]);
    assert_eq!(scanned.code.lines().count(), 4);
}

#[test]
fn quotes_in_characters_and_lifetimes_open_nothing() {
    assert_eq!(
        literals(r#"match c { '"' => "a", '\'' => "b", '\u{22}' => "c" }"#),
        ["a", "b", "c"]
    );
    assert_eq!(
        literals(r#"fn f<'a>(x: &'a str) -> &'a str { "d" }"#),
        ["d"]
    );
}

#[test]
fn unfinished_text_ends_the_scan_quietly() {
    for text in ["\"open", "r#\"open", "/* open", "'", "'\\", "r#"] {
        assert!(scan(text).code.len() <= text.len(), "{text}");
    }
}

#[test]
fn production_ends_at_the_test_module_with_a_body() {
    assert_eq!(production("a\n#[cfg(test)]\nmod tests {\nb\n}\n"), "a\n");
    assert_eq!(
        production("a\n#[cfg(test)]\n#[path = \"x\"]\nmod tests {\n"),
        "a\n"
    );
}

#[test]
fn production_goes_on_behind_other_test_items() {
    for text in [
        "#[cfg(test)]\nmod tests;\nb\n",
        "#[cfg(test)]\nuse x;\nb\n",
        "b\n",
    ] {
        assert_eq!(production(text), text);
    }
}

#[test]
fn test_files_are_known_by_their_place() {
    for path in [
        "crates/a/src/b/tests.rs",
        "crates/a/tests/it/main.rs",
        "crates/a/src/b/tests/c.rs",
    ] {
        assert!(is_test_path(path), "{path}");
    }
    for path in ["crates/testkit/src/lib.rs", "crates/a/src/contests.rs"] {
        assert!(!is_test_path(path), "{path}");
    }
}
