//! Runs a compiled template: one loop over a flat list, suspended at will.
//!
//! A machine owns its state and shares the rest, so that it can wait for a fetch inside an async task
//! and go on on another thread. It never recurses and never blocks; whoever drives it answers its
//! requests.

mod access;
mod calls;
mod fetch;
mod loops;
mod memory;
mod rerender;
mod state;

use std::collections::BTreeMap;
use std::sync::Arc;

use corkboard_core::connected::{FetchRequest, FetchResponse};

use crate::error::{TemplateError, codes};
use crate::limits::Limits;
use crate::op::{Interrupt, Op};
use crate::program::{Program, Template};
use crate::runtime::{Output, Print, Runtime};
use crate::scope::Scope;
use crate::value::{Text, Value};

use self::calls::CallFrame;
use self::loops::LoopFrame;
use self::state::Slot;

pub use self::memory::Memory;
pub(crate) use self::memory::Values;

/// Most output that is made room for before it is there. Cards are shorter.
const ROOM_AT_START: usize = 1024;

/// What a machine wants next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// The output is complete.
    Done,
    /// Answer with [`Machine::resume`], then run on.
    Fetch(FetchRequest),
    /// The template said `abort_message`; there is no output. With the reason it gave.
    Abort(Option<String>),
}

/// One render in progress.
#[derive(Debug)]
pub struct Machine {
    program: Arc<Program>,
    scope: Scope,
    pub(crate) rt: Runtime,
    pc: usize,
    stack: Vec<Value>,
    pub(crate) output: Output,
    /// Where each open capture begins in the output.
    captures: Vec<usize>,
    slots: Vec<Slot>,
    loops: Vec<LoopFrame>,
    loop_serial: u32,
    calls: Vec<CallFrame>,
    /// How the partial that just returned was left.
    interrupt: Option<Interrupt>,
    limits: Limits,
    continues: Vec<i64>,
    cells: Vec<Value>,
    counters: Vec<(Text, i64)>,
    /// Statuses of fetched results, by the slot they were saved in.
    statuses: Vec<(u32, u16)>,
    /// What `ifchanged` printed last.
    pub(crate) last_changed: Option<Value>,
    /// What `message_extras` noted.
    pub(crate) extras: BTreeMap<String, String>,
    fetches_left: u32,
    /// Bytes that fetched results may still take.
    fetched_room: usize,
    state: State,
    /// Why it is aborting.
    reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ready,
    /// Waiting for the answer to request number `n`.
    Fetching(u32),
    /// A fetched result said so.
    Aborting,
    Ended,
}

impl Machine {
    /// Prepares a render. Costs a few allocations and no parsing.
    #[must_use]
    pub fn start(template: &Template, scope: Scope, limits: &Limits) -> Self {
        Self::start_in(Memory::default(), template, scope, limits)
    }

    /// Prepares a render in the memory of another one, which is over.
    #[must_use]
    pub fn start_in(memory: Memory, template: &Template, scope: Scope, limits: &Limits) -> Self {
        let program = Arc::clone(&template.program);
        let Memory {
            stack,
            captures,
            mut slots,
            loops,
            calls,
            mut continues,
            mut cells,
            counters,
            statuses,
            values,
        } = memory;
        slots.resize(program.names.len(), Slot::default());
        continues.resize(program.continues as usize, 0);
        cells.resize(program.cells as usize, Value::Nil);
        let rt = Runtime::new(
            values,
            &program.arena,
            scope.arenas().map(Arc::clone),
            limits,
            scope.now,
        );
        Self {
            rt,
            pc: 0,
            stack,
            output: Output {
                text: String::with_capacity(program.source_len.min(ROOM_AT_START)),
                limit: limits.output_bytes,
            },
            captures,
            slots,
            loops,
            loop_serial: 0,
            calls,
            interrupt: None,
            limits: *limits,
            continues,
            cells,
            counters,
            statuses,
            last_changed: None,
            extras: BTreeMap::new(),
            fetches_left: limits.fetches,
            fetched_room: limits.fetched_bytes,
            state: State::Ready,
            reason: None,
            program,
            scope,
        }
    }

