//! The Liquid engine: parse, limits, render, suspend on a fetch, dialects.
//!
//! A source compiles to a flat list of operations ([`Template`]); a [`Machine`] runs it over a
//! [`Scope`] of shared [`Data`]. At a `connected_content` tag the machine returns
//! [`Step::Fetch`] and waits, holding no thread and borrowing nothing. Nothing in here recurses over
//! its input, and every cost has a bound in [`Limits`]: a template can fail, never the process.
//!
//! [`CardTemplate`] and [`render_text`] drive machines for the rooms above.

mod arena;
mod asking;
mod card;
mod compare;
mod compiler;
mod condition;
mod cursor;
mod data;
pub mod error;
mod expression;
mod filters;
mod limits;
pub mod lint;
mod machine;
mod meter;
mod near;
mod number;
mod op;
mod partials;
pub mod personal;
mod print;
mod program;
mod render;
mod runtime;
mod scan;
mod scope;
mod tags;
mod value;

pub use asking::Answers;
pub use card::{CardSource, CardTemplate, FieldError, Rendered, RenderedFields};
pub use data::{Data, DataError};
pub use error::TemplateError;
pub use limits::Limits;
pub use machine::{Machine, Memory, Step};
pub use partials::Partials;
pub use program::{FetchSite, Template};
pub use render::{FetchTrace, RenderError, RenderOptions, render_text};
pub use scope::Scope;
