//! Words that must not stay in the tree: marks of unfinished work, paths of somebody's machine.

use super::finding::Finding;
use super::tree::TextFile;

// Spelled in two halves, so that this file passes its own check.
/// Marks of unfinished work. Finish it, or say in the docs what is not there.
const UNFINISHED: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("to", "do!("),
];
/// Left over from looking into something.
const DEBUGGING: &[&str] = &[concat!("db", "g!(")];
/// Beginnings of paths that exist on one machine only.
const MACHINE_PATHS: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("../sha", "red/"),
];

/// Checks one text, tests and documents included. Machine paths may serve tests as examples.
pub(crate) fn check(file: &TextFile) -> Vec<Finding> {
    let is_test = file.path.contains("/tests/") || file.path.ends_with("/tests.rs");
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(file.text.lines()) {
        let mut report = |rule, remedy: String| {
            findings.push(Finding::line(&file.path, number, rule, remedy));
        };
        if let Some(word) = first_of(UNFINISHED, line) {
            report(
                "unfinished",
                format!("`{word}`: finish it, or document what is missing"),
            );
        }
        if let Some(word) = first_of(DEBUGGING, line) {
            report(
                "debugging",
                format!("`{word}`: remove it; lasting insight goes to tracing"),
            );
        }
        if let Some(word) = first_of(MACHINE_PATHS, line).filter(|_| !is_test) {
            report(
                "machine-path",
                format!("`{word}`: use a path relative to the repository"),
            );
        }
    }
    findings
}

/// The first of `words` that stands in `line` on its own, not as a piece of a longer word or path.
fn first_of<'w>(words: &[&'w str], line: &str) -> Option<&'w str> {
    words.iter().copied().find(|word| {
        line.match_indices(word).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let after = line[at + word.len()..].chars().next();
            let open_ended = word.ends_with(|c: char| !c.is_alphanumeric());
            !joins(before) && (open_ended || !joins(after))
        })
    })
}

fn joins(neighbour: Option<char>) -> bool {
    neighbour.is_some_and(|c| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<&'static str> {
        let file = TextFile {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        check(&file)
            .into_iter()
            .map(|finding| finding.rule)
            .collect()
    }

    #[test]
    fn unfinished_work_is_found_in_code_and_documents() {
        let note = format!("// {}: later", UNFINISHED[0]);
        assert_eq!(rules("crates/a/src/b.rs", &note), ["unfinished"]);
        assert_eq!(rules("docs/b.md", &note), ["unfinished"]);
        assert_eq!(rules("crates/a/tests/it/b.rs", &note), ["unfinished"]);
    }

    #[test]
    fn left_over_debugging_is_found() {
        assert_eq!(
            rules("crates/a/src/b.rs", &format!("    {}x);", DEBUGGING[0])),
            ["debugging"]
        );
    }

    #[test]
    fn pieces_of_longer_words_are_left_alone() {
        let text = format!(
            "{}S MY_{} https://example.com{}x",
            UNFINISHED[0], UNFINISHED[1], MACHINE_PATHS[0]
        );
        assert!(rules("docs/b.md", &text).is_empty());
    }

    #[test]
    fn machine_paths_are_found_outside_tests() {
        for path in MACHINE_PATHS {
            let text = format!("see `{path}x`");
            assert_eq!(rules("README.md", &text), ["machine-path"], "{path}");
            assert!(rules("crates/a/src/b/tests.rs", &text).is_empty(), "{path}");
        }
    }
}
