//! Cutting the markup of the tag into its URL and its options.

use super::options;
use crate::scan::{Span, is_space, output_end};

/// An option with its value; the first piece has no name and is the URL.
#[derive(Debug, Clone, Copy)]
pub(in crate::tags) struct Piece {
    pub(in crate::tags) name: Span,
    pub(in crate::tags) value: Span,
}

/// Splits at ` :name` outside of outputs. Inside the value of `:headers` and `:body`, whose text may
/// contain anything, only known names split.
pub(in crate::tags) fn split(source: &str, markup: Span) -> Vec<Piece> {
    let bytes = source.as_bytes();
    let mut pieces = Vec::new();
    let mut name = Span {
        start: markup.start,
        end: markup.start,
    };
    let mut value = markup.start;
    let mut at = markup.start;
    while at < markup.end {
        if bytes[at] == b'{' && source[at..markup.end].starts_with("{{") {
            at =
                output_end(&source[..markup.end], at + 2, *b"}}").map_or(markup.end, |end| end + 2);
            continue;
        }
        let begins_word = at == markup.start || is_space(bytes[at - 1].into());
        if bytes[at] == b':' && begins_word {
            let word = &source[at + 1..markup.end];
            let length = word
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(word.len());
            let ends = word[length..].chars().next().is_none_or(is_space);
            let word = &word[..length];
            let free_text = matches!(&source[name.start..name.end], "headers" | "body");
            let known = options::is_known(word);
            if ends && length > 0 && (known || !free_text) {
                pieces.push(Piece {
                    name,
                    value: trim(
                        source,
                        Span {
                            start: value,
                            end: at,
                        },
                    ),
                });
                name = Span {
                    start: at + 1,
                    end: at + 1 + length,
                };
                value = name.end;
                at = value;
                continue;
            }
        }
        at += 1;
    }
    pieces.push(Piece {
        name,
        value: trim(
            source,
            Span {
                start: value,
                end: markup.end,
            },
        ),
    });
    pieces
}

fn trim(source: &str, span: Span) -> Span {
    let text = &source[span.start..span.end];
    let start = span.start + text.len() - text.trim_start_matches(is_space).len();
    let end = start + source[start..span.end].trim_end_matches(is_space).len();
    Span { start, end }
}

pub(in crate::tags) fn unquote(source: &str, span: Span) -> Span {
    let text = &source[span.start..span.end];
    let quoted = text.len() >= 2
        && ["'", "\""].iter().any(|quote| {
            text.strip_prefix(quote)
                .and_then(|t| t.strip_suffix(quote))
                .is_some_and(|inner| !inner.contains(quote))
        });
    if quoted {
        Span {
            start: span.start + 1,
            end: span.end - 1,
        }
    } else {
        span
    }
}
