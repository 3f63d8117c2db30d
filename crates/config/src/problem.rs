//! What is wrong with a configuration, and where it was written.

use std::fmt;
use std::sync::Arc;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Nowhere but in the built-in defaults.
    Default,
    /// In a file; lines count from 1.
    File {
        /// As the caller named it.
        name: Arc<str>,
        /// Where the value begins.
        line: usize,
    },
    /// In an environment variable.
    Environment {
        /// Its full name.
        variable: Arc<str>,
    },
    /// On the command line.
    Flag {
        /// With its dashes.
        name: Arc<str>,
    },
}

impl Source {
    /// Whether an operator wrote it.
    #[must_use]
    pub fn is_given(&self) -> bool {
        *self != Self::Default
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("built-in default"),
            Self::File { name, line } => write!(f, "{name}:{line}"),
            Self::Environment { variable } => f.write_str(variable),
            Self::Flag { name } => f.write_str(name),
        }
    }
}

/// Something that keeps the configuration from being used. Printed as `source: key: message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Dotted, such as `store.database[0].url`; empty for a text that is not TOML.
    pub key: String,
    /// What is wrong and what would be right; never contains a secret.
    pub message: String,
    /// Where it was written.
    pub source: Source,
}

/// Something that can be used and is probably not meant. Printed like a [`Problem`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Dotted, as in [`Problem::key`].
    pub key: String,
    /// What may go wrong and what would be better.
    pub message: String,
    /// Where it was written.
    pub source: Source,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(f, &self.source, &self.key, &self.message)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(f, &self.source, &self.key, &self.message)
    }
}

fn print(f: &mut fmt::Formatter<'_>, source: &Source, key: &str, message: &str) -> fmt::Result {
    if key.is_empty() {
        write!(f, "{source}: {message}")
    } else {
        write!(f, "{source}: {key}: {message}")
    }
}
