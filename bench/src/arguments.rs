//! The command line: which benches, and how long.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::failure::{Failure, Result};

/// The comparisons there are, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Bench {
    Expiry,
    Reads,
    Events,
    Send,
    Feed,
    /// A part of `Send` that is only looked at: its results are shown and not kept.
    SendRate,
    Liquid,
    Fetch,
    Spike,
    /// Parts of `Spike`, likewise.
    SpikeClosed,
    SpikeCold,
    SpikeOverload,
    SpikeOutage,
    SpikeCrowd,
    SpikePair,
}

impl Bench {
    pub(crate) const ALL: [Self; 8] = [
        Self::Expiry,
        Self::Reads,
        Self::Events,
        Self::Send,
        Self::Feed,
        Self::Liquid,
        Self::Fetch,
        Self::Spike,
    ];

    /// Parts of others: shown, not kept.
    pub(crate) const PARTS: [Self; 7] = [
        Self::SendRate,
        Self::SpikeClosed,
        Self::SpikeCold,
        Self::SpikeOverload,
        Self::SpikeOutage,
        Self::SpikeCrowd,
        Self::SpikePair,
    ];

    /// As on the command line, and as the results file is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Expiry => "expiry",
            Self::Reads => "reads",
            Self::Events => "events",
            Self::Send => "send",
            Self::Feed => "feed",
            Self::SendRate => "send-rate",
            Self::Liquid => "liquid",
            Self::Fetch => "fetch",
            Self::Spike => "spike",
            Self::SpikeClosed => "spike-closed",
            Self::SpikeCold => "spike-cold",
            Self::SpikeOverload => "spike-overload",
            Self::SpikeOutage => "spike-outage",
            Self::SpikeCrowd => "spike-crowd",
            Self::SpikePair => "spike-pair",
        }
    }

    /// Beyond this it is stuck.
    pub(crate) fn longest(self, is_quick: bool) -> Duration {
        if is_quick {
            return Duration::from_mins(if self == Self::Spike { 18 } else { 8 });
        }
        match self {
            Self::Spike => Duration::from_mins(45),
            Self::Send => Duration::from_mins(25),
            Self::Feed | Self::Expiry | Self::Reads | Self::Events | Self::SendRate => {
                Duration::from_mins(18)
            }
            Self::SpikeClosed => Duration::from_mins(20),
            Self::Liquid
            | Self::Fetch
            | Self::SpikeCold
            | Self::SpikeOverload
            | Self::SpikeOutage
            | Self::SpikeCrowd
            | Self::SpikePair => Duration::from_mins(12),
        }
    }
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) benches: BTreeSet<Bench>,
    pub(crate) is_quick: bool,
}

impl Arguments {
    /// All benches unless some are named; `report` alone only writes the report again.
    pub(crate) fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut arguments = Self {
            benches: BTreeSet::new(),
            is_quick: false,
        };
        let mut report_only = false;
        for word in words {
            match word {
                "all" => arguments.benches.extend(Bench::ALL),
                "report" => report_only = true,
                "--quick" => arguments.is_quick = true,
                other => {
                    let mut known = Bench::ALL.into_iter().chain(Bench::PARTS);
                    let named = known.find(|bench| bench.name() == other);
                    let named = named.ok_or_else(|| Failure::Usage(other.to_owned()))?;
                    arguments.benches.insert(named);
                }
            }
        }
        if arguments.benches.is_empty() && !report_only {
            arguments.benches.extend(Bench::ALL);
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
        assert_eq!(
            parse("send feed expiry events reads liquid fetch spike"),
            parse("all")
        );
        assert_eq!(parse("feed --quick").benches, BTreeSet::from([Bench::Feed]));
        assert!(parse("--quick").is_quick);
        assert!(parse("report").benches.is_empty());
        assert!(
            Bench::PARTS
                .iter()
                .all(|part| !parse("all").benches.contains(part))
        );
        assert_eq!(
            parse("send-rate").benches,
            BTreeSet::from([Bench::SendRate])
        );
    }

    #[test]
    fn an_unknown_word_is_refused_by_name() {
        let failure = Arguments::parse(["fast"]).unwrap_err();
        assert!(failure.to_string().contains("'fast'"), "{failure}");
    }
}
