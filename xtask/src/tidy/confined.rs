//! What only some rooms may do: SQL belongs to the store, the environment to the composition root.

use super::finding::Finding;
use super::rust_source::{RustSource, scan};

/// The room that holds all SQL; what the origin says to a source that is not ours; and the benches,
/// which look at a server from outside.
const SQL_ROOMS: &[&str] = &[
    "crates/store/",
    "crates/origin/src/source",
    "crates/origin/src/hooks",
    "bench/",
];
/// Places that may read the environment: the composition root and developer tools.
const ENVIRONMENT_ROOMS: &[&str] = &["crates/corkboard/", "crates/testkit/", "xtask/"];
/// Ways to read the environment. `env!` is read by the compiler and stays free.
const ENVIRONMENT_CALLS: &[&str] = &["env::var(", "env::var_os(", "env::vars(", "env::vars_os("];

/// First words of a statement, and a word that must follow somewhere behind them: English prose
/// begins with "update" or "select", too.
const STATEMENTS: &[(&str, &str)] = &[
    ("SELECT", ""),
    ("select", " from "),
    ("INSERT INTO", ""),
    ("insert into", ""),
    ("INSERT OR", ""),
    ("UPDATE", " SET "),
    ("update", " set "),
    ("DELETE FROM", ""),
    ("delete from", ""),
    ("CREATE TABLE", ""),
    ("create table", ""),
    ("CREATE INDEX", ""),
    ("CREATE UNIQUE INDEX", ""),
    ("ALTER TABLE", ""),
    ("DROP TABLE", ""),
    ("PRAGMA", ""),
];

/// Checks one file's production part.
pub(crate) fn check(source: &RustSource<'_>) -> Vec<Finding> {
    let scanned = scan(source.production);
    let mut findings = Vec::new();

    if !SQL_ROOMS.iter().any(|room| source.path.starts_with(room)) {
        for literal in scanned
            .literals
            .iter()
            .filter(|literal| is_sql(&literal.text))
        {
            let remedy = "SQL lives in crates/store only: give the store trait a method for it";
            findings.push(Finding::line(
                source.path,
                literal.line,
                "sql-in-store",
                remedy,
            ));
        }
    }
    if !ENVIRONMENT_ROOMS
        .iter()
        .any(|room| source.path.starts_with(room))
    {
        for (number, line) in (1..).zip(scanned.code.lines()) {
            if ENVIRONMENT_CALLS.iter().any(|call| line.contains(call)) {
                let remedy = "only crates/corkboard reads the environment: take the value as an \
                              argument or through corkboard-config";
                findings.push(Finding::line(source.path, number, "environment", remedy));
            }
        }
    }
    findings
}

fn is_sql(literal: &str) -> bool {
    // Statements are wrapped at will, so any run of blanks (or a `\` at a line's end) is one space.
    let words: Vec<&str> = literal
        .split_whitespace()
        .filter(|word| *word != "\\")
        .collect();
    let statement = words.join(" ");
    STATEMENTS.iter().any(|(first, later)| {
        let rest = statement.strip_prefix(first);
        rest.is_some_and(|rest| rest.starts_with(' ') && rest.contains(later))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::TextFile;

    fn found(path: &str, text: &str) -> Vec<(usize, &'static str)> {
        let file = TextFile {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let source = RustSource::new(&file).expect("a Rust path");
        let findings = check(&source);
        findings
            .into_iter()
            .map(|finding| (finding.line.unwrap_or(0), finding.rule))
            .collect()
    }

    #[test]
    fn sql_is_found_outside_the_store_only() {
        let text = "fn f() {\n    run(\"SELECT 1\");\n}\n";
        assert_eq!(found("crates/api/src/a.rs", text), [(2, "sql-in-store")]);
        assert!(found("crates/store/src/a.rs", text).is_empty());
        assert!(found("crates/api/tests/it/main.rs", text).is_empty());
    }

    #[test]
    fn wrapped_and_lower_case_statements_are_found() {
        for statement in [
            "\n  UPDATE card\n  SET a = 1",
            "insert into card",
            "select a from b",
        ] {
            assert!(is_sql(statement), "{statement}");
        }
    }

    #[test]
    fn prose_and_http_methods_are_no_sql() {
        for text in [
            "select a feed",
            "update the card",
            "DELETE /v1/users",
            "UPDATED x SET y",
        ] {
            assert!(!is_sql(text), "{text}");
        }
    }

    #[test]
    fn reading_the_environment_is_found_outside_the_binary() {
        let text = "fn f() {\n    std::env::var(\"HOME\");\n}\n";
        assert_eq!(found("crates/config/src/a.rs", text), [(2, "environment")]);
        assert!(found("crates/corkboard/src/a.rs", text).is_empty());
        assert!(
            found(
                "crates/api/src/a.rs",
                "// env::var(\nconst V: &str = env!(\"V\");"
            )
            .is_empty()
        );
    }
}
