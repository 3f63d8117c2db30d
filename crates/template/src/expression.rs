//! Compiles values, variable paths and filters.
//!
//! Brackets inside brackets are kept on an explicit stack, so that the depth of an expression never
//! becomes stack depth.

use crate::arena::hash;
use crate::compiler::Compiler;
use crate::cursor::{Cursor, Literal};
use crate::error::{TemplateError, codes};
use crate::filters;
use crate::near::near;
use crate::op::{FilterCall, Op, PartialCall, Path, Root, Segment, Special};
use crate::partials::Kind;
use crate::value::{Text, Value};

/// What the `]` of an open bracket does.
enum Bracket {
    /// Index the value before it.
    Index,
    /// Look a variable up by name.
    Named,
}

/// Segments being collected, behind a variable or behind a value that is computed already.
struct Pending<'s> {
    root: Option<(Root, &'s str)>,
    from: usize,
}

impl<'s> Compiler<'s> {
    /// A value and the filters behind it.
    pub(crate) fn filtered(&mut self, cursor: &mut Cursor<'s>) -> Result<(), TemplateError> {
        self.value(cursor)?;
        while cursor.eat(b'|') {
            self.filter(cursor)?;
        }
        Ok(())
    }

    fn filter(&mut self, cursor: &mut Cursor<'s>) -> Result<(), TemplateError> {
        cursor.skip_space();
        let at = cursor.pos;
        let name = cursor
            .name()
            .ok_or_else(|| cursor.unexpected("the name of a filter"))?;
        let Some(spec) = filters::find(name) else {
            let message = format!(
                "there is no filter '{name}'{}",
                near(name, filters::names())
            );
            return Err(TemplateError::new(codes::UNKNOWN_FILTER, message).at(self.source, at));
        };
        let wrong =
            |message| Err(TemplateError::new(codes::WRONG_ARGUMENTS, message).at(self.source, at));
        let mut arguments = 0_u8;
        let mut keyword = None;
        if cursor.eat(b':') && !matches!(cursor.peek(), None | Some(b'|')) {
            loop {
                if let Some(word) = keyword_ahead(cursor) {
                    if Some(word) != spec.keyword || keyword.is_some() {
                        return wrong(format!("the filter '{name}' has no argument '{word}'"));
                    }
                    keyword = Some(arguments);
                }
                self.value(cursor)?;
                arguments = arguments.saturating_add(1);
                if usize::from(arguments) > filters::MAX_ARGUMENTS || !cursor.eat(b',') {
                    break;
                }
            }
        }
        let positional = arguments - u8::from(keyword.is_some());
        if !(spec.arguments.0..=spec.arguments.1).contains(&positional) {
            let takes = filters::count(spec.arguments);
            return wrong(format!(
                "the filter '{name}' takes {takes}, not {positional}"
            ));
        }
        if spec.reads_time {
            self.depends_on_data();
        }
        let call = u32::try_from(self.program.calls.len()).unwrap_or(u32::MAX);
        self.program.calls.push(FilterCall {
            run: spec.run,
            fit_for_urls: filters::FIT_FOR_URLS.contains(&name),
            cost: spec.cost,
            arguments,
            keyword,
        });
        self.emit(Op::Filter(call));
        Ok(())
    }

    /// One value without filters: a literal, a variable with its path, or a range.
    pub(crate) fn value(&mut self, cursor: &mut Cursor<'s>) -> Result<(), TemplateError> {
        if cursor.eat(b'(') {
            self.operand(cursor)?;
            if !cursor.eat_str("..") {
                return Err(cursor.unexpected("'..' of a range"));
            }
            self.operand(cursor)?;
            cursor.expect(b')')?;
            self.emit(Op::Range);
            return Ok(());
        }
        self.operand(cursor)
    }

