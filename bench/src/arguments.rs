//! The command line: which benches, and how long.

use crate::failure::{Failure, Result};

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) send: bool,
    pub(crate) feed: bool,
    pub(crate) is_quick: bool,
}

impl Arguments {
    /// All benches unless some are named; `report` alone only writes the report again.
    pub(crate) fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut arguments = Self {
            send: false,
            feed: false,
            is_quick: false,
        };
        let mut report_only = false;
        for word in words {
            match word {
                "send" => arguments.send = true,
                "feed" => arguments.feed = true,
                "all" => (arguments.send, arguments.feed) = (true, true),
                "report" => report_only = true,
                "--quick" => arguments.is_quick = true,
                other => return Err(Failure::Usage(other.to_owned())),
            }
        }
        if !arguments.send && !arguments.feed && !report_only {
            (arguments.send, arguments.feed) = (true, true);
        }
        Ok(arguments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_benches_run_unless_some_are_named() {
        let parse = |line: &str| Arguments::parse(line.split_whitespace()).unwrap();
        assert_eq!(parse(""), parse("all"));
        assert_eq!(parse("send feed"), parse("all"));
        assert!(!parse("send").feed && !parse("feed --quick").send);
        assert!(parse("--quick").is_quick);
        let report = parse("report");
        assert!(!report.send && !report.feed);
    }

    #[test]
    fn an_unknown_word_is_refused_by_name() {
        let failure = Arguments::parse(["fast"]).unwrap_err();
        assert!(failure.to_string().contains("'fast'"), "{failure}");
    }
}
