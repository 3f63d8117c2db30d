//! `{% connected_content URL :option value … %}`: live data in the middle of a template.
//!
//! The URL and the values of options are plain text with outputs inside, quoted or not. They are
//! compiled to texts on the stack, in the order they are written; the machine then suspends.

use corkboard_core::connected::FetchMethod;

use crate::compiler::Compiler;
use crate::cursor::Cursor;
use crate::error::{TemplateError, codes};
use crate::near::near;
use crate::op::Op;
use crate::program::FetchSite;
use crate::scan::{Span, Tag, is_space, output_end};
use crate::value::Value;

/// How the machine puts a request together.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: FetchMethod,
    /// What the texts on the stack are, bottom first.
    pub(crate) parts: Vec<Part>,
    pub(crate) no_cache: bool,
    /// Where the result goes; without `:save`, the variable `connected`.
    pub(crate) slot: u32,
    pub(crate) saved: bool,
    pub(crate) line: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Url,
    Headers,
    Body,
    ContentType,
    CacheMaxAge,
}

const OPTIONS: &[&str] = &[
    "save",
    "method",
    "headers",
    "body",
    "content_type",
    "cache_max_age",
    "no_cache",
];

/// Options of the dialect that this engine knows and refuses, so that nobody relies on them in vain.
const REFUSED: &[&str] = &[
    "retry",
    "retry_max",
    "rerender",
    "basic_auth",
    "auth_credentials",
    "timeout",
    "stale_if_error",
    "cache",
];

pub(super) fn start(c: &mut Compiler<'_>, tag: Tag) -> Result<(), TemplateError> {
    let mut request = Request {
        method: FetchMethod::Get,
        parts: Vec::new(),
        no_cache: false,
        slot: c.slot("connected")?,
        saved: false,
        line: c.line(),
    };
    let mut pieces = split(c.source, tag.markup).into_iter();
    let url = pieces
        .next()
        .map_or(tag.markup, |piece| unquote(c.source, piece.value));
    if url.start == url.end {
        return Err(TemplateError::syntax("'connected_content' needs a URL"));
    }
    if c.cut(url).starts_with(':') {
        return Err(TemplateError::syntax(
            "the URL of 'connected_content' stands before its options",
        ));
    }
    let from = c.program.ops.len();
    let literal_url = fragment(c, url)?;
    if !literal_url {
        let range = from..c.program.ops.len();
        c.program.urls.push(range);
    }
    request.parts.push(Part::Url);
    for piece in pieces {
        option(c, &mut request, piece)?;
    }
    c.program.sites.push(FetchSite {
        host: host(c.cut(url)),
        literal_url,
        method: request.method,
        saved: request.saved,
        line: request.line,
    });
    c.depends_on_data();
    let index = u32::try_from(c.program.requests.len()).unwrap_or(u32::MAX);
    let (slot, saved) = (request.slot, request.saved);
    c.program.requests.push(request);
    c.emit(Op::Fetch(index));
    if saved {
        c.assigns(slot);
    }
    Ok(())
}

fn option(c: &mut Compiler<'_>, request: &mut Request, piece: Piece) -> Result<(), TemplateError> {
    let name = c.cut(piece.name);
    let value = unquote(c.source, piece.value);
    let text = c.cut(value);
    let fail = |code, message: String| {
        Err(TemplateError::new(code, message).at(c.source, piece.name.start))
    };
    if text.is_empty() != (name == "no_cache") && OPTIONS.contains(&name) {
        let problem = if text.is_empty() {
            "needs a value"
        } else {
            "takes no value"
        };
        return fail(codes::SYNTAX_ERROR, format!("':{name}' {problem}"));
    }
    let one_word = !text.contains("{{") && text.contains(is_space);
    if one_word && matches!(name, "save" | "method" | "cache_max_age" | "content_type") {
        return fail(
            codes::SYNTAX_ERROR,
            format!("':{name}' takes one word, not '{text}'"),
        );
    }
    let part = match name {
        "save" => {
            let mut cursor = Cursor::tag(c.source, value);
            let name = cursor
                .target()
                .ok_or_else(|| cursor.unexpected("a name behind ':save'"))?;
            cursor.finish()?;
            request.slot = c.slot(name)?;
            request.saved = true;
            return Ok(());
        }
        "method" => {
            request.method = if text.eq_ignore_ascii_case("get") {
                FetchMethod::Get
            } else if text.eq_ignore_ascii_case("post") {
                FetchMethod::Post
            } else {
                let message = format!("':method' is get or post, not '{text}'");
                return fail(codes::UNSUPPORTED_OPTION, message);
            };
            return Ok(());
        }
        "no_cache" => {
            request.no_cache = true;
            return Ok(());
        }
        "headers" => Part::Headers,
        "body" => Part::Body,
        "content_type" => Part::ContentType,
        "cache_max_age" => Part::CacheMaxAge,
        refused if REFUSED.contains(&refused) => {
            let message = format!("'connected_content' does not support ':{refused}' here");
            return fail(codes::UNSUPPORTED_OPTION, message);
        }
        unknown => {
            let near = near(unknown, OPTIONS.iter().copied());
            let message = format!("'connected_content' has no option ':{unknown}'{near}");
            return fail(codes::UNSUPPORTED_OPTION, message);
        }
    };
    if request.parts.contains(&part) {
        return fail(codes::SYNTAX_ERROR, format!("':{name}' is given twice"));
    }
    fragment(c, value)?;
    request.parts.push(part);
    Ok(())
}

/// An option with its value; the first piece has no name and is the URL.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub(super) name: Span,
    pub(super) value: Span,
}

/// Splits at ` :name` outside of outputs. Inside the value of `:headers` and `:body`, whose text may
/// contain anything, only known names split.
pub(super) fn split(source: &str, markup: Span) -> Vec<Piece> {
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
            let known = OPTIONS.contains(&word) || REFUSED.contains(&word);
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

pub(super) fn unquote(source: &str, span: Span) -> Span {
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

/// Compiles text with outputs inside to one text on the stack. True when there were no outputs.
pub(super) fn fragment(c: &mut Compiler<'_>, span: Span) -> Result<bool, TemplateError> {
    let source = c.source;
    if !c.cut(span).contains("{{") {
        let text = c.source_text(c.cut(span));
        c.push(Value::Text(text));
        return Ok(true);
    }
    c.emit(Op::Capture);
    let mut at = span.start;
    while let Some(found) = source[at..span.end].find("{{") {
        let start = at + found;
        if start > at {
            c.emit(Op::Text(c.source_text(&source[at..start])));
        }
        let end = output_end(&source[..span.end], start + 2, *b"}}").ok_or_else(|| {
            TemplateError::syntax("this output '{{' is never closed").at(source, start)
        })?;
        let mut cursor = Cursor::output(
            source,
            Span {
                start: start + 2,
                end,
            },
        );
        c.print_expression(&mut cursor)?;
        at = end + 2;
    }
    if at < span.end {
        c.emit(Op::Text(c.source_text(&source[at..span.end])));
    }
    c.emit(Op::CapturePush);
    Ok(false)
}

/// Host and port at the front of a URL, when they end before any output.
fn host(url: &str) -> Option<String> {
    let (literal, whole) = match url.split_once("{{") {
        Some((front, _)) => (front, false),
        None => (url, true),
    };
    let (_, rest) = literal.split_once("://")?;
    let authority = match rest.find(['/', '?', '#']) {
        Some(end) => &rest[..end],
        None if whole => rest,
        None => return None,
    };
    let host = authority.rsplit('@').next().unwrap_or(authority);
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests;
