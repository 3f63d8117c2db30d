//! The pipeline: audience, variant, render, write, invalidate.
//!
//! [`Sender`] is the whole of it. [`Sender::launch`], [`Sender::trigger`] and [`Sender::track`] store
//! a *dispatch* with its *chunks* and return once that is durable; the workers that [`Sender::run`]
//! starts, in this process or another, lease the chunks and turn them into cards. Nothing is lost
//! with a worker: its lease lapses, another one repeats what was not checkpointed, and the store
//! recognises cards that are there already. `docs/pipeline.md` walks through a dispatch.

mod backoff;
mod blocks;
mod compiled;
mod error;
mod freeze;
mod launch;
mod meters;
mod options;
mod places;
mod plan;
mod report;
mod scheduler;
mod seat;
mod sender;
mod stop;
mod track;
mod trigger;
mod waiting;
mod warnings;
mod worker;

pub use blocks::MOST_BLOCK_BYTES;
pub use error::{SendError, WrongState};
pub use launch::Launched;
pub use options::{Deps, SendOptions};
pub use plan::{HostCalls, Plan};
pub use report::DispatchReport;
pub use sender::Sender;
pub use track::{Track, Tracked};
pub use warnings::TemplateWarning;
