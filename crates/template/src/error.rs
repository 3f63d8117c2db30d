//! What can go wrong with a template, as one shape with a stable code.
//!
//! Compile errors and run-time errors share it, because both are shown to the same author in the
//! same place: a sentence, a line and a column.

/// Most characters of a line that an excerpt shows.
const EXCERPT: usize = 100;

/// A template that does not compile, or a render that cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (line {line}, column {column})")]
pub struct TemplateError {
    /// Stable, snake case: what programs switch on. See [`codes`].
    pub code: &'static str,
    /// One sentence for the author, without position.
    pub message: String,
    /// Counted from 1.
    pub line: u32,
    /// Counted from 1, in characters.
    pub column: u32,
}

impl TemplateError {
    /// An error whose position is filled in by whoever knows it.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            line: 0,
            column: 0,
        }
    }

    pub(crate) fn syntax(message: impl Into<String>) -> Self {
        Self::new(codes::SYNTAX_ERROR, message)
    }

    /// Says that the position lies inside a partial.
    pub(crate) fn inside(mut self, partial: &str) -> Self {
        self.message = format!("{} (in '{partial}')", self.message);
        self
    }

    /// The line of the source that the error lies in, with a caret below its column, for terminals and
    /// other fixed-width places. Of a long line only the part around the column. Empty when the
    /// position is none of this source's.
    #[must_use]
    pub fn excerpt(&self, source: &str) -> String {
        let line = (self.line as usize).checked_sub(1);
        let Some(text) = line.and_then(|line| source.lines().nth(line)) else {
            return String::new();
        };
        let column = (self.column as usize).saturating_sub(1);
        let skipped = column.saturating_sub(EXCERPT / 2);
        let shown: String = text
            .chars()
            .skip(skipped)
            .take(EXCERPT)
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        let before = " ".repeat(column - skipped);
        format!("{number} | {}\n{margin} | {before}^", shown.trim_end())
    }

    /// Fills in the position unless a more precise one is there already.
    pub(crate) fn at(mut self, source: &str, offset: usize) -> Self {
        if self.line == 0 {
            (self.line, self.column) = position(source, offset);
        }
        self
    }
}

/// Line and column (in characters), both counted from 1.
pub(crate) fn position(source: &str, offset: usize) -> (u32, u32) {
    let mut offset = offset.min(source.len());
    while !source.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &source[..offset];
    let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before[start..].chars().count() + 1;
    (
        u32::try_from(line).unwrap_or(u32::MAX),
        u32::try_from(column).unwrap_or(u32::MAX),
    )
}

/// The codes of [`TemplateError`].
pub mod codes {
    /// The text is not Liquid.
    pub const SYNTAX_ERROR: &str = "syntax_error";
    /// `{% name %}` names no tag.
    pub const UNKNOWN_TAG: &str = "unknown_tag";
    /// `render`, `include` or `content_blocks` name nothing that there is.
    pub const UNKNOWN_PARTIAL: &str = "unknown_partial";
    /// `| name` names no filter.
    pub const UNKNOWN_FILTER: &str = "unknown_filter";
    /// A filter has too few or too many arguments.
    pub const WRONG_ARGUMENTS: &str = "wrong_arguments";
    /// A `connected_content` option that does not exist or is not supported.
    pub const UNSUPPORTED_OPTION: &str = "unsupported_option";
    /// Blocks, brackets or data nested deeper than the limit.
    pub const NESTING_TOO_DEEP: &str = "nesting_too_deep";
    /// The source is longer than the limit.
    pub const SOURCE_TOO_LARGE: &str = "source_too_large";
    /// More steps than the limit: usually a loop.
    pub const OUT_OF_FUEL: &str = "out_of_fuel";
    /// More output than the limit.
    pub const OUTPUT_TOO_LARGE: &str = "output_too_large";
    /// More computed values (strings, lists) than the limit.
    pub const MEMORY_LIMIT: &str = "memory_limit";
    /// More computing time than the limit.
    pub const DEADLINE_EXCEEDED: &str = "deadline_exceeded";
    /// More `connected_content` calls in one render than the limit.
    pub const TOO_MANY_FETCHES: &str = "too_many_fetches";
    /// A filter or tag met a value it cannot work with.
    pub const INVALID_VALUE: &str = "invalid_value";
    /// `divided_by: 0` or `modulo: 0`.
    pub const ZERO_DIVISION: &str = "zero_division";
    /// The machine was driven out of order: a defect of the caller, never of the template.
    pub const MISUSE: &str = "misuse";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_points_at_the_column() {
        let error = TemplateError::syntax("x").at("a\nhéé{{ b", 2 + 5);
        assert_eq!(error.excerpt("a\nhéé{{ b"), "2 | héé{{ b\n  |    ^");
        let long = format!("{}!{}", "a".repeat(500), "b".repeat(500));
        let shown = TemplateError::syntax("x").at(&long, 500).excerpt(&long);
        let (line, caret) = shown.split_once('\n').unwrap();
        assert_eq!(line.find('!'), caret.find('^'));
        assert!(line.len() < 120);
        assert_eq!(TemplateError::syntax("x").excerpt("a"), "");
    }

    #[test]
    fn columns_count_characters_not_bytes() {
        assert_eq!(position("ab\nhéé{", 3 + 5), (2, 4));
        assert_eq!(position("", 99), (1, 1));
    }
}