    /// Runs until the template ends, aborts, or wants something fetched.
    ///
    /// # Errors
    /// When a limit is reached or a tag or filter meets a value it cannot work with. The render is
    /// over then.
    pub fn run(&mut self) -> Result<Step, TemplateError> {
        match self.state {
            State::Ready => {}
            State::Fetching(_) => {
                return Err(TemplateError::new(
                    codes::MISUSE,
                    "a fetch has not been answered",
                ));
            }
            State::Aborting => {
                self.state = State::Ended;
                return Ok(Step::Abort(self.reason.take()));
            }
            State::Ended => return Ok(Step::Done),
        }
        let outcome = self.steps();
        self.rt.meter.leave();
        match &outcome {
            Ok(Step::Fetch(_)) => {}
            _ => self.state = State::Ended,
        }
        outcome.map_err(|error| self.locate(error))
    }

    /// Hands the answer to the last request in.
    ///
    /// # Errors
    /// When the answer does not fit the limits.
    pub fn resume(&mut self, response: &FetchResponse) -> Result<(), TemplateError> {
        let State::Fetching(request) = self.state else {
            return Err(TemplateError::new(
                codes::MISUSE,
                "nothing is being fetched",
            ));
        };
        self.state = State::Ready;
        self.answer(request, response).map_err(|error| {
            self.state = State::Ended;
            self.locate(error)
        })
    }

    /// The output so far, leaving none behind. Complete after [`Step::Done`].
    pub fn take_output(&mut self) -> String {
        std::mem::take(&mut self.output.text)
    }

    /// Ends the render and gives its memory back, for [`Self::start_in`].
    #[must_use]
    pub fn into_memory(self) -> Memory {
        let mut memory = Memory {
            stack: self.stack,
            captures: self.captures,
            slots: self.slots,
            loops: self.loops,
            calls: self.calls,
            continues: self.continues,
            cells: self.cells,
            counters: self.counters,
            statuses: self.statuses,
            values: self.rt.into_values(),
        };
        memory.clear();
        memory
    }

    /// What `message_extras` noted, leaving nothing behind.
    pub fn take_message_extras(&mut self) -> BTreeMap<String, String> {
        std::mem::take(&mut self.extras)
    }

    fn locate(&self, error: TemplateError) -> TemplateError {
        let at = self.pc.saturating_sub(1);
        let offset = self.program.offsets.get(at).copied().unwrap_or(0);
        self.program.locate(error, offset as usize)
    }

