//! The tags. Adding one is a file here, its `mod` line and its line in [`TAGS`].

pub(crate) mod connected_content;

mod abort_message;
mod assign;
mod capture;
mod case;
mod comment;
mod counter;
mod cycle;
mod doc;
mod echo;
mod for_loop;
mod if_block;
mod ifchanged;
mod inline_comment;
mod interrupt;
mod liquid;
mod loop_head;
mod message_extras;
mod partial;
mod raw;
mod tablerow;

use crate::compiler::Compiler;
use crate::error::TemplateError;
use crate::scan::Tag;

pub(crate) struct TagSpec {
    name: &'static str,
    /// Whether the tag alone makes the block around it print its white space.
    pub(crate) prints: bool,
    pub(crate) start: fn(&mut Compiler<'_>, Tag) -> Result<(), TemplateError>,
}

const TAGS: &[TagSpec] = &[
    TagSpec {
        name: "#",
        prints: false,
        start: inline_comment::start,
    },
    TagSpec {
        name: "abort_message",
        prints: true,
        start: abort_message::start,
    },
    TagSpec {
        name: "assign",
        prints: false,
        start: assign::start,
    },
    TagSpec {
        name: "break",
        prints: true,
        start: interrupt::start_break,
    },
    TagSpec {
        name: "capture",
        prints: false,
        start: capture::start,
    },
    TagSpec {
        name: "case",
        prints: false,
        start: case::start,
    },
    TagSpec {
        name: "comment",
        prints: false,
        start: comment::start,
    },
    TagSpec {
        name: "connected_content",
        prints: true,
        start: connected_content::start,
    },
    TagSpec {
        name: "continue",
        prints: true,
        start: interrupt::start_continue,
    },
    TagSpec {
        name: "cycle",
        prints: true,
        start: cycle::start,
    },
    TagSpec {
        name: "decrement",
        prints: true,
        start: counter::start_decrement,
    },
    TagSpec {
        name: "doc",
        prints: false,
        start: doc::start,
    },
    TagSpec {
        name: "echo",
        prints: true,
        start: echo::start,
    },
    TagSpec {
        name: "for",
        prints: false,
        start: for_loop::start,
    },
    TagSpec {
        name: "if",
        prints: false,
        start: if_block::start_if,
    },
    TagSpec {
        name: "ifchanged",
        prints: false,
        start: ifchanged::start,
    },
    TagSpec {
        name: "include",
        prints: true,
        start: partial::start_include,
    },
    TagSpec {
        name: "increment",
        prints: true,
        start: counter::start_increment,
    },
    TagSpec {
        name: "liquid",
        prints: false,
        start: liquid::start,
    },
    TagSpec {
        name: "message_extras",
        prints: false,
        start: message_extras::start,
    },
    TagSpec {
        name: "raw",
        prints: false,
        start: raw::start,
    },
    TagSpec {
        name: "render",
        prints: true,
        start: partial::start_render,
    },
    TagSpec {
        name: "tablerow",
        prints: true,
        start: tablerow::start,
    },
    TagSpec {
        name: "unless",
        prints: false,
        start: if_block::start_unless,
    },
];

/// Tags that only mean something inside a block.
pub(crate) const BELONGS_TO_BLOCKS: &[&str] = &["else", "elsif", "when"];

pub(crate) fn find(name: &str) -> Option<&'static TagSpec> {
    TAGS.iter().find(|spec| spec.name == name)
}

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    TAGS.iter().map(|spec| spec.name)
}
