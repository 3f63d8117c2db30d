//! What the process says about itself: log lines, metrics, panics. Installed once.
//!
//! A panic is logged like any other error and the process stays: every task is isolated by the
//! runtime, so one request, card or connection is lost and the rest go on. A supervisor sees panics
//! in the log and in `corkboard_process_panics_total`.

mod histograms;
pub(crate) mod recorder;

use std::io::{self, IsTerminal as _};
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use corkboard_config::{LogConfig, LogFormat, LogLevel};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry, fmt};

/// Whether failures go to the log rather than to a person.
static JSON: AtomicBool = AtomicBool::new(false);

/// Changes the log level of the running process.
#[derive(Clone)]
pub(crate) struct LogControl {
    handle: reload::Handle<LevelFilter, Registry>,
}

impl LogControl {
    /// From now on, lines of this level and above are written.
    pub(crate) fn set(&self, level: LevelFilter) -> Result<(), reload::Error> {
        self.handle.reload(level)
    }

    /// The level in force.
    pub(crate) fn get(&self) -> LevelFilter {
        self.handle.clone_current().unwrap_or(LevelFilter::OFF)
    }
}

/// Whether log lines are JSON; false while nothing is installed.
pub(crate) fn logs_are_json() -> bool {
    JSON.load(Ordering::Relaxed)
}

/// How much a command says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verbosity {
    /// A node: as configured.
    Node,
    /// A command that is over soon: its results speak, so `info` becomes `warn`.
    Command,
}

/// Installs the log subscriber and the panic hook. A second call changes nothing.
pub(crate) fn install_logs(config: &LogConfig, verbosity: Verbosity) -> LogControl {
    let level = match (config.level, verbosity) {
        (LogLevel::Info, Verbosity::Command) => LevelFilter::WARN,
        (level, _) => level_filter(level),
    };
    let json = match config.format {
        LogFormat::Auto => !io::stderr().is_terminal(),
        LogFormat::Human => false,
        LogFormat::Json => true,
    };
    let (filter, handle) = reload::Layer::new(level);
    let lines = fmt::layer().with_writer(io::stderr).with_ansi(false);
    let lines = if json {
        lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .boxed()
    } else {
        lines.with_target(false).boxed()
    };
    if tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .try_init()
        .is_ok()
    {
        JSON.store(json, Ordering::Relaxed);
        std::panic::set_hook(Box::new(log_panic));
    }
    LogControl { handle }
}

fn level_filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    metrics::counter!("corkboard_process_panics_total").increment(1);
    let payload = panic.payload();
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message");
    let place = panic
        .location()
        .map(ToString::to_string)
        .unwrap_or_default();
    let thread = thread::current().name().unwrap_or_default().to_owned();
    tracing::error!(place, thread, "panic: {message}");
}
