//! What an engine is asked for.

use std::error::Error;

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// A card out of a user's values, which are parsed already.
    Render,
    /// A card out of a user's stored bytes.
    FromBytes,
    /// Compiling the template.
    Compile,
}

impl Work {
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "render" => Some(Self::Render),
            "from_bytes" => Some(Self::FromBytes),
            "compile" => Some(Self::Compile),
            _ => None,
        }
    }
}

pub(crate) trait Engine {
    fn name(&self) -> &'static str;

    fn does(&self, work: Work) -> bool;

    /// Does it once. What comes out goes where the compiler cannot see that nobody needs it.
    fn work(&mut self, work: Work, user: usize) -> Outcome;

    /// The card of a user, out of the stored bytes.
    fn output(&mut self, user: usize) -> Outcome<String>;
}