    fn steps(&mut self) -> Result<Step, TemplateError> {
        let program = Arc::clone(&self.program);
        while let Some(op) = program.ops.get(self.pc) {
            self.pc += 1;
            self.rt.meter.charge(1)?;
            match *op {
                Op::Nop => {}
                Op::Text(text) => {
                    self.rt.meter.charge_bytes(text.len as usize)?;
                    self.output.print(self.rt.str(text))?;
                }
                Op::Push(constant) => {
                    let value = program.constants.get(constant as usize).copied();
                    self.stack.push(value.unwrap_or(Value::Nil));
                }
                Op::Load(path) => {
                    let value = match self.load_plain(&program, path) {
                        Some(value) => value,
                        None => self.load(&program, path)?,
                    };
                    self.stack.push(value);
                }
                Op::Get { from, to } => {
                    let start = self.pop();
                    let segments = program.segments.get(from as usize..to as usize);
                    let value = self.follow(start, segments.unwrap_or_default())?;
                    self.stack.push(value);
                }
                Op::Index => {
                    let key = self.pop();
                    let container = self.pop();
                    self.charge_key(key)?;
                    self.stack.push(self.rt.member(container, key));
                }
                Op::LoadNamed => {
                    let name = self.pop();
                    self.charge_key(name)?;
                    let value = self.load_named(name);
                    self.stack.push(value);
                }
                Op::Range => {
                    let to = self.pop();
                    let from = self.pop();
                    let (from, to) = (self.rt.range_bound(from), self.rt.range_bound(to));
                    let range = self.rt.new_range(from, to)?;
                    self.stack.push(range);
                }
                Op::Filter(call) => self.filter(&program, call)?,
                Op::Compare(comparison) => {
                    let right = self.pop();
                    let left = self.pop();
                    let verdict = self.rt.compare(left, comparison, right)?;
                    self.stack.push(Value::Bool(verdict));
                }
                Op::EmitPath(path) => match &self.load_plain(&program, path) {
                    Some(value) => self.rt.print(value, &mut self.output)?,
                    None => {
                        let value = self.load(&program, path)?;
                        self.rt.print(&value, &mut self.output)?;
                    }
                },
                Op::Emit => {
                    let value = self.pop();
                    self.rt.print(&value, &mut self.output)?;
                }
                Op::Jump(target) => self.pc = target as usize,
                Op::JumpIfFalse(target) => {
                    if !self.pop().is_truthy() {
                        self.pc = target as usize;
                    }
                }
                Op::JumpIfTrue(target) => {
                    if self.pop().is_truthy() {
                        self.pc = target as usize;
                    }
                }
                Op::JumpUnlessInterrupted(target) => {
                    if self.interrupt.is_none() {
                        self.pc = target as usize;
                    }
                }
                Op::JumpUnlessBreak(target) => {
                    if self.interrupt.take() != Some(Interrupt::Break) {
                        self.pc = target as usize;
                    }
                }
                Op::Assign(slot) => {
                    let value = self.pop();
                    self.assign(slot, value);
                }
                Op::Capture => self.captures.push(self.output.text.len()),
                Op::CaptureAssign(slot) => {
                    let value = self.end_capture()?;
                    self.assign(slot, value);
                }
                Op::CapturePush => {
                    let value = self.end_capture()?;
                    self.stack.push(value);
                }
                Op::LoopStart { spec, empty } => self.start_loop(&program, spec, empty)?,
                Op::LoopNext { body } => self.next_iteration(body)?,
                Op::LoopBreak(target) => {
                    self.end_loop();
                    self.pc = target as usize;
                }
                Op::Fetch(request) => {
                    let wanted = self.request(&program, request)?;
                    self.state = State::Fetching(request);
                    return Ok(Step::Fetch(wanted));
                }
                Op::Abort { reason } => {
                    return Ok(Step::Abort(reason.map(|text| self.rt.str(text).to_owned())));
                }
                Op::Native { run, arg } => run(self, arg)?,
                Op::Call(number) => self.call(&program, number)?,
                Op::Return(interrupt) => self.return_from_call(interrupt),
                Op::Halt => break,
            }
        }
        Ok(Step::Done)
    }

    fn filter(&mut self, program: &Program, call: u32) -> Result<(), TemplateError> {
        let Some(call) = program.calls.get(call as usize) else {
            return Ok(());
        };
        let mut arguments = [Value::Nil; crate::filters::MAX_ARGUMENTS];
        let mut positional = 0;
        let mut keyword = None;
        let base = self.stack.len().saturating_sub(usize::from(call.arguments));
        for (index, value) in self.stack.iter().skip(base).enumerate() {
            if call.keyword.map(usize::from) == Some(index) {
                keyword = Some(*value);
            } else if let Some(place) = arguments.get_mut(positional) {
                *place = *value;
                positional += 1;
            }
        }
        self.stack.truncate(base);
        let input = self.pop();
        let arguments = crate::filters::Args {
            positional: &arguments[..positional],
            keyword,
        };
        self.rt.meter.charge(call.cost.into())?;
        let value = (call.run)(&mut self.rt, input, &arguments)?;
        self.stack.push(value);
        Ok(())
    }

    fn end_capture(&mut self) -> Result<Value, TemplateError> {
        let start = self.captures.pop().unwrap_or(self.output.text.len());
        self.rt.meter.charge_bytes(self.output.text.len() - start)?;
        let value = self
            .rt
            .new_text(self.output.text.get(start..).unwrap_or_default())?;
        self.output.text.truncate(start);
        Ok(value)
    }
}
