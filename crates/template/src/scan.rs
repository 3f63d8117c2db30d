//! Cuts a source into text, outputs and tags, in one pass from front to back.
//!
//! An output ends at the first `}}` and a tag at the first `%}`, as in Liquid, except that `${…}` of
//! the marketing dialect is stepped over, so that `{{${first_name}}}` ends where its author thinks.

use crate::error::TemplateError;

/// What Liquid strips: ASCII white space.
pub(crate) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

/// Part of the source, by offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    Text(Span),
    Output {
        markup: Span,
        at: usize,
    },
    Tag(Tag),
    /// The end of a `{% liquid %}` tag.
    LinesEnd {
        at: usize,
    },
}

/// `{% name markup %}`, or a line of a `{% liquid %}` tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) name: Span,
    pub(crate) markup: Span,
    /// Where the tag begins.
    pub(crate) at: usize,
}

#[derive(Debug)]
pub(crate) struct Scanner<'s> {
    source: &'s str,
    pos: usize,
    /// The last tag ended in `-%}` or `-}}`.
    trim: bool,
    /// Lines still to be read as tags, innermost last.
    lines: Vec<Span>,
}

fn unterminated(source: &str, what: &str, at: usize) -> TemplateError {
    TemplateError::syntax(format!("{what} is never closed")).at(source, at)
}

impl<'s> Scanner<'s> {
    pub(crate) fn new(source: &'s str) -> Self {
        Self {
            source,
            pos: 0,
            trim: false,
            lines: Vec::new(),
        }
    }

    pub(crate) fn next(&mut self) -> Result<Option<Token>, TemplateError> {
        if let Some(lines) = self.lines.last().copied() {
            return Ok(Some(self.next_line(lines)));
        }
        let Some(at) = self.find_markup(self.pos) else {
            let text = self.text(self.pos, self.source.len(), false);
            self.pos = self.source.len();
            return Ok(text.map(Token::Text));
        };
        let dash = self.source.as_bytes().get(at + 2) == Some(&b'-');
        if at > self.pos {
            let text = self.text(self.pos, at, dash);
            self.pos = at;
            if let Some(text) = text {
                return Ok(Some(Token::Text(text)));
            }
        }
        self.markup(at).map(Some)
    }

    /// Reads the lines of `{% liquid %}` as tags before going on.
    pub(crate) fn enter_lines(&mut self, markup: Span) {
        self.lines.push(markup);
    }

    /// Whether the tag just read was a line of `{% liquid %}`.
    pub(crate) fn in_lines(&self) -> bool {
        !self.lines.is_empty()
    }

    fn next_line(&mut self, lines: Span) -> Token {
        let text = &self.source[lines.start..lines.end];
        let start = lines.start + (text.len() - text.trim_start_matches(is_space).len());
        if start == lines.end {
            self.lines.pop();
            return Token::LinesEnd { at: lines.end };
        }
        let end = self.source[start..lines.end]
            .find('\n')
            .map_or(lines.end, |n| start + n);
        if let Some(rest) = self.lines.last_mut() {
            rest.start = end;
        }
        Token::Tag(self.tag(Span { start, end }, start))
    }

    /// The next `{{` or `{%`.
    fn find_markup(&self, from: usize) -> Option<usize> {
        let bytes = self.source.as_bytes();
        let mut at = from;
        while let Some(brace) = self.source[at..].find('{') {
            at += brace;
            if matches!(bytes.get(at + 1), Some(b'{' | b'%')) {
                return Some(at);
            }
            at += 1;
        }
        None
    }

    fn text(&mut self, start: usize, end: usize, trim_end: bool) -> Option<Span> {
        let mut span = Span { start, end };
        if std::mem::take(&mut self.trim) {
            let text = &self.source[start..end];
            span.start += text.len() - text.trim_start_matches(is_space).len();
        }
        if trim_end {
            span.end = span.start
                + self.source[span.start..end]
                    .trim_end_matches(is_space)
                    .len();
        }
        (span.start < span.end).then_some(span)
    }

    fn markup(&mut self, at: usize) -> Result<Token, TemplateError> {
        let is_tag = self.source.as_bytes()[at + 1] == b'%';
        let what = if is_tag {
            "this tag '{%'"
        } else {
            "this output '{{'"
        };
        let end = output_end(self.source, at + 2, if is_tag { *b"%}" } else { *b"}}" })
            .ok_or_else(|| unterminated(self.source, what, at))?;
        let markup = self.strip_dashes(Span { start: at + 2, end });
        self.pos = end + 2;
        if is_tag {
            Ok(Token::Tag(self.tag(markup, at)))
        } else {
            Ok(Token::Output { markup, at })
        }
    }

    fn strip_dashes(&mut self, mut markup: Span) -> Span {
        let bytes = self.source.as_bytes();
        if markup.start < markup.end && bytes[markup.start] == b'-' {
            markup.start += 1;
        }
        self.trim = bytes[markup.end - 1] == b'-';
        if self.trim && markup.start < markup.end {
            markup.end -= 1;
        }
        markup
    }

