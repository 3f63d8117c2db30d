//! Errors for people: an error does not repeat what led to it, so whoever prints it has to.

use std::error::Error;

/// An error and everything that led to it, on one line.
#[must_use]
pub fn story(error: &dyn Error) -> String {
    let mut story = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        story.push_str(": ");
        story.push_str(&error.to_string());
        cause = error.source();
    }
    story
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the door stays shut")]
    struct Shut(#[source] io::Error);

    #[test]
    fn a_story_goes_back_to_the_first_cause() {
        let shut = Shut(io::Error::other("no key"));
        assert_eq!(story(&shut), "the door stays shut: no key");
    }
}
