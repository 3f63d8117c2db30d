//! Templates inside templates: where `render`, `include` and `content_blocks` find their sources, and
//! how the ones that a template needs become one text with it.
//!
//! Everything that a template can reach is compiled with it, into one program. So a partial that is
//! missing or broken is known when the template is compiled, and calling one costs no parsing.

use std::collections::{BTreeMap, BTreeSet};

use crate::compiler::{Compiled, Compiler};
use crate::error::{TemplateError, codes};
use crate::limits::Limits;
use crate::program::Program;

/// Sources by name that templates may use.
#[derive(Debug, Clone, Default)]
pub struct Partials {
    /// For `render` and `include`.
    pub templates: BTreeMap<String, String>,
    /// For `{{ content_blocks.${name} }}`. Inside of one, others print nothing.
    pub content_blocks: BTreeMap<String, String>,
}

/// What a name names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Template,
    Block,
}

/// A partial whose source is part of the text being compiled.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Partials {
    pub(crate) fn of(&self, kind: Kind) -> &BTreeMap<String, String> {
        match kind {
            Kind::Template => &self.templates,
            Kind::Block => &self.content_blocks,
        }
    }
}

/// Compiles a template with all that it reaches. The partials come to light one level at a time, so
/// this takes as many rounds as they are nested; most templates have none and take one.
pub(crate) fn compile(
    source: &str,
    partials: &Partials,
    limits: &Limits,
) -> Result<Program, TemplateError> {
    let mut text = source.to_owned();
    let mut sources: Vec<Source> = Vec::new();
    loop {
        match Compiler::new(&text, source.len(), &sources, partials, limits)?.compile()? {
            Compiled::Whole(program) => return Ok(*program),
            Compiled::Wants(more) => {
                let room = limits.partial_bytes;
                append(&mut text, source.len() + room, &mut sources, more, partials)
                    .map_err(|error| error.at(source, 0))?;
            }
        }
    }
}

fn append(
    text: &mut String,
    most: usize,
    sources: &mut Vec<Source>,
    wanted: BTreeSet<(Kind, String)>,
    partials: &Partials,
) -> Result<(), TemplateError> {
    for (kind, name) in wanted {
        let source = partials.of(kind).get(&name).map_or("", String::as_str);
        let start = text.len();
        let end = start.saturating_add(source.len());
        if end > most || u32::try_from(end).is_err() {
            let message = "the template and the partials that it uses are too large together";
            return Err(TemplateError::new(codes::SOURCE_TOO_LARGE, message));
        }
        text.push_str(source);
        sources.push(Source {
            kind,
            name,
            start,
            end,
        });
    }
    Ok(())
}
