//! `{% connected_content URL :option value … %}`: live data in the middle of a template.
//!
//! The URL and the values of options are plain text with outputs inside, quoted or not. What is
//! constant is checked and put into the request when the template is compiled; the rest is compiled
//! to texts on the stack, in the order they are written. The machine then suspends.

mod options;
mod pieces;

use corkboard_core::connected::FetchRequest;

use crate::compiler::Compiler;
use crate::cursor::Cursor;
use crate::error::TemplateError;
use crate::op::Op;
use crate::program::FetchSite;
use crate::scan::{Span, Tag, output_end};
use crate::value::Value;

pub(crate) use self::options::Part;
pub(super) use self::pieces::{Piece, split, unquote};

/// How the machine puts a request together.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// What is the same for every render.
    pub(crate) constant: FetchRequest,
    /// What the texts on the stack are, bottom first.
    pub(crate) parts: Vec<Part>,
    /// Where the result goes; without `:save`, the variable `connected`.
    pub(crate) slot: u32,
    pub(crate) saved: bool,
    /// `:rerender`: the result is rendered once more.
    pub(crate) rerender: bool,
}

pub(super) fn start(c: &mut Compiler<'_>, tag: Tag) -> Result<(), TemplateError> {
    let mut request = Request {
        constant: FetchRequest::default(),
        parts: Vec::new(),
        slot: c.slot("connected")?,
        saved: false,
        rerender: false,
    };
    let line = c.line();
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
    let literal_url = !c.cut(url).contains("{{");
    if literal_url {
        c.cut(url).clone_into(&mut request.constant.url);
    } else {
        fragment(c, url)?;
        request.parts.push(Part::Url);
        let range = from..c.program.ops.len();
        c.program.urls.push(range);
    }
    options::compile(c, &mut request, pieces)?;
    c.program.sites.push(FetchSite {
        host: host(c.cut(url)),
        literal_url,
        method: request.constant.method,
        saved: request.saved,
        line,
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
pub(crate) fn host(url: &str) -> Option<String> {
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