    /// A literal or a variable with its path.
    fn operand(&mut self, cursor: &mut Cursor<'s>) -> Result<(), TemplateError> {
        let mut brackets: Vec<Bracket> = Vec::new();
        loop {
            let mut path = None;
            if let Some(literal) = cursor.literal()? {
                let value = self.literal_value(literal);
                self.push(value);
            } else if cursor.eat(b'[') {
                match constant_key(cursor)? {
                    Some(Literal::Text(name)) => path = Some(self.variable(name)?),
                    Some(_) => return Err(cursor.error("a variable has no number as a name")),
                    None => {
                        self.enter(&mut brackets, Bracket::Named, cursor)?;
                        continue;
                    }
                }
            } else {
                path = self.root(cursor)?;
            }
            if self.behind(cursor, path, &mut brackets)? {
                return Ok(());
            }
        }
    }

    /// Path segments and closing brackets. False: an opening bracket wants another operand.
    fn behind(
        &mut self,
        cursor: &mut Cursor<'s>,
        mut path: Option<Pending<'s>>,
        brackets: &mut Vec<Bracket>,
    ) -> Result<bool, TemplateError> {
        loop {
            match cursor.peek() {
                Some(b'.') if path.is_some() && !cursor.rest().starts_with("..") => {
                    cursor.pos += 1;
                    let segment = if let Some(name) = cursor.dollar()? {
                        Segment::Key {
                            name: self.source_text(name),
                            hash: hash(name),
                        }
                    } else if let Some(name) = cursor.name() {
                        Segment::Name {
                            name: self.source_text(name),
                            hash: hash(name),
                            special: Special::of(name),
                        }
                    } else {
                        return Err(cursor.unexpected("a name behind '.'"));
                    };
                    self.program.segments.push(segment);
                }
                Some(b'[') if path.is_some() => {
                    cursor.pos += 1;
                    match constant_key(cursor)? {
                        Some(Literal::Text(key)) => {
                            self.program.segments.push(Segment::Key {
                                name: self.source_text(key),
                                hash: hash(key),
                            });
                        }
                        Some(Literal::Int(index)) => {
                            self.program.segments.push(Segment::Index(index));
                        }
                        Some(Literal::Float(_)) => {
                            return Err(cursor.error("an index is a whole number or a text"));
                        }
                        None => {
                            self.flush(path)?;
                            self.enter(brackets, Bracket::Index, cursor)?;
                            return Ok(false);
                        }
                    }
                }
                Some(b']') if !brackets.is_empty() => {
                    cursor.pos += 1;
                    self.flush(path)?;
                    let op = match brackets.pop() {
                        Some(Bracket::Named) => Op::LoadNamed,
                        _ => Op::Index,
                    };
                    if matches!(op, Op::LoadNamed) {
                        self.depends_on_data();
                    }
                    self.emit(op);
                    path = Some(Pending {
                        root: None,
                        from: self.program.segments.len(),
                    });
                }
                _ if !brackets.is_empty() => return Err(cursor.unexpected("']'")),
                _ => {
                    self.flush(path)?;
                    return Ok(true);
                }
            }
        }
    }

    fn enter(
        &self,
        brackets: &mut Vec<Bracket>,
        bracket: Bracket,
        cursor: &Cursor<'s>,
    ) -> Result<(), TemplateError> {
        if brackets.len() >= self.limits.depth {
            let message = format!(
                "brackets are nested deeper than {} levels",
                self.limits.depth
            );
            let error = TemplateError::new(codes::NESTING_TOO_DEEP, message);
            return Err(error.at(self.source, cursor.pos));
        }
        brackets.push(bracket);
        Ok(())
    }

    fn literal_value(&self, literal: Literal<'s>) -> Value {
        match literal {
            Literal::Int(n) => Value::Int(n),
            Literal::Float(n) => Value::Float(n),
            Literal::Text(text) => Value::Text(self.source_text(text)),
        }
    }

