//! A compiled template: what the compiler leaves and the machine runs.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use corkboard_core::connected::FetchMethod;

use crate::arena::Arena;
use crate::error::{TemplateError, codes};
use crate::limits::Limits;
use crate::op::{FilterCall, LoopSpec, Op, PartialCall, Path, Segment};
use crate::partials::{self, Partials};
use crate::tags;
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
    pub(crate) partial_calls: Vec<PartialCall>,
    pub(crate) routines: Vec<Routine>,
    pub(crate) requests: Vec<Request>,
    pub(crate) sites: Vec<FetchSite>,
    /// The operations that put together each URL that has outputs.
    pub(crate) urls: Vec<Range<usize>>,
    /// The name of each variable slot.
    pub(crate) names: Vec<Text>,
    /// Source text first, those of the partials behind it, then whatever had to be put together.
    pub(crate) arena: Arc<Arena>,
    /// Length of the template's own source at the front of the arena's text.
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

    /// Positions an error at an offset of the arena's text, naming the partial that it lies in.
    pub(crate) fn locate(&self, error: TemplateError, offset: usize) -> TemplateError {
        let holds = |routine: &&Routine| (routine.source.0..routine.source.1).contains(&offset);
        match self.routines.iter().find(holds) {
            Some(routine) => {
                let (start, end) = routine.source;
                let source = self.arena.text.get(start..end).unwrap_or_default();
                error.at(source, offset - start).inside(&routine.name)
            }
            None => error.at(self.source(), offset),
        }
    }
}

/// A compiled partial.
#[derive(Debug)]
pub(crate) struct Routine {
    pub(crate) name: Box<str>,
    /// Its first operation.
    pub(crate) entry: u32,
    /// Its source in the arena's text.
    pub(crate) source: (usize, usize),
    /// The slot of the name that `include` binds a value to.
    pub(crate) own_name: u32,
    /// Why it did not compile. A partial that only computed names reach fails when it is called.
    pub(crate) failure: Option<TemplateError>,
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

impl FetchSite {
    /// The host of a URL with its port, as in [`Self::host`].
    #[must_use]
    pub fn host_of(url: &str) -> Option<String> {
        tags::connected_content::host(url)
    }
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
        Self::compile_with(source, &Partials::default(), limits)
    }

    /// Like [`Self::compile`], with sources for `render`, `include` and `content_blocks`. Without any
    /// content blocks, `content_blocks` is a variable like others.
    ///
    /// # Errors
    /// The first thing that is wrong with it, or with a partial that it names.
    pub fn compile_with(
        source: &str,
        partials: &Partials,
        limits: &Limits,
    ) -> Result<Self, TemplateError> {
        if source.len() > limits.source_bytes || u32::try_from(source.len()).is_err() {
            let message = format!(
                "the template has {} bytes, more than the {} allowed",
                source.len(),
                limits.source_bytes
            );
            return Err(TemplateError::new(codes::SOURCE_TOO_LARGE, message).at(source, 0));
        }
        let program = partials::compile(source, partials, limits)?;
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

    /// The content blocks that the source names, as far as names are constant: what to look up before
    /// compiling it with [`Self::compile_with`].
    pub fn content_blocks(&self) -> impl Iterator<Item = &str> {
        self.variables()
            .filter_map(|path| path.strip_prefix("content_blocks."))
    }

    /// The text it was compiled from.
    #[must_use]
    pub fn source(&self) -> &str {
        self.program.source()
    }
}
