//! A Rust file taken apart far enough for the checks: production part, bare code, string literals.
//!
//! This is a scanner, not a parser: it knows comments, strings and characters, so that a word in a
//! comment is not taken for code and code is not taken for a word.

use super::tree::TextFile;

/// A Rust file of the tree.
#[derive(Debug)]
pub(crate) struct RustSource<'a> {
    pub(crate) path: &'a str,
    pub(crate) text: &'a str,
    /// Whole file is tests: an integration test, or the child file of a tested module.
    pub(crate) is_test: bool,
    /// Up to the in-file test module; empty for a test file.
    pub(crate) production: &'a str,
}

/// A string literal's content as written, escapes and all.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Literal {
    /// Where it begins, counted from 1.
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// Code without comments and literals (blanks stand in, so lines keep their numbers), and the literals.
#[derive(Debug, Default)]
pub(crate) struct Scanned {
    pub(crate) code: String,
    pub(crate) literals: Vec<Literal>,
}

impl<'a> RustSource<'a> {
    /// `None` when the file is not Rust.
    pub(crate) fn new(file: &'a TextFile) -> Option<Self> {
        let path = file.path.as_str();
        path.ends_with(".rs").then(|| {
            let is_test = is_test_path(path);
            let production = if is_test { "" } else { production(&file.text) };
            Self {
                path,
                text: &file.text,
                is_test,
                production,
            }
        })
    }
}

fn is_test_path(path: &str) -> bool {
    path.ends_with("/tests.rs")
        || path
            .split('/')
            .any(|part| matches!(part, "tests" | "benches" | "fuzz"))
}

/// Cuts at the first top-level test module with a body.
fn production(text: &str) -> &str {
    const ATTRIBUTE: &str = "#[cfg(test)]\n";
    let mut from = 0;
    while let Some(found) = text[from..].find(ATTRIBUTE) {
        let at = from + found;
        from = at + ATTRIBUTE.len();
        let starts_line = at == 0 || text[..at].ends_with('\n');
        let item = text[from..].lines().find(|line| !line.starts_with("#["));
        let opens_module = item.is_some_and(|line| line.starts_with("mod ") && line.ends_with('{'));
        if starts_line && opens_module {
            return &text[..at];
        }
    }
    text
}

/// Takes a text apart.
pub(crate) fn scan(text: &str) -> Scanned {
    let mut scanned = Scanned::default();
    let mut rest = text;
    let mut line = 1;
    while let Some(next) = rest.chars().next() {
        let after_word = scanned
            .code
            .chars()
            .next_back()
            .is_some_and(|c| c.is_alphanumeric() || c == '_');
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment_length(rest)
        } else if let Some((length, literal)) = string_literal(rest, after_word) {
            scanned.literals.push(Literal {
                line,
                text: literal.to_owned(),
            });
            length
        } else if next == '\'' {
            char_literal_length(rest)
        } else {
            scanned.code.push(next);
            line += usize::from(next == '\n');
            rest = &rest[next.len_utf8()..];
            continue;
        };
        for character in rest[..length].chars() {
            scanned
                .code
                .push(if character == '\n' { '\n' } else { ' ' });
            line += usize::from(character == '\n');
        }
        rest = &rest[length..];
    }
    scanned
}

fn block_comment_length(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// The literal's whole length and its content. `after_word`: a prefix letter would belong to a name.
fn string_literal(text: &str, after_word: bool) -> Option<(usize, &str)> {
    let prefix = ["br", "cr", "r", "b", "c", ""]
        .into_iter()
        .find(|prefix| {
            let opened = text.strip_prefix(prefix);
            opened.is_some_and(|rest| rest.trim_start_matches('#').starts_with('"'))
        })
        .filter(|prefix| prefix.is_empty() || !after_word)?;
    let body = &text[prefix.len()..];
    let hashes = body.len() - body.trim_start_matches('#').len();
    let raw = prefix.ends_with('r');
    if hashes > 0 && !raw {
        return None;
    }
    let start = prefix.len() + hashes + 1;
    let close = format!("\"{}", "#".repeat(hashes));
    let content = &text[start..];
    let length = if raw {
        content.find(&close)
    } else {
        unescaped_quote(content)
    };
    let length = length.unwrap_or(content.len());
    Some((
        (start + length + close.len()).min(text.len()),
        &content[..length],
    ))
}

fn unescaped_quote(content: &str) -> Option<usize> {
    let mut escaped = false;
    content.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

/// Length of a character literal, or of the lone quote that begins a lifetime.
fn char_literal_length(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match (characters.next(), characters.next()) {
        (Some((_, '\\')), Some((at, escaped))) => {
            let tail = at + escaped.len_utf8();
            text[tail..]
                .find('\'')
                .map_or(text.len(), |found| tail + found + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

#[cfg(test)]
mod tests;
