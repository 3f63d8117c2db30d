//! `{% message_extras :key name :value text %}`: a fact about this card beside its fields.

use crate::compiler::Compiler;
use crate::error::{TemplateError, codes};
use crate::machine::Machine;
use crate::op::Op;
use crate::scan::Tag;
use crate::value::Text;

use super::connected_content::{fragment, split, unquote};

/// Most bytes that the keys and values of one field may have together.
const MOST_BYTES: usize = 1 << 10;

pub(super) fn start(c: &mut Compiler<'_>, tag: Tag) -> Result<(), TemplateError> {
    let wanted = || TemplateError::syntax("'message_extras' is written ':key name :value text'");
    let pieces = split(c.source, tag.markup);
    let names: Vec<&str> = pieces.iter().map(|piece| c.cut(piece.name)).collect();
    let [front, key, value] = pieces.as_slice() else {
        return Err(wanted());
    };
    if names != ["", "key", "value"] || !c.cut(front.value).is_empty() {
        return Err(wanted());
    }
    let (key, value) = (unquote(c.source, key.value), unquote(c.source, value.value));
    if c.cut(key).is_empty() {
        return Err(wanted());
    }
    fragment(c, key)?;
    fragment(c, value)?;
    // What it says is not part of the output, so a card with it is never the same for everybody.
    c.depends_on_data();
    c.emit(Op::Native { run: note, arg: 0 });
    Ok(())
}

/// A key that is given again has its last value.
fn note(m: &mut Machine, _: u32) -> Result<(), TemplateError> {
    let (value, key) = (m.pop(), m.pop());
    let (value, key) = (m.rt.text_of(value)?, m.rt.text_of(key)?);
    let shown = |text: Text| m.rt.str(text).trim().to_owned();
    let (key, value) = (shown(key), shown(value));
    m.extras.insert(key, value);
    let bytes: usize = m.extras.iter().map(|(k, v)| k.len() + v.len()).sum();
    m.rt.meter.charge(m.extras.len() as u64)?;
    if bytes > MOST_BYTES {
        let message = format!("the message extras have more than {MOST_BYTES} bytes together");
        return Err(TemplateError::new(codes::OUTPUT_TOO_LARGE, message));
    }
    Ok(())
}
