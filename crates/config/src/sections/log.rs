//! `[log]`: what goes to stderr.

use serde::Serialize;

use crate::reader::Section;

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Human on a terminal, JSON otherwise.
    Auto,
    /// For eyes.
    Human,
    /// For machines.
    Json,
}

/// The least severe line that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Defects and lost dependencies.
    Error,
    /// What an operator may have to act on.
    Warn,
    /// What the node does.
    Info,
    /// Why it does so.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// As written in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// What is logged and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogConfig {
    /// How a line looks.
    pub format: LogFormat,
    /// The least severe line that is written.
    pub level: LogLevel,
}

impl LogConfig {
    pub(crate) fn read(section: &mut Section<'_>) -> Self {
        let formats = [
            ("auto", LogFormat::Auto),
            ("human", LogFormat::Human),
            ("json", LogFormat::Json),
        ];
        let levels = [
            LogLevel::Error,
            LogLevel::Warn,
            LogLevel::Info,
            LogLevel::Debug,
            LogLevel::Trace,
        ]
        .map(|level| (level.as_str(), level));
        Self {
            format: section
                .choice("format", &formats)
                .unwrap_or(LogFormat::Auto),
            level: section.choice("level", &levels).unwrap_or(LogLevel::Info),
        }
    }
}
