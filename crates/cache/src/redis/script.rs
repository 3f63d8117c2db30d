//! Scripts that Redis runs as one step. Their text goes over the line once in a server's life; after
//! that it is their hash, which is taken once in ours.

use std::sync::OnceLock;

use redis::{Cmd, Script, Value};

use super::Shared;
use super::link::{CallError, Session};

/// A script, in parts that are put together.
#[derive(Debug)]
pub(super) struct Step {
    parts: &'static [&'static str],
    made: OnceLock<Made>,
}

#[derive(Debug)]
struct Made {
    text: String,
    hash: String,
}

impl Step {
    pub(super) const fn new(parts: &'static [&'static str]) -> Self {
        Self {
            parts,
            made: OnceLock::new(),
        }
    }

    /// A call that works on every server, to which arguments are to be added.
    pub(super) fn by_text(&self) -> Cmd {
        let mut call = redis::cmd("EVAL");
        call.arg(&self.made().text);
        call
    }

    /// The same, shorter, for a server that has seen the text.
    pub(super) fn by_hash(&self) -> Cmd {
        let mut call = redis::cmd("EVALSHA");
        call.arg(&self.made().hash);
        call
    }

    fn made(&self) -> &Made {
        self.made.get_or_init(|| {
            let text = self.parts.concat();
            let hash = Script::new(&text).get_hash().to_owned();
            Made { text, hash }
        })
    }
}

impl Shared {
    /// Runs a script. `arguments` adds the number of keys, the keys and the arguments.
    pub(super) async fn step(
        &self,
        session: &Session,
        step: &Step,
        arguments: impl Fn(&mut Cmd) + Send,
    ) -> Result<Value, CallError> {
        let mut by_hash = step.by_hash();
        arguments(&mut by_hash);
        match self.call_in(session, &by_hash).await {
            Err(CallError::Refused(error)) if error.code() == Some("NOSCRIPT") => {
                let mut by_text = step.by_text();
                arguments(&mut by_text);
                self.call_in(session, &by_text).await
            }
            answer => answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_that_of_all_parts() {
        static TWO: Step = Step::new(&["return ", "1"]);
        assert_eq!(TWO.made().text, "return 1");
        assert_eq!(TWO.made().hash, Script::new("return 1").get_hash());
    }
}
