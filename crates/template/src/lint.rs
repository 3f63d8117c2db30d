//! What compiles and is probably not meant: warnings for the author, before anything is sent.
//!
//! They are read off the compiled operations. A warning is a guess: it stops nothing.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use crate::error::TemplateError;
use crate::op::{Op, Path, Root, Segment, Special};
use crate::program::{Program, Template};

/// The codes of [`Warning`].
pub mod codes {
    /// A fetch whose failure nobody would notice.
    pub const UNCHECKED_FETCH: &str = "unchecked_fetch";
    /// A user's value in the middle of a URL, as it is.
    pub const UNESCAPED_IN_URL: &str = "unescaped_in_url";
    /// An attribute that no user has: it is probably misspelt.
    pub const UNKNOWN_ATTRIBUTE: &str = "unknown_attribute";
}

/// Roots whose members come from users and triggers.
const FROM_OUTSIDE: &[&str] = &[
    "user",
    "custom_attribute",
    "properties",
    "event_properties",
    "api_trigger_properties",
];

/// Something that an author should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Stable, snake case. See [`codes`].
    pub code: &'static str,
    /// One sentence for the author, without position.
    pub message: String,
    /// Counted from 1.
    pub line: u32,
    /// Counted from 1, in characters.
    pub column: u32,
}

/// Where a template first reads an attribute of the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeRead {
    pub name: String,
    /// Counted from 1.
    pub line: u32,
    /// Counted from 1, in characters.
    pub column: u32,
}

impl AttributeRead {
    /// The warning that no user has this attribute.
    #[must_use]
    pub fn unknown(&self) -> Warning {
        let Self { name, line, column } = self;
        Warning {
            code: codes::UNKNOWN_ATTRIBUTE,
            message: format!("no user has an attribute '{name}': it reads as nothing"),
            line: *line,
            column: *column,
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            message,
            line,
            column,
            ..
        } = self;
        write!(f, "{message} (line {line}, column {column})")
    }
}

impl Template {
    /// What an author should look at, in source order.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        let program = &*self.program;
        let mut found = unchecked_fetches(program);
        for range in &program.urls {
            found.extend(unescaped(program, range.clone()));
        }
        found.sort_by_key(|warning| (warning.line, warning.column));
        found
    }

    /// The same for a template whose output is a URL as a whole.
    #[must_use]
    pub fn warnings_of_url(&self) -> Vec<Warning> {
        let mut found = unescaped(&self.program, 0..self.program.ops.len());
        found.extend(self.warnings());
        found.dedup();
        found
    }

    /// Where the template reads attributes of the user: each name once, where it stands first.
    #[must_use]
    pub fn attribute_reads(&self) -> Vec<AttributeRead> {
        let program = &*self.program;
        let mut found: Vec<AttributeRead> = Vec::new();
        for (at, op) in program.ops.iter().enumerate() {
            let (Op::Load(path) | Op::EmitPath(path)) = op else {
                continue;
            };
            let Some(name) = attribute(program, *path) else {
                continue;
            };
            if name != "user_id" && !found.iter().any(|read| read.name == name) {
                let Warning { line, column, .. } = warning(program, at, "", "");
                let name = name.to_owned();
                found.push(AttributeRead { name, line, column });
            }
        }
        found
    }

    /// The names of the users' attributes that the template reads, sorted, each once. One that no user
    /// has is probably misspelt.
    #[must_use]
    pub fn user_attributes(&self) -> BTreeSet<&str> {
        attributes(self.variables())
    }
}

/// The name of the user's attribute that a path reads, when it is constant.
fn attribute(program: &Program, path: u32) -> Option<&str> {
    let Path { root, from, to } = program.paths.get(path as usize)?;
    let named = match *root {
        // A template's own variable of that name comes second, and is meant when it is set.
        Root::Bare { slot, name, .. } => {
            let sets =
                |op: &Op| matches!(op, Op::Assign(of) | Op::CaptureAssign(of) if *of == slot);
            return (!program.ops.iter().any(sets)).then(|| program.arena.str(name));
        }
        Root::CustomAttribute { .. } => true,
        Root::Slot(slot) => {
            let name = program.names.get(slot as usize)?;
            program.arena.str(*name) == "user"
        }
    };
    let first = program
        .segments
        .get(*from as usize..*to as usize)?
        .first()?;
    match first {
        Segment::Name { name, .. } | Segment::Key { name, .. } if named => {
            Some(program.arena.str(*name))
        }
        _ => None,
    }
}

