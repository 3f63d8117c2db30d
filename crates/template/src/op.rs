//! The operations a template compiles to. A flat list with jumps; values travel on a stack.

use crate::compare::Comparison;
use crate::error::TemplateError;
use crate::filters::FilterFn;
use crate::machine::Machine;
use crate::value::Text;

/// What only one tag needs: a function of that tag's file, so that a new tag is one file.
pub(crate) type Native = fn(&mut Machine, u32) -> Result<(), TemplateError>;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Op {
    /// Does nothing: suppressed white space.
    Nop,
    /// Prints constant text.
    Text(Text),
    /// Pushes constant number `n`.
    Push(u32),
    /// Pushes the value of path number `n`.
    Load(u32),
    /// Replaces the top by what path segments lead to from there.
    Get {
        from: u32,
        to: u32,
    },
    /// Pops a key and a container, pushes the member.
    Index,
    /// Pops a name, pushes the variable of that name.
    LoadNamed,
    /// Pops two bounds, pushes a range.
    Range,
    /// Pops the arguments and the input of filter call `n`, pushes the result.
    Filter(u32),
    Compare(Comparison),
    /// Pops and prints.
    Emit,
    /// Prints the value of path number `n`: what most outputs do.
    EmitPath(u32),
    Jump(u32),
    /// Pops; jumps unless true.
    JumpIfFalse(u32),
    /// Pops; jumps if true.
    JumpIfTrue(u32),
    /// Jumps unless a partial was left by `break` or `continue`.
    JumpUnlessInterrupted(u32),
    /// Takes that interrupt; jumps unless it is a `break`.
    JumpUnlessBreak(u32),
    /// Pops into the variable in a slot.
    Assign(u32),
    /// From here on, output is held back.
    Capture,
    /// Ends holding back; what was printed becomes the variable in a slot.
    CaptureAssign(u32),
    /// Ends holding back; what was printed is pushed.
    CapturePush,
    /// Pops limit, offset and collection as loop `n` wants them; jumps when there is no item.
    LoopStart {
        spec: u32,
        empty: u32,
    },
    /// The next item and back to the body, or on.
    LoopNext {
        body: u32,
    },
    /// Leaves the innermost loop.
    LoopBreak(u32),
    /// Suspends for `connected_content` number `n`.
    Fetch(u32),
    /// Runs a partial, as partial call `n` says.
    Call(u32),
    /// Back to where the partial was called.
    Return(Option<Interrupt>),
    /// Stops: this message must not be sent.
    Abort {
        reason: Option<Text>,
    },
    Native {
        run: Native,
        arg: u32,
    },
    Halt,
}

/// What `break` and `continue` are outside of a loop of their own partial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interrupt {
    Break,
    Continue,
}

/// A `render`, `include` or content block. The values of `arguments` lie on the stack, then the one
/// of `bound`, then the name when the callee is computed.
#[derive(Debug, Clone)]
pub(crate) struct PartialCall {
    /// The routine; none when a name on the stack says which.
    pub(crate) routine: Option<u32>,
    /// Whether it has variables of its own and sees none of the caller's.
    pub(crate) isolated: bool,
    /// Whether `break` and `continue` go on in the caller.
    pub(crate) interrupts: bool,
    pub(crate) arguments: Vec<u32>,
    /// Whether a value is bound to the partial's own name or alias, and to which slot; none for the
    /// name of a computed callee.
    pub(crate) bound: Option<Option<u32>>,
}

/// One filter with its argument counts as called.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FilterCall {
    pub(crate) run: FilterFn,
    /// Whether what it makes can stand in a URL as it is.
    pub(crate) fit_for_urls: bool,
    /// Steps that a call costs.
    pub(crate) cost: u8,
    /// Arguments on the stack, above the input.
    pub(crate) arguments: u8,
    /// Which of them is the filter's keyword argument.
    pub(crate) keyword: Option<u8>,
}

/// A variable with constant segments behind it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Path {
    pub(crate) root: Root,
    pub(crate) from: u32,
    pub(crate) to: u32,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Root {
    /// The variable in a slot.
    Slot(u32),
    /// `${name}`: the member of the user, or else the variable.
    Bare {
        user: u32,
        slot: u32,
        name: Text,
        hash: u32,
    },
    /// `custom_attribute.…`: that variable if there is one, or else the user.
    CustomAttribute { slot: u32, user: u32 },
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Segment {
    /// `.name`, which may also mean a size or an end.
    Name {
        name: Text,
        hash: u32,
        special: Special,
    },
    /// `["name"]`.
    Key { name: Text, hash: u32 },
    /// `[1]`.
    Index(i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Special {
    None,
    Size,
    First,
    Last,
    /// `__http_status_code__`.
    Status,
}

impl Special {
    pub(crate) fn of(name: &str) -> Self {
        match name {
            "size" => Self::Size,
            "first" => Self::First,
            "last" => Self::Last,
            "__http_status_code__" => Self::Status,
            _ => Self::None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offset {
    None,
    Given,
    /// `offset: continue`.
    Continue,
}

/// A `for` or `tablerow` tag.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LoopSpec {
    pub(crate) variable: u32,
    /// The slot of `forloop` or `tablerowloop`.
    pub(crate) object: u32,
    /// `item-collection`: what `forloop.name` prints.
    pub(crate) name: Text,
    /// Loops of the same name continue each other.
    pub(crate) continues: u32,
    /// Which of the operands on the stack, above the collection, is the limit; 0 for none.
    pub(crate) limit_at: u8,
    pub(crate) offset_at: u8,
    pub(crate) columns_at: u8,
    pub(crate) operands: u8,
    pub(crate) offset: Offset,
    pub(crate) reversed: bool,
    /// A `tablerow`, which is no `parentloop` to anybody.
    pub(crate) is_table: bool,
    /// A `render … for`, which is no `parentloop` either and has none.
    pub(crate) is_partial: bool,
}

impl LoopSpec {
    /// Whether it has, and can be, a `parentloop`.
    pub(crate) fn has_parent(&self) -> bool {
        !self.is_table && !self.is_partial
    }
}
