//! The engine from outside: conformance, dialect, fetches, cards, and everything nasty.

mod anything;
mod attempts;
mod card;
mod dialect;
mod fetches;
mod golden;
mod language;
mod options;
mod partials;
mod rerender;
mod safety;
mod support;
mod warnings;