    /// A word or `${…}` that a path can begin with. None: a literal word, pushed already.
    fn root(&mut self, cursor: &mut Cursor<'s>) -> Result<Option<Pending<'s>>, TemplateError> {
        if let Some(name) = cursor.dollar()? {
            let user = self.slot("user")?;
            let slot = self.slot(name)?;
            let text = self.source_text(name);
            self.depends_on_data();
            let from = self.program.segments.len();
            return Ok(Some(Pending {
                root: Some((
                    Root::Bare {
                        user,
                        slot,
                        name: text,
                        hash: hash(name),
                    },
                    name,
                )),
                from,
            }));
        }
        let name = cursor.name().ok_or_else(|| cursor.unexpected("a value"))?;
        let literal = match name {
            "nil" | "null" => Some(Value::Nil),
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            "empty" => Some(Value::Empty),
            "blank" => Some(Value::Blank),
            _ => None,
        };
        if let Some(literal) = literal
            && !matches!(cursor.rest().bytes().next(), Some(b'.' | b'['))
        {
            self.push(literal);
            return Ok(None);
        }
        self.variable(name).map(Some)
    }

    fn variable(&mut self, name: &'s str) -> Result<Pending<'s>, TemplateError> {
        let slot = self.slot(name)?;
        let root = if name == "custom_attribute" {
            Root::CustomAttribute {
                slot,
                user: self.slot("user")?,
            }
        } else {
            Root::Slot(slot)
        };
        Ok(Pending {
            root: Some((root, name)),
            from: self.program.segments.len(),
        })
    }

    /// Emits the access that a path stands for.
    fn flush(&mut self, path: Option<Pending<'s>>) -> Result<(), TemplateError> {
        let Some(path) = path else { return Ok(()) };
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let (from, to) = (number(path.from), number(self.program.segments.len()));
        let Some((root, name)) = path.root else {
            if from < to {
                self.emit(Op::Get { from, to });
            }
            return Ok(());
        };
        if name == "content_blocks" && self.content_block(path.from)? {
            return Ok(());
        }
        let mut shown = if matches!(root, Root::Bare { .. }) {
            format!("user.{name}")
        } else {
            name.to_owned()
        };
        for segment in self.program.segments.get(path.from..).unwrap_or_default() {
            match segment {
                Segment::Name { name: part, .. } | Segment::Key { name: part, .. } => {
                    shown.push('.');
                    let start = part.start as usize;
                    shown.push_str(&self.text[start..start + part.len as usize]);
                }
                Segment::Index(_) => break,
            }
        }
        match root {
            Root::Slot(slot) => self.reads(slot, || shown),
            Root::Bare { .. } | Root::CustomAttribute { .. } => self.reads_data(shown),
        }
        let index = number(self.program.paths.len());
        self.program.paths.push(Path { root, from, to });
        self.emit(Op::Load(index));
        Ok(())
    }

    /// `content_blocks.${name}`: the block runs here, and what it prints is the value. False: there
    /// are no blocks, so it is a variable like others.
    fn content_block(&mut self, from: usize) -> Result<bool, TemplateError> {
        let segments = self.program.segments.get(from..).unwrap_or_default();
        let [Segment::Name { name, .. } | Segment::Key { name, .. }] = segments else {
            return Ok(false);
        };
        if self.partials.content_blocks.is_empty() {
            return Ok(false);
        }
        if self.in_content_block() {
            self.push(Value::Text(Text::EMPTY));
            return Ok(true);
        }
        let start = name.start as usize;
        let name = self.text.get(start..start + name.len as usize);
        let routine = self.routine(Kind::Block, name.unwrap_or_default())?;
        self.emit(Op::Capture);
        self.call(PartialCall {
            routine: Some(routine),
            isolated: false,
            interrupts: false,
            arguments: Vec::new(),
            bound: None,
        });
        self.emit(Op::CapturePush);
        Ok(true)
    }
}

/// `word:` of a keyword argument, stepped over.
fn keyword_ahead<'s>(cursor: &mut Cursor<'s>) -> Option<&'s str> {
    let before = cursor.pos;
    let word = cursor.name();
    if word.is_some() && cursor.eat(b':') {
        return word;
    }
    cursor.pos = before;
    None
}

/// A literal followed by `]`, both stepped over; none when something has to be computed.
fn constant_key<'s>(cursor: &mut Cursor<'s>) -> Result<Option<Literal<'s>>, TemplateError> {
    let before = cursor.pos;
    if let Some(literal) = cursor.literal()?
        && cursor.eat(b']')
    {
        return Ok(Some(literal));
    }
    cursor.pos = before;
    Ok(None)
}
