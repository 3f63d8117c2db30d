//! The shape of source files: a first line that says why, one idea, a name that says which.

use super::finding::Finding;
use super::rust_source::RustSource;

/// Longest production part of a file, in lines.
const MAX_LINES: usize = 500;
/// Names that say nothing about what is inside, and therefore collect everything.
const VAGUE_NAMES: &[&str] = &[
    "utils", "util", "helpers", "helper", "common", "misc", "stuff",
];

/// Checks one file's shape.
pub(crate) fn check(source: &RustSource<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut report = |rule, remedy: String| {
        findings.push(Finding::file(source.path, rule, remedy));
    };

    if !source.text.starts_with("//!") {
        report(
            "module-doc",
            "begin the file with a `//!` line that says why it exists".into(),
        );
    }
    let lines = source.production.lines().count();
    if lines > MAX_LINES {
        report(
            "file-length",
            format!("{lines} production lines, at most {MAX_LINES}: split it by idea"),
        );
    }
    let mut folders: Vec<&str> = source.path.split('/').collect();
    let name = folders.pop().unwrap_or_default();
    if name == "mod.rs" {
        report(
            "no-mod-rs",
            "move it to `foo.rs` beside the folder `foo/`".into(),
        );
    }
    let stem = name.trim_end_matches(".rs");
    if let Some(vague) = folders
        .into_iter()
        .chain([stem])
        .find(|part| VAGUE_NAMES.contains(part))
    {
        report(
            "vague-name",
            format!("name the thing instead of `{vague}` (`page.rs`, `retry.rs`)"),
        );
    }
    findings
}

/// How long the files are, in one line.
pub(crate) fn summary(sources: &[RustSource<'_>]) -> String {
    let mut lengths: Vec<usize> = sources
        .iter()
        .filter(|source| !source.is_test)
        .map(|source| source.production.lines().count())
        .collect();
    lengths.sort_unstable();
    let at = |percent: usize| {
        let last = lengths.len().saturating_sub(1);
        lengths
            .get(last * percent / 100)
            .copied()
            .unwrap_or_default()
    };
    let total: usize = lengths.iter().sum();
    format!(
        "tidy: {} production files, {total} lines; median {}, 90 % up to {}, longest {}",
        lengths.len(),
        at(50),
        at(90),
        at(100),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::TextFile;

    fn rules(path: &str, text: &str) -> Vec<&'static str> {
        let file = TextFile {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let source = RustSource::new(&file).expect("a Rust path");
        check(&source)
            .into_iter()
            .map(|finding| finding.rule)
            .collect()
    }

    #[test]
    fn a_file_must_begin_with_its_reason() {
        assert_eq!(rules("crates/a/src/b.rs", "use std::io;\n"), ["module-doc"]);
        assert!(rules("crates/a/src/b.rs", "//! Why.\n").is_empty());
    }

    #[test]
    fn only_production_lines_count_towards_the_limit() {
        let long = format!("//! Why.\n{}", "line\n".repeat(MAX_LINES));
        let tests = format!("//! Why.\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
        assert_eq!(rules("crates/a/src/b.rs", &long), ["file-length"]);
        assert!(rules("crates/a/src/b.rs", &tests).is_empty());
        assert!(rules("crates/a/src/b/tests.rs", &long).is_empty());
    }

    #[test]
    fn vague_names_and_mod_files_are_refused() {
        assert_eq!(rules("crates/a/src/utils.rs", "//! Why.\n"), ["vague-name"]);
        assert_eq!(
            rules("crates/a/tests/common/peer.rs", "//! Why.\n"),
            ["vague-name"]
        );
        assert_eq!(rules("crates/a/src/b/mod.rs", "//! Why.\n"), ["no-mod-rs"]);
    }

    #[test]
    fn summary_leaves_out_test_files() {
        let files = [
            ("a.rs", "1\n"),
            ("b.rs", "1\n2\n3\n"),
            ("tests/c.rs", "1\n2\n"),
        ]
        .map(|(path, text)| TextFile {
            path: path.to_owned(),
            text: text.to_owned(),
        });
        let sources: Vec<_> = files.iter().filter_map(RustSource::new).collect();
        assert_eq!(
            summary(&sources),
            "tidy: 2 production files, 4 lines; median 1, 90 % up to 1, longest 3"
        );
    }
}
