//! Turns a source into operations: one pass, with open blocks on a stack of their own.
//!
//! The compiler knows no tag. A tag's file pushes operations through the methods here and, for
//! blocks, leaves a [`Block`] that is asked about inner tags and told about the end.

mod emit;
mod routines;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::arena::Arena;
use crate::cursor::Cursor;
use crate::error::{TemplateError, codes};
use crate::limits::Limits;
use crate::near::near;
use crate::partials::{Kind, Partials, Source};
use crate::program::Program;
use crate::scan::{Scanner, Span, Tag, Token, is_space};
use crate::tags;
use crate::value::{Store, Text};

pub(crate) use self::routines::last_part;

/// An open block tag.
pub(crate) trait Block {
    /// Handles a tag between the block's own start and end, such as `else`. False: not mine.
    fn inner(&mut self, c: &mut Compiler<'_>, tag: Tag) -> Result<bool, TemplateError> {
        let _ = (c, tag);
        Ok(false)
    }

    /// `{% endname %}`.
    fn close(self: Box<Self>, c: &mut Compiler<'_>) -> Result<(), TemplateError>;

    /// Emits what must happen when `break` or `continue` jumps out of the block.
    fn unwind(&self, c: &mut Compiler<'_>) {
        let _ = c;
    }

    /// The jumps of a loop, for `break` and `continue`.
    fn loop_jumps(&mut self) -> Option<&mut LoopJumps> {
        None
    }
}

/// What comes of compiling a text.
pub(crate) enum Compiled {
    Whole(Box<Program>),
    /// It names partials whose sources are not part of the text.
    Wants(BTreeSet<(Kind, String)>),
}

/// Jumps out of a loop's body whose targets are known when the loop ends.
#[derive(Debug, Default)]
pub(crate) struct LoopJumps {
    pub(crate) breaks: Vec<usize>,
    pub(crate) continues: Vec<usize>,
}

pub(crate) struct OpenBlock {
    name: &'static str,
    pub(crate) block: Box<dyn Block>,
    at: usize,
    /// Nothing in it prints anything but white space, which is then not printed either.
    blank: bool,
    /// Whether a blank block counts as printing for the block around it.
    silent: bool,
    white_space: Vec<usize>,
    /// Slots that hold the template's own values from here to the end of the branch.
    assigned: Vec<u32>,
}

pub(crate) struct Compiler<'s> {
    /// The template's source with those of the partials behind it.
    pub(crate) text: &'s str,
    /// The source being compiled, a part of the text.
    pub(crate) source: &'s str,
    /// Where it begins in the text.
    base: usize,
    sources: &'s [Source],
    pub(crate) partials: &'s Partials,
    /// What is being compiled, unless the template itself.
    routine: Option<Kind>,
    routines: HashMap<(Kind, &'s str), u32>,
    /// Routines that the template or a partial names, and those not compiled yet.
    named: BTreeSet<u32>,
    queue: Vec<(u32, Kind, &'s str)>,
    wanted: BTreeSet<(Kind, String)>,
    pub(crate) scanner: Scanner<'s>,
    pub(crate) limits: &'s Limits,
    pub(crate) program: Program,
    arena: Arena,
    slots: HashMap<&'s str, u32>,
    /// Slots that surely hold a value of the template's own at this point.
    own: Vec<bool>,
    continues: HashMap<String, u32>,
    pub(crate) blocks: Vec<OpenBlock>,
    /// Number of open blocks at the start of each open `{% liquid %}` tag.
    line_floors: Vec<usize>,
    reads: BTreeSet<String>,
    /// What the operations being emitted come from.
    pub(crate) at: usize,
    /// An offset and its line, so that lines are counted once.
    counted: (usize, usize),
}

impl<'s> Compiler<'s> {
    /// `text` is a template of `length` bytes with the `sources` of partials behind it.
    pub(crate) fn new(
        text: &'s str,
        length: usize,
        sources: &'s [Source],
        partials: &'s Partials,
        limits: &'s Limits,
    ) -> Result<Self, TemplateError> {
        let mut arena = Arena::default();
        arena.add_text(Store::TEMPLATE, text)?;
        let source = text.get(..length).unwrap_or(text);
        Ok(Self {
            text,
            source,
            base: 0,
            sources,
            partials,
            routine: None,
            routines: HashMap::new(),
            named: BTreeSet::new(),
            queue: Vec::new(),
            wanted: BTreeSet::new(),
            scanner: Scanner::new(source),
            limits,
            program: Program {
                source_len: source.len(),
                ..Program::default()
            },
            arena,
            slots: HashMap::new(),
            own: Vec::new(),
            continues: HashMap::new(),
            blocks: Vec::new(),
            line_floors: Vec::new(),
            reads: BTreeSet::new(),
            at: 0,
            counted: (0, 1),
        })
    }

    pub(crate) fn compile(mut self) -> Result<Compiled, TemplateError> {
        self.compile_source()?;
        self.emit(crate::op::Op::Halt);
        self.compile_routines()?;
        if !self.wanted.is_empty() {
            return Ok(Compiled::Wants(self.wanted));
        }
        self.program.arena = Arc::new(self.arena);
        self.program.reads = self.reads.into_iter().collect();
        self.program.continues = u32::try_from(self.continues.len()).unwrap_or(u32::MAX);
        Ok(Compiled::Whole(Box::new(self.program)))
    }

    /// Compiles the current source from front to back.
    fn compile_source(&mut self) -> Result<(), TemplateError> {
        while let Some(token) = self.scanner.next()? {
            let at = match token {
                Token::Text(span) => span.start,
                Token::Output { at, .. } | Token::LinesEnd { at } => at,
                Token::Tag(tag) => tag.at,
            };
            self.at = at;
            self.token(token)
                .map_err(|error| error.at(self.source, at))?;
        }
        if let Some(open) = self.blocks.last() {
            let message = format!("'{{% {} %}}' is never closed", open.name);
            return Err(TemplateError::syntax(message).at(self.source, open.at));
        }
        Ok(())
    }

    fn token(&mut self, token: Token) -> Result<(), TemplateError> {
        match token {
            Token::Text(span) => {
                self.text(span);
                Ok(())
            }
            Token::Output { markup, .. } => self.output(markup),
            Token::Tag(tag) => self.tag(tag),
            Token::LinesEnd { .. } => self.end_lines(),
        }
    }

    fn text(&mut self, span: Span) {
        let text = &self.source[span.start..span.end];
        let op = self.emit(crate::op::Op::Text(self.source_text(text)));
        if text.chars().all(is_space) {
            if let Some(open) = self.blocks.last_mut() {
                open.white_space.push(op);
            }
        } else {
            self.prints();
        }
    }

    /// `{{ … }}`.
    pub(crate) fn output(&mut self, markup: Span) -> Result<(), TemplateError> {
        self.prints();
        let mut cursor = Cursor::output(self.source, markup);
        self.print_expression(&mut cursor)
    }

    /// An expression with filters, printed; nothing when it is empty.
    pub(crate) fn print_expression(
        &mut self,
        cursor: &mut Cursor<'s>,
    ) -> Result<(), TemplateError> {
        if cursor.peek().is_some() {
            let before = self.program.ops.len();
            self.filtered(cursor)?;
            self.emit_value(before);
        }
        cursor.finish()
    }

    fn tag(&mut self, tag: Tag) -> Result<(), TemplateError> {
        let name = self.cut(tag.name);
        let mine = self.blocks.len() > self.line_floors.last().copied().unwrap_or(0);
        if mine && let Some(mut open) = self.blocks.pop() {
            if name.strip_prefix("end") == Some(open.name) {
                return self.close(open);
            }
            if tags::BELONGS_TO_BLOCKS.contains(&name) {
                self.end_branch(&std::mem::take(&mut open.assigned));
            }
            self.blocks.push(open);
            if self.offer_to_block(tag)? {
                return Ok(());
            }
        }
        match tags::find(name) {
            Some(spec) => {
                if spec.prints {
                    self.prints();
                }
                (spec.start)(self, tag)
            }
            None => Err(self.unknown_tag(name)),
        }
    }

    /// Asks the innermost block whether a tag belongs to it. The block is out of the stack's way
    /// while it answers, so that it can use the compiler.
    fn offer_to_block(&mut self, tag: Tag) -> Result<bool, TemplateError> {
        struct Placeholder;
        impl Block for Placeholder {
            fn close(self: Box<Self>, _: &mut Compiler<'_>) -> Result<(), TemplateError> {
                Ok(())
            }
        }
        let Some(open) = self.blocks.last_mut() else {
            return Ok(false);
        };
        let mut block = std::mem::replace(&mut open.block, Box::new(Placeholder));
        let outcome = block.inner(self, tag);
        if let Some(open) = self.blocks.last_mut() {
            open.block = block;
        }
        outcome
    }

    /// Opens a block whose end is `{% endname %}`.
    pub(crate) fn open(
        &mut self,
        name: &'static str,
        tag: Tag,
        block: Box<dyn Block>,
    ) -> Result<(), TemplateError> {
        if self.blocks.len() >= self.limits.depth {
            let message = format!("blocks are nested deeper than {} levels", self.limits.depth);
            return Err(TemplateError::new(codes::NESTING_TOO_DEEP, message));
        }
        self.blocks.push(OpenBlock {
            name,
            block,
            at: tag.at,
            blank: true,
            silent: name == "capture",
            white_space: Vec::new(),
            assigned: Vec::new(),
        });
        Ok(())
    }

    fn close(&mut self, open: OpenBlock) -> Result<(), TemplateError> {
        self.end_branch(&open.assigned);
        if open.blank && !open.silent {
            for op in open.white_space {
                self.program.ops[op] = crate::op::Op::Nop;
            }
        } else if !open.silent {
            self.prints();
        }
        open.block.close(self)
    }

    /// The innermost block prints something.
    pub(crate) fn prints(&mut self) {
        if let Some(open) = self.blocks.last_mut() {
            open.blank = false;
        }
    }

    /// A slot is assigned here: it holds the template's own value to the end of the branch.
    pub(crate) fn assigns(&mut self, slot: u32) {
        if self.set_own(slot, true) {
            return;
        }
        // The body of a capture runs whenever the capture does.
        if let Some(open) = self.blocks.iter_mut().rev().find(|open| !open.silent) {
            open.assigned.push(slot);
        }
    }

    fn end_branch(&mut self, assigned: &[u32]) {
        for slot in assigned {
            self.set_own(*slot, false);
        }
    }

    pub(crate) fn enter_lines(&mut self, markup: Span) {
        self.line_floors.push(self.blocks.len());
        self.scanner.enter_lines(markup);
    }

    fn end_lines(&mut self) -> Result<(), TemplateError> {
        let floor = self.line_floors.pop().unwrap_or(0);
        match self.blocks.last() {
            Some(open) if self.blocks.len() > floor => {
                let message = format!("'{}' is never closed inside 'liquid'", open.name);
                Err(TemplateError::syntax(message).at(self.source, open.at))
            }
            _ => Ok(()),
        }
    }

    fn unknown_tag(&self, name: &str) -> TemplateError {
        if name.is_empty() {
            return TemplateError::syntax("a tag needs a name, as in '{% if … %}'");
        }
        let open = self.blocks.last().map(|open| open.name);
        if tags::BELONGS_TO_BLOCKS.contains(&name) || name.starts_with("end") {
            return TemplateError::syntax(match open {
                Some(open) => {
                    format!("'{name}' does not belong into '{open}', which is still open")
                }
                None => format!("'{name}' without an open block that it belongs to"),
            });
        }
        let known = tags::names();
        TemplateError::new(
            codes::UNKNOWN_TAG,
            format!("there is no tag '{name}'{}", near(name, known)),
        )
    }

    /// The line of what is being compiled. Counted once per tag that asks.
    pub(crate) fn line(&mut self) -> u32 {
        let (counted_to, mut line) = self.counted;
        line += self.source.as_bytes()[counted_to..self.at]
            .iter()
            .filter(|b| **b == b'\n')
            .count();
        self.counted = (self.at, line);
        u32::try_from(line).unwrap_or(u32::MAX)
    }

    pub(crate) fn cut(&self, span: Span) -> &'s str {
        &self.source[span.start..span.end]
    }

    /// Coordinates of a part of the source.
    pub(crate) fn source_text(&self, part: &str) -> Text {
        let start = part.as_ptr().addr().wrapping_sub(self.text.as_ptr().addr());
        debug_assert!(
            self.text.get(start..start + part.len()) == Some(part),
            "not of the source"
        );
        // The source is shorter than 4 GiB: `Template::compile` checks.
        Text {
            store: Store::TEMPLATE,
            start: u32::try_from(start).unwrap_or(0),
            len: u32::try_from(part.len()).unwrap_or(0),
        }
    }

    /// Stores a text that does not stand in the source as it is.
    pub(crate) fn new_text(&mut self, text: &str) -> Result<Text, TemplateError> {
        Ok(self.arena.add_text(Store::TEMPLATE, text)?)
    }

    /// The slot of a variable name, which must be a part of the source or static.
    pub(crate) fn slot(&mut self, name: &'s str) -> Result<u32, TemplateError> {
        if let Some(slot) = self.slots.get(name) {
            return Ok(*slot);
        }
        let text = self.new_text(name)?;
        let slot = self.new_slot(text)?;
        self.slots.insert(name, slot);
        Ok(slot)
    }

    fn new_slot(&mut self, name: Text) -> Result<u32, TemplateError> {
        let slot = u32::try_from(self.program.names.len()).unwrap_or(u32::MAX);
        self.program.names.push(name);
        self.own.push(false);
        Ok(slot)
    }

    /// The number of a loop's name: loops of one name continue each other.
    pub(crate) fn continued(&mut self, name: String) -> u32 {
        let next = u32::try_from(self.continues.len()).unwrap_or(u32::MAX);
        *self.continues.entry(name).or_insert(next)
    }

    /// Says whether a slot surely holds a value of the template's own from here on; returns what
    /// was true before.
    pub(crate) fn set_own(&mut self, slot: u32, own: bool) -> bool {
        self.own
            .get_mut(slot as usize)
            .is_some_and(|old| std::mem::replace(old, own))
    }

    /// Notes that a variable is read.
    pub(crate) fn reads(&mut self, slot: u32, path: impl FnOnce() -> String) {
        if !self.own.get(slot as usize).copied().unwrap_or(false) {
            self.reads_data(path());
        }
    }

    /// Notes that data is read.
    pub(crate) fn reads_data(&mut self, path: String) {
        self.depends_on_data();
        self.reads.insert(path);
    }

    pub(crate) fn depends_on_data(&mut self) {
        self.program.depends_on_data = true;
    }
}
