//! What list filters iterate over: lists flattened, a map as one item, ranges counted out.

use crate::error::TemplateError;
use crate::runtime::Runtime;
use crate::value::Value;

impl Runtime {
    /// The items of a filter's input.
    pub(super) fn items(&mut self, input: Value) -> Result<Vec<Value>, TemplateError> {
        match input {
            Value::Nil | Value::Empty | Value::Blank => Ok(Vec::new()),
            Value::List(_) => self.flatten(input),
            Value::Range(index) => {
                let (from, to) = self.range(index);
                // Counted out only as far as there is fuel for it.
                self.meter.charge(self.range_len(index))?;
                Ok((from..=to).map(Value::Int).collect())
            }
            other => Ok(vec![other]),
        }
    }

    /// Lists in lists, taken apart with an explicit stack.
    fn flatten(&mut self, input: Value) -> Result<Vec<Value>, TemplateError> {
        let mut flat = Vec::new();
        let mut stack = vec![input];
        while let Some(value) = stack.pop() {
            self.meter.charge(1)?;
            match value {
                Value::List(seq) => {
                    self.meter.charge(seq.len.into())?;
                    stack.extend(
                        (0..seq.len as usize)
                            .rev()
                            .filter_map(|i| self.item(seq, i)),
                    );
                }
                scalar => flat.push(scalar),
            }
        }
        Ok(flat)
    }
}
