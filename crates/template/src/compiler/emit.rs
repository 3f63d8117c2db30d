//! Emitting operations and patching jumps.

use super::Compiler;
use crate::error::TemplateError;
use crate::machine::Machine;
use crate::op::{Interrupt, Op, PartialCall, Path, Root};
use crate::value::Value;

impl Compiler<'_> {
    /// Appends an operation and returns its place.
    pub(crate) fn emit(&mut self, op: Op) -> usize {
        self.program.ops.push(op);
        self.program
            .offsets
            .push(u32::try_from(self.base + self.at).unwrap_or(u32::MAX));
        self.program.ops.len() - 1
    }

    /// Prints the value that the operations from a place on have pushed.
    pub(crate) fn emit_value(&mut self, from: usize) {
        match self.program.ops.get(from..) {
            Some([Op::Load(path)]) => self.program.ops[from] = Op::EmitPath(*path),
            _ => {
                self.emit(Op::Emit);
            }
        }
    }

    /// The place of the next operation, as a jump target.
    pub(crate) fn here(&self) -> u32 {
        // One operation takes at least one byte of a source shorter than 4 GiB.
        u32::try_from(self.program.ops.len()).unwrap_or(u32::MAX)
    }

    /// Lets the jump at a place go to the next operation.
    pub(crate) fn land(&mut self, jump: usize) {
        let here = self.here();
        self.land_at(jump, here);
    }

    pub(crate) fn land_all(&mut self, jumps: &[usize]) {
        for jump in jumps {
            self.land(*jump);
        }
    }

    pub(crate) fn land_at(&mut self, jump: usize, place: u32) {
        match &mut self.program.ops[jump] {
            Op::Jump(target)
            | Op::JumpIfFalse(target)
            | Op::JumpIfTrue(target)
            | Op::JumpUnlessInterrupted(target)
            | Op::JumpUnlessBreak(target)
            | Op::LoopBreak(target)
            | Op::LoopStart { empty: target, .. } => *target = place,
            other => debug_assert!(false, "no jump: {other:?}"),
        }
    }

    /// A jump whose target is patched later.
    pub(crate) fn jump(&mut self) -> usize {
        self.emit(Op::Jump(u32::MAX))
    }

    pub(crate) fn push(&mut self, value: Value) {
        let index = u32::try_from(self.program.constants.len()).unwrap_or(u32::MAX);
        self.program.constants.push(value);
        self.emit(Op::Push(index));
    }

    /// Takes back what was emitted from a place on.
    pub(crate) fn take_back(&mut self, place: usize) {
        self.program.ops.truncate(place);
        self.program.offsets.truncate(place);
    }

    /// Pops into a cell.
    pub(crate) fn store(&mut self, cell: u32) {
        self.emit(Op::Native {
            run: store_cell,
            arg: cell,
        });
    }

    /// Pushes what is in a cell.
    pub(crate) fn load_cell(&mut self, cell: u32) {
        self.emit(Op::Native {
            run: load_cell,
            arg: cell,
        });
    }

    /// Pushes the variable in a slot.
    pub(crate) fn load_slot(&mut self, slot: u32) {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let end = number(self.program.segments.len());
        let path = number(self.program.paths.len());
        self.program.paths.push(Path {
            root: Root::Slot(slot),
            from: end,
            to: end,
        });
        self.emit(Op::Load(path));
    }

    /// Calls a partial whose values are on the stack.
    pub(crate) fn call(&mut self, call: PartialCall) {
        let index = u32::try_from(self.program.partial_calls.len()).unwrap_or(u32::MAX);
        self.program.partial_calls.push(call);
        self.emit(Op::Call(index));
    }

    /// A place that a tag keeps state in while rendering.
    pub(crate) fn cell(&mut self) -> u32 {
        self.program.cells += 1;
        self.program.cells - 1
    }

    /// Emits a jump out of the innermost loop's body. Outside of a loop a partial hands the interrupt
    /// on to its caller, and the template ends.
    pub(crate) fn leave_loop(&mut self, interrupt: Interrupt) {
        let mut blocks = std::mem::take(&mut self.blocks);
        let mut place = None;
        for (index, open) in blocks.iter_mut().enumerate().rev() {
            if open.block.loop_jumps().is_some() {
                place = Some(index);
                break;
            }
            open.block.unwind(self);
        }
        match place.and_then(|index| blocks.get_mut(index)) {
            Some(open) => {
                let jump = match interrupt {
                    Interrupt::Break => self.emit(Op::LoopBreak(u32::MAX)),
                    Interrupt::Continue => self.jump(),
                };
                if let Some(jumps) = open.block.loop_jumps() {
                    match interrupt {
                        Interrupt::Break => jumps.breaks.push(jump),
                        Interrupt::Continue => jumps.continues.push(jump),
                    }
                }
            }
            None if self.routine.is_some() => {
                self.emit(Op::Return(Some(interrupt)));
            }
            None => {
                self.emit(Op::Halt);
            }
        }
        self.blocks = blocks;
    }
}

fn store_cell(m: &mut Machine, cell: u32) -> Result<(), TemplateError> {
    let value = m.pop();
    m.set_cell(cell, value);
    Ok(())
}

fn load_cell(m: &mut Machine, cell: u32) -> Result<(), TemplateError> {
    let value = m.cell(cell);
    m.push(value);
    Ok(())
}
