//! Emitting operations and patching jumps.

use super::Compiler;
use crate::compiler::LoopJumps;
use crate::op::Op;
use crate::value::Value;

impl Compiler<'_> {
    /// Appends an operation and returns its place.
    pub(crate) fn emit(&mut self, op: Op) -> usize {
        self.program.ops.push(op);
        self.program
            .offsets
            .push(u32::try_from(self.at).unwrap_or(u32::MAX));
        self.program.ops.len() - 1
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

    /// A place that a tag keeps state in while rendering.
    pub(crate) fn cell(&mut self) -> u32 {
        self.program.cells += 1;
        self.program.cells - 1
    }

    /// Emits a jump out of the innermost loop's body; outside of a loop, the end of the render.
    pub(crate) fn leave_loop(
        &mut self,
        jump: impl FnOnce(&mut Self) -> usize,
        remember: impl FnOnce(&mut LoopJumps, usize),
    ) {
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
                let jump = jump(self);
                if let Some(jumps) = open.block.loop_jumps() {
                    remember(jumps, jump);
                }
            }
            None => {
                self.emit(Op::Halt);
            }
        }
        self.blocks = blocks;
    }
}
