//! A compiled template: what the compiler leaves and the machine runs.

use std::fmt;
use std::sync::Arc;

use corkboard_core::connected::FetchMethod;

use crate::arena::Arena;
use crate::compiler::Compiler;
use crate::error::{TemplateError, codes};
use crate::limits::Limits;
use crate::op::{FilterCall, LoopSpec, Op, Path, Segment};
use crate::tags::connected_content::Request;
use crate::value::{Text, Value};

/// Everything a render needs of a template. Shared by all renders of it.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(crate) ops: Vec<Op>,
    /// Where in the source each operation comes from.
    pub(crate) offsets: Vec<u32>,
    pub(crate) constants: Vec<Value>,
    pub(crate) paths: Vec<Path>,
    pub(crate) segments: Vec<Segment>,
    pub(crate) calls: Vec<FilterCall>,
    pub(crate) loops: Vec<LoopSpec>,
    pub(crate) requests: Vec<Request>,
    pub(crate) sites: Vec<FetchSite>,
    /// The name of each variable slot.
    pub(crate) names: Vec<Text>,
    /// Source text first, then whatever had to be put together.
    pub(crate) arena: Arc<Arena>,
    /// Length of the source at the front of the arena's text.
    pub(crate) source_len: usize,
    /// Numbered places that tags keep state in while rendering.
    pub(crate) cells: u32,
    pub(crate) continues: u32,
    pub(crate) reads: Vec<String>,
    pub(crate) depends_on_data: bool,
}

impl Program {
    pub(crate) fn source(&self) -> &str {
        self.arena.text.get(..self.source_len).unwrap_or_default()
    }
}

/// One `connected_content` tag, as far as it is known before rendering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchSite {
    /// The URL's host with its port, in lower case, when no Liquid decides about it.
    pub host: Option<String>,
    /// Whether the whole URL is the same for every render.
    pub literal_url: bool,
    pub method: FetchMethod,
    /// Whether a result name was given with `:save`.
    pub saved: bool,
    /// Counted from 1.
    pub line: u32,
}

/// A compiled template. Cloning shares it.
#[derive(Clone)]
pub struct Template {
    pub(crate) program: Arc<Program>,
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Template({} ops)", self.program.ops.len())
    }
}

impl Template {
    /// Compiles a source text, in time linear in its length.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn compile(source: &str, limits: &Limits) -> Result<Self, TemplateError> {
        if source.len() > limits.source_bytes || u32::try_from(source.len()).is_err() {
            let message = format!(
                "the template has {} bytes, more than the {} allowed",
                source.len(),
                limits.source_bytes
            );
            return Err(TemplateError::new(codes::SOURCE_TOO_LARGE, message).at(source, 0));
        }
        let program = Compiler::new(source, limits)?.compile()?;
        Ok(Self {
            program: Arc::new(program),
        })
    }

    /// Whether the output is the same for every data: no variable that the template did not set
    /// itself is read, nothing is fetched, no time is read, nothing aborts.
    #[must_use]
    pub fn is_static(&self) -> bool {
        !self.program.depends_on_data
    }

    /// Every `connected_content` tag, in source order.
    #[must_use]
    pub fn fetches(&self) -> &[FetchSite] {
        &self.program.sites
    }

    /// The paths the template reads and did not set itself, such as `user.first_name`, sorted,
    /// each once. Parts decided at run time are left out.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.program.reads.iter().map(String::as_str)
    }

    /// The text it was compiled from.
    #[must_use]
    pub fn source(&self) -> &str {
        self.program.source()
    }
}
