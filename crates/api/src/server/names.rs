//! Names that callers give to what they store: content blocks and credentials.

use corkboard_core::campaign::Invalid;

use crate::extract::is_name;
use crate::problem::{Code, Problem};

/// What is wrong with the name of something to be stored.
pub(super) fn name_problems(name: &str) -> Vec<Invalid> {
    if is_name(name) {
        return Vec::new();
    }
    let message = "must be 1 to 100 letters, digits, '_' and '-', the first a letter or '_'";
    vec![Invalid::new("/name", message)]
}

/// The answer when something else has the name.
pub(super) fn taken(what: &str, name: &str) -> Problem {
    let detail = format!("there is a {what} '{name}' already; PUT replaces it");
    Problem::new(Code::NameTaken, detail)
}