/// The first names behind `user` and `custom_attribute`.
pub(crate) fn attributes<'p>(paths: impl Iterator<Item = &'p str>) -> BTreeSet<&'p str> {
    paths
        .filter_map(|path| {
            let rest = path
                .strip_prefix("user.")
                .or_else(|| path.strip_prefix("custom_attribute."))?;
            rest.split('.').next().filter(|name| !name.is_empty())
        })
        .collect()
}

/// A template that neither aborts nor looks at a status would go on after a failure unnoticed.
fn unchecked_fetches(program: &Program) -> Vec<Warning> {
    let aborts = program.ops.iter().any(|op| matches!(op, Op::Abort { .. }));
    let asks = program.segments.iter().any(|segment| {
        matches!(
            segment,
            Segment::Name {
                special: Special::Status,
                ..
            }
        )
    });
    if aborts || asks {
        return Vec::new();
    }
    let fetches = program.ops.iter().enumerate();
    fetches
        .filter(|(_, op)| matches!(op, Op::Fetch(_)))
        .map(|(at, _)| {
            let message = "when this fetch fails, the text goes on without its result: \
                           look at '__http_status_code__' and use 'abort_message'";
            warning(program, at, codes::UNCHECKED_FETCH, message)
        })
        .collect()
}

/// Outputs of values from outside that no filter makes fit for a URL. One that stands first is the
/// URL's beginning, which cannot be escaped.
fn unescaped(program: &Program, range: Range<usize>) -> Vec<Warning> {
    let mut found = Vec::new();
    let mut begun = false;
    for at in range.clone() {
        let suspect = match program.ops.get(at) {
            Some(Op::EmitPath(path)) => comes_from_outside(program, *path),
            Some(Op::Emit) => {
                let front = program.ops.get(range.start..at).unwrap_or_default();
                printed_raw(program, front)
            }
            Some(Op::Text(_)) => {
                begun = true;
                false
            }
            _ => false,
        };
        if suspect && begun {
            let message = "a value goes into this URL as it is: add '| url_param_escape'";
            found.push(warning(program, at, codes::UNESCAPED_IN_URL, message));
        }
        begun |= matches!(program.ops.get(at), Some(Op::EmitPath(_) | Op::Emit));
    }
    found
}

/// Whether the operations in front of an `Emit` bring up something from outside and do not escape it.
fn printed_raw(program: &Program, front: &[Op]) -> bool {
    if let Some(Op::Filter(call)) = front.last()
        && let Some(call) = program.calls.get(*call as usize)
        && call.fit_for_urls
    {
        return false;
    }
    let value = front.iter().rev().take_while(|op| {
        matches!(
            op,
            Op::Push(_)
                | Op::Load(_)
                | Op::Get { .. }
                | Op::Index
                | Op::LoadNamed
                | Op::Range
                | Op::Filter(_)
        )
    });
    let mut loads = value.filter_map(|op| match op {
        Op::Load(path) => Some(*path),
        _ => None,
    });
    loads.any(|path| comes_from_outside(program, path))
}

fn comes_from_outside(program: &Program, path: u32) -> bool {
    let Some(Path { root, .. }) = program.paths.get(path as usize) else {
        return false;
    };
    match root {
        Root::Bare { .. } | Root::CustomAttribute { .. } => true,
        Root::Slot(slot) => {
            let name = program.names.get(*slot as usize);
            name.is_some_and(|name| FROM_OUTSIDE.contains(&program.arena.str(*name)))
        }
    }
}

fn warning(program: &Program, at: usize, code: &'static str, message: &str) -> Warning {
    let offset = program.offsets.get(at).copied().unwrap_or(0) as usize;
    let TemplateError {
        message,
        line,
        column,
        ..
    } = program.locate(TemplateError::new(code, message), offset);
    Warning {
        code,
        message,
        line,
        column,
    }
}
