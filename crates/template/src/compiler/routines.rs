//! Compiling partials: each one once, behind the template, as a routine of the same program.
//!
//! Partials share the template's slots, so that a name means the same place everywhere.

use super::Compiler;
use crate::error::{TemplateError, codes};
use crate::near::near_to;
use crate::op::Op;
use crate::partials::Kind;
use crate::program::Routine;
use crate::scan::Scanner;
use crate::value::Text;

impl<'s> Compiler<'s> {
    /// The routine of a partial that the source names.
    pub(crate) fn routine(&mut self, kind: Kind, name: &str) -> Result<u32, TemplateError> {
        let known = self.partials.of(kind);
        let Some((name, _)) = known.get_key_value(name) else {
            let what = match kind {
                Kind::Template => "partial",
                Kind::Block => "content block",
            };
            let near = near_to(name, known.keys().map(String::as_str));
            let shown: String = name.chars().take(60).collect();
            return Err(TemplateError::new(
                codes::UNKNOWN_PARTIAL,
                format!("there is no {what} '{shown}'{near}"),
            ));
        };
        let index = self.any_routine(kind, name)?;
        self.named.insert(index);
        Ok(index)
    }

    /// Makes every template reachable by a computed name.
    pub(crate) fn all_routines(&mut self) -> Result<(), TemplateError> {
        let known = self.partials.of(Kind::Template).keys();
        known.map(String::as_str).try_for_each(|name| {
            self.any_routine(Kind::Template, name)?;
            Ok(())
        })
    }

    fn any_routine(&mut self, kind: Kind, name: &'s str) -> Result<u32, TemplateError> {
        if let Some(index) = self.routines.get(&(kind, name)) {
            return Ok(*index);
        }
        let index = u32::try_from(self.program.routines.len()).unwrap_or(u32::MAX);
        let own_name = self.slot(last_part(name))?;
        self.program.routines.push(Routine {
            name: name.into(),
            entry: 0,
            source: (0, 0),
            own_name,
            failure: None,
        });
        self.routines.insert((kind, name), index);
        self.queue.push((index, kind, name));
        Ok(index)
    }

    /// The name of a routine, as `forloop.name` prints it.
    pub(crate) fn routine_name(&mut self, routine: u32) -> Result<Text, TemplateError> {
        let name = self.program.routines.get(routine as usize);
        let name = name.map_or_else(String::new, |routine| routine.name.to_string());
        self.new_text(&name)
    }

    /// A slot that no name leads to.
    pub(crate) fn hidden_slot(&mut self) -> Result<u32, TemplateError> {
        let name = self.new_text("\u{1}")?;
        self.new_slot(name)
    }

    /// Whether a content block is being compiled: there, others are dropped.
    pub(crate) fn in_content_block(&self) -> bool {
        self.routine == Some(Kind::Block)
    }

    /// Compiles what is reached and part of the text; notes what is not part of it.
    pub(super) fn compile_routines(&mut self) -> Result<(), TemplateError> {
        while let Some((index, kind, name)) = self.queue.pop() {
            let sources = self.sources;
            let found = sources.iter().find(|s| s.kind == kind && s.name == name);
            let Some(found) = found else {
                self.wanted.insert((kind, name.to_owned()));
                continue;
            };
            let entry = self.here();
            let source = self.text.get(found.start..found.end).unwrap_or_default();
            self.go_to(source, found.start, kind);
            let outcome = if source.len() > self.limits.source_bytes {
                let message = format!("has more than {} bytes", self.limits.source_bytes);
                Err(TemplateError::new(codes::SOURCE_TOO_LARGE, message).at(source, 0))
            } else {
                self.compile_source()
            };
            self.emit(Op::Return(None));
            let failure = outcome.map_err(|error| error.inside(name)).err();
            if let Some(routine) = self.program.routines.get_mut(index as usize) {
                routine.entry = entry;
                routine.source = (found.start, found.end);
                routine.failure = failure;
            }
        }
        let mut named = self.named.iter();
        let failure = named.find_map(|index| {
            let routine = self.program.routines.get(*index as usize)?;
            routine.failure.clone()
        });
        failure.map_or(Ok(()), Err)
    }

    /// Goes to the front of another source.
    fn go_to(&mut self, source: &'s str, base: usize, kind: Kind) {
        self.source = source;
        self.base = base;
        self.routine = Some(kind);
        self.scanner = Scanner::new(source);
        self.blocks.clear();
        self.line_floors.clear();
        self.own.fill(false);
        self.at = 0;
        self.counted = (0, 1);
    }
}

/// `include 'a/b'` binds `b`.
pub(crate) fn last_part(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}