    fn tag(&self, markup: Span, at: usize) -> Tag {
        let text = &self.source[markup.start..markup.end];
        let start = markup.start + (text.len() - text.trim_start_matches(is_space).len());
        let rest = &self.source[start..markup.end];
        let length = if rest.starts_with('#') {
            1
        } else {
            rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(rest.len())
        };
        Tag {
            name: Span {
                start,
                end: start + length,
            },
            markup: Span {
                start: start + length,
                end: markup.end,
            },
            at,
        }
    }

    /// Everything up to `{% closing %}`, uninterpreted; goes on behind that tag.
    pub(crate) fn raw_until(&mut self, closing: &str) -> Result<Span, TemplateError> {
        let start = self.pos;
        let mut at = start;
        while let Some(found) = self.source[at..].find("{%") {
            at += found;
            if let Some((after, trim)) = self.closing_tag(at, closing) {
                self.pos = after;
                self.trim = trim;
                return Ok(Span { start, end: at });
            }
            at += 2;
        }
        Err(TemplateError::syntax(format!("'{{% {closing} %}}' is missing")).at(self.source, start))
    }

    /// Whether `{% name %}` stands at `at`: where it ends, and whether it trims what follows.
    fn closing_tag(&self, at: usize, name: &str) -> Option<(usize, bool)> {
        let rest = &self.source[at + 2..];
        let rest = rest
            .strip_prefix('-')
            .unwrap_or(rest)
            .trim_start_matches(is_space);
        let rest = rest.strip_prefix(name)?.trim_start_matches(is_space);
        let (rest, trim) = match rest.strip_prefix('-') {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let rest = rest.strip_prefix("%}")?;
        Some((self.source.len() - rest.len(), trim))
    }

    /// Steps over a comment: nested comments count, and `raw` inside hides its content.
    pub(crate) fn skip_comment(&mut self, at: usize) -> Result<(), TemplateError> {
        let mut depth = 1_usize;
        while depth > 0 {
            let (name, in_lines) = if let Some(lines) = self.lines.last().copied() {
                match self.next_line(lines) {
                    Token::Tag(tag) => (tag.name, true),
                    _ => return Err(unterminated(self.source, "this comment", at)),
                }
            } else {
                (self.next_tag_name(at)?, false)
            };
            match &self.source[name.start..name.end] {
                "comment" => depth += 1,
                "endcomment" => depth -= 1,
                "raw" if !in_lines => {
                    self.raw_until("endraw")?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn next_tag_name(&mut self, opened: usize) -> Result<Span, TemplateError> {
        let missing = || unterminated(self.source, "this comment", opened);
        let at = self.pos + self.source[self.pos..].find("{%").ok_or_else(missing)?;
        let end = at + 2 + self.source[at + 2..].find("%}").ok_or_else(missing)?;
        let markup = self.strip_dashes(Span { start: at + 2, end });
        self.pos = end + 2;
        Ok(self.tag(markup, at).name)
    }
}

/// Where the closing pair stands, stepping over `${…}` outside of quotes.
pub(crate) fn output_end(source: &str, from: usize, closing: [u8; 2]) -> Option<usize> {
    let bytes = source.as_bytes();
    let mut quote = None;
    let mut at = from;
    while at + 1 < bytes.len() {
        let pair = [bytes[at], bytes[at + 1]];
        if pair == closing {
            return Some(at);
        }
        match (pair[0], quote) {
            (b'\'' | b'"', None) => quote = Some(pair[0]),
            (byte, Some(open)) if byte == open => quote = None,
            (b'$', None) if pair[1] == b'{' => at += source[at..].find('}')?,
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(source: &str) -> Vec<String> {
        let mut scanner = Scanner::new(source);
        let mut found = Vec::new();
        while let Some(token) = scanner.next().unwrap() {
            let cut = |span: Span| &source[span.start..span.end];
            found.push(match token {
                Token::Text(span) => format!("text {}", cut(span)),
                Token::Output { markup, .. } => format!("output {}", cut(markup)),
                Token::Tag(tag) => format!("tag {}:{}", cut(tag.name), cut(tag.markup)),
                Token::LinesEnd { .. } => "end".to_owned(),
            });
        }
        found
    }

    #[test]
    fn braces_of_the_dialect_do_not_end_an_output() {
        assert_eq!(
            tokens("{{${first_name}}}!"),
            ["output ${first_name}", "text !"]
        );
        assert_eq!(
            tokens("{% if {{custom_attribute.${a b}}} == 1 %}"),
            ["tag if: {{custom_attribute.${a b}}} == 1 "]
        );
    }

    #[test]
    fn dashes_trim_the_text_beside_them() {
        assert_eq!(
            tokens("a {{- 1 -}} b {%- x -%}\n c"),
            ["text a", "output  1 ", "text b", "tag x: ", "text c"]
        );
    }

    #[test]
    fn a_lone_brace_is_text_and_an_open_tag_is_an_error() {
        assert_eq!(tokens("{ } }} %}"), ["text { } }} %}"]);
        assert!(Scanner::new("{{ x }").next().is_err());
        assert!(Scanner::new("{%-").next().is_err());
        assert!(Scanner::new("{{ ${x ").next().is_err());
    }
}
